/* SPDX-License-Identifier: MIT */
#include "daemon/config_members.h"
#include "daemon/status_print.h"

#include <json-c/json.h>
#include <stdio.h>

/* An object in the member `key` of `up`, which owns it. */
static struct json_object *
inside(struct json_object *up, const char *key)
{
	struct json_object *o = json_object_new_object();

	member_put(up, key, o);
	return o;
}

/* What there is not is null, so that each key is always there. */
static void
put_text(struct json_object *o, const char *key, const char *s)
{
	member_put(o, key, s[0] ? json_object_new_string(s) : NULL);
}

static void
put_number(struct json_object *o, const char *key, uint64_t n)
{
	member_put(o, key, n == REPORT_NEVER ? NULL : json_object_new_uint64(n));
}

static void
put_keeper(struct json_object *up, const struct keeper_report *k)
{
	struct json_object *o = inside(up, "keeper");

	put_number(o, "pid", k->keeper);
	put_number(o, "age_ms", k->age);
	o = inside(up, "engine");
	put_number(o, "pid", k->engine ? k->engine : REPORT_NEVER);
	put_number(o, "age_ms", k->engine ? k->engine_age : REPORT_NEVER);
	put_number(o, "restarts", k->restarts);
	put_text(o, "last_end", k->death);
	put_number(o, "last_end_ago_ms", k->died);
}

static void
put_device(struct json_object *up, const struct keeper_report *k)
{
	struct json_object *o = inside(up, "device");

	put_text(o, "name", k->device);
	put_number(o, "mtu", k->device[0] ? k->mtu : REPORT_NEVER);
	member_put_flag(o, "ipv4", k->routed4);
	member_put_flag(o, "ipv6", k->routed6);
	member_put_flag(o, "dns", k->resolver);
	member_put_flag(o, "firewall_lost", k->exposed);
	member_put_flag(o, "routes_lost", k->astray);
	put_number(o, "mended", k->mends);
	put_number(o, "mended_ago_ms", k->mended);
	put_number(o, "led_back", k->led_back);
	put_number(o, "led_back_ago_ms", k->led);
	put_number(o, "led_back_mark", k->led_back ? k->led_mark : REPORT_NEVER);
	put_text(o, "ipv4_past", k->beside4);
	put_text(o, "ipv6_past", k->beside6);
}

static void
put_offload(struct json_object *up, unsigned offload)
{
	struct json_object *o = inside(up, "offload");

	member_put_flag(o, "checksums", offload & TUN_SUMS);
	member_put_flag(o, "tcp", offload & TUN_TCP);
	member_put_flag(o, "udp", offload & TUN_UDP);
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
put_direct(struct json_object *up, const struct direct_report d[static 2])
{
	struct json_object *o = inside(up, "direct");

	put_text(o, "ipv4", way_word(d[0].way));
	put_text(o, "ipv4_why", d[0].why);
	put_text(o, "ipv6", way_word(d[1].way));
	put_text(o, "ipv6_why", d[1].why);
}

static void
put_counters(struct json_object *up, const uint64_t n[static REPORT_COUNTERS])
{
	struct json_object *o = inside(up, "flows");

	put_number(o, "tcp", n[REPORT_TCP]);
	put_number(o, "udp", n[REPORT_UDP]);
	put_number(o, "kernel", n[REPORT_KERNEL]);
	put_number(o, "held", n[REPORT_HELD]);
	put_number(o, "kernel_counted", n[REPORT_SEEN]);
	put_number(o, "tcp_limit", n[REPORT_TCP_MOST]);
	put_number(o, "udp_limit", n[REPORT_UDP_MOST]);
	o = inside(up, "totals");
	put_number(o, "tcp", n[REPORT_TCP_ALL]);
	put_number(o, "udp", n[REPORT_UDP_ALL]);
	put_number(o, "kernel", n[REPORT_KERNEL_ALL]);
	put_number(o, "up_bytes", n[REPORT_UP]);
	put_number(o, "down_bytes", n[REPORT_DOWN]);
	put_number(o, "refused", n[REPORT_REFUSED]);
	put_number(o, "dropped", n[REPORT_DROPPED]);
	put_number(o, "broken", n[REPORT_BROKEN]);
	put_number(o, "over_limits", n[REPORT_OVER]);
	put_number(o, "packets_in", n[REPORT_PACKETS_IN]);
	put_number(o, "packets_out", n[REPORT_PACKETS_OUT]);
	put_number(o, "dns_questions", n[REPORT_QUESTIONS]);
	o = inside(up, "memory");
	put_number(o, "used_bytes", n[REPORT_MEMORY]);
	put_number(o, "limit_bytes", n[REPORT_MEMORY_MOST]);
}

static struct json_object *
outbound_new(const struct outbound_report *r)
{
	struct json_object *o = json_object_new_object();

	put_text(o, "tag", r->tag);
	put_text(o, "protocol", r->kind);
	put_text(o, "server", r->server);
	put_number(o, "flows", r->flows);
	put_number(o, "up_bytes", r->up);
	put_number(o, "down_bytes", r->down);
	put_number(o, "answered_ago_ms", r->answered);
	put_number(o, "failed_ago_ms", r->failed);
	put_number(o, "failures", r->failures);
	put_text(o, "failure", r->why);
	put_text(o, "stack_why", r->kept);
	return o;
}

static void
put_outbounds(struct json_object *up, const struct engine_report *g)
{
	struct json_object *list = json_object_new_array();

	for (uint32_t i = 0; i < g->noutbound; i++)
		json_object_array_add(list, outbound_new(&g->outbound[i]));
	put_number(up, "outbounds_in_all", g->outbounds);
	member_put(up, "outbounds", list);
}

/* Takes it. */
static void
print(struct json_object *o)
{
	char *text = document_text_new(o);

	if (text)
		fputs(text, stdout);
	document_text_free(text);
	json_object_put(o);
}

void
status_print_json(const struct status_heard *s)
{
	struct json_object *o = json_object_new_object();

	put_text(o, "state", status_state(s));
	put_text(o, "version", s->keeper.version);
	put_keeper(o, &s->keeper);
	put_device(o, &s->keeper);
	if (s->whole) {
		put_offload(o, s->engine.offload);
		put_direct(o, s->engine.direct);
		put_counters(o, s->engine.n);
		put_outbounds(o, &s->engine);
	}
	print(o);
}

void
status_print_json_state(const char *state, const char *why)
{
	struct json_object *o = json_object_new_object();

	put_text(o, "state", state);
	put_text(o, "why", why);
	print(o);
}
