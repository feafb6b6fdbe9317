/* SPDX-License-Identifier: MIT */
/* Which time servers may be asked past the tunnel. */
#include "daemon/build.h"
#include "daemon/rules_gate.h"
#include "no_files.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#define OUTBOUNDS                                                          \
	"\"outbounds\":[{\"tag\":\"far\",\"protocol\":\"blackhole\"},"     \
	"{\"tag\":\"direct\",\"protocol\":\"freedom\"},{\"tag\":\"else\"," \
	"\"protocol\":\"freedom\",\"settings\":{\"redirect\":\"192.0.2.9:9\"}}]"

static int64_t
fixed_time(void)
{
	return 0;
}

/* What the gate says where these are the rules. */
static enum time_gate_answer
ask(const char *routing, const struct target *to, struct err *e)
{
	struct outbound_env env = { .unix_time = fixed_time };
	struct outbound *o = NULL;
	enum time_gate_answer a;
	struct rules_gate gate;
	struct rules *rules = NULL;
	struct config *c;
	struct setup *s;
	char text[1024];

	env.loop = loop_new();
	env.memory = tcp_memory_new();
	assert_true(env.loop && env.memory);
	snprintf(text, sizeof(text), "{" OUTBOUNDS ",\"routing\":{%s}}", routing);
	c = config_read("c.json", text, strlen(text), NULL, e);
	if (!c || config_rules(c, &no_files, NULL, &rules, e) < 0)
		fail_msg("%s", e->text);
	s = build_setup(c, rules, &env, e);
	assert_non_null(s);
	rules_gate_init(&gate, s);
	a = gate.gate.ask(&gate.gate, to, &o, e);
	assert_int_equal(a == TIME_GATE_OPEN, o && o->ops->direct);
	setup_drop(s);
	config_free(c);
	loop_free(env.loop);
	tcp_memory_free(env.memory);
	return a;
}

static void
test_rules(void **state)
{
	static const struct target address = { { 4, { 192, 0, 2, 1 } }, 123, NULL };
	static const struct target name = { .port = 123, .name = "time.test" };
	static const struct target both = { { 4, { 192, 0, 2, 1 } }, 123, "time.test" };
	static const struct {
		const char *label, *routing;
		const struct target *to;
		enum time_gate_answer want;
	} cases[] = {
		{ "no rule", "", &address, TIME_GATE_SHUT },
		{ "by address",
			"\"rules\":[{\"ip\":\"192.0.2.1\",\"outboundTag\":\"direct\"}]",
			&address, TIME_GATE_OPEN },
		{ "another address",
			"\"rules\":[{\"ip\":\"192.0.2.2\",\"outboundTag\":\"direct\"}]",
			&address, TIME_GATE_SHUT },
		{ "by port", "\"rules\":[{\"port\":123,\"outboundTag\":\"direct\"}]",
			&name, TIME_GATE_OPEN },
		{ "TCP alone",
			"\"rules\":[{\"network\":\"tcp\",\"outboundTag\":\"direct\"}]",
			&address, TIME_GATE_SHUT },
		{ "direct, but to somebody else",
			"\"rules\":[{\"port\":123,\"outboundTag\":\"else\"}]", &address,
			TIME_GATE_SHUT },
		{ "by name",
			"\"rules\":[{\"domain\":\"full:time.test\",\"outboundTag\":\"direct\"}]",
			&name, TIME_GATE_OPEN },
		{ "by name, looked up",
			"\"rules\":[{\"domain\":\"full:time.test\",\"outboundTag\":\"direct\"}]",
			&both, TIME_GATE_OPEN },
		{ "by the name's address",
			"\"domainStrategy\":\"IPIfNonMatch\",\"rules\":[{\"ip\":\"192.0.2.1\","
			"\"outboundTag\":\"direct\"}]",
			&name, TIME_GATE_ADDRESSES },
		{ "by the name's address, looked up",
			"\"domainStrategy\":\"IPIfNonMatch\",\"rules\":[{\"ip\":\"192.0.2.1\","
			"\"outboundTag\":\"direct\"}]",
			&both, TIME_GATE_OPEN },
		/* Names are not to be looked up for the rules. */
		{ "by an address that is not known",
			"\"rules\":[{\"ip\":\"192.0.2.1\",\"outboundTag\":\"direct\"}]",
			&name, TIME_GATE_SHUT },
	};
	struct err e;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		if (ask(cases[i].routing, cases[i].to, &e) != cases[i].want)
			fail_msg("%s", cases[i].label);
}

static void
test_words(void **state)
{
	static const struct target name = { .port = 123, .name = "time.test" };
	struct err e;

	(void)state;
	assert_int_equal(ask("", &name, &e), TIME_GATE_SHUT);
	assert_string_equal(e.text,
		"the rules send time.test, UDP port 123, to \"far\", and only what they "
		"send directly is asked");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rules),
		cmocka_unit_test(test_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
