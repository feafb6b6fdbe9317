/* SPDX-License-Identifier: MIT */
#include "keeper/serve_routes.h"

#include "base/log.h"
#include "keeper/serve_beside.h"
#include "platform/net.h"
#include "platform/sys.h"

#include <string.h>

enum { LATELY = 1000 }; /* ms: what was led astray may have been so until then */

/*
 * With src_valid_mark a reverse path filter looks up the route back with the
 * mark that the firewall put on the packet, and so accepts what comes in on
 * the physical link.  With tcp_fwmark_accept a connection that came in from
 * there has the mark in its socket, and finds its way out even when our table
 * has none, as after a kill of keeper and engine.
 */
static const struct {
	const char *name, *loss;
} settings[] = {
	{ "net.ipv4.conf.all.src_valid_mark",
		"where rp_filter is 1, nothing that comes in will be accepted" },
	{ "net.ipv4.tcp_fwmark_accept",
		"should sluice be killed, nobody can log in from outside" },
};

enum { SETTINGS = sizeof settings / sizeof *settings };

void
serve_routes_settle(struct serve *s)
{
	const char *names[SETTINGS];
	int i;

	for (i = 0; i < SETTINGS; i++) {
		names[i] = settings[i].name;
		serve_sysctl_wish(s, settings[i].name, "1", settings[i].loss);
	}
	if (s->marks < 0)
		s->marks = net_sysctl_watch(names, SETTINGS);
	if (s->marks < 0)
		log_warn("the settings of marks cannot be watched: %s",
			strerror(-s->marks));
}

void
serve_routes_settings_mend(struct serve *s)
{
	char value[SYSCTL_VALUE];
	const char *again;
	struct err e;
	int i;

	net_sysctl_seen(s->marks);
	for (i = 0; i < SETTINGS; i++) {
		if (net_sysctl_get(settings[i].name, value, sizeof value, &e) < 0 ||
			strcmp(value, "1") == 0)
			continue;
		if (!serve_sysctl_again(s, settings[i].name, "1", settings[i].loss))
			continue;
		again = serve_again(s);
		if (again)
			log_warn("somebody set %s to %s; it is put back to 1%s",
				settings[i].name, value, again);
	}
}

void
serve_routes_watch(struct serve *s)
{
	s->index = net_link_index(s->tun_name);
	s->changes = net_changes_watch();
	if (s->changes < 0)
		log_warn("routes and rules cannot be watched (%s): should somebody take "
			 "ours away, nobody notices",
			strerror(-s->changes));
}

/* How much was missing, or -1 and why.  From the bottom: without the device up there are no
 * routes through it. */
static int
all_mend(const struct serve *s, struct err *e)
{
	const struct tun_config *c = &s->tun_config;
	int i, r, n;

	n = net_link_mend(s->tun_name, c, e);
	for (i = 0; n >= 0 && i < c->naddrs; i++) {
		r = net_address_mend(s->tun_name, &c->addrs[i], e);
		n = r < 0 ? r : n + r;
	}
	r = n >= 0 && s->routed ? net_routes_mend(&s->routes, e) : 0;
	return n < 0 || r < 0 ? -1 : n + r;
}

static void
mended_say(struct serve *s)
{
	const char *again = serve_again(s);

	s->mends++;
	s->mended = sys_boottime();
	if (again)
		log_warn("somebody changed our device, addresses, routes or routing "
			 "rules, or took them away; they are put back%s",
			again);
}

/* How much there was to do, or below 0. */
static int
mend(struct serve *s)
{
	struct err e;
	int n;

	if (net_link_index(s->tun_name) != s->index) {
		s->gone = true;
		return -1;
	}
	n = all_mend(s, &e);
	if (n < 0 && !s->astray)
		log_error("somebody changed our device, addresses, routes or routing "
			  "rules, and they cannot be put back: %s; sluice tries again "
			  "each second, and meanwhile traffic may leave beside it",
			e.text);
	s->astray = n < 0;
	if (n > 0)
		mended_say(s);
	return n;
}

void
serve_routes_mend(struct serve *s)
{
	if (net_changes_lost(s->changes, s->index, OUR_TABLE) || s->astray)
		(void)mend(s);
	if (!s->gone)
		serve_beside_look(s);
}

bool
serve_routes_hold(struct serve *s)
{
	if (s->gone || mend(s) != 0)
		return false;
	return s->mends == 0 || sys_boottime() - s->mended >= LATELY;
}
