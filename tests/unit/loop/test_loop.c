/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/log.h"
#include "loop/loop.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

/* The loop on the real kernel: what the scripted one cannot show. */

struct reader_task {
	struct task task;
	struct watch watch;
	int runs;
	unsigned seen;
};

static struct loop *loop;

static int
loop_setup(void **state)
{
	(void)state;
	loop = loop_new();
	return loop ? 0 : -1;
}

static int
loop_teardown(void **state)
{
	(void)state;
	loop_free(loop);
	return 0;
}

static void
note_run(struct task *t)
{
	struct reader_task *r = container_of(t, struct reader_task, task);

	r->runs++;
	r->seen |= r->watch.happened;
	r->watch.happened = 0;
}

static void
reader_task_init(struct reader_task *r, int fd)
{
	*r = (struct reader_task){ .runs = 0 };
	task_init(&r->task, note_run);
	watch_init(&r->watch, loop, fd, &r->task);
}

static void
reader_task_fini(struct reader_task *r)
{
	watch_fini(&r->watch);
	task_fini(&r->task);
}

static void
pipe_open(int ends[2])
{
	assert_int_equal(pipe2(ends, O_NONBLOCK | O_CLOEXEC), 0);
}

static void
a_pipe_is_ready_when_it_is(void **state)
{
	struct reader_task r;
	int ends[2], i;

	(void)state;
	pipe_open(ends);
	reader_task_init(&r, ends[0]);
	watch_want(&r.watch, WATCH_READ);
	loop_turn(loop, 0);
	assert_int_equal(r.runs, 0);
	assert_int_equal(write(ends[1], "x", 1), 1);
	loop_turn(loop, -1);
	assert_int_equal(r.runs, 1);
	assert_int_equal(r.seen, WATCH_READ);
	/* Still readable: each wish is answered once, and the kernel is left as it is. */
	for (i = 0; i < 3; i++) {
		assert_int_equal(r.watch.armed, WATCH_READ);
		watch_want(&r.watch, WATCH_READ);
		loop_turn(loop, -1);
		assert_int_equal(r.runs, 2 + i);
	}
	/* Nobody wants it: the kernel is told so, and is quiet afterwards. */
	loop_turn(loop, 0);
	assert_int_equal(r.watch.armed, 0);
	loop_turn(loop, 0);
	assert_int_equal(r.runs, 4);
	watch_want(&r.watch, WATCH_READ);
	loop_turn(loop, -1);
	assert_int_equal(r.runs, 5);
	reader_task_fini(&r);
	close(ends[0]);
	close(ends[1]);
}

static void
socket_pair_open(int ends[2])
{
	assert_int_equal(
		socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends),
		0);
}

static void
an_edge_is_told_once(void **state)
{
	struct reader_task r;
	char mem[8];
	int ends[2];

	(void)state;
	socket_pair_open(ends);
	reader_task_init(&r, ends[0]);
	r.watch.edge = true;
	watch_want(&r.watch, WATCH_READ);
	loop_turn(loop, 0);
	assert_int_equal(r.runs, 0);
	assert_int_equal(write(ends[1], "xy", 2), 2);
	loop_turn(loop, -1);
	assert_int_equal(r.runs, 1);
	assert_int_equal(r.seen, WATCH_READ);
	assert_int_equal(read(ends[0], mem, sizeof(mem)), 2);
	watch_want(&r.watch, WATCH_READ);
	loop_turn(loop, 0);
	assert_int_equal(r.runs, 1);
	/* What comes while nobody wants it is there when somebody does. */
	watch_unwant(&r.watch);
	assert_int_equal(write(ends[1], "z", 1), 1);
	loop_turn(loop, 0);
	loop_turn(loop, 0);
	assert_int_equal(r.runs, 1);
	watch_want(&r.watch, WATCH_READ);
	loop_turn(loop, -1);
	assert_int_equal(r.runs, 2);
	watch_want(&r.watch, WATCH_WRITE);
	assert_int_equal(
		write(ends[1], "z", 1), 1); /* the kernel tells both ways of it */
	loop_turn(loop, -1);
	assert_int_equal(r.seen, WATCH_READ | WATCH_WRITE);
	reader_task_fini(&r);
	close(ends[0]);
	close(ends[1]);
}

