/* SPDX-License-Identifier: MIT */
#include "daemon/status_print.h"

#include "base/text.h"

#include <inttypes.h>
#include <stdio.h>

enum { SPAN = 32, SIZE = 16 };

const char *
status_state(const struct status_heard *s)
{
	switch (s->keeper.phase) {
	case REPORT_STARTING:
		return "starting";
	case REPORT_RUNNING:
		return s->whole ? "running" : "not answering";
	case REPORT_AGAIN:
		return "restarting";
	case REPORT_ENDING:
		return "ending";
	case REPORT_PHASES:
		break;
	}
	return "";
}

static const char *
span(uint64_t ms, char buf[static SPAN])
{
	return span_format(ms / 1000, buf);
}

/* Why there is no report of the engine's, and what to do. */
static void
absence_print(const struct status_heard *s)
{
	switch (s->keeper.phase) {
	case REPORT_STARTING:
		puts("           it is not ready yet");
		return;
	case REPORT_RUNNING:
		printf("           it does not answer%s: flows stand still, but those in "
		       "the kernel;\n           if that lasts, look at the log and start "
		       "sluice again\n",
			s->silent ? "" : ", or has just ended");
		return;
	case REPORT_AGAIN:
		puts("           it is being started again; until then flows wait, and "
		     "nothing leaves\n           past the rules; the log says why it ended");
		return;
	case REPORT_ENDING:
		puts("           it was asked to end");
		return;
	case REPORT_PHASES:
		return;
	}
}

static void
processes_print(const struct status_heard *s)
{
	const struct keeper_report *k = &s->keeper;
	char buf[SPAN];

	printf("sluice %s: %s; started %s ago\n", k->version, status_state(s),
		span(k->age, buf));
	printf("processes  keeper %" PRIu32, k->keeper);
	if (k->engine)
		printf(", engine %" PRIu32 " for %s", k->engine,
			span(k->engine_age, buf));
	printf("; engine restarts %" PRIu32 "\n", k->restarts);
	if (k->died != REPORT_NEVER)
		printf("           the last one %s, %s ago\n", k->death,
			span(k->died, buf));
	if (!s->whole)
		absence_print(s);
}

static void
offload_print(unsigned offload)
{
	if (offload == 0)
		puts("           offload: none");
	else
		printf("           offload: checksums%s%s\n",
			offload & TUN_TCP ? ", TCP segments" : "",
			offload & TUN_UDP ? ", UDP datagrams" : "");
}

/* What somebody else has done to what is ours. */
static void
changes_print(const struct keeper_report *k)
{
	char buf[SPAN];

	if (k->exposed)
		puts("           somebody changed our firewall rules, and they cannot be "
		     "put back:\n           see the log");
	if (k->astray)
		puts("           somebody changed our device, addresses, routes or "
		     "routing rules, and\n           they cannot be put back: see the "
		     "log");
	else if (k->mends > 0)
		printf("           somebody changed our firewall rules, device, addresses, "
		       "routes or routing rules;\n           put back: %" PRIu32
		       " times, the last %s ago\n",
			k->mends, span(k->mended, buf));
	if (k->led_back > 0)
		printf("           packets that had to leave were led back into it by rules "
		       "of somebody else's,\n           and dropped (told of: %" PRIu32
		       ", the last %s ago, with the mark 0x%" PRIx32 "):\n           see "
		       "the log\n",
			k->led_back, span(k->led, buf), k->led_mark);
}

static void
beside_print(int family, const char *interface)
{
	if (interface[0])
		printf("           IPv%d does not go into it, but leaves past it by %s: "
		       "routing rules or routes\n           of somebody else's come first; "
		       "see the log\n",
			family, interface);
}

static void
device_print(const struct status_heard *s)
{
	const struct keeper_report *k = &s->keeper;
	bool led4 = k->routed4 && !k->beside4[0], led6 = k->routed6 && !k->beside6[0];

	if (!k->device[0]) {
		puts("device     none yet");
		return;
	}
	printf("device     %s, MTU %" PRIu32 "; led into it: %s%s%s%s\n", k->device,
		k->mtu, led4 ? "IPv4" : "", led4 && led6 ? ", " : "", led6 ? "IPv6" : "",
		!k->routed4 && !k->routed6 ? "nothing but by routes of yours"
			: !led4 && !led6   ? "nothing"
			: k->resolver      ? ", DNS"
					   : "");
	beside_print(4, k->beside4);
	beside_print(6, k->beside6);
	if (k->routed4 != k->routed6 && !(k->routed4 ? k->beside6 : k->beside4)[0])
		printf("           IPv%d beyond this machine's own networks is unreachable "
		       "meanwhile\n",
			k->routed4 ? 6 : 4);
	if (s->whole)
		offload_print(s->engine.offload);
	changes_print(k);
}

