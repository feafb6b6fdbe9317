/* SPDX-License-Identifier: MIT */
/* What a time server answers, and whose time a header has. */
#include "unit/outbound/check.h"

#include "base/bytes.h"
#include "outbound/clock.h"
#include "outbound/sntp.h"

#include <string.h>

static const uint8_t cookie[SNTP_COOKIE] = { 1, 2, 3, 4, 5, 6, 7, 8 };

enum { AT_DELAY = 4, AT_DISPERSION = 8, AT_ID = 12, AT_ORIGINATE = 24, AT_TRANSMIT = 40 };

/* 2023-11-14 22:13:20 UTC. */
static void
answer_write(uint8_t p[static SNTP_SIZE])
{
	memset(p, 0, SNTP_SIZE);
	p[0] = 4 << 3 | 4;
	p[1] = 2;
	memcpy(p + AT_ORIGINATE, cookie, SNTP_COOKIE);
	be32_put(p + AT_TRANSMIT, (uint32_t)(1700000000 + 2208988800));
}

static void
test_request(void **state)
{
	uint8_t p[SNTP_SIZE];
	int i;

	(void)state;
	sntp_request_write(p, cookie);
	assert_int_equal(p[0], 0x23);
	for (i = 1; i < AT_TRANSMIT; i++)
		assert_int_equal(p[i], 0);
	assert_memory_equal(p + AT_TRANSMIT, cookie, SNTP_COOKIE);
}

static void
test_answers(void **state)
{
	static const struct {
		const char *label;
		size_t at;
		uint32_t value;
		size_t size; /* of the value */
		enum sntp_verdict want;
	} cases[] = {
		{ "as it is", 2, 0, 1, SNTP_TIME },
		{ "version 3", 0, 3 << 3 | 4, 1, SNTP_TIME },
		{ "version 2", 0, 2 << 3 | 4, 1, SNTP_NOT_OURS },
		{ "version 5", 0, 5 << 3 | 4, 1, SNTP_NOT_OURS },
		{ "a request", 0, 4 << 3 | 3, 1, SNTP_NOT_OURS },
		{ "a broadcast", 0, 4 << 3 | 5, 1, SNTP_NOT_OURS },
		{ "a leap second to come", 0, 1 << 6 | 4 << 3 | 4, 1, SNTP_TIME },
		{ "leap 3", 0, 0xc0 | 4 << 3 | 4, 1, SNTP_UNSETTLED },
		{ "another cookie", AT_ORIGINATE + 7, 9, 1, SNTP_NOT_OURS },
		{ "stratum 15", 1, 15, 1, SNTP_TIME },
		{ "stratum 16", 1, 16, 1, SNTP_UNSETTLED },
		{ "stratum 0, no code", 1, 0, 1, SNTP_UNSETTLED },
		{ "no time", AT_TRANSMIT, 0, 4, SNTP_UNSETTLED },
		{ "far from any clock", AT_DELAY, 32 << 16, 4, SNTP_UNSETTLED },
		{ "nearly so", AT_DELAY, (32 << 16) - 2, 4, SNTP_TIME },
		{ "unsure", AT_DISPERSION, 16 << 16, 4, SNTP_UNSETTLED },
		{ "absurd", AT_DISPERSION, UINT32_MAX, 4, SNTP_UNSETTLED },
	};
	struct sntp_answer a;
	uint8_t p[SNTP_SIZE];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		answer_write(p);
		if (cases[i].size == 4)
			be32_put(p + cases[i].at, cases[i].value);
		else
			p[cases[i].at] = (uint8_t)cases[i].value;
		if (sntp_answer_read(&a, p, sizeof(p), cookie) != cases[i].want)
			fail_msg("%s", cases[i].label);
		if (cases[i].want == SNTP_TIME)
			assert_int_equal(a.time, 1700000000);
		assert_string_equal(a.code, "");
	}
}

static void
test_kiss(void **state)
{
	struct sntp_answer a;
	uint8_t p[SNTP_SIZE];

	(void)state;
	answer_write(p);
	p[1] = 0;
	memcpy(p + AT_ID, "RATE", 4);
	assert_int_equal(sntp_answer_read(&a, p, sizeof(p), cookie), SNTP_KISS);
	assert_string_equal(a.code, "RATE");
	memcpy(p + AT_ID, "A\033[m", 4);
	assert_int_equal(sntp_answer_read(&a, p, sizeof(p), cookie), SNTP_KISS);
	assert_string_equal(a.code, "A");
	/* From somebody who does not know the question. */
	p[AT_ORIGINATE] ^= 1;
	assert_int_equal(sntp_answer_read(&a, p, sizeof(p), cookie), SNTP_NOT_OURS);
}