static void
an_edge_of_one_way_tells_both_when_asked(void **state)
{
	struct reader_task r;
	int ends[2];

	(void)state;
	socket_pair_open(ends);
	reader_task_init(&r, ends[0]);
	r.watch.edge = r.watch.one_way = true;
	watch_want(&r.watch, WATCH_READ);
	loop_turn(loop, 0);
	assert_int_equal(r.watch.armed, WATCH_READ);
	/* It is writable all the time, which is told as soon as somebody asks. */
	watch_want(&r.watch, WATCH_WRITE);
	assert_int_equal(r.watch.armed, WATCH_READ | WATCH_WRITE);
	loop_turn(loop, 0);
	assert_int_equal(r.runs, 1);
	assert_int_equal(r.seen, WATCH_WRITE);
	assert_int_equal(write(ends[1], "x", 1), 1);
	loop_turn(loop, -1);
	assert_int_equal(r.runs, 2);
	assert_int_equal(r.seen, WATCH_READ | WATCH_WRITE);
	reader_task_fini(&r);
	close(ends[0]);
	close(ends[1]);
}

/* A short read with the end behind it: no further edge comes. */
static void
an_end_lasts(void **state)
{
	struct reader_task r;
	char mem[8];
	int ends[2];

	(void)state;
	socket_pair_open(ends);
	reader_task_init(&r, ends[0]);
	r.watch.edge = true;
	assert_int_equal(write(ends[1], "x", 1), 1);
	shutdown(ends[1], SHUT_WR);
	watch_want(&r.watch, WATCH_READ);
	loop_turn(loop, -1);
	assert_int_equal(r.runs, 1);
	assert_int_equal(read(ends[0], mem, sizeof(mem)), 1);
	watch_want(&r.watch, WATCH_READ);
	loop_turn(loop, -1);
	assert_int_equal(r.runs, 2);
	assert_int_equal(read(ends[0], mem, sizeof(mem)), 0);
	reader_task_fini(&r);
	close(ends[0]);
	close(ends[1]);
}

static void
an_edge_of_a_file_is_always_there(void **state)
{
	struct reader_task r;
	int fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC), i;

	(void)state;
	reader_task_init(&r, fd);
	r.watch.edge = true;
	for (i = 1; i < 4; i++) {
		watch_want(&r.watch, WATCH_READ);
		loop_turn(loop, -1);
		assert_int_equal(r.runs, i);
	}
	reader_task_fini(&r);
	close(fd);
}

static void
hang_up_and_error_are_events(void **state)
{
	struct reader_task r, w;
	int a[2], b[2];

	(void)state;
	pipe_open(a);
	pipe_open(b);
	reader_task_init(&r, a[0]);
	watch_want(&r.watch, WATCH_READ);
	close(a[1]); /* hang-up */
	loop_turn(loop, -1);
	assert_int_equal(r.runs, 1);
	reader_task_init(&w, b[1]);
	close(b[0]); /* error */
	watch_want(&w.watch, WATCH_READ | WATCH_WRITE);
	loop_turn(loop, -1);
	assert_int_equal(w.runs, 1);
	assert_int_equal(w.seen, WATCH_READ | WATCH_WRITE);
	loop_turn(loop, 0);
	assert_int_equal(w.runs, 1);
	watch_want(&w.watch, WATCH_WRITE); /* it is still so */
	loop_turn(loop, -1);
	assert_int_equal(w.runs, 2);
	reader_task_fini(&r);
	reader_task_fini(&w);
	close(a[0]);
	close(b[1]);
}

/* Another process may hold the same pipe, as after a fork; then closing alone does not
 * take it from epoll, and its number comes again. */
