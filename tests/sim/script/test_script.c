/* SPDX-License-Identifier: MIT */
#include "sim/script/test_script.h"

#include "base/list.h"
#include "loop/backend.h"
#include "sim/script/script.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

struct loop *loop;

static char letters[256], shown[256];
static size_t n_letters;

void
note(char letter)
{
	if (n_letters < sizeof letters - 1)
		letters[n_letters++] = letter;
}

const char *
noted(void)
{
	memcpy(shown, letters, n_letters);
	shown[n_letters] = '\0';
	n_letters = 0;
	return shown;
}

int
loop_setup(void **state)
{
	(void)state;
	script_reset();
	n_letters = 0;
	loop = loop_new();
	return loop ? 0 : -1;
}

int
loop_teardown(void **state)
{
	(void)state;
	loop_free(loop);
	return 0;
}

/* A task that notes its letter and does one thing more. */
struct actor {
	struct task task;
	struct watch watch;
	char letter;
	struct task *wakes;
	struct watch *ends;
	unsigned wants;
	bool toils; /* has much to do: a millisecond of it in each late turn, `left` times */
	int left;
};

static void
actor_run(struct task *t)
{
	struct actor *a = container_of(t, struct actor, task);

	if (a->toils && !loop_is_late(loop)) {
		loop_later(loop, t);
		return;
	}
	note(a->letter);
	if (a->toils) {
		script_advance(1);
		if (--a->left > 0)
			loop_later(loop, t);
	}
	a->watch.happened = 0;
	if (a->wakes)
		loop_ready(loop, a->wakes);
	if (a->ends)
		watch_fini(a->ends);
	if (a->wants)
		watch_want(&a->watch, a->wants);
}

static void
actor_init(struct actor *a, char letter, int fd)
{
	*a = (struct actor){ .letter = letter };
	task_init(&a->task, actor_run);
	watch_init(&a->watch, loop, fd, &a->task);
}

static void
actor_fini(struct actor *a)
{
	watch_fini(&a->watch);
	task_fini(&a->task);
}

static void
note_signal(struct signal_watch *s)
{
	(void)s;
	note('S');
}

static void
note_timer(struct timer *t)
{
	(void)t;
	note('T');
}

static void
note_end(struct turn_end *e)
{
	(void)e;
	note('E');
}

static void
note_free(struct deferred *d)
{
	(void)d;
	note('F');
}

static void
a_turn_has_its_order(void **state)
{
	struct turn_end end;
	struct deferred deferred;
	struct signal_watch s;
	struct actor ready, urgent;
	struct timer t;

	(void)state;
	loop_defer(loop, &deferred, note_free);
	loop_at_end(loop, &end);
	end.run = note_end;
	actor_init(&ready, 'r', 4);
	actor_init(&urgent, 'u', 5);
	urgent.watch.urgent = true;
	timer_init(&t, loop, note_timer);
	watch_want(&ready.watch, WATCH_READ);
	watch_want(&urgent.watch, WATCH_READ);
	timer_arm(&t, 5);
	assert_int_equal(signal_watch_start(&s, loop, SIGTERM, note_signal), 0);
	script_ready(4, WATCH_READ);
	script_ready(5, WATCH_READ);
	script_advance(5);
	assert_true(script_signal(SIGTERM));
	assert_false(script_signal(SIGHUP));
	loop_turn(loop, -1);
	assert_string_equal(noted(), "SuTrEF");
	loop_not_at_end(loop, &end);
	assert_true(script_settle(loop));
	assert_string_equal(noted(), "");
	signal_watch_stop(&s);
	signal_watch_stop(&s);
	actor_fini(&ready);
	actor_fini(&urgent);
}

