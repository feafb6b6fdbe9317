/* SPDX-License-Identifier: MIT */
#include "sim/flow/sim.h"

#include "unit/flow/hello.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* How a flow begins: held, admitted, decided, dialled. */

static const char *const bad_domains[] = { "domain:bad.example", NULL };
static const char *const torrents[] = { "bittorrent", NULL };
static const char *const spared[] = { "full:spared.example", NULL };

static const struct rule_spec by_server = {
	.path = "0", .ip = sim_server_net, .outbound = "vmess", .rule_tag = "far away"
};
static const struct rule_spec by_bytes = {
	.path = "0", .protocol = torrents, .outbound = "block"
};
static const struct rule_spec name_and_server[] = {
	{ .path = "0", .domain = bad_domains, .outbound = "block" },
	{ .path = "1", .ip = sim_server_net, .outbound = "vmess" },
};

static void
begin_with(const struct rule_spec *rule, size_t n, unsigned override)
{
	struct sim_config c = { .rule = rule, .nrule = n, .sniffing.override = override };

	sim_begin(&c);
}

static void
direct_is_truthful(void **state)
{
	static const struct {
		const char *label;
		int result;
		bool connected, rst;
		int icmp;
	} cases[] = {
		{ "open", STREAM_OK, true, false, -1 },
		{ "refused", -ECONNREFUSED, false, true, -1 },
		{ "no host", -EHOSTUNREACH, false, false, 1 },
		{ "no net", -ENETUNREACH, false, false, 0 },
		{ "silent", -ETIMEDOUT, false, false, -1 },
		{ "no descriptors", -EMFILE, false, false, -1 },
		{ "none in the system", -ENFILE, false, false, -1 },
		{ "no memory", -ENOMEM, false, false, -1 },
		{ "no buffers", -ENOBUFS, false, false, -1 },
		{ "anything else", -EIO, false, true, -1 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct flow_counters n;
		struct app *a;

		begin_with(NULL, 0, 0);
		a = app_new("198.18.0.1:4000", "192.0.2.7:80");
		app_syn(a);
		sim_settle();
		assert_int_equal(far_count(), 1);
		assert_true(endpoint_equal(&far_at(0)->to, &a->target));
		assert_false(a->connected || a->rst);
		far_opens(far_at(0), cases[i].result);
		sim_settle();
		if (a->connected != cases[i].connected || a->rst != cases[i].rst ||
			a->icmp != cases[i].icmp)
			fail_msg("%s: connected %d, rst %d, icmp %d", cases[i].label,
				a->connected, a->rst, a->icmp);
		flows_count(flows, &n);
		assert_int_equal(n.tcp, cases[i].connected ? 1 : 0);
		sim_end();
	}
}

/* What this machine lacks says nothing about a server either: the SYN comes again. */
static void
shortage_is_waited_for(void **state)
{
	struct app *a;

	(void)state;
	begin_with(&by_server, 1, 0);
	a = app_new("198.18.0.1:4000", "203.0.113.7:80");
	app_syn(a);
	sim_settle();
	far_opens(far_at(0), -EMFILE);
	sim_settle();
	assert_false(a->connected || a->rst);
	assert_int_equal(a->icmp, -1);
	app_syn(a);
	sim_settle();
	assert_int_equal(far_count(), 2);
	far_opens(far_at(1), STREAM_OK);
	sim_settle();
	assert_true(a->connected);
	sim_end();
}

static void
server_up_admits(void **state)
{
	struct app *a;

	(void)state;
	begin_with(&by_server, 1, 0);
	a = app_new("198.18.0.1:4000", "203.0.113.7:80");
	app_syn(a);
	sim_settle();
	assert_string_equal(far_at(0)->o->tag, "vmess");
	assert_false(a->connected);
	far_opens(far_at(0), STREAM_OK);
	sim_settle();
	assert_true(a->connected);
	sim_end();
}

static void
server_down_resets(void **state)
{
	static const int results[] = { -ECONNREFUSED, -EHOSTUNREACH, -ETIMEDOUT };

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		struct app *a;

		begin_with(&by_server, 1, 0);
		a = app_new("198.18.0.1:4000", "203.0.113.7:80");
		app_syn(a);
		sim_settle();
		far_opens(far_at(0), results[i]);
		sim_settle();
		assert_true(a->rst);
		assert_int_equal(a->icmp, -1);
		sim_end();
	}
}

