/* SPDX-License-Identifier: MIT */
#include "flow/facts.h"

#include "sim/script/script.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static const char *const net[] = { "203.0.113.0/24", NULL };
static const char *const domains[] = { "full:asked.example", NULL };
static const char *const web[] = { "http", NULL };
static const char *const excluded[] = { "regexp:^x\\.", "keyword", NULL };

static struct loop *loop;
static struct task owner;
static struct setup setup;
static struct inquiry inquiry;
static const struct endpoint source = { { 4, { 198, 18, 0, 1 } }, 4000 };
static const struct target address = { .ip = { 4, { 203, 0, 113, 7 } }, .port = 80 };

static void
owner_run(struct task *t)
{
	(void)t;
}

static void
begin(const struct rule_spec *rule, size_t n, struct sniffing sniffing)
{
	struct rules_spec spec = { .rule = rule, .n = n, .strategy = RESOLVE_ON_DEMAND };
	struct err e;

	setup = (struct setup){ .sniffing = sniffing };
	setup.rules = rules_load(&spec, &e);
	assert_non_null(setup.rules);
	assert_int_equal(sniffing_load(&setup.sniffing, NULL, &e), 0);
	inquiry_begin(&inquiry, &setup, NULL, NULL);
}

static void
end(void)
{
	inquiry_fini(&inquiry);
	rules_free(setup.rules);
	rules_free(setup.sniffing.excluded);
}

static void
about(enum network network, const struct target *target)
{
	inquiry_about(&inquiry, network, &source, target);
}

static enum inquiry_answer
decide(int *rule)
{
	struct verdict v;
	enum inquiry_answer a = inquiry_decide(&inquiry, &v, &owner);

	*rule = v.rule;
	return a;
}

static void
name_that_nobody_knows(void **state)
{
	const struct rule_spec rules[] = {
		{ .path = "0", .domain = domains, .outbound = "a" },
		{ .path = "1", .ip = net, .outbound = "b" },
	};
	int rule;

	(void)state;
	begin(rules, 2, (struct sniffing){ 0 });
	about(NETWORK_TCP, &address);
	assert_int_equal(decide(&rule), INQUIRY_DECIDED);
	assert_int_equal(rule, 1);
	end();
}

static void
name_by_bytes(void **state)
{
	const struct rule_spec rules[] = {
		{ .path = "0", .domain = domains, .outbound = "a" },
		{ .path = "1", .ip = net, .outbound = "b" },
	};
	struct sniffed s = { PROTOCOL_HTTP, "asked.example" };
	int rule;

	(void)state;
	begin(rules, 2, (struct sniffing){ .override = SNIFF_HTTP });
	about(NETWORK_TCP, &address);
	assert_int_equal(decide(&rule), INQUIRY_BYTES);
	assert_true(inquiry_sniffed(&inquiry, &s));
	assert_int_equal(decide(&rule), INQUIRY_DECIDED);
	assert_int_equal(rule, 0);
	/* A datagram has no such bytes. */
	inquiry_begin(&inquiry, &setup, NULL, NULL);
	about(NETWORK_UDP, &address);
	assert_int_equal(decide(&rule), INQUIRY_DECIDED);
	assert_int_equal(rule, 1);
	end();
}

static void
bytes_are_asked_for_last(void **state)
{
	const struct rule_spec rules[] = {
		{ .path = "0", .port = "443", .outbound = "a" },
		{ .path = "1", .protocol = web, .outbound = "b" },
	};
	const struct target tls = { .ip = address.ip, .port = 443 };
	struct sniffed s = { PROTOCOL_HTTP, "asked.example" };
	int rule;

	(void)state;
	begin(rules, 2, (struct sniffing){ 0 });
	about(NETWORK_TCP, &tls);
	assert_int_equal(decide(&rule), INQUIRY_DECIDED);
	assert_int_equal(rule, 0);
	inquiry_begin(&inquiry, &setup, NULL, NULL);
	about(NETWORK_TCP, &address);
	assert_int_equal(decide(&rule), INQUIRY_BYTES);
	/* The protocol counts although sniffing is off; the name does not. */
	assert_false(inquiry_sniffed(&inquiry, &s));
	assert_null(inquiry.facts.name);
	assert_int_equal(decide(&rule), INQUIRY_DECIDED);
	assert_int_equal(rule, 1);
	end();
}

