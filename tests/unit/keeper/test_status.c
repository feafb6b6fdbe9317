/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/log.h"
#include "keeper/request.h"
#include "keeper/status.h"
#include "platform/sys.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* A keeper with its status socket, and the two ends of a channel to an engine; who asks is
 * a child. */
struct fixture {
	char dir[64];
	struct status status;
	int pair[2];
};

enum { PATIENCE = 5000, LITTLE = 50 };

static int
set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof *f);

	if (!f)
		return -1;
	snprintf(f->dir, sizeof f->dir, "/tmp/sluice-status-XXXXXX");
	if (!mkdtemp(f->dir))
		return -1;
	*state = f;
	status_open(&f->status, f->dir);
	return sys_message_pair(f->pair);
}

static int
tear_down(void **state)
{
	struct fixture *f = *state;

	close(f->pair[0]);
	close(f->pair[1]);
	status_close(&f->status);
	/* It has taken away what it made. */
	assert_int_equal(rmdir(f->dir), 0);
	free(f);
	return 0;
}

/* Asks in a process of its own, which ends with what it found. */
static pid_t
ask_begin(const struct fixture *f, int engine_ms)
{
	const struct status_patience p = { PATIENCE, engine_ms };
	static struct engine_report g;
	struct keeper_report k;
	struct err e;
	pid_t pid = fork();
	enum asked r;

	if (pid != 0)
		return pid;
	r = status_ask(f->dir, &p, &k, &g, &e);
	if (r == ASKED_WHOLE && (g.n[REPORT_UP] != 4711 || strcmp(k.version, "7") != 0))
		_exit(99);
	_exit((int)r);
}

