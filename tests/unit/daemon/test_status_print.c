/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "daemon/status_print.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

static char said[16384];

/* What `print` writes to standard output. */
static const char *
said_by(void (*print)(const struct status_heard *), const struct status_heard *s)
{
	FILE *file = tmpfile();
	int before;
	size_t n;

	assert_non_null(file);
	fflush(stdout);
	before = dup(STDOUT_FILENO);
	assert_true(before >= 0);
	assert_int_equal(dup2(fileno(file), STDOUT_FILENO), STDOUT_FILENO);
	print(s);
	fflush(stdout);
	assert_int_equal(dup2(before, STDOUT_FILENO), STDOUT_FILENO);
	close(before);
	rewind(file);
	n = fread(said, 1, sizeof said - 1, file);
	said[n] = '\0';
	fclose(file);
	return said;
}

static void
must_say(const char *words)
{
	if (!strstr(said, words))
		fail_msg("\"%s\" is not in:\n%s", words, said);
}

static struct status_heard *
heard(void)
{
	static struct status_heard s;

	memset(&s, 0, sizeof s);
	s.keeper = (struct keeper_report){ .version = "1.2",
		.phase = REPORT_RUNNING,
		.keeper = 10,
		.engine = 11,
		.died = REPORT_NEVER,
		.device = "tun7",
		.mtu = 1500 };
	s.whole = true;
	s.engine.outbounds = 70;
	s.engine.noutbound = 1;
	s.engine.outbound[0] = (struct outbound_report){ .tag = "a\"b\\",
		.kind = "vmess",
		.server = "[2001:db8::1]:443 (TLS)",
		.answered = 2000,
		.failed = 61000,
		.failures = 3,
		.why = "no route" };
	return &s;
}

static const struct {
	enum report_phase phase;
	bool whole, silent;
	const char *state, *words;
} cases[] = {
	{ REPORT_STARTING, false, false, "starting", "not ready yet" },
	{ REPORT_RUNNING, true, false, "running", "outbounds" },
	{ REPORT_RUNNING, false, true, "not answering", "does not answer: flows" },
	{ REPORT_RUNNING, false, false, "not answering", "or has just ended" },
	{ REPORT_AGAIN, false, false, "restarting", "started again" },
	{ REPORT_ENDING, false, false, "ending", "asked to end" },
};

static void
states(void **state)
{
	struct status_heard *s = heard();

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		s->keeper.phase = cases[i].phase;
		s->whole = cases[i].whole;
		s->silent = cases[i].silent;
		assert_string_equal(status_state(s), cases[i].state);
		said_by(status_print, s);
		must_say(cases[i].state);
		must_say(cases[i].words);
		said_by(status_print_json, s);
		must_say("{\n\t\"state\": \"");
		assert_int_equal(strstr(said, "\"totals\"") != NULL, cases[i].whole);
	}
}

static void
one_family(void **state)
{
	struct status_heard *s = heard();

	(void)state;
	s->keeper.routed4 = true;
	said_by(status_print, s);
	must_say(
		"led into it: IPv4\n           IPv6 beyond this machine's own networks is "
		"unreachable meanwhile\n");
	s->keeper.routed6 = true;
	said_by(status_print, s);
	assert_null(strstr(said, "unreachable"));
}

/* What leaves past the device is not said to be led into it. */
static void
past_it(void **state)
{
	struct status_heard *s = heard();

	(void)state;
	s->keeper.routed4 = s->keeper.routed6 = true;
	memcpy(s->keeper.beside4, "eth0", 5);
	said_by(status_print, s);
	must_say(
		"led into it: IPv6\n           IPv4 does not go into it, but leaves past "
		"it by eth0: ");
	said_by(status_print_json, s);
	must_say("\"ipv4_past\": \"eth0\"");
	memcpy(s->keeper.beside6, "wg0", 4);
	said_by(status_print, s);
	must_say("led into it: nothing\n");
	must_say("IPv6 does not go into it, but leaves past it by wg0: ");
}

/* Bytes of flows in the kernel are counted while they run, where the kernel was asked;
 * and what there was no room for is told of. */
static void
counters(void **state)
{
	struct status_heard *s = heard();

	(void)state;
	s->engine.n[REPORT_TCP] = 5;
	s->engine.n[REPORT_TCP_MOST] = 700;
	s->engine.n[REPORT_UDP_MOST] = 233;
	s->engine.n[REPORT_KERNEL] = 2;
	said_by(status_print, s);
	must_say("now        5 TCP of at most 700, 0 UDP of 233; in the kernel 2;\n");
	must_say("count once these end");
	must_say("over the limits 0\n");
	s->engine.n[REPORT_SEEN] = 2;
	s->engine.n[REPORT_OVER] = 9;
	said_by(status_print, s);
	assert_null(strstr(said, "count once these end"));
	must_say("over the limits 9\n           (limits: ");
	said_by(status_print_json, s);
	must_say("\"over_limits\": 9");
	must_say("\"tcp_limit\": 700");
	must_say("\"kernel_counted\": 2");
	must_say("\"failures\": 3");
}

static void
outbounds(void **state)
{
	struct status_heard *s = heard();

	(void)state;
	said_by(status_print, s);
	must_say("a\"b\\: vmess to [2001:db8::1]:443 (TLS)\n");
	must_say("answered 2 s ago\n");
	must_say("3 failed, the last 1 min 1 s ago (it has worked since): no route\n");
	must_say("and 69 more");
	said_by(status_print_json, s);
	must_say("\"tag\": \"a\\\"b\\\\\",\n");
	must_say("\"outbounds_in_all\": 70");
	must_say("\"last_end\": null");
	must_say("\"answered_ago_ms\": 2000");
	s->engine.outbound[0].answered = REPORT_NEVER;
	said_by(status_print_json, s);
	must_say("\"answered_ago_ms\": null");
	said_by(status_print, s);
	must_say("3 failed, the last 1 min 1 s ago: no route\n");
}

static void
memory(void **state)
{
	struct status_heard *s = heard();

	(void)state;
	s->engine.n[REPORT_MEMORY] = (5 << 20) + (512 << 10);
	s->engine.n[REPORT_MEMORY_MOST] = 64 << 20;
	said_by(status_print, s);
	must_say("memory     5.5 of 64 MB\n");
}

static void
direct_ways(void **state)
{
	struct status_heard *s = heard();

	(void)state;
	s->engine.direct[0] = (struct direct_report){ .way = REPORT_WAY_KERNEL };
	s->engine.direct[1] = (struct direct_report){ .way = REPORT_WAY_STACK,
		.why = "nft: no NAT" };
	snprintf(s->engine.outbound[0].kept, REPORT_WHY, "it has settings");
	said_by(status_print, s);
	must_say("IPv4 by the kernel (all but DNS)\n");
	must_say("IPv6 by sluice: nft: no NAT\n");
	must_say("carried by sluice all the same: it has settings\n");
	said_by(status_print_json, s);
	must_say("\"ipv4\": \"kernel\"");
	must_say("\"ipv6_why\": \"nft: no NAT\"");
	must_say("\"stack_why\": \"it has settings\"");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(states),
		cmocka_unit_test(one_family),
		cmocka_unit_test(past_it),
		cmocka_unit_test(counters),
		cmocka_unit_test(outbounds),
		cmocka_unit_test(memory),
		cmocka_unit_test(direct_ways),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
