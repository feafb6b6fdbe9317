/* SPDX-License-Identifier: MIT */
#include "sim/flow/sim.h"

#include <errno.h>
#include <string.h>

/* Flows that are handed back to the kernel, and ends of theirs that are used again. */

static const char *const site_net[] = { "192.0.2.0/24", NULL };
static const struct rule_spec by_server = {
	.path = "0", .ip = site_net, .outbound = "vmess"
};

static const char app[] = "198.18.0.1:4000", site[] = "192.0.2.7:80";
static struct setup *other;

/* Everything direct, and by the kernel. `other` sends the site to the tunnel. */
static void
begin(bool told)
{
	struct sim_config c = { .flows.ndevice = 1 },
			  o = { .rule = &by_server, .nrule = 1 };

	assert_true(cidr_parse(&c.flows.device[0], "198.18.0.1/30"));
	sim_begin(&c);
	flows_hand_back(flows, 4, SIM_DIRECT4, FLOWS_HANDED_ALL);
	if (told)
		flows_follow(flows, SIM_ENDS, NULL, NULL);
	other = sim_setup(&o);
}

static void
end(void)
{
	setup_drop(other);
	sim_end();
}

static void
use(struct setup *s)
{
	struct err e;

	assert_int_equal(flows_use(flows, s, &e), 0);
}

static size_t
remembered(void)
{
	struct flow_counters n;

	flows_count(flows, &n);
	return n.handed;
}

static void
syn(struct app *a)
{
	a->connected = a->rst = false;
	app_syn(a);
	sim_settle();
}

static void
says(struct app *a)
{
	app_says(a, "secret", 6);
	sim_settle();
}

/* Direct, and then by the tunnel from the same port, until that fails. */
static struct app *
tunnelled_after(void)
{
	struct app *a = app_new(app, site);

	syn(a);
	assert_int_equal(kernel.sent, 1);
	says(a);
	assert_int_equal(kernel.sent, 2);
	assert_int_equal(kernel.withdrawn, 0);
	use(other);
	syn(a);
	assert_int_equal(kernel.sent, 2);
	assert_int_equal(kernel.withdrawn, 1);
	far_opens(far_at(0), STREAM_OK);
	sim_settle();
	assert_true(a->connected);
	far_fails(far_at(0), -ECONNRESET);
	sim_settle();
	assert_true(a->rst);
	a->rst = false;
	return a;
}

static void
what_a_tunnelled_flow_left_is_reset(void **state)
{
	struct app *a;

	(void)state;
	for (int told = 0; told < 2; told++) {
		begin(told);
		a = tunnelled_after();
		says(a);
		assert_true(a->rst);
		assert_int_equal(kernel.sent, 2);
		end();
	}
}

/* Nobody hears of a connection for as long as the kernel may carry its packets. */
static void
no_answer_while_the_kernel_may_have_it(void **state)
{
	struct app *a;

	(void)state;
	begin(true);
	use(other);
	a = app_new(app, site);
	kernel.withdraws = -ENOBUFS;
	syn(a);
	app_sends_to(a, site, "secret", 6);
	assert_int_equal(far_count(), 0);
	assert_false(a->connected || a->rst);
	kernel.withdraws = 0;
	syn(a);
	assert_int_equal(far_count(), 1);
	assert_int_equal(kernel.withdrawn, 1);
	for (unsigned i = 0; i < 3; i++)
		app_sends_to(a, site, "secret", 6);
	assert_int_equal(far_count(), 2);
	assert_int_equal(kernel.withdrawn, 2);
	assert_int_equal(kernel.sent, 0);
	end();
}

/* What the rules say by then is about new flows. */
/* An engine before, with other rules, may have handed it back. */
static void
an_unknown_one_ends_on_both_sides(void **state)
{
	struct app *a;

	(void)state;
	begin(true);
	use(other);
	a = app_new(app, site);
	says(a);
	assert_true(a->rst);
	assert_int_equal(kernel.resets, 1);
	assert_int_equal(kernel.sent, 1);
	end();
}