static void
names_that_are_excluded(void **state)
{
	static const struct {
		const char *name;
		bool kept;
	} cases[] = { { "a.example", true }, { "x.example", false },
		{ "y.x.example", true }, { "a.keywords.example", false } };
	const struct sniffing sniffing = { .override = SNIFF_TLS, .exclude = excluded };

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct sniffed s = { .protocol = PROTOCOL_TLS };

		memcpy(s.name, cases[i].name, strlen(cases[i].name) + 1);
		begin(NULL, 0, sniffing);
		about(NETWORK_TCP, &address);
		assert_int_equal(inquiry_sniffed(&inquiry, &s), cases[i].kept);
		assert_int_equal(inquiry.facts.name != NULL, cases[i].kept);
		end();
	}
}

/* A flow that has only a name: its addresses are looked up, or there are none. */
static void
name_without_an_address(void **state)
{
	const struct rule_spec rules[] = { { .path = "0", .ip = net, .outbound = "a" } };
	const struct names_host hosts[] = { { "there.example", &address.ip, 1, NULL } };
	const struct names_config c = { .host = hosts, .nhost = 1 };
	struct target there = { .port = 80, .name = "there.example" };
	struct target gone = { .port = 80, .name = "gone.example" };
	struct names *names = names_new(loop, &c);
	int rule;

	(void)state;
	assert_non_null(names);
	begin(rules, 1, (struct sniffing){ .override = SNIFF_TLS });
	inquiry_begin(&inquiry, &setup, NULL, names);
	about(NETWORK_TCP, &there);
	while (decide(&rule) == INQUIRY_WAITS)
		assert_true(script_settle(loop));
	assert_int_equal(rule, 0);
	inquiry_fini(&inquiry);
	inquiry_begin(&inquiry, &setup, NULL, names);
	about(NETWORK_TCP, &gone);
	while (decide(&rule) == INQUIRY_WAITS)
		assert_true(script_pass(loop, 1000));
	assert_int_equal(rule, -1);
	end();
	names_free(names);
}

static int
before(void **state)
{
	(void)state;
	script_reset();
	loop = loop_new();
	task_init(&owner, owner_run);
	return loop == NULL;
}

static int
after(void **state)
{
	(void)state;
	task_fini(&owner);
	loop_free(loop);
	return 0;
}

/* A resolver of this machine's own is asked by this machine, but for a rule that was
 * written for it. */
static void
way_to_a_local_resolver(void **state)
{
	const struct rule_spec rules[] = {
		{ .path = "0", .ip = net, .port = "53", .outbound = "a" },
		{ .path = "1", .port = "0-65535", .outbound = "a" },
	};
	const struct target resolver = { .ip = { 4, { 192, 0, 2, 1 } }, .port = 53 };
	const struct target named = { .ip = { 4, { 203, 0, 113, 7 } }, .port = 53 };
	struct outbound a = { .tag = "a" }, local = { .tag = "local" };
	struct outbound *all[] = { &a };
	struct verdict v;
	int k;

	(void)state;
	begin(rules, 2, (struct sniffing){ 0 });
	setup.outbound = all;
	setup.noutbound = 1;
	for (k = 0; k < 2; k++) {
		setup.local = k == 0 ? &local : NULL;
		about(NETWORK_UDP, &resolver);
		inquiry.to_local = false;
		assert_int_equal(inquiry_decide(&inquiry, &v, &owner), INQUIRY_DECIDED);
		assert_int_equal(v.rule, 1);
		assert_ptr_equal(inquiry_outbound(&inquiry, &v), &a);
		inquiry.to_local = true;
		assert_ptr_equal(inquiry_outbound(&inquiry, &v), k == 0 ? &local : &a);
		about(NETWORK_UDP, &named);
		assert_int_equal(inquiry_decide(&inquiry, &v, &owner), INQUIRY_DECIDED);
		assert_int_equal(v.rule, 0);
		assert_ptr_equal(inquiry_outbound(&inquiry, &v), &a);
	}
	end();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(name_that_nobody_knows),
		cmocka_unit_test(name_by_bytes),
		cmocka_unit_test(bytes_are_asked_for_last),
		cmocka_unit_test(names_that_are_excluded),
		cmocka_unit_test(name_without_an_address),
		cmocka_unit_test(way_to_a_local_resolver),
	};

	return cmocka_run_group_tests(tests, before, after);
}