static void
an_ended_watch_leaves_nothing_in_the_kernel(void **state)
{
	struct reader_task old, new;
	int ends[2], other[2], twin;

	(void)state;
	pipe_open(ends);
	reader_task_init(&old, ends[0]);
	watch_want(&old.watch, WATCH_READ);
	loop_turn(loop, 0);
	twin = dup(ends[0]);
	assert_true(twin >= 0);
	assert_int_equal(write(ends[1], "x", 1), 1);
	reader_task_fini(&old);
	close(ends[0]);
	pipe_open(other);
	assert_int_equal(other[0], ends[0]);
	reader_task_init(&new, other[0]);
	watch_want(&new.watch, WATCH_READ);
	loop_turn(loop, 0);
	loop_turn(loop, 0);
	assert_int_equal(old.runs + new.runs, 0);
	assert_int_equal(write(other[1], "x", 1), 1);
	loop_turn(loop, -1);
	assert_int_equal(new.runs, 1);
	reader_task_fini(&new);
	close(twin);
	close(ends[1]);
	close(other[0]);
	close(other[1]);
}

/* After an error libuv has stopped its handle, while the kernel still knows the pipe. */
static void
the_same_after_an_error(void **state)
{
	struct reader_task w, next;
	int ends[2], other[2], twin;

	(void)state;
	pipe_open(ends);
	reader_task_init(&w, ends[1]);
	close(ends[0]);
	watch_want(&w.watch, WATCH_WRITE);
	loop_turn(loop, -1);
	assert_int_equal(w.runs, 1);
	twin = dup(ends[1]);
	reader_task_fini(&w);
	close(ends[1]);
	pipe_open(other);
	reader_task_init(&next, ends[1]);
	assert_true(other[0] == ends[1] || other[1] == ends[1]);
	watch_want(&next.watch, WATCH_READ);
	loop_turn(loop, 0);
	loop_turn(loop, 0);
	assert_int_equal(w.runs, 1);
	assert_int_equal(next.runs, 0);
	reader_task_fini(&next);
	close(twin);
	close(other[0]);
	close(other[1]);
}

static void
a_file_is_always_ready(void **state)
{
	struct reader_task r;
	FILE *file = tmpfile();

	(void)state;
	assert_non_null(file);
	reader_task_init(&r, fileno(file));
	watch_want(&r.watch, WATCH_READ);
	loop_turn(loop, -1);
	assert_int_equal(r.runs, 1);
	assert_int_equal(r.seen, WATCH_READ);
	loop_turn(loop, 0);
	assert_int_equal(r.runs, 1);
	watch_want(&r.watch, WATCH_READ);
	loop_turn(loop, -1);
	assert_int_equal(r.runs, 2);
	reader_task_fini(&r);
	fclose(file);
}

/* What cannot be waited for sends its owner to read, who then learns why. */
static void
a_closed_descriptor_is_reported(void **state)
{
	struct reader_task r;
	int ends[2];

	(void)state;
	pipe_open(ends);
	close(ends[0]);
	close(ends[1]);
	log_open(STDERR_FILENO, LOG_NONE, NULL);
	reader_task_init(&r, ends[0]);
	watch_want(&r.watch, WATCH_READ);
	loop_turn(loop, -1);
	assert_int_equal(r.runs, 1);
	log_open(STDERR_FILENO, LOG_WARNING, NULL);
	reader_task_fini(&r);
}

enum { PIPES = 300 };

static void
many_watches_come_and_go(void **state)
{
	static struct reader_task r[PIPES];
	static int ends[PIPES][2];
	int i, round, ran = 0;

	(void)state;
	for (i = 0; i < PIPES; i++) {
		pipe_open(ends[i]);
		assert_int_equal(write(ends[i][1], "x", 1), 1);
	}
	for (round = 0; round < 3; round++) {
		for (i = 0; i < PIPES; i++) {
			reader_task_init(&r[i], ends[i][0]);
			watch_want(&r[i].watch, WATCH_READ);
		}
		for (i = 0; i < PIPES; i += 2)
			watch_fini(&r[i].watch);
		loop_turn(loop, -1);
		for (i = 0; i < PIPES; i++) {
			assert_int_equal(r[i].runs, i % 2);
			ran += r[i].runs;
			reader_task_fini(&r[i]);
		}
	}
	assert_int_equal(ran, 3 * PIPES / 2);
	for (i = 0; i < PIPES; i++) {
		close(ends[i][0]);
		close(ends[i][1]);
	}
}