static void
also_when_the_rules_say_direct_again(void **state)
{
	struct setup *direct = NULL;
	struct sim_config c = { 0 };
	struct app *a;

	(void)state;
	begin(true);
	a = tunnelled_after();
	direct = sim_setup(&c);
	use(direct);
	says(a);
	assert_true(a->rst);
	assert_int_equal(kernel.sent, 2);
	syn(a);
	assert_int_equal(kernel.sent, 3);
	says(a);
	assert_int_equal(kernel.sent, 4);
	setup_drop(direct);
	end();
}

/* A flow from before the rules changed goes on while somebody would tell of its end. */
static void
a_flow_goes_on(void **state)
{
	struct app *a;

	(void)state;
	for (int told = 0; told < 2; told++) {
		begin(told);
		a = app_new(app, site);
		syn(a);
		use(other);
		says(a);
		assert_int_equal(kernel.sent, 2);
		assert_int_equal(kernel.resets, !told);
		assert_int_equal(a->rst, !told);
		end();
	}
}

static void
datagrams_are_believed_for_a_minute(void **state)
{
	struct app *a;

	(void)state;
	begin(true);
	a = app_new(app, site);
	app_sends_to(a, site, "direct", 6);
	use(other);
	for (unsigned i = 0; i < 3; i++) {
		sim_pass(59000);
		app_sends_to(a, site, "direct", 6);
		assert_int_equal(kernel.sent, 2 + i);
	}
	assert_int_equal(far_count(), 0);
	sim_pass(61000);
	for (unsigned i = 0; i < 3; i++) {
		app_sends_to(a, site, "secret", 6);
		assert_int_equal(kernel.sent, 4);
		assert_int_equal(far_count(), 1);
		assert_int_equal(kernel.withdrawn, 1);
	}
	end();
}

static void
refused_datagrams_stay_with_the_stack(void **state)
{
	struct app *a;

	(void)state;
	begin(true);
	a = app_new(app, site);
	app_sends_to(a, site, "one", 3);
	kernel.answer = -EPERM;
	app_sends_to(a, site, "two", 3);
	kernel.answer = 0;
	assert_int_equal(kernel.withdrawn, 1);
	app_sends_to(a, site, "three", 5);
	assert_int_equal(kernel.sent, 1);
	assert_int_equal(kernel.withdrawn, 1);
	assert_int_equal(far_at(0)->sent, 2);
	end();
}

static void
refused_connections_are_the_stack_s(void **state)
{
	struct app *a;

	(void)state;
	begin(true);
	a = app_new(app, site);
	kernel.answer = -EPERM;
	syn(a);
	assert_int_equal(far_count(), 1);
	far_opens(far_at(0), STREAM_OK);
	sim_settle();
	assert_true(a->connected);
	kernel.answer = 0;
	says(a);
	assert_int_equal(kernel.sent, 0);
	assert_memory_equal(far_at(0)->out, "secret", 6);
	end();
}

/* Nothing leaves: what is new is the stack's, what is known rests, and nobody is left in
 * silence whose flow is not. */
static void
while_nothing_leaves(void **state)
{
	struct app *known, *strange, *late;

	(void)state;
	begin(true);
	known = app_new(app, site);
	strange = app_new("198.18.0.1:4001", site);
	late = app_new("198.18.0.1:4002", site);
	syn(known);
	app_sends_to(known, site, "one", 3);
	kernel.answer = -EINVAL;
	says(known);
	app_sends_to(known, site, "two", 3);
	assert_false(known->rst);
	assert_int_equal(far_count(), 0);
	says(strange);
	assert_true(strange->rst);
	syn(late);
	assert_int_equal(far_count(), 1);
	assert_int_equal(kernel.sent, 2);
	kernel.answer = 0;
	says(known);
	app_sends_to(known, site, "three", 5);
	assert_int_equal(kernel.sent, 4);
	end();
}

