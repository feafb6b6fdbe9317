/* SPDX-License-Identifier: MIT */
#include "flow/flows.h"

#include "platform/direct.h"
#include "sim/script/script.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

/* The memory of flows that the kernel carries, with a kernel that tells what the test
 * says. */

enum { ENDS = 9, LIST = 10, NEWS = 1024, MOST = 100 };

static struct net_direct_end news[NEWS];
static size_t nnews, nread;
static bool overrun; /* before the next one */

static const struct outbound_ops freedom = { .kind = "freedom", .direct = true };
static struct outbound direct = { .ops = &freedom, .tag = "direct", .plain = true };
static struct outbound second = { .ops = &freedom, .tag = "second", .plain = true };
static struct outbound *ways[] = { &direct, &second };
static struct setup setup;
static struct flows fs;
static const struct verdict verdict = { .rule = -1 };
static const struct endpoint site = { { 4, { 192, 0, 2, 80 } }, 443 };

/* What goes on, where it is asked. */
static const struct net_direct_end *running;
static size_t nrunning;

int
net_direct_listed(
	int fd, void (*each)(const struct net_direct_end *, void *arg), void *arg)
{
	assert_int_equal(fd, LIST);
	for (size_t i = 0; i < nrunning; i++)
		each(&running[i], arg);
	return 0;
}

int
net_direct_ended(int fd, struct net_direct_end *end)
{
	assert_int_equal(fd, ENDS);
	if (overrun) {
		overrun = false;
		return -ENOBUFS;
	}
	if (nread == nnews) {
		nread = nnews = 0;
		script_unready(ENDS, WATCH_READ);
		return -EAGAIN;
	}
	*end = news[nread++];
	return 0;
}

static bool is_ending; /* the keeper says so */

static bool
is_over(void *arg)
{
	(void)arg;
	return is_ending;
}

static int
begin(void **state)
{
	struct rules_spec none = { .n = 0 };
	struct err e;

	(void)state;
	script_reset();
	nnews = nread = 0;
	overrun = is_ending = false;
	memset(&fs, 0, sizeof(fs));
	memset(&direct.tally, 0, sizeof(direct.tally));
	memset(&second.tally, 0, sizeof(second.tally));
	setup = (struct setup){ .count = 1,
		.rules = rules_load(&none, &e),
		.outbound = ways,
		.noutbound = 2 };
	assert_non_null(setup.rules);
	fs.setup = &setup;
	fs.loop = loop_new();
	assert_true(cidr_parse(&fs.device[0], "198.18.0.1/15"));
	fs.ndevice = 1;
	assert_int_equal(handed_init(&fs, MOST), 0);
	flows_follow(&fs, ENDS, is_over, NULL);
	return 0;
}

/* Every setup that a flow held was given back, and every block. */
static int
end(void **state)
{
	(void)state;
	assert_int_equal(handed_fini(&fs), 0);
	assert_int_equal(setup.count, 1);
	loop_free(fs.loop);
	rules_free(setup.rules);
	return 0;
}

static struct endpoint
source(uint16_t port)
{
	return (struct endpoint){ { 4, { 198, 18, 0, 1 } }, port };
}

static uint32_t syn; /* each time another one */

static void
note(enum network network, uint16_t port)
{
	struct endpoint from = source(port);

	handed_note(&fs, network, &from, &site, ++syn, &verdict, -1);
}

static void
note_by(uint16_t port, int outbound)
{
	struct endpoint from = source(port);

	handed_note(&fs, NETWORK_TCP, &from, &site, ++syn, &verdict, outbound);
}

static bool
is_known(enum network network, uint16_t port)
{
	struct endpoint from = source(port);

	return handed_look(&fs, network, &from, &site) == HANDED_OPEN;
}

static void
tell(enum network network, uint16_t port, uint64_t up, uint64_t down)
{
	assert_true(nnews < NEWS);
	news[nnews++] = (struct net_direct_end){
		.source = source(port),
		.target = site,
		.network = network,
		.counted = true,
		.answered = true,
		.up = up,
		.down = down,
	};
	script_ready(ENDS, WATCH_READ);
}