/* A server that never answers is given up; the application repeats its SYN meanwhile. */
static void
server_silent_resets(void **state)
{
	struct app *a;

	(void)state;
	begin_with(&by_server, 1, 0);
	a = app_new("198.18.0.1:4000", "203.0.113.7:80");
	for (int i = 0; i < 29; i++) {
		a->seq = 1000;
		app_syn(a);
		sim_pass(1000);
		assert_false(a->rst);
	}
	sim_pass(1000);
	assert_true(a->rst);
	assert_true(far_at(0)->freed);
	assert_int_equal(far_count(), 1);
	sim_end();
}

static void
application_gives_up(void **state)
{
	struct flow_counters n;
	struct app *a;

	(void)state;
	begin_with(NULL, 0, 0);
	a = app_new("198.18.0.1:4000", "192.0.2.7:80");
	app_syn(a);
	sim_settle();
	sim_pass(5000);
	assert_true(far_at(0)->freed);
	assert_false(a->rst);
	flows_count(flows, &n);
	assert_int_equal(n.tcp, 0);
	assert_int_equal(n.tcp_total, 1);
	sim_end();
}

static void
first_speaker_waits_no_longer(void **state)
{
	struct app *a;

	(void)state;
	begin_with(&by_bytes, 1, 0);
	a = app_new("198.18.0.1:4000", "192.0.2.7:25");
	app_syn(a);
	sim_settle();
	assert_true(a->connected);
	assert_int_equal(far_count(), 0);
	sim_pass(90);
	assert_int_equal(far_count(), 0);
	sim_pass(10);
	assert_int_equal(far_count(), 1);
	far_opens(far_at(0), STREAM_OK);
	far_says(far_at(0), "220 hello\r\n", 11);
	sim_settle();
	assert_int_equal(a->got_len, 11);
	app_says(a, "EHLO x\r\n", 8);
	sim_settle();
	assert_memory_equal(far_at(0)->out, "EHLO x\r\n", 8);
	sim_end();
}

static void
bytes_decide(void **state)
{
	static const char hello[] = "\x13"
				    "BitTorrent protocol........";
	struct app *a;

	(void)state;
	begin_with(&by_bytes, 1, 0);
	a = app_new("198.18.0.1:4000", "192.0.2.7:6881");
	app_syn(a);
	sim_settle();
	app_says(a, hello, 5);
	sim_settle();
	assert_int_equal(far_count(), 0);
	app_says(a, hello + 5, sizeof(hello) - 6);
	sim_settle();
	assert_string_equal(far_at(0)->o->tag, "block");
	far_opens(far_at(0), -ECONNREFUSED);
	sim_settle();
	assert_true(a->rst);
	sim_end();
}

/* A hello in two segments: the name is read, and every byte arrives, once. */
static void
sniffed_name(unsigned override, bool route_only, const char *name, const char *out,
	const char *carried)
{
	struct sim_config c = { .rule = name_and_server,
		.nrule = 2,
		.sniffing = { .override = override,
			.route_only = route_only,
			.exclude = spared } };
	struct hello h = { name, 1700, 16000 };
	uint8_t hello[4000];
	size_t len = hello_write(&h, hello, sizeof(hello));
	struct far *f;
	struct app *a;

	sim_begin(&c);
	a = app_new("198.18.0.1:4000", "203.0.113.7:443");
	app_syn(a);
	sim_settle();
	assert_true(a->connected);
	app_says(a, hello, 1400);
	sim_settle();
	assert_int_equal(far_count(), 0);
	app_says(a, hello + 1400, len - 1400);
	sim_settle();
	f = far_at(0);
	assert_non_null(f);
	assert_string_equal(f->o->tag, out);
	assert_string_equal(f->name, carried);
	assert_true(endpoint_equal(&f->to, &a->target));
	far_opens(f, STREAM_OK);
	app_says(a, "more", 4);
	sim_settle();
	assert_int_equal(f->out_len, len + 4);
	assert_memory_equal(f->out, hello, len);
	assert_memory_equal(f->out + len, "more", 4);
	sim_end();
}

