/* SPDX-License-Identifier: MIT */
#include "flow/sniff.h"

#include "unit/flow/hello.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define BITTORRENT                 \
	"\x13"                     \
	"BitTorrent protocol"      \
	"\x00\x00\x00\x00\x00\x10" \
	"\x00\x05"

static const struct {
	const char *label, *in;
	size_t len; /* 0: strlen */
	bool settled;
	enum protocol protocol;
	const char *name;
} cases[] = {
	{ "nothing", "", 0, false, PROTOCOL_UNKNOWN, "" },
	{ "get", "GET / HTTP/1.1\r\nHost: example.org\r\n\r\n", 0, true, PROTOCOL_HTTP,
		"example.org" },
	{ "upper case and port",
		"POST /x HTTP/1.1\r\nA: b\r\nhOsT:EXAMPLE.org:8080\r\n\r\n", 0, true,
		PROTOCOL_HTTP, "example.org" },
	{ "tabs and spaces", "HEAD / HTTP/1.1\r\nHost:\t  example.org. \t\r\n", 0, true,
		PROTOCOL_HTTP, "example.org" },
	{ "line feeds alone", "GET / HTTP/1.1\nHost: example.org\n\n", 0, true,
		PROTOCOL_HTTP, "example.org" },
	{ "1.0 without host", "GET / HTTP/1.0\r\n\r\n", 0, true, PROTOCOL_HTTP, "" },
	{ "an address", "GET / HTTP/1.1\r\nHost: 192.0.2.7:80\r\n\r\n", 0, true,
		PROTOCOL_HTTP, "" },
	{ "an IPv6 address", "GET / HTTP/1.1\r\nHost: [2001:db8::1]:80\r\n\r\n", 0, true,
		PROTOCOL_HTTP, "" },
	{ "an empty host", "GET / HTTP/1.1\r\nHost:\r\n\r\n", 0, true, PROTOCOL_HTTP,
		"" },
	{ "a host with a space", "GET / HTTP/1.1\r\nHost: a b\r\n\r\n", 0, true,
		PROTOCOL_HTTP, "a" },
	{ "a host with a NUL", "GET / HTTP/1.1\r\nHost: a\0b\r\n\r\n", 31, true,
		PROTOCOL_HTTP, "" },
	{ "empty labels", "GET / HTTP/1.1\r\nHost: a..b\r\n\r\n", 0, true, PROTOCOL_HTTP,
		"" },
	{ "host not in yet", "GET / HTTP/1.1\r\nUser-Agent: x\r\n", 0, false,
		PROTOCOL_HTTP, "" },
	{ "host cut short", "GET / HTTP/1.1\r\nHost: exam", 0, false, PROTOCOL_HTTP, "" },
	{ "a method cut short", "GE", 0, false, PROTOCOL_UNKNOWN, "" },
	{ "connect", "CONNECT example.org:443 HTTP/1.1\r\nHost: example.org:443\r\n\r\n",
		0, true, PROTOCOL_HTTP, "example.org" },
	{ "no method", "GETS / HTTP/1.1\r\n", 0, true, PROTOCOL_UNKNOWN, "" },
	{ "no version", "GET /\r\n", 0, true, PROTOCOL_UNKNOWN, "" },
	{ "HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 0, true, PROTOCOL_UNKNOWN, "" },
	{ "lower case", "get / HTTP/1.1\r\n", 0, true, PROTOCOL_UNKNOWN, "" },
	{ "ssh", "SSH-2.0-OpenSSH_9.2\r\n", 0, true, PROTOCOL_UNKNOWN, "" },
	{ "bittorrent", BITTORRENT, sizeof(BITTORRENT) - 1, true, PROTOCOL_BITTORRENT,
		"" },
	{ "bittorrent cut short",
		"\x13"
		"BitTorr",
		0, false, PROTOCOL_UNKNOWN, "" },
	{ "0x13 and something else",
		"\x13"
		"BitTorrent program",
		0, true, PROTOCOL_UNKNOWN, "" },
	{ "not a record", "\x16\x02\x01\x00\x05\x01", 6, true, PROTOCOL_UNKNOWN, "" },
	{ "an empty record", "\x16\x03\x01\x00\x00", 5, true, PROTOCOL_UNKNOWN, "" },
	{ "a record too long", "\x16\x03\x01\xff\xff\x01\x00", 7, true, PROTOCOL_UNKNOWN,
		"" },
	{ "a server's hello", "\x16\x03\x03\x00\x05\x02\x00\x00\x01\x00", 10, true,
		PROTOCOL_UNKNOWN, "" },
	{ "a record that does not fit", "\x16\x03\x03\x00\x01\x01\x15\x03\x03\x00\x01",
		11, true, PROTOCOL_UNKNOWN, "" },
	{ "a hello that ends too early", "\x16\x03\x03\x00\x06\x01\x00\x00\x02\x03\x03",
		11, true, PROTOCOL_TLS, "" },
};

static void
tables(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		size_t len = cases[i].len ? cases[i].len : strlen(cases[i].in);
		struct sniffed s;
		bool settled = sniff(&s, (const uint8_t *)cases[i].in, len);

		if (settled != cases[i].settled || s.protocol != cases[i].protocol ||
			strcmp(s.name, cases[i].name) != 0)
			fail_msg("%s: settled %d, protocol %d, name \"%s\"",
				cases[i].label, settled, (int)s.protocol, s.name);
	}
}

