/* SPDX-License-Identifier: MIT */
#include "unit/stream/check.h"

#include "stream/http_head_request.h"
#include "stream/httphead_request.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void
test_write(void **state)
{
	static const struct http_field fields[] = { { "X-One", "1" },
		{ "user-agent", "Mozilla" } };
	struct http_request q = { .host = "a.example:8080",
		.path = "/a b?x=\"\xc3\xa9%20#",
		.fields = fields,
		.nfields = 2,
		.early_name = "" };
	struct http_request_more more = { .key = "dGhlIHNhbXBsZSBub25jZQ==" };
	uint8_t out[32768];
	struct err e;
	size_t n;

	(void)state;
	assert_int_equal(http_request_check(&q, &e), 0);
	n = http_request_write(&q, &more, out, sizeof(out));
	assert_true(n <= http_request_size(&q, &more));
	out[n] = '\0';
	assert_string_equal((char *)out,
		"GET /a%20b?x=%22%C3%A9%20%23 HTTP/1.1\r\n"
		"Host: a.example:8080\r\n"
		"Connection: Upgrade\r\n"
		"Upgrade: websocket\r\n"
		"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
		"Sec-WebSocket-Version: 13\r\n"
		"X-One: 1\r\n"
		"user-agent: Mozilla\r\n"
		"\r\n");
	more = (struct http_request_more){ .early = "QUJD" };
	q.path = "/";
	q.nfields = 0;
	n = http_request_write(&q, &more, out, sizeof(out));
	out[n] = '\0';
	assert_string_equal((char *)out,
		"GET /QUJD HTTP/1.1\r\n"
		"Host: a.example:8080\r\n"
		"User-Agent: Go-http-client/1.1\r\n"
		"Connection: Upgrade\r\n"
		"Upgrade: websocket\r\n"
		"\r\n");
	q.early_name = "X-Early";
	n = http_request_write(&q, &more, out, sizeof(out));
	out[n] = '\0';
	assert_non_null(strstr((char *)out, "GET / HTTP"));
	assert_non_null(strstr((char *)out, "X-Early: QUJD\r\n\r\n"));
}

/* The largest that passes the check fits in what is asked for. */
static void
test_largest(void **state)
{
	static char path[HTTP_PATH_MAX + 1], host[HTTP_HOST_MAX + 1];
	static char value[HTTP_FIELDS_BYTES], name[HTTP_EARLY_NAME_MAX + 1];
	static char early[HTTP_EARLY_MAX * 2];
	struct http_field field = { "X", value };
	struct http_request q = { .host = host,
		.path = path,
		.fields = &field,
		.nfields = 1,
		.early_max = HTTP_EARLY_MAX,
		.early_name = name };
	struct http_request_more more = { .key = "dGhlIHNhbXBsZSBub25jZQ==",
		.early = early };
	struct err e;
	uint8_t *p;
	size_t n;

	(void)state;
	memset(path, ' ', HTTP_PATH_MAX);
	path[0] = '/';
	memset(host, 'h', HTTP_HOST_MAX);
	memset(value, 'v', HTTP_FIELDS_BYTES - 5);
	memset(name, 'n', HTTP_EARLY_NAME_MAX);
	memset(early, 'e', sizeof(early) - 1);
	assert_int_equal(http_request_check(&q, &e), 0);
	n = http_request_size(&q, &more);
	p = malloc(n);
	assert_non_null(p);
	assert_true(http_request_write(&q, &more, p, n) <= n);
	free(p);
	value[HTTP_FIELDS_BYTES - 5] = 'v';
	assert_int_equal(http_request_check(&q, &e), -1);
}

