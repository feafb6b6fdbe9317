/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "platform/net.h"
#include "platform/sys.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static int
shell(const char *script, const char *input, int ms, struct err *e)
{
	const char *argv[] = { "/bin/sh", "-c", script, NULL };

	return sys_run(argv, input, ms, e);
}

static void
runs(void **state)
{
	struct err e;

	(void)state;
	assert_int_equal(shell("exit 0", NULL, 10000, &e), 0);
	assert_int_equal(shell("echo no such table >&2; exit 3", NULL, 10000, &e), 3);
	assert_non_null(strstr(e.text, "(exit status 3): no such table"));
	assert_int_equal(
		shell("printf 'two\\nlines\\033[2J'; exit 1", NULL, 10000, &e), 1);
	assert_non_null(strstr(e.text, "two lines [2J"));
	assert_int_equal(shell("kill -9 $$", NULL, 10000, &e), -1);
	assert_non_null(strstr(e.text, "signal 9"));
	assert_int_equal(
		shell("read a && test \"$a\" = word && ! read b", "word\n", 10000, &e),
		0);
	/* Nothing to read is an end, not a wait. */
	assert_int_equal(shell("cat", NULL, 10000, &e), 0);
}

static void
runs_what_is_not_there(void **state)
{
	const char *argv[] = { "/nonexistent/program", NULL };
	struct err e;

	(void)state;
	assert_int_equal(sys_run(argv, NULL, 10000, &e), 127);
}

static void
stops_what_does_not_end(void **state)
{
	uint64_t before = sys_monotonic();
	struct err e;

	(void)state;
	assert_int_equal(shell("exec tail -f /dev/null", NULL, 100, &e), -1);
	assert_non_null(strstr(e.text, "did not end"));
	/* The same when its output is closed. */
	assert_int_equal(shell("exec >&- 2>&-; while :; do :; done", NULL, 100, &e), -1);
	assert_true(sys_monotonic() - before < 8000);
}

/* More than pipes hold, both ways at once: neither side may wait for the other. */
static void
runs_with_much_input_and_output(void **state)
{
	size_t len = 4u << 20;
	char *input = malloc(len + 1);
	struct err e;

	(void)state;
	assert_non_null(input);
	memset(input, 'a', len);
	input[len] = '\0';
	assert_int_equal(shell("cat", input, 60000, &e), 0);
	assert_int_equal(shell("exit 0", input, 60000, &e), 0); /* reads none of it */
	free(input);
}

static void
gives_nothing_away(void **state)
{
	int fd = open("/dev/null", O_RDONLY); /* inherited, were it not closed */
	struct err e;

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(setenv("SECRET", "x", 1), 0);
	assert_int_equal(dup2(fd, 77), 77);
	assert_int_equal(shell("test ! -e /proc/self/fd/77 && test -z \"$SECRET\" && "
			       "test ! -t 0",
				 NULL, 10000, &e),
		0);
	close(77);
	close(fd);
}

static void
messages(void **state)
{
	int pair[2], fd[2] = { -1, -1 }, nfd = 2, gift;
	char text[16];

	(void)state;
	assert_int_equal(sys_message_pair(pair), 0);
	assert_int_equal(
		sys_message_recv(pair[0], text, sizeof text, NULL, NULL), -EAGAIN);
	gift = open("/dev/null", O_RDONLY | O_CLOEXEC);
	assert_int_equal(sys_message_send(pair[0], "abc", 3, &gift, 1), 3);
	assert_int_equal(sys_message_send(pair[0], "de", 2, NULL, 0), 2);
	assert_int_equal(sys_message_recv(pair[1], text, sizeof text, fd, &nfd), 3);
	assert_int_equal(nfd, 1);
	assert_true(fcntl(fd[0], F_GETFD) & FD_CLOEXEC);
	assert_int_not_equal(fd[0], gift);
	nfd = 2;
	assert_int_equal(sys_message_recv(pair[1], text, sizeof text, fd + 1, &nfd), 2);
	assert_int_equal(nfd, 0);
	close(fd[0]);
	close(gift);
	assert_int_equal(sys_message_send(pair[0], "too long", 8, NULL, 0), 8);
	assert_int_equal(sys_message_recv(pair[1], text, 4, NULL, NULL), -EMSGSIZE);
	close(pair[0]);
	assert_int_equal(sys_message_recv(pair[1], text, sizeof text, NULL, NULL), 0);
	assert_int_equal(sys_message_send(pair[1], "x", 1, NULL, 0), -EPIPE);
	close(pair[1]);
}

