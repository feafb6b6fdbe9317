/* SPDX-License-Identifier: MIT */
/* What ways out have in common that take datagrams one by one. */
#include "unit/stream/check.h"
#include "unit/stream/way.h"

#include <errno.h>
#include <string.h>

static struct dgram_out
out(const char *text, size_t segment)
{
	return (struct dgram_out){
		.p = (const uint8_t *)text, .len = strlen(text), .segment = segment
	};
}

static void
one_after_the_other(void **state)
{
	struct way w = { .k = { &way_ops }, .room = 5 };
	struct dgram_out d[] = { out("a", 0), out("bbccd", 2), out("e", 0) };

	(void)state;
	assert_int_equal(packets_send_many(&w.k, d, 3), 3);
	assert_string_equal(w.sent, "abbccde");
}

/* Where a part of several has gone the rest still can. */
static void
the_rest_remains(void **state)
{
	static const struct {
		int answer, result;
	} cases[] = { { STREAM_AGAIN, 0 }, { -EIO, -EIO } };
	size_t i;

	(void)state;
	for (i = 0; i < 2; i++) {
		struct way w = {
			.k = { &way_ops }, .room = 3, .answer = cases[i].answer
		};
		struct dgram_out d[] = { out("a", 0), out("bbccd", 2), out("e", 0) };

		assert_int_equal(packets_send_many(&w.k, d, 3), 1);
		assert_string_equal(w.sent, "abbcc");
		assert_int_equal(packets_send_many(&w.k, d + 1, 2), cases[i].result);
		w.room = 2;
		assert_int_equal(packets_send_many(&w.k, d + 1, 2), 2);
		assert_string_equal(w.sent, "abbccde");
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_after_the_other),
		cmocka_unit_test(the_rest_remains),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