static void
wakes_run_when_promised(void **state)
{
	struct actor a, b, c;

	(void)state;
	actor_init(&a, 'a', 4);
	actor_init(&b, 'b', 5);
	actor_init(&c, 'c', 6);
	/* Made ready by an urgent one: in this turn. */
	a.watch.urgent = true;
	a.wakes = &b.task;
	watch_want(&a.watch, WATCH_READ);
	script_ready(4, WATCH_READ);
	loop_turn(loop, 0);
	assert_string_equal(noted(), "ab");
	/* Made ready by a ready one: in the next, though nothing wakes the kernel. */
	b.wakes = &c.task;
	c.wakes = &b.task;
	loop_ready(loop, &b.task);
	loop_ready(loop, &b.task); /* twice is once */
	loop_turn(loop, -1);
	assert_string_equal(noted(), "b");
	loop_turn(loop, -1);
	assert_string_equal(noted(), "c");
	loop_turn(loop, -1);
	assert_string_equal(noted(), "b");
	/* Its own next go. */
	c.wakes = &c.task;
	loop_turn(loop, -1);
	loop_turn(loop, -1);
	loop_turn(loop, -1);
	assert_string_equal(noted(), "ccc");
	assert_false(script_settle(loop)); /* a busy loop is seen */
	noted();
	actor_fini(&a);
	actor_fini(&b);
	actor_fini(&c);
}

static void
who_has_much_to_do_keeps_nobody_waiting(void **state)
{
	struct actor a, b, word;

	(void)state;
	actor_init(&a, 'a', 4);
	actor_init(&b, 'b', 5);
	actor_init(&word, 'w', 6);
	a.toils = b.toils = true;
	a.left = 2;
	b.left = 1;
	loop_ready(loop, &a.task);
	loop_ready(loop, &b.task);
	loop_ready(loop, &word.task);
	/* One of them, since it takes longer than they all may; behind the word. */
	loop_turn(loop, -1);
	assert_string_equal(noted(), "wa");
	/* The other one was before it, and does not wait for the kernel. */
	loop_ready(loop, &word.task);
	loop_ready(loop, &b.task); /* it is on a list: nothing changes */
	loop_turn(loop, -1);
	assert_string_equal(noted(), "wb");
	loop_turn(loop, -1);
	assert_string_equal(noted(), "a");
	/* Several where they take no time. */
	a.left = b.left = 1;
	a.toils = b.toils = false;
	loop_later(loop, &b.task);
	loop_later(loop, &a.task);
	loop_turn(loop, -1);
	assert_string_equal(noted(), "ba");
	/* One that goes is not run. */
	loop_later(loop, &b.task);
	loop_later(loop, &a.task);
	actor_fini(&b);
	loop_turn(loop, -1);
	assert_string_equal(noted(), "a");
	actor_fini(&a);
	actor_fini(&word);
}

static void
an_urgent_task_goes_on_next_turn(void **state)
{
	struct actor tun, flow;
	struct timer t;

	(void)state;
	actor_init(&tun, 'u', 4);
	actor_init(&flow, 'f', 5);
	timer_init(&t, loop, note_timer);
	tun.watch.urgent = true;
	tun.wakes = &tun.task;
	watch_want(&tun.watch, WATCH_READ);
	script_ready(4, WATCH_READ);
	loop_ready(loop, &flow.task);
	timer_arm(&t, 0);
	loop_turn(loop, -1);
	assert_string_equal(noted(), "uTf");
	tun.wakes = NULL;
	timer_arm(&t, 0);
	loop_turn(loop, -1);
	assert_string_equal(noted(), "uT");
	/* On the ready list already, and then its descriptor is: before the timers. */
	loop_ready(loop, &tun.task);
	watch_want(&tun.watch, WATCH_READ);
	timer_arm(&t, 0);
	loop_turn(loop, -1);
	assert_string_equal(noted(), "uT");
	actor_fini(&tun);
	actor_fini(&flow);
}

