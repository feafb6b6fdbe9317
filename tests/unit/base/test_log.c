/* SPDX-License-Identifier: MIT */
#include "unit/base/check.h"

#include "base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static int ends[2];
static char got[4096];

static int
pipe_open(void **state)
{
	(void)state;
	unsetenv("JOURNAL_STREAM");
	return pipe2(ends, O_NONBLOCK | O_CLOEXEC);
}

static int
pipe_close(void **state)
{
	(void)state;
	log_open(STDERR_FILENO, LOG_WARNING, NULL);
	close(ends[0]);
	close(ends[1]);
	return 0;
}

/* What was logged since the last call; a pipe gives what one write put in. */
static const char *
logged(void)
{
	ssize_t n = read(ends[0], got, sizeof got - 1);

	got[n > 0 ? n : 0] = '\0';
	return got;
}

static void
a_line_says_when_how_bad_and_who(void **state)
{
	const char *line;

	(void)state;
	log_open(ends[1], LOG_INFO, "engine");
	log_warn("the %s is %d", "answer", 42);
	line = logged();
	/* 2001-02-03T04:05:06.789Z */
	assert_int_equal(strspn(line, "0123456789-T:.Z"), 24);
	assert_string_equal(line + 24, " warning engine: the answer is 42\n");
	log_open(ends[1], LOG_INFO, NULL);
	log_error("oh");
	assert_string_equal(logged() + 24, " error: oh\n");
}

static void
the_journal_knows_the_time(void **state)
{
	struct stat st;
	char id[64];

	(void)state;
	assert_int_equal(fstat(ends[1], &st), 0);
	snprintf(id, sizeof id, "%ju:%ju", (uintmax_t)st.st_dev, (uintmax_t)st.st_ino);
	setenv("JOURNAL_STREAM", id, 1);
	log_open(ends[1], LOG_INFO, "keeper");
	log_info("up");
	assert_string_equal(logged(), "<6>info keeper: up\n");
	/* Inherited, but our descriptor was sent somewhere else. */
	setenv("JOURNAL_STREAM", "1:1", 1);
	log_open(ends[1], LOG_INFO, "keeper");
	log_info("up");
	assert_string_equal(logged() + 24, " info keeper: up\n");
}

static void
levels_leave_out_what_is_below_them(void **state)
{
	enum log_level level;

	(void)state;
	log_open(ends[1], LOG_WARNING, NULL);
	log_info("no");
	log_debug("no");
	assert_string_equal(logged(), "");
	assert_true(log_wants(LOG_ERROR) && log_wants(LOG_WARNING));
	assert_false(log_wants(LOG_INFO));
	log_open(ends[1], LOG_NONE, NULL);
	log_error("no");
	assert_string_equal(logged(), "");
	log_open(ends[1], LOG_DEBUG, NULL);
	log_debug("yes");
	assert_string_equal(logged() + 24, " debug: yes\n");
	assert_true(log_level_parse(&level, "warning") && level == LOG_WARNING);
	assert_true(log_level_parse(&level, "none") && level == LOG_NONE);
	assert_true(log_level_parse(&level, "debug") && level == LOG_DEBUG);
	assert_false(log_level_parse(&level, "warn"));
	assert_false(log_level_parse(&level, ""));
}

static void
strangers_cannot_end_a_line(void **state)
{
	(void)state;
	log_open(ends[1], LOG_INFO, NULL);
	log_info("name %s",
		"a\nerror: b\033[31m\x9b"
		"c\xc2\x9b"
		"d\xc3\xa9");
	assert_string_equal(logged() + 24, " info: name a?error: b?[31m?c??d\xc3\xa9\n");
}

static void
a_long_line_is_cut_and_still_ends(void **state)
{
	char big[3000];
	const char *line;

	(void)state;
	log_open(ends[1], LOG_INFO, NULL);
	memset(big, 'x', sizeof big - 1);
	big[sizeof big - 1] = '\0';
	log_info("%s", big);
	line = logged();
	assert_in_range(strlen(line), 1000, 1024);
	assert_ptr_equal(strchr(line, '\n'), line + strlen(line) - 1);
}

static void
what_repeats_is_counted(void **state)
{
	struct log_limit limit = { .every = 1000 };

	(void)state;
	log_open(ends[1], LOG_INFO, NULL);
	log_limited(&limit, 0, LOG_INFO, "bad %d", 1);
	assert_string_equal(logged() + 24, " info: bad 1\n");
	log_limited(&limit, 1, LOG_INFO, "bad %d", 2);
	log_limited(&limit, 999, LOG_INFO, "bad %d", 3);
	assert_string_equal(logged(), "");
	log_limited(&limit, 1000, LOG_INFO, "bad %d", 4);
	assert_string_equal(logged() + 24, " info: bad 4 (2 more like this left out)\n");
	log_limited(&limit, 3000, LOG_INFO, "bad %d", 5);
	assert_string_equal(logged() + 24, " info: bad 5\n");
}

static void
a_full_descriptor_stops_nobody(void **state)
{
	char fill[4096] = { 0 };

	(void)state;
	log_open(ends[1], LOG_INFO, NULL);
	while (write(ends[1], fill, sizeof fill) > 0)
		;
	errno = ENOENT;
	log_info("lost");
	assert_int_equal(errno, ENOENT);
}

/* Lines that wait leave in order, in one write; nothing waits behind a warning. */
static void
lines_are_gathered(void **state)
{
	int i;

	(void)state;
	log_open(ends[1], LOG_INFO, NULL);
	log_gather(true);
	log_info("one");
	log_info("two");
	assert_string_equal(logged(), "");
	log_flush();
	assert_non_null(strstr(logged(), " info: one\n"));
	assert_non_null(strstr(got, " info: two\n"));
	log_info("three");
	log_warn("four");
	assert_non_null(strstr(logged(), " info: three\n"));
	assert_non_null(strstr(got, " warning: four\n"));
	log_news("ready");
	assert_non_null(strstr(logged(), "ready\n"));
	for (i = 0; i < 40; i++)
		log_info("%0100d", i);
	assert_true(strlen(logged()) > 3000); /* what is full leaves by itself */
	log_gather(false);
	assert_non_null(strstr(logged(), "39\n"));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			a_line_says_when_how_bad_and_who, pipe_open, pipe_close),
		cmocka_unit_test_setup_teardown(
			the_journal_knows_the_time, pipe_open, pipe_close),
		cmocka_unit_test_setup_teardown(
			levels_leave_out_what_is_below_them, pipe_open, pipe_close),
		cmocka_unit_test_setup_teardown(
			strangers_cannot_end_a_line, pipe_open, pipe_close),
		cmocka_unit_test_setup_teardown(
			a_long_line_is_cut_and_still_ends, pipe_open, pipe_close),
		cmocka_unit_test_setup_teardown(
			lines_are_gathered, pipe_open, pipe_close),
		cmocka_unit_test_setup_teardown(
			what_repeats_is_counted, pipe_open, pipe_close),
		cmocka_unit_test_setup_teardown(
			a_full_descriptor_stops_nobody, pipe_open, pipe_close),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
