/* SPDX-License-Identifier: MIT */
#include "keeper/serve_resolver.h"

#include "base/log.h"
#include "platform/net.h"
#include "platform/sys.h"

#include <string.h>

/* Two programs that each write over the other leave it at that. */
enum { AGAIN = 1000 }; /* ms */

/* Its entry alone, undone: what somebody else wrote stays. */
static void
release(struct serve *s)
{
	int i;

	for (i = s->journal->n - 1; i >= 0; i--)
		if (s->journal->change[i].kind == CHANGE_RESOLVER)
			(void)journal_undo_one(s->journal, i);
	s->taken = false;
}

static int
take(struct serve *s, struct err *e)
{
	struct change c = { .until = CHANGE_SESSION, .kind = CHANGE_RESOLVER };
	int from;

	release(s);
	from = s->journal->n;
	if (net_resolver_plan(s->tun_name, s->config->state_dir, c.u.plan, e) < 0 ||
		journal_add(s->journal, &c, e) < 0)
		return -1;
	if (net_resolver_take(c.u.plan, s->servers, s->nservers, e) < 0) {
		(void)journal_undo(s->journal, from);
		return -1;
	}
	s->taken = true;
	return 0;
}

static void
watch(struct serve *s)
{
	/* systemd-resolved keeps what it was told of a device. */
	if (s->resolver >= 0 || !net_resolver_is_ours())
		return;
	s->resolver = net_resolver_watch();
	if (s->resolver < 0)
		log_warn("resolv.conf cannot be watched (%s): should somebody write over "
			 "it, nobody notices",
			strerror(-s->resolver));
}

int
serve_resolver_take(struct serve *s, struct err *e)
{
	if (take(s, e) < 0)
		return -1;
	s->usurped = false;
	watch(s);
	return 0;
}

static void
failed_say(struct serve *s, const struct err *e)
{
	if (!s->usurped)
		log_error(
			"somebody wrote over sluice's resolv.conf, and it cannot take its "
			"place again: %s; sluice tries again each second, and meanwhile "
			"names are asked for beside it",
			e->text);
}

void
serve_resolver_mend(struct serve *s)
{
	uint64_t now = sys_boottime();
	const char *again;
	struct err e;

	net_resolver_seen(s->resolver);
	if (net_resolver_is_ours()) {
		s->usurped = false;
		return;
	}
	if (s->retaken > 0 && now - s->retaken < AGAIN) {
		s->usurped = true;
		s->taken = false;
		return;
	}
	s->retaken = now;
	if (take(s, &e) < 0) {
		failed_say(s, &e);
		s->usurped = true;
		return;
	}
	s->usurped = false;
	again = serve_again(s);
	if (again)
		log_warn(
			"somebody wrote over sluice's resolv.conf; it has taken its place "
			"again, and what they wrote is put back at the end%s",
			again);
}
