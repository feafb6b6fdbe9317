/* SPDX-License-Identifier: MIT */
#include "unit/stream/check.h"

#include "stream/http_date.h"
#include "stream/http_head.h"
#include "stream/stream.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static int64_t
clock_here(void)
{
	return 12345;
}

/* Reads the text in pieces of `grain` bytes; answers what the last read said. */
static int
read_all(struct http_head *h, const char *s, size_t len, size_t grain, size_t *behind)
{
	size_t at = 0, n, used;
	int r = STREAM_AGAIN;

	http_head_init(h, HTTP_HEAD_MAX, clock_here);
	while (at < len && r == STREAM_AGAIN) {
		n = len - at < grain ? len - at : grain;
		r = http_head_read(h, (const uint8_t *)s + at, n, &used);
		assert_true(used <= n);
		if (r == STREAM_AGAIN)
			assert_int_equal(used, n);
		at += used;
	}
	*behind = len - at;
	return r;
}

static void
test_dates(void **state)
{
	static const struct {
		const char *text;
		int64_t want;
	} cases[] = {
		{ "Sun, 06 Nov 1994 08:49:37 GMT", 784111777 },
		{ "Thu, 01 Jan 1970 00:00:01 GMT", 1 },
		{ "Thu, 29 Feb 2024 23:59:59 GMT", 1709251199 },
		{ "Fri, 01 Mar 2024 00:00:00 GMT", 1709251200 },
		{ "Tue, 19 Jan 2038 03:14:08 GMT", 2147483648 },
		{ "Fri, 31 Dec 9999 23:59:60 GMT", 253402300800 },
		{ "Sunday, 06-Nov-94 08:49:37 GMT", 784111777 },
		{ "Tuesday, 19-Jan-38 03:14:08 GMT", 2147483648 },
		{ "Sun Nov  6 08:49:37 1994", 784111777 },
		{ "Thu Feb 29 23:59:59 2024", 1709251199 },
		{ "Sun Nov  6 08:49:37 1994 GMT", 0 },
		{ "Sun Nov  6 08:49:37 94", 0 },
		{ "Sunday, 06-Nov-1994 08:49:37 GMT", 0 },
		{ "Sun, 06-Nov-94 08:49:37 UTC", 0 },
		{ "Su, 06 Nov 1994 08:49:37 GMT", 0 },
		{ "Wednesdays, 06 Nov 1994 08:49:37 GMT", 0 },
		{ "Sun, 06 Nov 1994 08:49:37 UTC", 0 },
		{ "Sun, 06 Now 1994 08:49:37 GMT", 0 },
		{ "Sun, 32 Nov 1994 08:49:37 GMT", 0 },
		{ "Sun, 06 Nov 1994 24:49:37 GMT", 0 },
		{ "Sun, 06 Nov 1994 08:60:37 GMT", 0 },
		{ "Sun, -6 Nov 1994 08:49:37 GMT", 0 },
		{ "Sun, 06 Nov 1994 08:49:37 GMTx", 0 },
		{ "", 0 },
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		if (http_date_parse(cases[i].text) != cases[i].want)
			fail_msg("%s: %lld", cases[i].text,
				(long long)http_date_parse(cases[i].text));
}

static const char good[] =
	"HTTP/1.1 101 Switching Protocols\r\n"
	"server: x\r\n"
	"CONNECTION:keep-alive, \tUpgrade\r\n"
	"X-Long: 0123456789012345678901234567890123456789012345678901234\r\n"
	"upgrade:  websocket  \r\n"
	"sec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\t\r\n"
	"Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n"
	"\r\n";

static void
test_grains(void **state)
{
	char text[sizeof(good) + 4];
	struct http_head h;
	size_t grain, behind;

	(void)state;
	snprintf(text, sizeof(text), "%sMORE", good);
	for (grain = 1; grain < sizeof(text); grain++) {
		assert_int_equal(
			read_all(&h, text, strlen(text), grain, &behind), STREAM_OK);
		assert_int_equal(behind, 4);
		assert_int_equal(http_head_upgraded(&h), 0);
		assert_int_equal(h.facts.status, 101);
		assert_int_equal(h.facts.date, 784111777);
		assert_int_equal(h.facts.date_at, 12345);
		assert_string_equal(h.accept, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
		assert_false(h.protocol || h.extensions);
	}
}

/* Cut at any offset it is not whole, and says so. */
static void
test_cut(void **state)
{
	struct http_head h;
	size_t cut, behind;

	(void)state;
	for (cut = 0; cut < sizeof(good) - 1; cut++) {
		assert_int_equal(read_all(&h, good, cut, 16, &behind), STREAM_AGAIN);
		assert_int_equal(http_head_cut(&h), -EPROTO);
		assert_non_null(
			strstr(h.err.text, cut ? "middle" : "instead of answering"));
	}
}

/* One bit wrong is never more than a wrong answer. */
static void
test_bits(void **state)
{
	char text[sizeof(good)];
	struct http_head h;
	size_t bit, behind;
	int r;

	(void)state;
	for (bit = 0; bit < (sizeof(good) - 1) * 8; bit++) {
		memcpy(text, good, sizeof(good));
		text[bit / 8] ^= (char)(1 << bit % 8);
		r = read_all(&h, text, sizeof(good) - 1, 1000, &behind);
		assert_true(r == STREAM_OK || r == STREAM_AGAIN || r == -EPROTO);
		if (r == -EPROTO)
			assert_true(h.err.text[0]);
	}
}

static const struct {
	const char *label, *head;
	int want; /* of read */
	const char *says;
} cases[] = {
	{ "not found", "HTTP/1.1 404 Not Found\r\n\r\n", STREAM_OK,
		"404: the path may be" },
	{ "a page", "HTTP/1.1 200 OK\r\n\r\n", STREAM_OK, "200: that is a web page" },
	{ "bad request", "HTTP/1.0 400 Bad\r\n\r\n", STREAM_OK, "400: it may want TLS" },
	{ "forbidden", "HTTP/1.1 403\r\n\r\n", STREAM_OK, "403: it does not let" },
	{ "gateway", "HTTP/1.1 502 x\r\n\r\n", STREAM_OK, "502: the proxy in front" },
	{ "cdn", "HTTP/1.1 522 x\r\n\r\n", STREAM_OK, "522: the CDN" },
	{ "odd", "HTTP/1.1 299 x\r\n\r\n", STREAM_OK, "299: this is not a server" },
	{ "moved", "HTTP/1.1 301 x\r\nLocation: https://b.example/\r\n\r\n", STREAM_OK,
		"301 and points to https://b.example/" },
	{ "moved nowhere", "HTTP/1.1 302 x\r\n\r\n", STREAM_OK, "302: this is not" },
	{ "moved, hostile", "HTTP/1.1 302 x\r\nLocation: \x1b[2J\x07\r\n\r\n", STREAM_OK,
		"points to ?[2J?:" },
	{ "no upgrade", "HTTP/1.1 101 x\r\nConnection: Upgrade\r\n\r\n", STREAM_OK,
		"does not say \"Upgrade" },
	{ "another upgrade",
		"HTTP/1.1 101 x\r\nUpgrade: websockets\r\nConnection: Upgrade\r\n\r\n",
		STREAM_OK, "does not say \"Upgrade" },
	{ "no connection",
		"HTTP/1.1 101 x\r\nUpgrade: h2c, websocket\r\nConnection: close\r\n\r\n",
		STREAM_OK, "does not say \"Connection" },
	{ "lines with LF alone",
		"HTTP/1.1 101 x\nUpgrade: websocket\nConnection: upgrade\n\n", STREAM_OK,
		NULL },
	{ "interim",
		"HTTP/1.1 100 Continue\r\nUpgrade: nothing\r\n\r\nHTTP/1.1 103 Early\r\n\r\n"
		"HTTP/1.1 101 x\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n",
		STREAM_OK, NULL },
	{ "two fields of a name",
		"HTTP/1.1 101 x\r\nUpgrade: websocket\r\nConnection: keep-alive\r\n"
		"Connection: upgrade\r\n\r\n",
		STREAM_OK, NULL },
	{ "TLS alert", "\x15\x03\x03\x00\x02\x02\x0a", -EPROTO, "speaks TLS here" },
	{ "SSH", "SSH-2.0-OpenSSH", -EPROTO, "something else listens" },
	{ "empty lines", "\r\n\r\n", -EPROTO, "something else listens" },
	{ "HTTP/2", "HTTP/2 200\r\n", -EPROTO, "not HTTP/1.1: \"HTTP/2 200\"" },
	{ "status of letters", "HTTP/1.1 1O1 x\r\n", -EPROTO, "not HTTP/1.1" },
	{ "status of four", "HTTP/1.1 1010 x\r\n", -EPROTO, "not HTTP/1.1" },
	{ "status too low", "HTTP/1.1 099 x\r\n", -EPROTO, "not HTTP/1.1" },
};

static void
test_answers(void **state)
{
	struct http_head h;
	size_t i, grain, behind;
	int r;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		for (grain = 1; grain < 100; grain += 33) {
			r = read_all(
				&h, cases[i].head, strlen(cases[i].head), grain, &behind);
			if (r != cases[i].want)
				fail_msg("%s: %d, %s", cases[i].label, r, h.err.text);
			if (r == STREAM_OK)
				r = http_head_upgraded(&h);
			assert_int_equal(r, cases[i].says ? -EPROTO : 0);
			if (cases[i].says && !strstr(h.err.text, cases[i].says))
				fail_msg("%s: says \"%s\"", cases[i].label, h.err.text);
		}
}

/* Bounded, whatever is endless; and final. */
static void
endless(const char *begin, const char *piece)
{
	struct http_head h;
	size_t used, n = 0;
	int r;

	http_head_init(&h, HTTP_HEAD_MAX, clock_here);
	r = http_head_read(&h, (const uint8_t *)begin, strlen(begin), &used);
	while (r == STREAM_AGAIN) {
		assert_true(n <= HTTP_HEAD_MAX);
		n += strlen(piece);
		r = http_head_read(&h, (const uint8_t *)piece, strlen(piece), &used);
	}
	assert_int_equal(r, -EPROTO);
	assert_non_null(strstr(h.err.text, "more than 16384 bytes"));
	assert_true(n > HTTP_HEAD_MAX - 1000);
	assert_int_equal(http_head_read(&h, (const uint8_t *)piece, strlen(piece), &used),
		-EPROTO);
}

static void
test_endless(void **state)
{
	(void)state;
	endless("HTTP/1.1 200 OK", "x");
	endless("HTTP/1.1 200 OK\r\nX: ",
		"yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy");
	endless("HTTP/1.1 200 OK\r\n", "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n");
	endless("HTTP/1.1 100 OK\r\n", "\r\nHTTP/1.1 100 Continue\r\n");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_dates),
		cmocka_unit_test(test_grains),
		cmocka_unit_test(test_cut),
		cmocka_unit_test(test_bits),
		cmocka_unit_test(test_answers),
		cmocka_unit_test(test_endless),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
