/* SPDX-License-Identifier: MIT */
#include "keeper/serve_misled.h"

#include "base/log.h"
#include "keeper/serve_direct.h"
#include "keeper/serve_routes.h"
#include "platform/misled.h"
#include "platform/sys.h"

#include <errno.h>
#include <string.h>

enum {
	MISLED_TURN = 256,  /* that are looked at in a turn */
	SAID_EVERY = 60000, /* ms, while it goes on */
};

void
serve_misled_watch(struct serve *s)
{
	s->misled = net_misled_watch(OUR_MARK);
	if (s->misled < 0)
		log_warn(
			"the firewall's own reports cannot be heard (%s): should rules of "
			"others lead sluice's packets astray, nobody says so",
			strerror(-s->misled));
	s->led_said.every = SAID_EVERY;
}

/* TCP asks on and on where its packets are dropped, and would tell nobody. */
static void
led_back(struct serve *s, const struct net_misled *m)
{
	uint64_t now = sys_boottime();

	s->led_back++;
	s->led = now;
	s->led_mark = m->mark;
	if (s->can_end && m->network == NETWORK_TCP && m->is_socket && m->uid == s->uid)
		(void)net_misled_end(m);
	log_limited(&s->led_said, now, LOG_WARNING,
		"IPv%d packets that have to leave are led back into %s, by a firewall rule "
		"(they have the mark 0x%x) or a routing rule of somebody else's: they are "
		"dropped, and sluice's own connections (user %u) that this meets %s",
		m->source.ip.family, s->tun_name, m->mark, (unsigned)s->uid,
		s->can_end ? "are ended" : "wait in vain");
}

static bool
is_kernels(const struct serve *s, int family)
{
	return family == 6 ? s->direct6 : s->direct4;
}

/* `whole` is asked for once a turn: below 0 nobody has asked yet. */
static void
report_see(struct serve *s, const struct net_misled *m, int *whole)
{
	if (m->how != NET_MISLED_BACK) {
		if (is_kernels(s, m->source.ip.family) &&
			net_misled_is_answer(m, OUR_KEPT) == 1)
			serve_direct_unseen(s, m->source.ip.family);
		return;
	}
	if (*whole < 0)
		*whole = serve_routes_hold(s);
	/* Where our own rules were away for a moment, it is sent again. */
	if (*whole)
		led_back(s, m);
}

void
serve_misled_follow(struct serve *s)
{
	struct net_misled m;
	int whole = -1, r = 0;

	for (int i = 0; i < MISLED_TURN && r == 0; i++) {
		r = net_misled_next(s->misled, &m);
		if (r == -ENOBUFS)
			r = 0;
		else if (r == 0)
			report_see(s, &m, &whole);
	}
}
