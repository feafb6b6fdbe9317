/* SPDX-License-Identifier: MIT */
#include "sim/script/test_script.h"

#include "base/list.h"
#include "base/random.h"
#include "sim/script/script.h"

struct alarm {
	struct timer timer;
	char letter;
	uint64_t at;         /* when it fired */
	struct timer *stops; /* when it fires */
	int again;           /* so often with 0 */
};

static void
alarm_fire(struct timer *t)
{
	struct alarm *a = container_of(t, struct alarm, timer);

	assert_false(t->armed);
	note(a->letter);
	a->at = loop_now(loop);
	if (a->stops)
		timer_stop(a->stops);
	if (a->again-- > 0)
		timer_arm(t, 0);
}

static void
alarm_init(struct alarm *a, char letter)
{
	*a = (struct alarm){ .letter = letter };
	timer_init(&a->timer, loop, alarm_fire);
}

static void
timers_fire_in_their_order(void **state)
{
	struct alarm a, b, c;

	(void)state;
	alarm_init(&a, 'a');
	alarm_init(&b, 'b');
	alarm_init(&c, 'c');
	timer_arm(&a.timer, 30);
	timer_arm(&b.timer, 10);
	timer_arm(&c.timer, 20);
	assert_true(script_pass(loop, 9));
	assert_string_equal(noted(), "");
	assert_true(script_pass(loop, 1));
	assert_string_equal(noted(), "b");
	assert_true(script_pass(loop, 1000));
	assert_string_equal(noted(), "ca");
	assert_true(c.at == SCRIPT_START + 20 && a.at == SCRIPT_START + 30);
	assert_true(script_now() == SCRIPT_START + 1010);
	/* Late, all in one turn. */
	timer_arm(&a.timer, 30);
	timer_arm(&b.timer, 10);
	timer_arm(&c.timer, 20);
	script_advance(500);
	loop_turn(loop, 0);
	assert_string_equal(noted(), "bca");
}

static void
arming_again_moves(void **state)
{
	struct alarm a;

	(void)state;
	alarm_init(&a, 'a');
	timer_stop(&a.timer);
	timer_arm(&a.timer, 10);
	timer_arm(&a.timer, 50);
	assert_true(script_pass(loop, 49));
	assert_string_equal(noted(), "");
	timer_arm(&a.timer, 1);
	assert_true(script_pass(loop, 1));
	assert_string_equal(noted(), "a");
	timer_arm(&a.timer, 1);
	timer_stop(&a.timer);
	assert_true(script_pass(loop, 10));
	assert_string_equal(noted(), "");
	timer_arm(&a.timer, UINT64_MAX); /* as good as never */
	assert_true(script_pass(loop, 1000000000));
	assert_string_equal(noted(), "");
	timer_stop(&a.timer);
}

static void
a_timer_of_zero_starves_nobody(void **state)
{
	struct alarm a, b;

	(void)state;
	alarm_init(&a, 'a');
	alarm_init(&b, 'b');
	a.again = 2;
	timer_arm(&a.timer, 0);
	timer_arm(&b.timer, 1);
	script_advance(1);
	loop_turn(loop, -1);
	assert_string_equal(noted(), "ab");
	loop_turn(loop, -1); /* at once: the time does not move */
	assert_string_equal(noted(), "a");
	assert_true(script_settle(loop));
	assert_string_equal(noted(), "a");
}

static void
one_that_is_due_can_be_stopped(void **state)
{
	struct alarm a, b;

	(void)state;
	alarm_init(&a, 'a');
	alarm_init(&b, 'b');
	a.stops = &b.timer;
	timer_arm(&a.timer, 1);
	timer_arm(&b.timer, 2);
	script_advance(5);
	loop_turn(loop, 0);
	assert_string_equal(noted(), "a");
	assert_false(b.timer.armed || b.timer.due);
	timer_arm(&b.timer, 1);
	assert_true(script_pass(loop, 1));
	assert_string_equal(noted(), "b");
}

/* A program that took two seconds to start up has not used up its timers. */
static void
time_between_turns_counts(void **state)
{
	struct alarm a;

	(void)state;
	alarm_init(&a, 'a');
	script_advance(2000);
	timer_arm(&a.timer, 1000);
	loop_turn(loop, 0);
	assert_string_equal(noted(), "");
	assert_true(script_pass(loop, 1000));
	assert_string_equal(noted(), "a");
}

enum { MANY = 2000 };

static uint64_t last_at;
static int fired;

static void
count_fire(struct timer *t)
{
	assert_true(t->node.key == loop_now(loop) && t->node.key >= last_at);
	last_at = t->node.key;
	fired++;
}

static void
many_timers(void **state)
{
	static struct timer t[MANY];
	struct rng g;
	int i, stopped = 0;

	(void)state;
	rng_init(&g);
	last_at = 0;
	fired = 0;
	for (i = 0; i < MANY; i++) {
		timer_init(&t[i], loop, count_fire);
		timer_arm(&t[i], 1 + rng_below(&g, 10000));
	}
	for (i = 0; i < MANY; i += 3) {
		timer_stop(&t[i]);
		stopped++;
	}
	assert_true(script_pass(loop, 10000));
	assert_int_equal(fired, MANY - stopped);
	rng_fini(&g);
}

int
timer_tests(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			timers_fire_in_their_order, loop_setup, loop_teardown),
		cmocka_unit_test_setup_teardown(
			arming_again_moves, loop_setup, loop_teardown),
		cmocka_unit_test_setup_teardown(
			a_timer_of_zero_starves_nobody, loop_setup, loop_teardown),
		cmocka_unit_test_setup_teardown(
			one_that_is_due_can_be_stopped, loop_setup, loop_teardown),
		cmocka_unit_test_setup_teardown(
			time_between_turns_counts, loop_setup, loop_teardown),
		cmocka_unit_test_setup_teardown(many_timers, loop_setup, loop_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
