/* SPDX-License-Identifier: MIT */
#include "names/message.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

/* A copy of exactly its size is read, so that AddressSanitizer sees one byte too many. */
static int
message_read(struct dns_message *m, const void *p, size_t len)
{
	uint8_t *copy = test_malloc(len ? len : 1);
	int r;

	memcpy(copy, p, len);
	r = dns_read(m, copy, len);
	assert_true(dns_question_len(copy, len) <= len);
	test_free(copy);
	return r;
}

#define READ(m, bytes) message_read(m, bytes, sizeof(bytes) - 1)

/* The pieces of messages: header with counts, question w.example A at 12. */
#define HEAD(an, ns)          "\x12\x34\x81\x80\0\1\0" an "\0" ns "\0\0"
#define ASKED                 "\1w\7example\0\0\1\0\1"
#define EXAMPLE               "\xc0\x0e" /* "example" inside the question */
#define SELF                  "\xc0\x0c"
#define A_RR(name, ttl, last) name "\0\1\0\1\0\0\0" ttl "\0\4\xc0\0\2" last

static void
query_is_written(void **state)
{
	static const char want[] = "\xab\xcd\1\0\0\1\0\0\0\0\0\1"
				   "\1w\7example\0\0\x1c\0\1"
				   "\0\0\x29\4\xd0\0\0\0\0\0\0";
	uint8_t p[64];
	int n;

	(void)state;
	n = dns_write_query(p, sizeof(p), 0xabcd, "w.example", DNS_AAAA);
	assert_int_equal(n, sizeof(want) - 1);
	assert_memory_equal(p, want, sizeof(want) - 1);
	assert_int_equal(
		dns_write_query(p, sizeof(p), 0xabcd, "w.example.", DNS_AAAA), n);
	assert_int_equal(dns_write_query(p, (size_t)n, 1, "w.example", DNS_A), n);
	assert_int_equal(
		dns_write_query(p, (size_t)n - 1, 1, "w.example", DNS_A), -EMSGSIZE);
	assert_int_equal(dns_write_query(p, sizeof(p), 1, "", DNS_A), 12 + 5 + 11);
}

static void
bad_names_are_not_written(void **state)
{
	static const char *const bad[] = { "..", ".a", "a..b", "a\\b", "a\\1", "a\\999",
		"a\\",
		"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.b" };
	char name[300];
	uint8_t p[512];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(
			dns_write_query(p, sizeof(p), 1, bad[i], DNS_A), -EINVAL);
	/* 253 letters and dots are 255 bytes on the wire; one more is too long. */
	for (i = 0; i < sizeof(name); i++)
		name[i] = i % 2 ? '.' : 'a';
	name[253] = '\0';
	assert_int_equal(
		dns_write_query(p, sizeof(p), 1, name, DNS_A), 12 + 255 + 4 + 11);
	name[253] = '.';
	name[254] = 'a';
	name[255] = '\0';
	assert_int_equal(dns_write_query(p, sizeof(p), 1, name, DNS_A), -EINVAL);
	memset(name, 'a', 299);
	assert_int_equal(dns_write_query(p, sizeof(p), 1, name, DNS_A), -EINVAL);
}

static void
query_is_read(void **state)
{
	static const char p[] = "\x12\x34\1\0\0\1\0\0\0\0\0\0\1W\7exAMple\0\0\x41\0\1";
	struct dns_message m;
	size_t i;

	(void)state;
	assert_int_equal(READ(&m, p), 0);
	assert_int_equal(m.id, 0x1234);
	assert_false(m.response);
	assert_true(m.recursion_desired);
	assert_string_equal(m.question.name, "w.example");
	assert_int_equal(m.question.type, DNS_HTTPS);
	assert_int_equal(m.question.class, 1);
	for (i = 0; i < sizeof(p) - 1; i++)
		assert_int_equal(message_read(&m, p, i), -EBADMSG);
}

static void
bytes_of_labels_are_rendered(void **state)
{
	static const char p[] = "\x12\x34\1\0\0\1\0\0\0\0\0\0\5a.\\\0\xff\2 b\0\0\1\0\1";
	struct dns_message m;
	uint8_t out[512];
	char longest[12 + 255 + 5];
	int i, n;

	(void)state;
	assert_int_equal(READ(&m, p), 0);
	assert_string_equal(m.question.name, "a\\046\\092\\000\\255.\\032b");
	/* And back, byte for byte. */
	n = dns_write_answer(out, sizeof(out), &m, DNS_NOERROR, NULL, 0, 0);
	assert_int_equal(n, sizeof(p) - 1);
	assert_true(dns_question_same(out, (size_t)n, p, sizeof(p) - 1));
	/* The escapes of a long name do not fit. */
	memset(longest, 1, sizeof(longest));
	memcpy(longest, p, 12);
	for (i = 0; i < 4; i++)
		longest[12 + 63 * i] = 62;
	longest[12 + 63 * 4] = 0;
	memcpy(longest + 12 + 63 * 4 + 1, "\0\1\0\1", 4);
	assert_int_equal(message_read(&m, longest, 12 + 63 * 4 + 5), -EBADMSG);
	assert_true(dns_question_len(longest, sizeof(longest)) > 0);
}