/* Of the 40 + 6 bytes of "secret". */
static void
segments_are_cut_for_their_way(void **state)
{
	static const struct {
		int mtu;
		unsigned packets;
	} ways[] = { { 46, 1 }, { 45, 2 }, { 43, 2 }, { 41, 6 }, { 40, 0 } };
	struct app *a;

	(void)state;
	for (size_t i = 0; i < sizeof(ways) / sizeof(*ways); i++) {
		begin(true);
		a = app_new(app, site);
		syn(a);
		kernel.mtu = ways[i].mtu;
		kernel.sent = 0;
		says(a);
		assert_int_equal(kernel.sent, ways[i].packets);
		assert_false(a->rst);
		end();
	}
}

/* By ICMP 3/4, and the flow stays where it is. */
static void
datagrams_that_are_too_long_are_told_of(void **state)
{
	enum { FRAGMENT_NEEDED = 4 };
	struct app *a;

	(void)state;
	begin(true);
	a = app_new(app, site);
	app_sends_to(a, site, "one", 3);
	kernel.mtu = 32;
	app_sends_to(a, site, "secret", 6);
	assert_int_equal(a->icmp, FRAGMENT_NEEDED);
	assert_int_equal(a->icmp_mtu, 32);
	app_sends_to(a, site, "two", 3);
	assert_int_equal(kernel.sent, 2);
	assert_int_equal(far_count(), 0);
	end();
}

static void
a_first_datagram_that_is_too_long_is_the_stack_s(void **state)
{
	struct app *a;

	(void)state;
	begin(true);
	a = app_new(app, site);
	kernel.mtu = 32;
	app_sends_to(a, site, "secret", 6);
	app_sends_to(a, site, "two", 3);
	assert_int_equal(kernel.sent, 0);
	assert_int_equal(a->icmp, -1);
	assert_int_equal(far_at(0)->sent, 2);
	end();
}

/* But for one that is refused: that leaves by our own socket. */
static void
echo_requests_are_the_kernel_s(void **state)
{
	struct app *a;

	(void)state;
	begin(true);
	a = app_new("198.18.0.1:0", "192.0.2.7:0");
	app_pings(a, 77, 5);
	sim_settle();
	assert_int_equal(kernel.sent, 1);
	assert_true(ip_equal(&kernel.to, &a->target.ip));
	assert_int_equal(pinged.n, 0);
	kernel.answer = -EPERM;
	app_pings(a, 78, 1);
	sim_settle();
	assert_int_equal(kernel.sent, 1);
	assert_int_equal(pinged.n, 1);
	end();
}

/* The end of a flow is counted, whoever has its ports by then. */
static void
an_end_is_counted(void **state)
{
	struct net_direct_end e = { .network = NETWORK_TCP, .up = 7, .down = 9 };
	struct flow_counters n;

	(void)state;
	assert_true(endpoint_parse(&e.source, app));
	assert_true(endpoint_parse(&e.target, site));
	begin(true);
	(void)tunnelled_after();
	assert_int_equal(remembered(), 1);
	sim_pass(2000);
	kernel_tells(&e);
	sim_settle();
	assert_int_equal(remembered(), 0);
	flows_count(flows, &n);
	assert_true(n.up >= 7 && n.down >= 9);
	end();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_a_tunnelled_flow_left_is_reset),
		cmocka_unit_test(an_unknown_one_ends_on_both_sides),
		cmocka_unit_test(no_answer_while_the_kernel_may_have_it),
		cmocka_unit_test(also_when_the_rules_say_direct_again),
		cmocka_unit_test(a_flow_goes_on),
		cmocka_unit_test(datagrams_are_believed_for_a_minute),
		cmocka_unit_test(refused_datagrams_stay_with_the_stack),
		cmocka_unit_test(refused_connections_are_the_stack_s),
		cmocka_unit_test(while_nothing_leaves),
		cmocka_unit_test(segments_are_cut_for_their_way),
		cmocka_unit_test(datagrams_that_are_too_long_are_told_of),
		cmocka_unit_test(a_first_datagram_that_is_too_long_is_the_stack_s),
		cmocka_unit_test(echo_requests_are_the_kernel_s),
		cmocka_unit_test(an_end_is_counted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