static void
known_by_its_ends(void **state)
{
	struct endpoint from = source(1), stranger = { { 4, { 203, 0, 113, 9 } }, 1 },
			other = site;

	(void)state;
	note(NETWORK_TCP, 1);
	assert_true(is_known(NETWORK_TCP, 1));
	assert_false(is_known(NETWORK_UDP, 1));
	assert_false(is_known(NETWORK_TCP, 2));
	other.port++;
	assert_int_equal(handed_look(&fs, NETWORK_TCP, &from, &other), HANDED_NOT);
	other = (struct endpoint){ { 4, { 192, 0, 2, 81 } }, 443 };
	assert_int_equal(handed_look(&fs, NETWORK_TCP, &from, &other), HANDED_NOT);
	/* Not from the device: it is nobody's whom we could tell apart. */
	handed_note(&fs, NETWORK_TCP, &stranger, &site, 0, &verdict, -1);
	assert_int_equal(handed_look(&fs, NETWORK_TCP, &stranger, &site), HANDED_NOT);
	assert_int_equal(fs.count.handed, 1);
}

static void
counted_at_the_end(void **state)
{
	(void)state;
	note(NETWORK_TCP, 1);
	note(NETWORK_UDP, 2);
	assert_int_equal(fs.count.handed, 2);
	assert_int_equal(fs.count.tcp_total, 1);
	assert_int_equal(fs.count.udp_total, 1);
	assert_true(script_pass(fs.loop, 2 * HANDED_NEW_MS));
	tell(NETWORK_TCP, 1, 10, 20);
	assert_true(script_settle(fs.loop));
	assert_int_equal(fs.count.handed, 1);
	assert_false(is_known(NETWORK_TCP, 1));
	/* One of before this engine, and an echo, have carried bytes too. */
	tell(NETWORK_TCP, 7, 100, 200);
	tell(NETWORK_ICMP, 0, 1000, 2000);
	assert_true(script_settle(fs.loop));
	assert_int_equal(fs.count.up, 1110);
	assert_int_equal(fs.count.down, 2220);
	assert_int_equal(fs.count.handed, 1);
	assert_true(is_known(NETWORK_UDP, 2));
}

/* The news of an end comes late: on ports that are used again at once it is about the
 * connection before. */
static void
used_again(void **state)
{
	(void)state;
	note(NETWORK_TCP, 1);
	assert_true(script_pass(fs.loop, 60000));
	note(NETWORK_TCP, 1);
	assert_int_equal(fs.count.handed, 1);
	assert_int_equal(fs.count.handed_total, 2);
	tell(NETWORK_TCP, 1, 1, 1);
	assert_true(script_settle(fs.loop));
	assert_true(is_known(NETWORK_TCP, 1));
	assert_true(script_pass(fs.loop, 2 * HANDED_NEW_MS));
	tell(NETWORK_TCP, 1, 1, 1);
	assert_true(script_settle(fs.loop));
	assert_false(is_known(NETWORK_TCP, 1));
	assert_int_equal(fs.count.handed, 0);
}

/* An application asks until it is answered: that is one connection, which began when it
 * asked first. */
static void
asked_again(void **state)
{
	struct endpoint from = source(1);
	struct net_direct_end refused = {
		.source = from, .target = site, .network = NETWORK_TCP, .down = 40
	};

	(void)state;
	for (int i = 0; i < 3; i++) {
		handed_note(&fs, NETWORK_TCP, &from, &site, 7, &verdict, 1);
		assert_true(is_known(NETWORK_TCP, 1));
		handed_revoke(&fs, NETWORK_TCP, &from, &site);
		assert_false(is_known(NETWORK_TCP, 1));
		assert_true(script_pass(fs.loop, 2 * HANDED_NEW_MS));
	}
	assert_int_equal(fs.count.tcp_total, 1);
	assert_int_equal(fs.count.handed_total, 1);
	assert_int_equal(second.tally.flows, 1);
	news[nnews++] = refused;
	script_ready(ENDS, WATCH_READ);
	assert_true(script_settle(fs.loop));
	assert_int_equal(fs.count.handed, 0);
	assert_int_equal(fs.count.refused, 1);
	assert_int_equal(second.tally.answered, 0);
	/* The same number once more, behind the end, is another one. */
	handed_note(&fs, NETWORK_TCP, &from, &site, 7, &verdict, 1);
	assert_int_equal(fs.count.tcp_total, 2);
}