static void
a_wish_is_for_once(void **state)
{
	struct actor a;

	(void)state;
	actor_init(&a, 'a', 4);
	script_ready(4, WATCH_READ);
	assert_true(script_settle(loop)); /* ready, but nobody asked */
	watch_want(&a.watch, WATCH_READ | WATCH_WRITE);
	assert_true(script_settle(loop));
	assert_string_equal(noted(), "a");
	assert_int_equal(script_wanted(4), WATCH_WRITE);
	assert_true(script_settle(loop)); /* still ready, but no more asked */
	assert_string_equal(noted(), "");
	script_ready(4, WATCH_WRITE);
	assert_true(script_settle(loop));
	assert_string_equal(noted(), "a");
	assert_int_equal(script_wanted(4), 0);
	watch_want(&a.watch, WATCH_READ);
	watch_unwant(&a.watch);
	assert_true(script_settle(loop));
	assert_string_equal(noted(), "");
	watch_want(&a.watch, WATCH_READ);
	assert_true(script_settle(loop));
	assert_string_equal(noted(), "a");
	actor_fini(&a);
}

static void
what_happened_is_told(void **state)
{
	struct task none;
	struct watch w;

	(void)state;
	task_init(&none, actor_run);
	watch_init(&w, loop, 4, &none);
	watch_want(&w, WATCH_READ | WATCH_WRITE);
	script_ready(4, WATCH_WRITE);
	loop_happened(&w, WATCH_WRITE);
	assert_int_equal(w.happened, WATCH_WRITE);
	assert_int_equal(w.wanted, WATCH_READ);
	loop_happened(&w, WATCH_WRITE); /* no more asked for */
	w.happened = 0;
	loop_happened(&w, WATCH_READ | WATCH_WRITE);
	assert_int_equal(w.happened, WATCH_READ);
	task_fini(&none);
	watch_fini(&w);
}

/* b's event is in the same batch as a's, and a ends b. */
static void
an_ended_watch_hears_nothing(void **state)
{
	struct actor a, b;

	(void)state;
	actor_init(&a, 'a', 4);
	actor_init(&b, 'b', 5);
	watch_want(&a.watch, WATCH_READ);
	watch_want(&b.watch, WATCH_READ);
	script_ready(4, WATCH_READ);
	script_ready(5, WATCH_READ);
	a.ends = &b.watch;
	loop_turn(loop, 0);
	assert_int_equal(b.watch.happened, 0);
	noted();
	watch_init(&b.watch, loop, 5, &b.task);
	watch_want(&b.watch, WATCH_READ);
	watch_fini(&b.watch);
	assert_true(script_settle(loop));
	assert_string_equal(noted(), "");
	actor_fini(&a);
	actor_fini(&b);
}

static struct actor *ended;

static void
end_other(struct task *t)
{
	(void)t;
	task_fini(&ended->task);
}

static void
a_finished_task_does_not_run(void **state)
{
	struct actor b;
	struct task a;

	(void)state;
	actor_init(&b, 'b', 5);
	task_init(&a, end_other);
	ended = &b;
	loop_ready(loop, &a);
	loop_ready(loop, &b.task);
	loop_turn(loop, 0);
	assert_string_equal(noted(), "");
	actor_fini(&b);
}

static struct deferred second;

static void
free_and_defer(struct deferred *d)
{
	note('1');
	free(d);
	loop_defer(loop, &second, note_free);
}

static void
defer_now(struct task *t)
{
	struct deferred *d = malloc(sizeof *d);

	(void)t;
	assert_non_null(d);
	loop_defer(loop, d, free_and_defer);
	note('t');
}

static void
frees_come_last(void **state)
{
	struct turn_end end = { .run = note_end };
	struct task t;

	(void)state;
	task_init(&t, defer_now);
	loop_at_end(loop, &end);
	loop_ready(loop, &t);
	loop_turn(loop, 0);
	assert_string_equal(noted(), "tE1F");
	loop_turn(loop, 0);
	assert_string_equal(noted(), "E");
	loop_not_at_end(loop, &end);
	/* What is deferred when the loop ends is freed by its end. */
	defer_now(NULL);
	loop_free(loop);
	assert_string_equal(noted(), "t1F");
	loop = loop_new();
}

