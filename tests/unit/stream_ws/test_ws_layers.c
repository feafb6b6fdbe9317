/* SPDX-License-Identifier: MIT */
/* WebSocket, HTTPUpgrade and the HTTP head in the any-layer suite. */
#include "unit/stream/check.h"

#include "unit/stream_ws/peer.h"

#include <string.h>

static void
run(enum peer_kind kind, size_t early_max, const char *early_name,
	enum http_early_rule rule, bool odd)
{
	static struct peer p;
	struct err e;

	peer_init(&p, kind);
	p.q.early_max = early_max;
	p.q.early_name = early_name;
	p.q.early_rule = rule;
	p.odd = odd;
	p.frame_max = odd ? 300 : 8192;
	assert_int_equal(http_request_check(&p.q, &e), 0);
	anylayer_all(&p.a);
	rng_fini(&p.rng);
}

static void
test_ws(void **state)
{
	(void)state;
	run(PEER_WS, 0, "", HTTP_EARLY_PART, false);
}

static void
test_ws_odd(void **state)
{
	(void)state;
	run(PEER_WS, 0, "", HTTP_EARLY_PART, true);
}

static void
test_ws_early_part(void **state)
{
	(void)state;
	run(PEER_WS, 2048, "X-Early", HTTP_EARLY_PART, false);
}

static void
test_ws_early_whole(void **state)
{
	(void)state;
	run(PEER_WS, 2048, "Sec-WebSocket-Protocol", HTTP_EARLY_WHOLE, true);
}

static void
test_ws_early_path(void **state)
{
	(void)state;
	run(PEER_WS, 7, "", HTTP_EARLY_PART, false);
}

static void
test_httpupgrade(void **state)
{
	(void)state;
	run(PEER_HTTPUPGRADE, 0, "", HTTP_EARLY_PART, false);
}

static void
test_httpupgrade_early(void **state)
{
	(void)state;
	run(PEER_HTTPUPGRADE, 2048, "X-Early", HTTP_EARLY_PART, false);
}

static void
test_httphead(void **state)
{
	(void)state;
	run(PEER_HTTPHEAD, 0, "", HTTP_EARLY_PART, false);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ws),
		cmocka_unit_test(test_ws_odd),
		cmocka_unit_test(test_ws_early_part),
		cmocka_unit_test(test_ws_early_whole),
		cmocka_unit_test(test_ws_early_path),
		cmocka_unit_test(test_httpupgrade),
		cmocka_unit_test(test_httpupgrade_early),
		cmocka_unit_test(test_httphead),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