static void
names_are_sniffed(void **state)
{
	(void)state;
	sniffed_name(SNIFF_TLS, false, "www.example.org", "vmess", "www.example.org");
	sniffed_name(SNIFF_TLS, true, "www.example.org", "vmess", "");
	sniffed_name(SNIFF_TLS, false, "spared.example", "vmess", "");
	sniffed_name(SNIFF_TLS, false, "a.bad.example", "block", "");
	sniffed_name(SNIFF_TLS, true, "a.bad.example", "block", "");
	sniffed_name(SNIFF_HTTP, false, "a.bad.example", "vmess", "");
}

/* Without a rule that asks, a name is looked for only where it is carried. */
static void
direct_is_not_sniffed(void **state)
{
	struct app *a, *b;

	(void)state;
	begin_with(&by_server, 1, SNIFF_HTTP | SNIFF_TLS);
	a = app_new("198.18.0.1:4000", "192.0.2.7:80");
	b = app_new("198.18.0.1:4001", "203.0.113.7:80");
	app_syn(a);
	app_syn(b);
	sim_settle();
	assert_false(a->connected);
	assert_true(b->connected);
	assert_int_equal(far_count(), 1);
	far_opens(far_at(0), -ECONNREFUSED);
	app_says(b, "GET / HTTP/1.1\r\nHost: example.org\r\n\r\n", 37);
	sim_settle();
	assert_true(a->rst);
	assert_string_equal(far_at(1)->name, "example.org");
	far_opens(far_at(1), -ECONNREFUSED);
	sim_settle();
	assert_true(b->rst);
	sim_end();
}

static void
end_without_payload(void **state)
{
	struct app *a;

	(void)state;
	begin_with(&by_bytes, 1, 0);
	a = app_new("198.18.0.1:4000", "192.0.2.7:79");
	app_syn(a);
	sim_settle();
	app_ends(a);
	sim_settle();
	far_opens(far_at(0), STREAM_OK);
	sim_settle();
	assert_true(far_at(0)->shut);
	far_says(far_at(0), "finger", 6);
	far_ends(far_at(0));
	sim_settle();
	assert_int_equal(a->got_len, 6);
	assert_true(a->fin && !a->rst);
	sim_end();
}

static void
reset_before_the_way_out(void **state)
{
	struct flow_counters n;
	struct app *a, *b;

	(void)state;
	begin_with(&by_bytes, 1, 0);
	a = app_new("198.18.0.1:4000", "192.0.2.7:80");
	b = app_new("198.18.0.1:4001", "192.0.2.7:80");
	app_syn(a);
	app_syn(b);
	sim_settle();
	app_resets(a);
	sim_settle();
	assert_int_equal(far_count(), 0);
	sim_pass(100);
	assert_int_equal(far_count(), 1);
	app_resets(b);
	sim_settle();
	assert_true(far_at(0)->freed && !far_at(0)->shut);
	flows_count(flows, &n);
	assert_int_equal(n.tcp, 0);
	sim_end();
}

/* Flows keep what they started with. */
static void
setups_are_swapped(void **state)
{
	struct sim_config c = { 0 }, other = { .rule = &by_server, .nrule = 1 };
	struct setup *s;
	struct app *a;
	struct far *f;
	struct err e;

	(void)state;
	sim_begin(&c);
	a = sim_connected("198.18.0.1:4000", "203.0.113.7:80", &f);
	assert_string_equal(f->o->tag, "direct");
	s = sim_setup(&other);
	assert_int_equal(flows_use(flows, s, &e), 0);
	setup_drop(s);
	assert_int_equal(sim_setups(), 2);
	app_says(a, "still", 5);
	sim_settle();
	assert_int_equal(f->out_len, 5);
	sim_connected("198.18.0.1:4001", "203.0.113.7:80", &f);
	assert_string_equal(f->o->tag, "vmess");
	sim_end();
}

static void
setup_that_cannot_be_read(void **state)
{
	static const char *const bad[] = { "regexp:(", NULL };
	struct sim_config c = { 0 }, other = { .sniffing.exclude = bad };
	struct setup *s;
	struct err e;

	(void)state;
	sim_begin(&c);
	s = sim_setup(&other);
	assert_int_equal(flows_use(flows, s, &e), -1);
	assert_non_null(strstr(e.text, "domainsExcluded"));
	setup_drop(s);
	assert_int_equal(sim_setups(), 1);
	sim_end();
}