static struct turn_end first_end, second_end, third_end;

static void
end_leaves_with_the_next(struct turn_end *e)
{
	note('1');
	loop_not_at_end(loop, e);
	loop_not_at_end(loop, &second_end);
	loop_not_at_end(loop, &second_end);
}

static void
hooks_may_leave(void **state)
{
	(void)state;
	first_end.run = end_leaves_with_the_next;
	second_end.run = third_end.run = note_end;
	loop_at_end(loop, &first_end);
	loop_at_end(loop, &second_end);
	loop_at_end(loop, &third_end);
	loop_turn(loop, 0);
	assert_string_equal(noted(), "1E");
	loop_turn(loop, 0);
	assert_string_equal(noted(), "E");
	loop_not_at_end(loop, &third_end);
}

static void
stop_in_a_task(struct task *t)
{
	note('s');
	loop_ready(loop, t);
	loop_stop(loop);
}

static void
a_stop_ends_the_run_after_its_turn(void **state)
{
	struct turn_end end = { .run = note_end };
	struct task t;

	(void)state;
	loop_at_end(loop, &end);
	task_init(&t, stop_in_a_task);
	loop_ready(loop, &t);
	assert_false(loop_is_over(loop));
	loop_run(loop);
	assert_true(loop_is_over(loop));
	assert_string_equal(noted(), "sE");
	loop_run(loop); /* it can go on */
	assert_string_equal(noted(), "sE");
	task_fini(&t);
	loop_stop(loop);
	loop_run(loop);
	assert_string_equal(noted(), "");
	loop_not_at_end(loop, &end);
}

enum { MORE_THAN_FIT = 40 };

static void
stop_when_fired(struct signal_watch *s)
{
	note('S');
	signal_watch_stop(s);
}

static void
signals_have_an_end(void **state)
{
	struct signal_watch s[MORE_THAN_FIT];
	int i, n;

	(void)state;
	for (n = 0; n < MORE_THAN_FIT; n++)
		if (signal_watch_start(&s[n], loop, SIGHUP, stop_when_fired) < 0)
			break;
	assert_in_range(n, 8, MORE_THAN_FIT - 1);
	assert_int_equal(
		signal_watch_start(&s[n], loop, SIGHUP, stop_when_fired), -ENOSPC);
	for (i = 1; i < n; i++)
		signal_watch_stop(&s[i]);
	script_signal(SIGHUP);
	script_signal(SIGHUP);
	assert_true(script_settle(loop));
	assert_string_equal(noted(), "S");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			a_turn_has_its_order, loop_setup, loop_teardown),
		cmocka_unit_test_setup_teardown(
			wakes_run_when_promised, loop_setup, loop_teardown),
		cmocka_unit_test_setup_teardown(who_has_much_to_do_keeps_nobody_waiting,
			loop_setup, loop_teardown),
		cmocka_unit_test_setup_teardown(
			an_urgent_task_goes_on_next_turn, loop_setup, loop_teardown),
		cmocka_unit_test_setup_teardown(
			a_wish_is_for_once, loop_setup, loop_teardown),
		cmocka_unit_test_setup_teardown(
			what_happened_is_told, loop_setup, loop_teardown),
		cmocka_unit_test_setup_teardown(
			an_ended_watch_hears_nothing, loop_setup, loop_teardown),
		cmocka_unit_test_setup_teardown(
			a_finished_task_does_not_run, loop_setup, loop_teardown),
		cmocka_unit_test_setup_teardown(
			frees_come_last, loop_setup, loop_teardown),
		cmocka_unit_test_setup_teardown(
			hooks_may_leave, loop_setup, loop_teardown),
		cmocka_unit_test_setup_teardown(
			a_stop_ends_the_run_after_its_turn, loop_setup, loop_teardown),
		cmocka_unit_test_setup_teardown(
			signals_have_an_end, loop_setup, loop_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL) + timer_tests();
}