static const char *
way_text(enum report_way w)
{
	switch (w) {
	case REPORT_WAY_NONE:
		return "none";
	case REPORT_WAY_STACK:
		return "sluice";
	case REPORT_WAY_SAFE:
		return "the kernel (TCP, QUIC, pings), sluice (other UDP)";
	case REPORT_WAY_KERNEL:
		return "the kernel (all but DNS)";
	case REPORT_WAYS:
		break;
	}
	return "";
}

static void
direct_print(const struct direct_report d[static 2])
{
	for (int i = 0; i < 2; i++)
		printf("%s IPv%d by %s%s%s\n", i == 0 ? "direct    " : "          ",
			i == 0 ? 4 : 6, way_text(d[i].way), d[i].why[0] ? ": " : "",
			d[i].why);
}

static void
counters_print(const uint64_t n[static REPORT_COUNTERS])
{
	char up[SIZE], down[SIZE];

	printf("now        %" PRIu64 " TCP of at most %" PRIu64 ", %" PRIu64
	       " UDP of %" PRIu64 "; in the kernel %" PRIu64
	       ";\n           waiting for their way out %" PRIu64 "\n",
		n[REPORT_TCP], n[REPORT_TCP_MOST], n[REPORT_UDP], n[REPORT_UDP_MOST],
		n[REPORT_KERNEL], n[REPORT_HELD]);
	printf("in all     %" PRIu64 " TCP, %" PRIu64 " UDP (%" PRIu64
	       " of them in the kernel); %s up, %s down\n",
		n[REPORT_TCP_ALL], n[REPORT_UDP_ALL], n[REPORT_KERNEL_ALL],
		size_format(n[REPORT_UP], up), size_format(n[REPORT_DOWN], down));
	printf("           refused %" PRIu64 ", dropped %" PRIu64
	       ", broken by servers %" PRIu64 ", over the limits %" PRIu64 "\n",
		n[REPORT_REFUSED], n[REPORT_DROPPED], n[REPORT_BROKEN], n[REPORT_OVER]);
	if (n[REPORT_OVER] > 0)
		puts("           (limits: of descriptors, sluice.memory, SYNs that wait; see "
		     "the log)");
	printf("           packets in %" PRIu64 ", out %" PRIu64
	       "; DNS questions %" PRIu64 "\n",
		n[REPORT_PACKETS_IN], n[REPORT_PACKETS_OUT], n[REPORT_QUESTIONS]);
	if (n[REPORT_KERNEL] > 0 && n[REPORT_SEEN] == 0)
		puts("           (the bytes of flows in the kernel count once these end)");
	/* As sluice.memory has it. */
	printf("memory     %" PRIu64 ".%" PRIu64 " of %" PRIu64 " MB\n",
		n[REPORT_MEMORY] >> 20, (n[REPORT_MEMORY] >> 10) % 1024 * 10 / 1024,
		n[REPORT_MEMORY_MOST] >> 20);
}

static void
outbound_print(const struct outbound_report *o)
{
	char up[SIZE], down[SIZE], buf[SPAN];

	printf("  %s: %s%s%s\n", o->tag[0] ? o->tag : "(no tag)", o->kind,
		o->server[0] ? " to " : "", o->server);
	printf("           flows %" PRIu64 "; %s up, %s down", o->flows,
		size_format(o->up, up), size_format(o->down, down));
	if (o->answered != REPORT_NEVER)
		printf("; answered %s ago", span(o->answered, buf));
	putchar('\n');
	if (o->failed != REPORT_NEVER)
		printf("           %" PRIu64 " failed, the last %s ago%s: %s\n",
			o->failures, span(o->failed, buf),
			o->answered < o->failed ? " (it has worked since)" : "", o->why);
	if (o->kept[0])
		printf("           carried by sluice all the same: %s\n", o->kept);
}

static void
outbounds_print(const struct engine_report *g)
{
	puts("outbounds, since the engine began");
	for (uint32_t i = 0; i < g->noutbound; i++)
		outbound_print(&g->outbound[i]);
	if (g->outbounds > g->noutbound)
		printf("  and %" PRIu32 " more\n", g->outbounds - g->noutbound);
}

void
status_print(const struct status_heard *s)
{
	processes_print(s);
	device_print(s);
	if (!s->whole)
		return;
	direct_print(s->engine.direct);
	counters_print(s->engine.n);
	outbounds_print(&s->engine);
}
