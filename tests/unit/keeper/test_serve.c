/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "keeper/message.h"
#include "keeper/serve.h"
#include "platform/sys.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

/* Requests as a stranger in the engine's place would send them: none of these touches the
 * system. */
static struct journal journal;
static struct serve serve;
static int pair[2];

static int
set_up(void **state)
{
	static const struct keeper_config config = { .config_path = "/dev/null",
		.state_dir = "/nonexistent" };

	(void)state;
	memset(&journal, 0, sizeof journal);
	serve_init(&serve, &config, &journal);
	return sys_message_pair(pair);
}

static int
tear_down(void **state)
{
	(void)state;
	close(pair[0]);
	close(pair[1]);
	serve_fini(&serve);
	return 0;
}

static struct answer
answer_to(const void *p, size_t len)
{
	struct answer a;

	assert_int_equal(sys_message_send(pair[1], p, len, NULL, 0), (int)len);
	assert_int_equal(serve_next(&serve, pair[0]), 0);
	assert_int_equal(sys_message_recv(pair[1], &a, sizeof a, NULL, NULL), sizeof a);
	return a;
}

static void
wrong_sizes(void **state)
{
	struct request q;
	struct answer a;
	uint32_t code;
	size_t len;

	(void)state;
	for (code = 0; code < REQUEST_CODES + 3; code++) {
		/* Nothing of this size is asked for by anybody. */
		for (len = 1; len < REQUEST_SIZE(0); len++) {
			memset(&q, 0, sizeof q);
			q.code = code;
			a = answer_to(&q, len);
			assert_int_equal(a.result, -1);
		}
		a = answer_to(&q, REQUEST_SIZE(3));
		assert_int_equal(a.result, -1);
	}
}

static void
unknown_codes(void **state)
{
	static const uint32_t codes[] = { 0, REQUEST_CODES, 1000, UINT32_MAX };
	struct request q;
	struct answer a;
	size_t i;

	(void)state;
	memset(&q, 0, sizeof q);
	for (i = 0; i < sizeof codes / sizeof *codes; i++) {
		q.code = codes[i];
		a = answer_to(&q, sizeof q);
		assert_int_equal(a.result, -1);
		assert_string_equal(a.text, "the keeper knows no such request");
	}
}

static void
not_now(void **state)
{
	struct request q = { .code = REQUEST_ROUTES, .u.routes = { 1, 1 } };
	struct answer a;

	(void)state;
	a = answer_to(&q, REQUEST_SIZE(sizeof q.u.routes));
	assert_int_equal(a.result, -1);
	assert_string_equal(a.text, "routes: not now");
	q.code = REQUEST_READY;
	a = answer_to(&q, REQUEST_SIZE(0));
	assert_int_equal(a.result, 0);
	assert_true(serve.ready);
	a = answer_to(&q, REQUEST_SIZE(0));
	assert_int_equal(a.result, -1);
}

static void
random_bytes_of_every_size(void **state)
{
	uint8_t bytes[sizeof(struct request)];
	struct answer a;
	uint32_t seed = 1;
	size_t len, i;

	(void)state;
	for (len = REQUEST_SIZE(0); len <= sizeof bytes; len++) {
		for (i = 0; i < len; i++) {
			seed = seed * 1664525 + 1013904223;
			bytes[i] = (uint8_t)(seed >> 24);
		}
		/* A request that is known, so that its fields are looked at. */
		memset(bytes, 0, 4);
		bytes[0] = (uint8_t)(REQUEST_TUN + len % 3);
		a = answer_to(bytes, len);
		assert_int_equal(a.result, -1);
	}
}

static void
too_long(void **state)
{
	uint8_t bytes[sizeof(struct request) + 1] = { REQUEST_READY };

	(void)state;
	assert_true(sys_message_send(pair[1], bytes, sizeof bytes, NULL, 0) > 0);
	assert_int_equal(serve_next(&serve, pair[0]), -EMSGSIZE);
}

/* Descriptors that nobody asked for are closed at once. */
static void
gifts(void **state)
{
	struct request q = { .code = REQUEST_READY };
	int gift[2], nothing;
	char byte;

	(void)state;
	assert_int_equal(pipe(gift), 0);
	assert_true(sys_message_send(pair[1], &q, REQUEST_SIZE(0), &gift[1], 1) > 0);
	close(gift[1]);
	nothing = serve_next(&serve, pair[0]);
	assert_int_equal(nothing, 0);
	/* The last writing end is gone. */
	assert_int_equal(read(gift[0], &byte, 1), 0);
	close(gift[0]);
}

static void
end_of_the_engine(void **state)
{
	(void)state;
	assert_int_equal(serve_next(&serve, pair[0]), -EAGAIN);
	close(pair[1]);
	assert_int_equal(serve_next(&serve, pair[0]), -EPIPE);
	pair[1] = -1;
}

/* An engine that asks and never reads is found out, and does not hold the keeper. */
static void
deaf_engine(void **state)
{
	struct request q = { .code = REQUEST_RESOLVERS };
	int i, r = 0;

	(void)state;
	for (i = 0; i < 100000 && r == 0; i++) {
		assert_true(sys_message_send(pair[1], &q, REQUEST_SIZE(0), NULL, 0) > 0);
		r = serve_next(&serve, pair[0]);
	}
	assert_int_equal(r, -EPIPE);
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(wrong_sizes),
		TEST(unknown_codes),
		TEST(not_now),
		TEST(random_bytes_of_every_size),
		TEST(too_long),
		TEST(gifts),
		TEST(end_of_the_engine),
		TEST(deaf_engine),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