static int
ask_end(pid_t pid)
{
	int status = -1;

	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static void
wait_readable(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	assert_int_equal(poll(&p, 1, PATIENCE), 1);
}

static int given = -1; /* what the keeper has of the kernel */
static int list;       /* what the engine got of that */

/* The keeper's turn. */
static void
keeper_turn(struct fixture *f, int engine)
{
	struct keeper_report r = { .version = "7", .phase = REPORT_RUNNING };

	wait_readable(f->status.fd);
	status_answer(&f->status, &r, engine, given);
	assert_int_equal(r.asked, engine >= 0);
}

/* The engine's. */
static void
engine_turn(struct fixture *f)
{
	static struct engine_report r;
	static uint8_t bytes[REPORT_MAX];
	size_t len;
	int fd;

	wait_readable(f->pair[1]);
	fd = request_next_question(f->pair[1], &list);
	assert_true(fd >= 0);
	r.n[REPORT_UP] = 4711;
	len = engine_report_write(&r, bytes);
	assert_int_equal(sys_message_send(fd, bytes, len, NULL, 0), len);
	close(fd);
}

static void
all_is_told(void **state)
{
	struct fixture *f = *state;
	pid_t one = ask_begin(f, PATIENCE), two = ask_begin(f, PATIENCE);

	keeper_turn(f, f->pair[0]);
	keeper_turn(f, f->pair[0]);
	engine_turn(f);
	engine_turn(f);
	assert_int_equal(ask_end(one), ASKED_WHOLE);
	assert_int_equal(ask_end(two), ASKED_WHOLE);
	assert_int_equal(request_next_question(f->pair[0], &list), -EAGAIN);
}

/* The kernel's list of flows goes the same way; the keeper keeps its own end. */
static void
list_is_passed_on(void **state)
{
	struct fixture *f = *state;
	pid_t pid = ask_begin(f, PATIENCE);
	struct stat ours, theirs;

	given = open("/dev/null", O_RDONLY | O_CLOEXEC);
	assert_true(given >= 0);
	keeper_turn(f, f->pair[0]);
	engine_turn(f);
	assert_true(list >= 0 && list != given);
	assert_int_equal(fstat(given, &ours), 0);
	assert_int_equal(fstat(list, &theirs), 0);
	assert_int_equal(ours.st_ino, theirs.st_ino);
	close(list);
	close(given);
	given = -1;
	assert_int_equal(ask_end(pid), ASKED_WHOLE);
	pid = ask_begin(f, PATIENCE);
	keeper_turn(f, f->pair[0]);
	engine_turn(f);
	assert_int_equal(list, -1);
	assert_int_equal(ask_end(pid), ASKED_WHOLE);
}

static void
engine_hangs(void **state)
{
	struct fixture *f = *state;
	pid_t pid = ask_begin(f, LITTLE);

	keeper_turn(f, f->pair[0]);
	assert_int_equal(ask_end(pid), ASKED_SILENT);
	/* Back again, it answers who has gone, and is none the worse for it. */
	pid = ask_begin(f, PATIENCE);
	keeper_turn(f, f->pair[0]);
	wait_readable(f->pair[1]);
	close(request_next_question(f->pair[1], &list));
	engine_turn(f);
	assert_int_equal(ask_end(pid), ASKED_WHOLE);
}

static void
engine_is_not_there(void **state)
{
	struct fixture *f = *state;
	pid_t pid = ask_begin(f, PATIENCE);

	keeper_turn(f, -1);
	assert_int_equal(ask_end(pid), ASKED_PART);
}

static void
engine_babbles(void **state)
{
	struct fixture *f = *state;
	pid_t pid = ask_begin(f, PATIENCE);
	int fd;

	keeper_turn(f, f->pair[0]);
	wait_readable(f->pair[1]);
	fd = request_next_question(f->pair[1], &list);
	/* With a descriptor that nobody wants, too. */
	assert_int_equal(sys_message_send(fd, "nonsense", 8, &fd, 1), 8);
	close(fd);
	assert_int_equal(ask_end(pid), ASKED_PART);
}

/* Who never reads, or an engine that does not, costs the keeper no wait and no place. */
static void
nobody_is_waited_for(void **state)
{
	struct fixture *f = *state;
	int client[128], i, n = 0;
	uid_t uid;

	for (i = 0; i < 128; i++) {
		client[i] = sys_message_connect(f->status.path, &uid);
		assert_true(client[i] >= 0);
		assert_int_equal(uid, geteuid());
		keeper_turn(f, f->pair[0]);
	}
	/* The engine's end may wait, so a last message, without a descriptor, ends this. */
	while (sys_message_send(f->pair[0], "", 1, NULL, 0) < 0) {
		close(request_next_question(f->pair[1], &list));
		n++;
	}
	while ((i = request_next_question(f->pair[1], &list)) >= 0) {
		close(i);
		n++;
	}
	assert_int_equal(i, -EAGAIN);
	assert_in_range(n, 8, 64);
	for (i = 0; i < 128; i++)
		close(client[i]);
}

static void
places_are_few(void **state)
{
	struct fixture *f = *state;
	int n = 0, fd = 0, client[128];
	uid_t uid;

	while (n < 128 && (fd = sys_message_connect(f->status.path, &uid)) >= 0)
		client[n++] = fd;
	assert_int_equal(fd, -EAGAIN);
	assert_in_range(n, STATUS_WAITING, STATUS_WAITING + 1);
	assert_int_equal(ask_end(ask_begin(f, LITTLE)), ASKED_FAILED);
	while (n > 0)
		close(client[--n]);
}

static void
only_its_owner_may(void **state)
{
	struct fixture *f = *state;
	struct stat st;

	assert_int_equal(stat(f->status.path, &st), 0);
	assert_true(S_ISSOCK(st.st_mode));
	assert_int_equal(st.st_mode & 07777, 0600);
}

static void
stale_one(void **state)
{
	struct fixture *f = *state;

	/* As after a kill: the name stays, and nobody is behind it. */
	status_shed(&f->status);
	assert_int_equal(ask_end(ask_begin(f, LITTLE)), ASKED_NOBODY);
	status_open(&f->status, f->dir);
	assert_true(f->status.fd >= 0);
	status_close(&f->status);
	assert_int_equal(ask_end(ask_begin(f, LITTLE)), ASKED_NOBODY);
	status_open(&f->status, f->dir);
	status_shed(&f->status);
	status_remove(f->dir);
	assert_int_equal(access(f->status.path, F_OK), -1);
}

static void
path_too_long(void **state)
{
	const struct status_patience p = { LITTLE, LITTLE };
	struct engine_report *g = calloc(1, sizeof *g);
	struct keeper_report k;
	struct status s;
	char dir[300];
	struct err e;

	(void)state;
	memset(dir, 'd', sizeof dir - 1);
	dir[0] = '/';
	dir[sizeof dir - 1] = '\0';
	status_open(&s, dir);
	assert_int_equal(s.fd, -ENAMETOOLONG);
	status_close(&s);
	assert_int_equal(status_ask(dir, &p, &k, g, &e), ASKED_FAILED);
	dir[150] = '\0';
	status_open(&s, dir);
	assert_true(s.fd < 0);
	free(g);
}

static void
who_is_no_sluice(void **state)
{
	struct fixture *f = *state;
	pid_t pid = ask_begin(f, PATIENCE);
	uid_t uid;
	int fd;

	wait_readable(f->status.fd);
	fd = sys_message_accept(f->status.fd, &uid);
	assert_true(fd >= 0);
	assert_int_equal(sys_message_send(fd, "hello", 5, NULL, 0), 5);
	close(fd);
	assert_int_equal(ask_end(pid), ASKED_FAILED);
}

int
main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		T(all_is_told),
		T(list_is_passed_on),
		T(engine_hangs),
		T(engine_is_not_there),
		T(engine_babbles),
		T(nobody_is_waited_for),
		T(places_are_few),
		T(only_its_owner_may),
		T(stale_one),
		T(path_too_long),
		T(who_is_no_sluice),
	};

	log_open(2, LOG_NONE, NULL);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