/* A copy of its own for each length, so that a read past the end is seen. */
static bool
sniff_copy(struct sniffed *s, const uint8_t *p, size_t len)
{
	uint8_t *copy = malloc(len ? len : 1);
	bool settled;

	assert_non_null(copy);
	memcpy(copy, p, len);
	settled = sniff(s, copy, len);
	free(copy);
	return settled;
}

/* Every length asks for more until the name is there, and none unlearns it. */
static void
partials(const uint8_t *p, size_t len, enum protocol protocol, const char *name)
{
	struct sniffed s;
	bool settled = false;

	for (size_t n = 0; n <= len && n < SNIFF_MAX; n++) {
		bool now = sniff_copy(&s, p, n);

		assert_true(now || !settled);
		settled = now;
		if (settled) {
			assert_int_equal(s.protocol, protocol);
			assert_string_equal(s.name, name);
		} else {
			assert_string_equal(s.name, "");
		}
	}
	assert_true(settled);
}

static void
hello_at_every_length(void **state)
{
	static const size_t records[] = { 1, 2, 5, 100, 600, 16000 };
	static uint8_t out[100000];

	(void)state;
	for (size_t i = 0; i < sizeof(records) / sizeof(records[0]); i++) {
		struct hello h = { "WWW.example.org", 300, records[i] };
		size_t len = hello_write(&h, out, sizeof(out));

		partials(out, len, PROTOCOL_TLS, "www.example.org");
	}
}

static void
hello_without_a_name(void **state)
{
	struct hello h = { NULL, 300, 16000 };
	uint8_t out[1000];
	size_t len = hello_write(&h, out, sizeof(out));

	(void)state;
	partials(out, len, PROTOCOL_TLS, "");
}

static void
hello_with_an_address(void **state)
{
	struct hello h = { "192.0.2.1", 0, 16000 };
	uint8_t out[1000];
	size_t len = hello_write(&h, out, sizeof(out));

	(void)state;
	partials(out, len, PROTOCOL_TLS, "");
}

static void
hello_of_a_new_kind(void **state)
{
	/* A post-quantum key share before the name: more than one segment. */
	struct hello h = { "example.org", 1800, 16000 };
	uint8_t out[4000];
	size_t len = hello_write(&h, out, sizeof(out));
	struct sniffed s;

	(void)state;
	assert_true(len > 1460);
	assert_false(sniff_copy(&s, out, 1460));
	assert_int_equal(s.protocol, PROTOCOL_TLS);
	partials(out, len, PROTOCOL_TLS, "example.org");
}

static void
bounded(void **state)
{
	static uint8_t out[20000];
	struct hello h = { "example.org", 12000, 16000 };
	size_t len = hello_write(&h, out, sizeof(out));
	struct sniffed s;

	(void)state;
	assert_false(sniff_copy(&s, out, SNIFF_MAX - 1));
	assert_true(sniff_copy(&s, out, SNIFF_MAX));
	assert_true(sniff_copy(&s, out, len));
	assert_int_equal(s.protocol, PROTOCOL_TLS);
	assert_string_equal(s.name, "");

	memcpy(out, "GET / HTTP/1.1\r\nA: ", 19);
	memset(out + 19, 'x', sizeof(out) - 19);
	assert_false(sniff_copy(&s, out, SNIFF_MAX - 1));
	assert_true(sniff_copy(&s, out, sizeof(out)));
	assert_int_equal(s.protocol, PROTOCOL_HTTP);
}

/* No byte of a hello may be changed into a crash or into a name that is none. */
static void
hello_with_any_byte_changed(void **state)
{
	struct hello h = { "example.org", 20, 60 };
	uint8_t out[1000];
	size_t len = hello_write(&h, out, sizeof(out));
	struct sniffed s;

	(void)state;
	for (size_t i = 0; i < len; i++) {
		for (unsigned v = 0; v < 256; v++) {
			uint8_t was = out[i];

			out[i] = (uint8_t)v;
			sniff_copy(&s, out, len);
			assert_true(strlen(s.name) <= NAME_MAX_LEN);
			out[i] = was;
		}
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tables),
		cmocka_unit_test(hello_at_every_length),
		cmocka_unit_test(hello_without_a_name),
		cmocka_unit_test(hello_with_an_address),
		cmocka_unit_test(hello_of_a_new_kind),
		cmocka_unit_test(bounded),
		cmocka_unit_test(hello_with_any_byte_changed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