static void
test_eras_and_lengths(void **state)
{
	uint8_t p[SNTP_SIZE + 20] = { 0 };
	struct sntp_answer a;
	size_t n;

	(void)state;
	answer_write(p);
	for (n = 0; n < SNTP_SIZE; n++)
		assert_int_equal(sntp_answer_read(&a, p, n, cookie), SNTP_NOT_OURS);
	/* With a key's id and digest behind it. */
	assert_int_equal(sntp_answer_read(&a, p, sizeof(p), cookie), SNTP_TIME);
	be32_put(p + AT_TRANSMIT, 1);
	assert_int_equal(sntp_answer_read(&a, p, SNTP_SIZE, cookie), SNTP_TIME);
	assert_int_equal(a.time, 2085978497); /* 2036-02-07 06:28:17 */
	be32_put(p + AT_TRANSMIT, UINT32_MAX);
	assert_int_equal(sntp_answer_read(&a, p, SNTP_SIZE, cookie), SNTP_TIME);
	assert_int_equal(a.time, 2085978495);
}

static void
test_text(void **state)
{
	struct clock_reading r = { 0 };
	char text[CLOCK_WHO + 48];

	(void)state;
	assert_false(clock_is_wrong(&r));
	clock_tell(&r, 432, "192.0.2.1 (SNTP)");
	assert_string_equal(clock_text(&r, text, sizeof(text)),
		"7 min 12 s ahead of 192.0.2.1 (SNTP)");
	assert_true(clock_is_wrong(&r));
	clock_tell(&r, -120, "it");
	assert_string_equal(clock_text(&r, text, sizeof(text)), "2 min 0 s behind it");
	assert_false(clock_is_wrong(&r));
	clock_tell(&r, -86400 * 3, "it");
	r.bound = true;
	assert_string_equal(
		clock_text(&r, text, sizeof(text)), "at least 3 d 0 h behind it");
	clock_tell(&r, INT64_MIN / 2, "it");
	assert_true(clock_is_wrong(&r));
}

static void
test_own_clock_that_is_right(void **state)
{
	struct clock_choice c = { 0 };
	struct clock_reading sntp = { 0 };

	(void)state;
	assert_int_equal(clock_choose(&c, NULL), CLOCK_OWN);
	clock_tell(&sntp, 59, "sntp");
	clock_tell(&c.http, -59, "http");
	assert_int_equal(clock_choose(&c, &sntp), CLOCK_OWN);
	assert_int_equal(clock_shift(&c, &sntp, CLOCK_OWN), 0);
	/* What works is not changed because somebody says another time. */
	assert_true(clock_answered(&c, CLOCK_OWN));
	clock_tell(&c.http, 600, "http");
	assert_int_equal(clock_choose(&c, &sntp), CLOCK_OWN);
	assert_false(clock_answered(&c, CLOCK_OWN));
	/* Nor because of one connection. */
	assert_false(clock_unanswered(&c, CLOCK_OWN));
	assert_int_equal(clock_choose(&c, &sntp), CLOCK_OWN);
	assert_true(clock_unanswered(&c, CLOCK_OWN));
	assert_int_equal(clock_choose(&c, &sntp), CLOCK_HTTP);
	assert_int_equal(clock_shift(&c, &sntp, CLOCK_HTTP), -600);
}

static void
test_kept_and_dropped(void **state)
{
	struct clock_choice c = { 0 };
	struct clock_reading sntp = { 0 };

	(void)state;
	clock_tell(&c.http, 600, "http");
	clock_tell(&sntp, 500, "sntp");
	assert_int_equal(clock_choose(&c, &sntp), CLOCK_HTTP);
	/* A lie is dropped at once, since nothing speaks for it. */
	assert_true(clock_unanswered(&c, CLOCK_HTTP));
	assert_false(clock_unanswered(&c, CLOCK_HTTP));
	assert_int_equal(clock_choose(&c, &sntp), CLOCK_SNTP);
	assert_int_equal(clock_shift(&c, &sntp, CLOCK_SNTP), -500);
	assert_true(clock_answered(&c, CLOCK_SNTP));
	assert_int_equal(clock_choose(&c, &sntp), CLOCK_SNTP);
	/* The clock was set right meanwhile. */
	clock_tell(&sntp, 1, "sntp");
	clock_tell(&c.http, 0, "http");
	assert_int_equal(clock_choose(&c, &sntp), CLOCK_OWN);
}

static void
test_all_in_vain(void **state)
{
	struct clock_choice c = { 0 };

	(void)state;
	clock_tell(&c.http, 600, "http");
	assert_true(clock_unanswered(&c, clock_choose(&c, NULL)));
	assert_int_equal(clock_choose(&c, NULL), CLOCK_OWN);
	assert_true(clock_unanswered(&c, CLOCK_OWN));
	/* It begins anew: the server was down, perhaps. */
	assert_int_equal(clock_choose(&c, NULL), CLOCK_HTTP);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_request),
		cmocka_unit_test(test_answers),
		cmocka_unit_test(test_kiss),
		cmocka_unit_test(test_eras_and_lengths),
		cmocka_unit_test(test_text),
		cmocka_unit_test(test_own_clock_that_is_right),
		cmocka_unit_test(test_kept_and_dropped),
		cmocka_unit_test(test_all_in_vain),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