static void
stop_loop(struct timer *t)
{
	loop_stop(t->loop);
}

static void
a_timer_ends_a_wait(void **state)
{
	struct timer t, later;
	uint64_t start;

	(void)state;
	timer_init(&t, loop, stop_loop);
	timer_init(&later, loop, stop_loop);
	timer_arm(&t, 20);
	timer_arm(&later, 1000000);
	start = loop_now(loop);
	loop_run(loop);
	assert_true(loop_now(loop) - start >= 20);
	assert_false(t.armed);
	assert_true(later.armed);
	timer_stop(&later);
	start = loop_now(loop);
	loop_turn(loop, 5); /* nothing is armed: it gives up by itself */
	assert_true(loop_now(loop) - start < 10000);
}

static int signals;

static void
count_signal(struct signal_watch *s)
{
	signals += s->signo == SIGUSR1;
}

static void
signals_fire_in_the_loop(void **state)
{
	struct signal_watch s, bad;

	(void)state;
	signals = 0;
	assert_true(signal_watch_start(&bad, loop, 1000, count_signal) < 0);
	assert_int_equal(signal_watch_start(&s, loop, SIGUSR1, count_signal), 0);
	assert_int_equal(raise(SIGUSR1), 0);
	assert_int_equal(signals, 0);
	loop_turn(loop, -1);
	assert_int_equal(signals, 1);
	/* On its way, and stopped. */
	assert_int_equal(raise(SIGUSR1), 0);
	signal_watch_stop(&s);
	loop_turn(loop, 0);
	assert_int_equal(signals, 1);
}

static void
no_descriptor_left(void **state)
{
	struct rlimit was, tight;
	struct loop *l;
	int fd;

	(void)state;
	fd = dup(STDERR_FILENO);
	assert_true(fd >= 0);
	close(fd);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &was), 0);
	tight = was;
	tight.rlim_cur = (rlim_t)fd;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &tight), 0);
	l = loop_new();
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &was), 0);
	assert_null(l);
	loop_free(NULL);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			an_edge_is_told_once, loop_setup, loop_teardown),
		cmocka_unit_test_setup_teardown(an_edge_of_one_way_tells_both_when_asked,
			loop_setup, loop_teardown),
		cmocka_unit_test_setup_teardown(an_end_lasts, loop_setup, loop_teardown),
		cmocka_unit_test_setup_teardown(
			an_edge_of_a_file_is_always_there, loop_setup, loop_teardown),
		cmocka_unit_test_setup_teardown(
			a_pipe_is_ready_when_it_is, loop_setup, loop_teardown),
		cmocka_unit_test_setup_teardown(
			hang_up_and_error_are_events, loop_setup, loop_teardown),
		cmocka_unit_test_setup_teardown(
			an_ended_watch_leaves_nothing_in_the_kernel, loop_setup,
			loop_teardown),
		cmocka_unit_test_setup_teardown(
			the_same_after_an_error, loop_setup, loop_teardown),
		cmocka_unit_test_setup_teardown(
			a_file_is_always_ready, loop_setup, loop_teardown),
		cmocka_unit_test_setup_teardown(
			a_closed_descriptor_is_reported, loop_setup, loop_teardown),
		cmocka_unit_test_setup_teardown(
			many_watches_come_and_go, loop_setup, loop_teardown),
		cmocka_unit_test_setup_teardown(
			a_timer_ends_a_wait, loop_setup, loop_teardown),
		cmocka_unit_test_setup_teardown(
			signals_fire_in_the_loop, loop_setup, loop_teardown),
		cmocka_unit_test(no_descriptor_left),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