static void
answers_are_read(void **state)
{
	static const char p[] = HEAD("\2", "\0") ASKED A_RR(SELF, "\x3c", "\1")
		A_RR(SELF, "\x1e", "\2");
	struct dns_message m;
	char text[IP_TEXT];
	size_t i;

	(void)state;
	assert_int_equal(READ(&m, p), 0);
	assert_true(m.response);
	assert_int_equal(m.nanswer, 2);
	assert_string_equal(ip_format(&m.answer[0].ip, text), "192.0.2.1");
	assert_int_equal(m.answer[0].ttl, 60);
	assert_string_equal(ip_format(&m.answer[1].ip, text), "192.0.2.2");
	assert_int_equal(m.answer[1].ttl, 30);
	for (i = 0; i < sizeof(p) - 1; i++)
		assert_int_equal(message_read(&m, p, i), -EBADMSG);
}

static void
only_answers_of_the_question_count(void **state)
{
	/* Another owner, another class, another type, a wrong length. */
	static const char p[] = HEAD("\4", "\0") ASKED A_RR(EXAMPLE, "\x3c", "\1") SELF
		"\0\1\0\3\0\0\0\x3c\0\4\xc0\0\2\1" SELF
		"\0\x1c\0\1\0\0\0\x3c\0\4\xc0\0\2\1" SELF
		"\0\1\0\1\0\0\0\x3c\0\3\xc0\0\2";
	struct dns_message m;

	(void)state;
	assert_int_equal(READ(&m, p), 0);
	assert_int_equal(m.nanswer, 0);
}

static void
cname_chains_in_any_order(void **state)
{
	/* b.example A; w.example CNAME a.example (ttl 9); a.example CNAME b.example. */
	static const char p[] = HEAD("\3", "\0") ASKED A_RR("\1B" EXAMPLE, "\x3c",
		"\7") "\1a" EXAMPLE "\0\5\0\1\0\0\0\x3c\0\4\1b" EXAMPLE SELF
		      "\0\5\0\1\0\0\0\x09\0\4\1A" EXAMPLE;
	struct dns_message m;

	(void)state;
	assert_int_equal(READ(&m, p), 0);
	assert_int_equal(m.nanswer, 1);
	assert_int_equal(m.answer[0].ttl, 9);
	assert_int_equal(m.answer[0].ip.b[3], 7);
}

static void
cname_loops_end(void **state)
{
	static const char self[] = HEAD("\2", "\0") ASKED SELF
		"\0\5\0\1\0\0\0\x09\0\2" SELF A_RR(SELF, "\1", "\1");
	static const char two[] = HEAD("\2", "\0") ASKED SELF
		"\0\5\0\1\0\0\0\x09\0\4\1a" EXAMPLE "\1a" EXAMPLE
		"\0\5\0\1\0\0\0\x09\0\2" SELF;
	struct dns_message m;

	(void)state;
	assert_int_equal(READ(&m, self), 0);
	assert_int_equal(m.nanswer, 0);
	assert_int_equal(READ(&m, two), 0);
	assert_int_equal(m.nanswer, 0);
}

static void
pointers_lead_backwards_only(void **state)
{
	static const char *const owner[] = {
		"\xc0\x1b",    /* itself */
		"\xc0\x1d",    /* ahead */
		"\1a\xc0\x1b", /* into its own first label */
		"\xc0\x05",    /* into the header */
		"\xff\xff",    /* past the end */
		"\x40\x00",    /* a reserved kind of label */
		"\x80\x00",
	};
	char p[128];
	struct dns_message m;
	size_t i, n, len;

	(void)state;
	for (i = 0; i < sizeof(owner) / sizeof(owner[0]); i++) {
		memcpy(p, HEAD("\1", "\0") ASKED, 27);
		n = owner[i][0] == 1 ? 4 : 2;
		memcpy(p + 27, owner[i], n);
		memcpy(p + 27 + n, "\0\1\0\1\0\0\0\1\0\4\xc0\0\2\1", 14);
		len = 27 + n + 14;
		assert_int_equal(message_read(&m, p, len), -EBADMSG);
	}
	/* A question cannot be compressed: only the header is before it. */
	memcpy(p, "\x12\x34\1\0\0\1\0\0\0\0\0\0\xc0\x0c\0\1\0\1", 18);
	assert_int_equal(message_read(&m, p, 18), -EBADMSG);
}