/* An outbound has answered when one of its flows in the kernel has: at its end at the
 * latest, or as is seen while it goes on. */
static void
answers_noted(void **state)
{
	struct net_direct_end now = { source(2), site, NETWORK_TCP, .counted = true,
		.open = true, .up = 7 };

	(void)state;
	running = &now;
	nrunning = 1;
	note_by(2, 1);
	flows_see(&fs, LIST);
	assert_int_equal(second.tally.answered, 0);
	assert_int_equal(fs.count.listed, 1);
	now.down = 70;
	flows_see(&fs, LIST);
	assert_int_equal(second.tally.answered, loop_now(fs.loop));
	assert_true(script_pass(fs.loop, 60000));
	flows_see(&fs, LIST);
	assert_int_equal(second.tally.answered, loop_now(fs.loop) - 60000);
	/* What has ended is known to the kernel for a while. */
	now.open = false;
	flows_see(&fs, LIST);
	assert_int_equal(fs.count.listed, 0);
	nrunning = 0;
	tell(NETWORK_TCP, 2, 8, 80);
	flows_see(&fs, LIST);
	assert_int_equal(second.tally.answered, loop_now(fs.loop) - NET_DIRECT_ENDED_MS);
}

/* Beyond the maximum the one that was noted longest ago is forgotten. */
static void
oldest_forgotten(void **state)
{
	uint16_t port;

	(void)state;
	for (port = 1; port <= MOST; port++)
		note(NETWORK_TCP, port);
	note(NETWORK_TCP, 1);
	assert_int_equal(fs.count.handed, MOST);
	for (port = MOST + 1; port <= MOST + 10; port++)
		note(NETWORK_TCP, port);
	assert_int_equal(fs.count.handed, MOST);
	assert_true(is_known(NETWORK_TCP, 1));
	for (port = 2; port <= 11; port++)
		assert_false(is_known(NETWORK_TCP, port));
	for (port = 12; port <= MOST + 10; port++)
		assert_true(is_known(NETWORK_TCP, port));
}

/* What is told while much of it was lost is counted all the same; and at the end all is
 * read that there is, without a turn of the loop. */
static void
read_to_the_end(void **state)
{
	uint16_t port;

	(void)state;
	for (port = 1; port <= MOST; port++)
		note(NETWORK_TCP, port);
	assert_true(script_pass(fs.loop, 2 * HANDED_NEW_MS));
	overrun = true;
	tell(NETWORK_TCP, 1, 1, 1);
	assert_true(script_settle(fs.loop));
	assert_int_equal(fs.count.up, 1);
	overrun = true;
	for (port = 2; port <= MOST; port++)
		tell(NETWORK_TCP, port, 1, 1);
	for (; nnews < NEWS; port++)
		tell(NETWORK_TCP, port, 1, 1);
	flows_read_ends(&fs);
	assert_int_equal(fs.count.handed, 0);
	assert_int_equal(fs.count.up, 1 + NEWS);
}

static void
check_sums(uint64_t up, uint64_t down)
{
	const struct outbound_tally *a = &direct.tally, *b = &second.tally;

	assert_int_equal(fs.count.up + fs.handback.running_up, up);
	assert_int_equal(fs.count.down + fs.handback.running_down, down);
	assert_int_equal(a->up + a->running_up + b->up + b->running_up, up);
	assert_int_equal(a->down + a->running_down + b->down + b->running_down, down);
}

/* All that outbounds have carried is all that was carried: also pings, flows that are not
 * remembered, and those that still run. */
