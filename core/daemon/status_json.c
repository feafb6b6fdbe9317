/* SPDX-License-Identifier: MIT */
#include "daemon/status_print.h"

#include <inttypes.h>
#include <stdio.h>

/* The object that is being printed: its keys stand `depth` tabs in. */
struct object {
	int depth;
	bool begun;
};

static void
indent(int depth)
{
	putchar('\n');
	while (depth-- > 0)
		putchar('\t');
}

static void
key(struct object *o, const char *name)
{
	if (o->begun)
		putchar(',');
	o->begun = true;
	indent(o->depth);
	printf("\"%s\": ", name);
}

static struct object
begin(int depth)
{
	putchar('{');
	return (struct object){ .depth = depth };
}

static void
end(const struct object *o)
{
	indent(o->depth - 1);
	putchar('}');
}

/* There are no control characters in it: see keeper/report.h. */
static void
text(const char *s)
{
	putchar('"');
	for (; *s; s++) {
		if (*s == '"' || *s == '\\')
			putchar('\\');
		putchar(*s);
	}
	putchar('"');
}

static void
put_text(struct object *o, const char *name, const char *s)
{
	key(o, name);
	if (s && s[0])
		text(s);
	else
		fputs("null", stdout);
}

static void
put_number(struct object *o, const char *name, uint64_t n)
{
	key(o, name);
	if (n == REPORT_NEVER)
		fputs("null", stdout);
	else
		printf("%" PRIu64, n);
}

static void
put_bool(struct object *o, const char *name, bool is)
{
	key(o, name);
	fputs(is ? "true" : "false", stdout);
}

static void
put_keeper(struct object *up, const struct keeper_report *k)
{
	struct object o;

	key(up, "keeper");
	o = begin(2);
	put_number(&o, "pid", k->keeper);
	put_number(&o, "age_ms", k->age);
	end(&o);
	key(up, "engine");
	o = begin(2);
	put_number(&o, "pid", k->engine ? k->engine : REPORT_NEVER);
	put_number(&o, "age_ms", k->engine ? k->engine_age : REPORT_NEVER);
	put_number(&o, "restarts", k->restarts);
	put_text(&o, "last_end", k->death);
	put_number(&o, "last_end_ago_ms", k->died);
	end(&o);
}

static void
put_device(struct object *up, const struct keeper_report *k)
{
	struct object o;

	key(up, "device");
	o = begin(2);
	put_text(&o, "name", k->device);
	put_number(&o, "mtu", k->device[0] ? k->mtu : REPORT_NEVER);
	put_bool(&o, "ipv4", k->routed4);
	put_bool(&o, "ipv6", k->routed6);
	put_bool(&o, "dns", k->resolver);
	put_bool(&o, "firewall_lost", k->exposed);
	end(&o);
}

static void
put_offload(struct object *up, unsigned offload)
{
	struct object o;

	key(up, "offload");
	o = begin(2);
	put_bool(&o, "checksums", offload & TUN_SUMS);
	put_bool(&o, "tcp", offload & TUN_TCP);
	put_bool(&o, "udp", offload & TUN_UDP);
	end(&o);
}

static const char *
way_word(enum report_way w)
{
	switch (w) {
	case REPORT_WAY_NONE:
		return "none";
	case REPORT_WAY_STACK:
		return "stack";
	case REPORT_WAY_SAFE:
		return "auto";
	case REPORT_WAY_KERNEL:
		return "kernel";
	case REPORT_WAYS:
		break;
	}
	return "";
}

static void
put_direct(struct object *up, const struct direct_report d[static 2])
{
	struct object o;

	key(up, "direct");
	o = begin(2);
	put_text(&o, "ipv4", way_word(d[0].way));
	put_text(&o, "ipv4_why", d[0].why);
	put_text(&o, "ipv6", way_word(d[1].way));
	put_text(&o, "ipv6_why", d[1].why);
	end(&o);
}

static const struct {
	const char *object, *key;
	enum report_counter n;
} counters[] = {
	{ "flows", "tcp", REPORT_TCP },
	{ "flows", "udp", REPORT_UDP },
	{ "flows", "kernel", REPORT_KERNEL },
	{ "flows", "held", REPORT_HELD },
	{ "totals", "tcp", REPORT_TCP_ALL },
	{ "totals", "udp", REPORT_UDP_ALL },
	{ "totals", "kernel", REPORT_KERNEL_ALL },
	{ "totals", "up_bytes", REPORT_UP },
	{ "totals", "down_bytes", REPORT_DOWN },
	{ "totals", "refused", REPORT_REFUSED },
	{ "totals", "dropped", REPORT_DROPPED },
	{ "totals", "broken", REPORT_BROKEN },
	{ "totals", "packets_in", REPORT_PACKETS_IN },
	{ "totals", "packets_out", REPORT_PACKETS_OUT },
	{ "totals", "dns_questions", REPORT_QUESTIONS },
	{ "memory", "used_bytes", REPORT_MEMORY },
	{ "memory", "limit_bytes", REPORT_MEMORY_MOST },
};

/* Neighbours with the same object stand in one. */
static void
put_counters(struct object *up, const uint64_t n[static REPORT_COUNTERS])
{
	const char *open = NULL;
	struct object o = { 0 };

	for (size_t i = 0; i < sizeof(counters) / sizeof(*counters); i++) {
		if (counters[i].object != open) {
			if (open)
				end(&o);
			open = counters[i].object;
			key(up, open);
			o = begin(2);
		}
		put_number(&o, counters[i].key, n[counters[i].n]);
	}
	end(&o);
}

static void
put_outbounds(struct object *up, const struct engine_report *g)
{
	struct object o;

	put_number(up, "outbounds_in_all", g->outbounds);
	key(up, "outbounds");
	putchar('[');
	for (uint32_t i = 0; i < g->noutbound; i++) {
		const struct outbound_report *r = &g->outbound[i];

		fputs(i > 0 ? ", " : "", stdout);
		o = begin(2);
		put_text(&o, "tag", r->tag);
		put_text(&o, "protocol", r->kind);
		put_text(&o, "server", r->server);
		put_number(&o, "flows", r->flows);
		put_number(&o, "up_bytes", r->up);
		put_number(&o, "down_bytes", r->down);
		put_number(&o, "answered_ago_ms", r->answered);
		put_number(&o, "failed_ago_ms", r->failed);
		put_text(&o, "failure", r->why);
		put_text(&o, "stack_why", r->kept);
		end(&o);
	}
	putchar(']');
}

void
status_print_json(const struct status_heard *s)
{
	struct object o = begin(1);

	put_text(&o, "state", status_state(s));
	put_text(&o, "version", s->keeper.version);
	put_keeper(&o, &s->keeper);
	put_device(&o, &s->keeper);
	if (s->whole) {
		put_offload(&o, s->engine.offload);
		put_direct(&o, s->engine.direct);
		put_counters(&o, s->engine.n);
		put_outbounds(&o, &s->engine);
	}
	end(&o);
	putchar('\n');
}

void
status_print_json_state(const char *state, const char *why)
{
	struct object o = begin(1);

	put_text(&o, "state", state);
	put_text(&o, "why", why);
	end(&o);
	putchar('\n');
}