static const struct {
	const char *label;
	const char *host, *path, *name, *value;
	size_t early_max;
	const char *early_name;
	const char *says; /* NULL: all is well */
} requests[] = {
	{ "plain", "a.example", "/", NULL, NULL, 0, "", NULL },
	{ "IPv6 with a port", "[2001:db8::1]:80", "/a?b=c", NULL, NULL, 0, "", NULL },
	{ "header", "a.example", "/", "X-A", "tab\tand \xc3\xa9", 0, "", NULL },
	{ "empty header", "a.example", "/", "X-A", "", 0, "", NULL },
	{ "early", "a.example", "/", NULL, NULL, 2048, "Sec-WebSocket-Protocol", NULL },
	{ "no slash", "a.example", "way", NULL, NULL, 0, "", "begins with '/'" },
	{ "empty path", "a.example", "", NULL, NULL, 0, "", "begins with '/'" },
	{ "no host", "", "/", NULL, NULL, 0, "", "host" },
	{ "host with a line", "a\r\nX: y", "/", NULL, NULL, 0, "", "host" },
	{ "host with a path", "a/b", "/", NULL, NULL, 0, "", "host" },
	{ "name with a colon", "a", "/", "X:", "1", 0, "", "name" },
	{ "name with a space", "a", "/", "X Y", "1", 0, "", "name" },
	{ "name of nothing", "a", "/", "", "1", 0, "", "name" },
	{ "value with CR", "a", "/", "X", "1\rY: 2", 0, "", "control characters" },
	{ "value with LF", "a", "/", "X", "1\nY: 2", 0, "", "control characters" },
	{ "Host", "a", "/", "hOST", "b", 0, "", "writes this header itself" },
	{ "Upgrade", "a", "/", "Upgrade", "b", 0, "", "writes this header itself" },
	{ "Connection", "a", "/", "connection", "b", 0, "", "writes this header itself" },
	{ "key", "a", "/", "Sec-WebSocket-Key", "b", 0, "", "writes this header itself" },
	{ "length", "a", "/", "Content-Length", "5", 0, "", "writes this header itself" },
	{ "early too large", "a", "/", NULL, NULL, 8193, "", "8192" },
	{ "early in Host", "a", "/", NULL, NULL, 1, "Host", "meaning of its own" },
	{ "early in a line", "a", "/", NULL, NULL, 1, "X\r\n", "not the name" },
};

static void
test_check(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(requests) / sizeof(*requests); i++) {
		struct http_field f = { requests[i].name, requests[i].value };
		struct http_request q = { .host = requests[i].host,
			.path = requests[i].path,
			.fields = &f,
			.nfields = f.name != NULL,
			.early_max = requests[i].early_max,
			.early_name = requests[i].early_name };
		struct err e = { "" };
		int r = http_request_check(&q, &e);

		if (r != (requests[i].says ? -1 : 0))
			fail_msg("%s: %d %s", requests[i].label, r, e.text);
		if (requests[i].says && !strstr(e.text, requests[i].says))
			fail_msg("%s: says \"%s\"", requests[i].label, e.text);
	}
}

/* V2Ray's own, one of four. */
static void
test_httphead_default(void **state)
{
	uint8_t out[HTTPHEAD_REQUEST_MAX + 1];
	unsigned hosts = 0, agents = 0;
	struct rng rng;
	struct err e;
	size_t n;
	int i;

	(void)state;
	rng_init(&rng);
	assert_int_equal(httphead_check(&httphead_default, &e), 0);
	for (i = 0; i < 200; i++) {
		n = httphead_request_write(&httphead_default, &rng, out);
		out[n] = '\0';
		assert_ptr_equal(
			strstr((char *)out, "GET / HTTP/1.1\r\nHost: www.b"), out);
		assert_non_null(strstr((char *)out,
			"\r\nAccept-Encoding: gzip, deflate\r\nConnection: keep-alive\r\n"
			"Pragma: no-cache\r\n\r\n"));
		hosts |= strstr((char *)out, "bing") ? 1 : 2;
		agents |= strstr((char *)out, "iPhone") ? 1 : 2;
	}
	assert_int_equal(hosts, 3);
	assert_int_equal(agents, 3);
	rng_fini(&rng);
}

static void
test_httphead_check(void **state)
{
	static char longest[HTTPHEAD_REQUEST_MAX];
	const char *text[] = { "/a", "/b" };
	const char *value[] = { "x" };
	struct httphead_field f = { "X", { value, 1 } };
	struct httphead_spec spec = { "1.1", "GET", { text, 2 }, &f, 1 };
	struct err e;

	(void)state;
	assert_int_equal(httphead_check(&spec, &e), 0);
	text[1] = "/b c";
	assert_int_equal(httphead_check(&spec, &e), -1);
	text[1] = "/b\r\n";
	assert_int_equal(httphead_check(&spec, &e), -1);
	memset(longest, 'a', sizeof(longest) - 1);
	text[1] = longest;
	assert_int_equal(httphead_check(&spec, &e), -1);
	assert_non_null(strstr(e.text, "8192"));
	text[1] = "/b";
	value[0] = "x\ny";
	assert_int_equal(httphead_check(&spec, &e), -1);
	value[0] = "x y";
	f.name = "X:";
	assert_int_equal(httphead_check(&spec, &e), -1);
	f.name = "X";
	spec.method = "";
	assert_int_equal(httphead_check(&spec, &e), -1);
	spec.method = "POST";
	spec.nfields = HTTPHEAD_LIST_MAX + 1;
	assert_int_equal(httphead_check(&spec, &e), -1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_write),
		cmocka_unit_test(test_largest),
		cmocka_unit_test(test_check),
		cmocka_unit_test(test_httphead_default),
		cmocka_unit_test(test_httphead_check),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
