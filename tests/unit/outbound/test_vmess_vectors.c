/* SPDX-License-Identifier: MIT */
/* Bytes that other implementations of VMess made or accepted, one by one. */
#include "unit/outbound/check.h"

#include "base/bytes.h"
#include "base/digest.h"
#include "outbound/outbound.h"
#include "outbound/vmess_header.h"
#include "outbound/vmess_kdf.h"
#include "unit/outbound/vectors.h"

#include <errno.h>
#include <string.h>

static const char user[] = "b831381d-6324-4d53-ad4f-8cda48b30811";

static const struct {
	const char *label, *text, *id; /* id NULL: refused */
} ids[] = {
	{ "uuid", user, "b831381d63244d53ad4f8cda48b30811" },
	{ "upper case", "B831381D-6324-4D53-AD4F-8CDA48B30811",
		"b831381d63244d53ad4f8cda48b30811" },
	{ "no dashes", "b831381d63244d53ad4f8cda48b30811",
		"b831381d63244d53ad4f8cda48b30811" },
	{ "some dashes", "b831381d63244d53-ad4f8cda48b30811",
		"b831381d63244d53ad4f8cda48b30811" },
	{ "mapped, not ASCII",
		"\xe6\x88\x91\xe7\x88\xb1\xf0\x9f\x8d\x89\xe8\x80\x81\xe5\xb8\x88"
		"1314",
		"5783a3e7e37351cd8642c83782b807c5" },
	{ "mapped", "example", "feb54431301b52bba6dde1e93e81bb9e" },
	{ "mapped, 30 bytes", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
		"d20a3bd49d5852e08caa820ca42d1ad0" },
	{ "31 bytes", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", NULL },
	{ "empty", "", NULL },
	{ "37 bytes", "b831381d-6324-4d53-ad4f-8cda48b308111", NULL },
	{ "not hex", "g831381d-6324-4d53-ad4f-8cda48b30811", NULL },
	{ "dash at the wrong place", "b831381-d6324-4d53-ad4f-8cda48b30811", NULL },
	{ "two dashes", "b831381d--63244d53-ad4f-8cda48b30811", NULL },
	{ "too few digits", "b831381d-6324-4d53-ad4f-8cda48b3081", NULL },
};

static void
test_ids(void **state)
{
	struct err e;
	uint8_t id[16];
	size_t i;
	int r;

	(void)state;
	for (i = 0; i < ALL(ids); i++) {
		e.text[0] = '\0';
		r = vmess_id_parse(id, ids[i].text, &e);
		if (r != (ids[i].id ? 0 : -1))
			fail_msg("%s: %d %s", ids[i].label, r, e.text);
		if (ids[i].id)
			assert_hex(id, 16, ids[i].id);
		else
			assert_true(e.text[0]);
	}
}

static void
command_key(uint8_t key[16], const char *id_text)
{
	struct err e;
	uint8_t id[16];

	assert_int_equal(vmess_id_parse(id, id_text, &e), 0);
	vmess_command_key(key, id);
}

static void
test_command_key(void **state)
{
	uint8_t key[16];

	(void)state;
	command_key(key, user);
	assert_hex(key, 16, "b50d916ac0cec067981af8e5f38a758f");
	command_key(key, ids[4].text);
	assert_hex(key, 16, "df8acd09f5f81999f8b6d61861f20c71");
}

static void
test_kdf(void **state)
{
	static const struct {
		const char *key, *path[3], *out;
	} cases[] = {
		{ "k", { 0 },
			"e91da886d57b8f3c65fb8d90fc6c0efc6eeb7c7e8aedda14be1c57aabb261bdb" },
		{ "k", { "a" },
			"0d79472dd3acd29e7575f439f0b613c1819ccc1d8674686f892255aba04fa52f" },
		{ "k", { "a", "b" },
			"0d01a65591226fe1a490a6cf5dde44c87e8cd5fc3b225bda494cc3db6387068e" },
		{ "Demo Key for KDF Value Test",
			{ "Demo Path for KDF Value Test", "Demo Path for KDF Value Test2",
				"Demo Path for KDF Value Test3" },
			"53e9d7e1bd7bd25022b71ead07d8a596efc8a845c7888652fd684b4903dc8892" },
	};
	uint8_t out[VMESS_KDF_LEN];
	struct vmess_nest n;
	size_t i, k;

	(void)state;
	for (i = 0; i < ALL(cases); i++) {
		vmess_nest_init(&n);
		for (k = 0; k < 3 && cases[i].path[k]; k++)
			vmess_nest_push(&n, cases[i].path[k], strlen(cases[i].path[k]));
		vmess_nest_out(&n, cases[i].key, strlen(cases[i].key), out);
		assert_hex(out, 32, cases[i].out);
		/* A nest may be asked again. */
		vmess_nest_out(&n, cases[i].key, strlen(cases[i].key), out);
		assert_hex(out, 32, cases[i].out);
	}
}

static void
test_alter_ids(void **state)
{
	static const char *const chain[] = { "5a07183412d5980a72ac845d5568d17d",
		"b5f0dba2de16aea1087efdbaa0aac7a3", "92942ba8087fbc0ae89a0d235a76ccff" };
	uint8_t id[16];
	struct err e;
	size_t i;

	(void)state;
	assert_int_equal(vmess_id_parse(id, user, &e), 0);
	for (i = 0; i < ALL(chain); i++) {
		vmess_alter_id(id, id);
		assert_hex(id, 16, chain[i]);
	}
}

/* Security 1 (aes-128-cfb) is what the vector was made with; the header does not care. */
static void
test_old_header(void **state)
{
	static const char want[] =
		"18f036e9be34286ce571390b9e2b86b06695bd191c0d89bf2f3eed1acc9fc9fdf187906d"
		"2a8c45e624cba41c558e4081a9";
	const struct target to = { .port = 80, .ip = { 4, { 127, 0, 0, 1 } } };
	const struct vmess_request q = { (enum vmess_security)1, 0x01, VMESS_TCP, &to,
		1700000000 };
	uint8_t out[VMESS_HEADER_MAX], main_id[16], id[16], key[16];
	struct vmess_draw d;
	struct err e;
	int n;

	(void)state;
	assert_int_equal(vmess_id_parse(main_id, user, &e), 0);
	vmess_alter_id(id, main_id);
	vmess_command_key(key, main_id);
	draw_fill(&d, 0);
	n = vmess_old_header_write(out, key, id, &q, &d);
	assert_int_equal(n, 16 + strlen(want) / 2);
	assert_hex(out, 16, "56e8c2bc23bffa8fcc79da1aea97bcaa");
	assert_hex(out + 16, (size_t)n - 16, want);
	vmess_old_header_write(out, key, main_id, &q, &d);
	assert_hex(out, 16, "cb4c98431253a6f41d16adc57e6d3550");
}

static void
test_old_response(void **state)
{
	static const uint8_t sealed[] = { 0xde, 0x23, 0x43, 0xca };
	uint8_t key[16], iv[16], longer[4];
	struct vmess_draw d;

	(void)state;
	draw_fill(&d, 0);
	vmess_old_response_keys(&d, key, iv);
	assert_hex(key, 16, "1bf42e241816ba29ff5f307bb1bc1d16");
	assert_hex(iv, 16, "1ac1ef01e96caf1be0d329331a4fc2a8");
	assert_int_equal(vmess_old_response(key, iv, 0xab, sealed), 0);
	assert_int_equal(vmess_old_response(key, iv, 0xac, sealed), -EBADMSG);
	memcpy(longer, sealed, 4);
	longer[3] ^= 0x1b;
	assert_int_equal(vmess_old_response(key, iv, 0xab, longer), 0x1b);
}

static const struct {
	const char *label;
	enum vmess_security security;
	unsigned options;
	enum vmess_command command;
	size_t padlen;
	const char *name, *address;
	uint16_t port;
	const char *plain, *sealed; /* sealed NULL: not known */
} headers[] = {
	{ "tcp, name", VMESS_AES128_GCM, 0x0d, VMESS_TCP, 3, "www.example.com", NULL, 443,
		"01000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1fab0d33"
		"000101bb020f7777772e6578616d706c652e636f6daabbcc4ff5b31c",
		"4774fe5cc901ea4f81f2159909767a365bb070134b97358b2cc8052956b9b89580ba1122"
		"334455667788243c70b3ac81701b0f4ba7e0c5b424a69cfb29c9276c62222cc304d4195f"
		"f6093f6ac579368e13e67ddc1c3bcd32dc486932c475bdf27b32f403ed107b26f0fad48e"
		"3f42859de563ab7a4acc51e117ec" },
	{ "udp, IPv4", VMESS_CHACHA20_POLY1305, 0x0d, VMESS_UDP, 0, NULL, "8.8.8.8", 53,
		"01000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1fab0d04"
		"00020035010808080886548400",
		NULL },
};

static void
test_headers(void **state)
{
	uint8_t out[VMESS_HEADER_MAX], id[16];
	struct vmess_keys keys;
	struct vmess_draw d;
	struct err e;
	size_t i;
	int n;

	(void)state;
	assert_int_equal(vmess_id_parse(id, user, &e), 0);
	vmess_keys_init(&keys, id);
	assert_hex(keys.auth, 16, "1415ba74ca8b3d041a8f583fb4116315");
	for (i = 0; i < ALL(headers); i++) {
		struct target to = { .port = headers[i].port, .name = headers[i].name };
		struct vmess_request q = { headers[i].security, headers[i].options,
			headers[i].command, &to, 1700000000 };

		if (headers[i].address)
			assert_true(ip_parse(&to.ip, headers[i].address));
		draw_fill(&d, headers[i].padlen);
		n = vmess_section_write(out, &q, &d);
		assert_true(n > 0);
		assert_hex(out, (size_t)n, headers[i].plain);
		if (!headers[i].sealed)
			continue;
		n = vmess_header_write(out, &keys, &q, &d);
		assert_true(n > 0);
		assert_hex(out, (size_t)n, headers[i].sealed);
	}
}

static void
test_header_ipv6(void **state)
{
	static const char want[] =
		"01000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1fab0515"
		"000100500320010db800000000000000000000000100";
	struct target to = { .port = 80 };
	struct vmess_request q = { VMESS_NONE, 0x05, VMESS_TCP, &to, 1700000000 };
	uint8_t out[VMESS_SECTION_MAX];
	struct vmess_draw d;

	(void)state;
	assert_true(ip_parse(&to.ip, "2001:db8::1"));
	draw_fill(&d, 1);
	d.padding[0] = 0;
	assert_int_equal(vmess_section_write(out, &q, &d), 62);
	assert_hex(out, 58, want);
	assert_hex(out + 58, 4, "02f10c3c");
}

static const struct {
	const char *label, *name;
	bool fits;
} names[] = {
	{ "plain", "www.example.com", true },
	{ "underscore", "_sip._tcp.example.com", true },
	{ "punycode", "xn--bcher-kva.example", true },
	{ "not ASCII",
		"b\xc3\xbc"
		"cher.example",
		false },
	{ "space", "a b", false },
	{ "empty", "", false },
	{ "slash", "a/b", false },
};

static void
test_names(void **state)
{
	uint8_t out[VMESS_SECTION_MAX];
	struct vmess_draw d;
	size_t i;
	int n;

	(void)state;
	draw_fill(&d, 0);
	for (i = 0; i < ALL(names); i++) {
		struct target to = { .port = 1, .name = names[i].name };
		struct vmess_request q = { VMESS_AES128_GCM, 0x0d, VMESS_TCP, &to, 0 };

		n = vmess_section_write(out, &q, &d);
		if ((n > 0) != names[i].fits)
			fail_msg("%s: %d", names[i].label, n);
		/* With an address there is another way to say it. */
		to.ip = ip_make(4, (const uint8_t[]){ 192, 0, 2, 1 });
		assert_true(vmess_section_write(out, &q, &d) > 0);
	}
}

static void
test_response_keys(void **state)
{
	uint8_t key[16], iv[16];
	struct vmess_draw d;

	(void)state;
	draw_fill(&d, 0);
	vmess_response_keys(&d, key, iv);
	assert_hex(key, 16, "fc2e2c73072bfa2bda03ff9307472deb");
	assert_hex(iv, 16, "be45cb2605bf36bebde684841a28f0fd");
}

static const struct {
	const char *label;
	uint8_t tag;
	int want;
	const char *sealed;
} responses[] = {
	{ "plain", 0xab, 0,
		"9bdfb1639712b6a6348d0087b8d1af379ecf99afb5ebc1b9c414fe3bf6d7b0c99b1243e9"
		"89d3" },
	{ "another tag", 0xac, -EBADMSG,
		"9bdfb1639712b6a6348d0087b8d1af379ecf99afb5ebc1b9c414fe3bf6d7b0c99b1243e9"
		"89d3" },
	{ "switch account is ignored", 0xab, 0,
		"9bc4f180699cbfaafff782941a35a17107e799afb4f0cb55c1a0b3109d5e7f67f3d17ca9"
		"c378cad73654178f8a8d2b2a9c9afa06e220407d52ec01ff5d4dd1ab63" },
	{ "a bit of the header", 0xab, -EBADMSG,
		"9bdfb1639712b6a6348d0087b8d1af379ecf99afb5ebc1b9c415fe3bf6d7b0c99b1243e9"
		"89d3" },
	{ "a bit of the length", 0xab, -EBADMSG,
		"9adfb1639712b6a6348d0087b8d1af379ecf99afb5ebc1b9c414fe3bf6d7b0c99b1243e9"
		"89d3" },
};

static void
test_responses(void **state)
{
	uint8_t key[16], iv[16], wire[256];
	struct vmess_draw d;
	size_t i, len;
	int n, r;

	(void)state;
	draw_fill(&d, 0);
	vmess_response_keys(&d, key, iv);
	for (i = 0; i < ALL(responses); i++) {
		len = unhex(wire, sizeof(wire), responses[i].sealed);
		n = vmess_response_size(key, iv, wire);
		r = n;
		if (n >= 0) {
			assert_int_equal(len, VMESS_RESPONSE_SIZE + n);
			r = vmess_response_open(key, iv, responses[i].tag,
				wire + VMESS_RESPONSE_SIZE, (size_t)n);
		}
		if (r != responses[i].want)
			fail_msg("%s: %d", responses[i].label, r);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ids),
		cmocka_unit_test(test_command_key),
		cmocka_unit_test(test_kdf),
		cmocka_unit_test(test_alter_ids),
		cmocka_unit_test(test_old_header),
		cmocka_unit_test(test_old_response),
		cmocka_unit_test(test_headers),
		cmocka_unit_test(test_header_ipv6),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_response_keys),
		cmocka_unit_test(test_responses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