/* What would come back by the device is not sent; our own address has one port. */
static void
no_way_back(void **state)
{
	struct sim_config c = { .rule = &by_server, .nrule = 1, .flows.ndevice = 2 };
	struct app *a, *b, *d;

	(void)state;
	assert_true(cidr_parse(&c.flows.device[0], "198.18.0.1/24"));
	assert_true(cidr_parse(&c.flows.device[1], "203.0.113.1/24"));
	sim_begin(&c);
	a = app_new("198.18.0.1:4000", "198.18.0.2:853");
	b = app_new("198.18.0.1:4001", "198.18.0.77:80");
	d = app_new("198.18.0.1:4002", "203.0.113.77:80");
	app_syn(a);
	app_syn(b);
	sim_settle();
	assert_true(a->rst);
	assert_int_equal(b->icmp, 1);
	assert_int_equal(far_count(), 0);
	app_syn(d);
	sim_settle();
	assert_int_equal(far_count(), 1);
	sim_end();
}

/* Admitted, but the handshake never completes: the stack lets go some day. */
static void
half_a_handshake(void **state)
{
	struct flow_counters n;
	struct app *a;

	(void)state;
	begin_with(&by_bytes, 1, 0);
	a = app_new("198.18.0.1:4000", "192.0.2.7:80");
	sim_device_full(true);
	app_syn(a);
	sim_settle();
	sim_pass(30000);
	flows_count(flows, &n);
	assert_int_equal(n.tcp, 0);
	assert_int_equal(far_count(), 0);
	sim_device_full(false);
	sim_settle();
	sim_end();
}

/* The same, and the engine ends before. */
static void
end_in_every_state(void **state)
{
	struct app *a;
	struct far *f;

	(void)state;
	begin_with(name_and_server, 2, SNIFF_TLS);
	sim_device_full(true);
	app_syn(app_new("198.18.0.1:4000", "192.0.2.7:80"));
	sim_settle();
	sim_device_full(false);
	sim_settle();
	app_syn(app_new("198.18.0.1:4001", "192.0.2.7:81"));
	sim_settle();
	sim_pass(100);
	app_syn(app_new("198.18.0.1:4002", "192.0.2.7:82"));
	sim_settle();
	a = app_new("198.18.0.1:4003", "192.0.2.7:83");
	app_syn(a);
	sim_settle();
	app_says(a, "\x16\x03\x01\x02\x00\x01", 6);
	sim_pass(100);
	f = far_at(far_count() - 1);
	far_opens(f, STREAM_OK);
	sim_settle();
	assert_int_equal(f->out_len, 6);
	sim_end();
}

static void
flood_of_refused(void **state)
{
	struct flow_counters n;

	(void)state;
	begin_with(NULL, 0, 0);
	for (unsigned i = 0; i < 500; i++) {
		char to[32];

		snprintf(to, sizeof(to), "192.0.2.7:%u", 1000 + i);
		app_syn(app_new("198.18.0.1:4000", to));
		sim_settle();
		far_opens(far_at(i), -ECONNREFUSED);
		sim_settle();
	}
	flows_count(flows, &n);
	assert_int_equal(n.tcp, 0);
	assert_int_equal(n.refused, 500);
	sim_end();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(direct_is_truthful),
		cmocka_unit_test(shortage_is_waited_for),
		cmocka_unit_test(server_up_admits),
		cmocka_unit_test(server_down_resets),
		cmocka_unit_test(server_silent_resets),
		cmocka_unit_test(application_gives_up),
		cmocka_unit_test(first_speaker_waits_no_longer),
		cmocka_unit_test(bytes_decide),
		cmocka_unit_test(names_are_sniffed),
		cmocka_unit_test(direct_is_not_sniffed),
		cmocka_unit_test(end_without_payload),
		cmocka_unit_test(reset_before_the_way_out),
		cmocka_unit_test(setups_are_swapped),
		cmocka_unit_test(setup_that_cannot_be_read),
		cmocka_unit_test(no_way_back),
		cmocka_unit_test(half_a_handshake),
		cmocka_unit_test(end_in_every_state),
		cmocka_unit_test(flood_of_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