static void
too_many_descriptors(void **state)
{
	int pair[2], many[9], got[3], nfd = 3, i;
	char byte;

	(void)state;
	assert_int_equal(sys_message_pair(pair), 0);
	for (i = 0; i < 9; i++)
		many[i] = pair[0];
	assert_int_equal(sys_message_send(pair[0], "x", 1, many, 9), -EINVAL);
	assert_int_equal(sys_message_send(pair[0], "x", 1, many, 8), 1);
	assert_int_equal(sys_message_recv(pair[1], &byte, 1, got, &nfd), 1);
	assert_int_equal(nfd, 3);
	for (i = 0; i < 3; i++)
		close(got[i]);
	close(pair[0]);
	/* The five others were closed, so the other side is gone. */
	assert_int_equal(sys_message_recv(pair[1], &byte, 1, NULL, NULL), 0);
	close(pair[1]);
}

static void
memory_file(void **state)
{
	char path[32], text[8] = "";
	int fd, again;
	void *p;

	(void)state;
	fd = sys_memory_file("test", "bytes", 5);
	assert_true(fd >= 0);
	again = open(sys_fd_path(fd, path, sizeof path), O_RDONLY | O_CLOEXEC);
	assert_true(again >= 0);
	assert_int_equal(read(again, text, sizeof text), 5);
	assert_string_equal(text, "bytes");
	p = mmap(NULL, 5, PROT_READ, MAP_SHARED, fd, 0);
	assert_true(p != MAP_FAILED);
	munmap(p, 5);
	assert_int_equal(write(fd, "x", 1), -1); /* nobody changes it any more */
	assert_int_equal(ftruncate(fd, 0), -1);
	close(again);
	close(fd);
	fd = sys_memory_file("empty", NULL, 0);
	assert_true(fd >= 0);
	close(fd);
}

static void
clocks(void **state)
{
	uint64_t a = sys_monotonic(), b = sys_boottime();

	(void)state;
	assert_true(a > 0 && sys_monotonic() >= a);
	assert_true(sys_boottime() >= b && b + 1000 >= a);
	assert_true(sys_unix_time() > 1600000000);
	assert_true(sys_raise_descriptors(256) >= 256);
}

static void
opens_beneath(void **state)
{
	char dir[] = "/tmp/sluice-unit-XXXXXX", path[64];
	int fd;

	(void)state;
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof path, "%s/up", dir);
	assert_int_equal(symlink("../../etc/passwd", path), 0);
	assert_true(sys_open_beneath(dir, "up") < 0);
	assert_true(sys_open_beneath(dir, "../../etc/passwd") < 0);
	assert_true(sys_open_beneath(dir, "/etc/passwd") < 0);
	assert_int_equal(sys_open_beneath(dir, "none"), -ENOENT);
	assert_true(sys_open_beneath(dir, ".") < 0);
	unlink(path);
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	close(fd);
	fd = sys_open_beneath(dir, "up");
	assert_true(fd >= 0);
	close(fd);
	unlink(path);
	assert_int_equal(rmdir(dir), 0);
	assert_true(sys_open_beneath(dir, "up") < 0);
}

static void
sysctls(void **state)
{
	char value[64];
	struct err e;

	(void)state;
	assert_int_equal(net_sysctl_get("kernel.ostype", value, sizeof value, &e), 0);
	assert_string_equal(value, "Linux");
	assert_int_equal(net_sysctl_get("net.none.such", value, sizeof value, &e), -1);
	assert_int_equal(net_sysctl_get("../etc/passwd", value, sizeof value, &e), -1);
	assert_int_equal(net_sysctl_get("kernel/ostype", value, sizeof value, &e), -1);
	assert_int_equal(net_sysctl_get("//.//.etc.passwd", value, sizeof value, &e), -1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(runs),
		cmocka_unit_test(runs_what_is_not_there),
		cmocka_unit_test(stops_what_does_not_end),
		cmocka_unit_test(runs_with_much_input_and_output),
		cmocka_unit_test(gives_nothing_away),
		cmocka_unit_test(messages),
		cmocka_unit_test(too_many_descriptors),
		cmocka_unit_test(memory_file),
		cmocka_unit_test(clocks),
		cmocka_unit_test(opens_beneath),
		cmocka_unit_test(sysctls),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