static void
negative_ttl_is_the_smaller(void **state)
{
	static const char p[] = "\x12\x34\x81\x83\0\1\0\0\0\1\0\0" ASKED
				"\0\0\6\0\1\0\0\1\x2c"
				"\0\x16\0\0\0\0\0\1\0\0\0\1\0\0\0\1\0\0\0\1\0\0\0\x3c";
	struct dns_message m;
	char other[sizeof(p) - 1];
	size_t i;

	(void)state;
	assert_int_equal(READ(&m, p), 0);
	assert_int_equal(m.rcode, DNS_NXDOMAIN);
	assert_int_equal(m.negative_ttl, 60);
	memcpy(other, p, sizeof(other));
	other[sizeof(other) - 2] = 2; /* the last number: now 572 */
	assert_int_equal(message_read(&m, other, sizeof(other)), 0);
	assert_int_equal(m.negative_ttl, 300);
	for (i = 0; i < sizeof(p) - 1; i++)
		assert_int_equal(message_read(&m, p, i), -EBADMSG);
}

static void
cut_messages_may_end_anywhere(void **state)
{
	static const char p[] = "\x12\x34\x83\x80\0\1\0\2\0\0\0\0" ASKED A_RR(
		SELF, "\x3c", "\1") "\xc0\x0c\0\1";
	struct dns_message m;

	(void)state;
	assert_int_equal(READ(&m, p), 0);
	assert_true(m.truncated);
	assert_int_equal(m.nanswer, 1);
}

static void
too_many_are_left_out(void **state)
{
	static uint8_t p[27 + 300 * 16];
	struct dns_message m;
	int i;

	(void)state;
	memcpy(p, "\x12\x34\x81\x80\0\1\1\x2c\0\0\0\0" ASKED, 27);
	for (i = 0; i < 300; i++)
		memcpy(p + 27 + i * 16, A_RR(SELF, "\x3c", "\1"), 16);
	assert_int_equal(message_read(&m, p, sizeof(p)), 0);
	assert_int_equal(m.nanswer, DNS_ANSWERS);
}

static void
ttls_are_31_bits(void **state)
{
	static const char p[] = HEAD("\1", "\0") ASKED SELF
		"\0\1\0\1\xff\xff\xff\xff\0\4\xc0\0\2\1";
	struct dns_message m;

	(void)state;
	assert_int_equal(READ(&m, p), 0);
	assert_int_equal(m.answer[0].ttl, 0);
}

static void
answers_are_written(void **state)
{
	struct dns_message m,
		q = { .id = 7,
			.recursion_desired = true,
			.question = { "w.example", DNS_A, 1 } };
	struct ip ip[3];
	uint8_t p[512];
	int n;

	(void)state;
	ip_parse(&ip[0], "192.0.2.1");
	ip_parse(&ip[1], "2001:db8::1");
	ip_parse(&ip[2], "192.0.2.2");
	n = dns_write_answer(p, sizeof(p), &q, DNS_NOERROR, ip, 3, 77);
	assert_int_equal(n, 27 + 2 * 16);
	assert_int_equal(message_read(&m, p, (size_t)n), 0);
	assert_true(m.response && m.recursion_desired);
	assert_int_equal(m.id, 7);
	assert_int_equal(m.nanswer, 2);
	assert_true(ip_equal(&m.answer[1].ip, &ip[2]));
	assert_int_equal(m.answer[0].ttl, 77);
	/* What does not fit is left out, but the question must. */
	assert_int_equal(
		dns_write_answer(p, 27 + 31, &q, DNS_NOERROR, ip, 3, 77), 27 + 16);
	assert_int_equal(dns_write_answer(p, 26, &q, DNS_NOERROR, ip, 3, 77), -EMSGSIZE);
	q.question.type = DNS_AAAA;
	n = dns_write_answer(p, sizeof(p), &q, DNS_NOERROR, ip, 3, 77);
	assert_int_equal(n, 27 + 28);
	q.question.type = DNS_HTTPS;
	assert_int_equal(dns_write_answer(p, sizeof(p), &q, DNS_NOERROR, ip, 3, 77), 27);
	q.question.type = 0;
	n = dns_write_answer(p, sizeof(p), &q, DNS_FORMERR, NULL, 0, 0);
	assert_int_equal(n, 12);
	assert_memory_equal(p, "\0\7\x81\x81\0\0\0\0\0\0\0\0", 12);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(query_is_written),
		cmocka_unit_test(bad_names_are_not_written),
		cmocka_unit_test(query_is_read),
		cmocka_unit_test(bytes_of_labels_are_rendered),
		cmocka_unit_test(answers_are_read),
		cmocka_unit_test(only_answers_of_the_question_count),
		cmocka_unit_test(cname_chains_in_any_order),
		cmocka_unit_test(cname_loops_end),
		cmocka_unit_test(pointers_lead_backwards_only),
		cmocka_unit_test(negative_ttl_is_the_smaller),
		cmocka_unit_test(cut_messages_may_end_anywhere),
		cmocka_unit_test(too_many_are_left_out),
		cmocka_unit_test(ttls_are_31_bits),
		cmocka_unit_test(answers_are_written),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