static void
sums_agree(void **state)
{
	const struct net_direct_end now[] = {
		{ source(2), site, NETWORK_TCP, .counted = true, .open = true, .up = 7,
			.down = 70 },
		{ source(9), site, NETWORK_UDP, .counted = true, .up = 1, .down = 2 },
	};

	(void)state;
	note_by(1, 1);
	note_by(2, 1);
	assert_true(script_pass(fs.loop, 2 * HANDED_NEW_MS));
	tell(NETWORK_TCP, 1, 10, 20);
	tell(NETWORK_TCP, 5, 100, 200);
	tell(NETWORK_ICMP, 0, 1000, 2000);
	assert_true(script_settle(fs.loop));
	check_sums(1110, 2220);
	assert_int_equal(second.tally.up, 10);
	running = now;
	nrunning = 2;
	flows_see(&fs, LIST);
	check_sums(1118, 2292);
	assert_int_equal(second.tally.running_down, 70);
	assert_int_equal(fs.count.seen, 2);
	/* As it is now, and not once more. */
	flows_see(&fs, LIST);
	check_sums(1118, 2292);
	nrunning = 0;
	tell(NETWORK_TCP, 2, 8, 80);
	flows_see(&fs, LIST);
	check_sums(1118, 2300);
	flows_see(&fs, -1);
	assert_int_equal(fs.count.seen, 0);
}

static const struct {
	const char *how; /* with the seconds before it */
	struct net_direct_end end;
	bool ending;
} endings[] = {
	{ "30.000 s: no answer", { .network = NETWORK_TCP, .open = true }, false },
	{ "30.000 s: refused", { .network = NETWORK_TCP, .open = true, .down = 40 },
		false },
	{ "15.000 s: ended", { .network = NETWORK_TCP, .answered = true }, false },
	{ "15.000 s: reset", { .network = NETWORK_TCP, .answered = true, .reset = true },
		false },
	{ "30.000 s: cut: the kernel forgot it",
		{ .network = NETWORK_TCP, .answered = true, .open = true }, false },
	{ "30.000 s: idle", { .network = NETWORK_UDP, .answered = true }, false },
	{ "30.000 s: sluice ends",
		{ .network = NETWORK_TCP, .answered = true, .open = true }, true },
	{ "30.000 s: sluice ends", { .network = NETWORK_UDP, .answered = true }, true },
	{ "30.000 s: sluice ends",
		{ .network = NETWORK_TCP, .answered = true, .reset = true }, true },
};

/* The line of a flow says how it ended, and when: conntrack tells of it some time after. */
static void
line_is_true(void **state)
{
	char said[1024];
	size_t i;
	FILE *file;
	ssize_t n;

	(void)state;
	for (i = 0; i < sizeof(endings) / sizeof(*endings); i++) {
		struct net_direct_end end = endings[i].end;

		file = tmpfile();
		assert_non_null(file);
		log_open(fileno(file), LOG_INFO, "test");
		end.source = source(1);
		end.target = site;
		handed_note(&fs, end.network, &end.source, &site, ++syn, &verdict, 0);
		assert_true(script_pass(fs.loop, 30000));
		news[nnews++] = end;
		/* The loop may still run when the keeper begins to end them. */
		is_ending = endings[i].ending;
		script_ready(ENDS, WATCH_READ);
		assert_true(script_settle(fs.loop));
		n = pread(fileno(file), said, sizeof(said) - 1, 0);
		assert_true(n > 0);
		said[n] = '\0';
		if (strstr(said, endings[i].how) == NULL)
			fail_msg("\"%s\" is not in: %s", endings[i].how, said);
		log_open(2, LOG_ERROR, "test");
		fclose(file);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(known_by_its_ends, begin, end),
		cmocka_unit_test_setup_teardown(counted_at_the_end, begin, end),
		cmocka_unit_test_setup_teardown(used_again, begin, end),
		cmocka_unit_test_setup_teardown(asked_again, begin, end),
		cmocka_unit_test_setup_teardown(answers_noted, begin, end),
		cmocka_unit_test_setup_teardown(oldest_forgotten, begin, end),
		cmocka_unit_test_setup_teardown(read_to_the_end, begin, end),
		cmocka_unit_test_setup_teardown(sums_agree, begin, end),
		cmocka_unit_test_setup_teardown(line_is_true, begin, end),
	};

	log_open(2, LOG_ERROR, "test");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
