/* SPDX-License-Identifier: MIT */
/* Bytes that other implementations of VMess made or accepted, one by one. */
#include "unit/outbound/check.h"

#include "base/bytes.h"
#include "base/digest.h"
#include "base/text.h"
#include "outbound/outbound.h"
#include "outbound/vmess_body.h"
#include "outbound/vmess_header.h"
#include "outbound/vmess_kdf.h"

#include <errno.h>
#include <string.h>

#define ALL(a) (sizeof(a) / sizeof(*(a)))

static const char user[] = "b831381d-6324-4d53-ad4f-8cda48b30811";

/* Hex to bytes; the length is the text's. */
static size_t
unhex(uint8_t *out, size_t cap, const char *hex)
{
	size_t n = strlen(hex) / 2;

	assert_true(n <= cap);
	assert_true(hex_parse(out, n, hex));
	return n;
}

static void
assert_hex(const void *p, size_t len, const char *hex)
{
	uint8_t want[1024];
	size_t n = unhex(want, sizeof(want), hex);

	assert_int_equal(len, n);
	assert_memory_equal(p, want, n);
}

static void
draw_fill(struct vmess_draw *d, size_t padlen)
{
	static const uint8_t auth[] = { 1, 2, 3, 4 };
	static const uint8_t nonce[] = { 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88 };
	static const uint8_t padding[] = { 0xaa, 0xbb, 0xcc };
	uint8_t i;

	memset(d, 0, sizeof(*d));
	for (i = 0; i < 16; i++) {
		d->iv[i] = i;
		d->key[i] = (uint8_t)(16 + i);
	}
	d->tag = 0xab;
	memcpy(d->auth, auth, sizeof(auth));
	memcpy(d->nonce, nonce, sizeof(nonce));
	memcpy(d->padding, padding, sizeof(padding));
	d->padlen = (uint8_t)padlen;
}

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
	static const char demo[] = "Demo Key for KDF Value Test";
	const struct vmess_path path[] = { { "a", 1 }, { "b", 1 } };
	const struct vmess_path long_path[] = { { "Demo Path for KDF Value Test", 28 },
		{ "Demo Path for KDF Value Test2", 29 },
		{ "Demo Path for KDF Value Test3", 29 } };
	uint8_t out[VMESS_KDF_LEN];

	(void)state;
	vmess_kdf(out, "k", 1, NULL, 0);
	assert_hex(out, 32,
		"e91da886d57b8f3c65fb8d90fc6c0efc6eeb7c7e8aedda14be1c57aabb261bdb");
	vmess_kdf(out, "k", 1, path, 1);
	assert_hex(out, 32,
		"0d79472dd3acd29e7575f439f0b613c1819ccc1d8674686f892255aba04fa52f");
	vmess_kdf(out, "k", 1, path, 2);
	assert_hex(out, 32,
		"0d01a65591226fe1a490a6cf5dde44c87e8cd5fc3b225bda494cc3db6387068e");
	vmess_kdf(out, demo, sizeof(demo) - 1, long_path, 3);
	assert_hex(out, 32,
		"53e9d7e1bd7bd25022b71ead07d8a596efc8a845c7888652fd684b4903dc8892");
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
	uint8_t out[VMESS_HEADER_MAX], key[16];
	struct vmess_draw d;
	size_t i;
	int n;

	(void)state;
	command_key(key, user);
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
		n = vmess_header_write(out, key, &q, &d);
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

/* "hello", "VMess!" and the end mark, in one direction. */
static const struct {
	const char *label;
	enum vmess_security security;
	unsigned options;
	bool response;
	const char *wire[3];
} bodies[] = {
	{ "gcm S", VMESS_AES128_GCM, 0x01, false,
		{ "0015c76e58df1d1b6686ac14fce9bcc0f768b9c8beb10f",
			"0016a73871a4333c7ae23e3f05645c732fa4cb09397c9326",
			"0010e8f7acff2d8276759cb6fcd3bb071318" } },
	{ "gcm SM", VMESS_AES128_GCM, 0x05, false,
		{ "985dc76e58df1d1b6686ac14fce9bcc0f768b9c8beb10f",
			"1950a73871a4333c7ae23e3f05645c732fa4cb09397c9326",
			"de95e8f7acff2d8276759cb6fcd3bb071318" } },
	{ "gcm SMP", VMESS_AES128_GCM, 0x0d, false,
		{ "195bc76e58df1d1b6686ac14fce9bcc0f768b9c8beb10f5a5a5a5a5a5a5a5a",
			"c66ba73871a4333c7ae23e3f05645c732fa4cb09397c93265a5a5a5a5a",
			"440ae8f7acff2d8276759cb6fcd3bb0713185a5a5a5a5a5a5a5a5a5a5a5a5a5a"
			"5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a" } },
	{ "chacha SM", VMESS_CHACHA20_POLY1305, 0x05, false,
		{ "985d8aa8b3dd9185f30769fd06639baa587ae610a3c4d5",
			"1950232bce041366882ab7696ce37ec6de11a8f63ac4b9ac",
			"de9572f04bc19d759d4c4fb09054759b05eb" } },
	{ "chacha SMP", VMESS_CHACHA20_POLY1305, 0x0d, false,
		{ "195b8aa8b3dd9185f30769fd06639baa587ae610a3c4d55a5a5a5a5a5a5a5a",
			"c66b232bce041366882ab7696ce37ec6de11a8f63ac4b9ac5a5a5a5a5a",
			"440a72f04bc19d759d4c4fb09054759b05eb5a5a5a5a5a5a5a5a5a5a5a5a5a5a"
			"5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a" } },
	{ "none S", VMESS_NONE, 0x01, false,
		{ "000568656c6c6f", "0006564d65737321", "0000" } },
	{ "none SM", VMESS_NONE, 0x05, false,
		{ "984d68656c6c6f", "1940564d65737321", "de85" } },
	{ "gcm SMP, response", VMESS_AES128_GCM, 0x0d, true,
		{ "93d868cc48dfb6f4991ff32ae8183c05fc12b7578da7c15a5a5a5a5a5a5a5a5a"
		  "5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a",
			"9121439ef6a9261ed6c8a6bdb6dc4d18ff52c5754d0e126a5a5a5a5a5a5a5a5a"
			"5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a"
			"5a5a5a5a5a5a5a5a5a5a5a5a5a5a",
			"b0bd89cff455a654c3a7583f7ba973414dba5a5a5a5a5a5a5a5a5a5a5a5a5a5a"
			"5a5a5a5a5a5a5a5a5a5a5a" } },
	{ "chacha SMP, response", VMESS_CHACHA20_POLY1305, 0x0d, true,
		{ "93d8e647892a5480e5794b52443c5624ccee0a1dcae43d5a5a5a5a5a5a5a5a5a"
		  "5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a",
			"9121fa3a6ac7d41ace032bfa49074eb17e24e003d8f5a3ed5a5a5a5a5a5a5a5a"
			"5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a"
			"5a5a5a5a5a5a5a5a5a5a5a5a5a5a",
			"b0bddb2be928b5a9247d7c9b240bce8d0a975a5a5a5a5a5a5a5a5a5a5a5a5a5a"
			"5a5a5a5a5a5a5a5a5a5a5a" } },
};

static const char *const said[] = { "hello", "VMess!", "" };

static void
body_start(struct vmess_body *b, size_t i)
{
	struct vmess_draw d;
	uint8_t key[16], iv[16];

	draw_fill(&d, 0);
	memcpy(key, d.key, 16);
	memcpy(iv, d.iv, 16);
	if (bodies[i].response)
		vmess_response_keys(&d, key, iv);
	vmess_body_init(b, bodies[i].security, bodies[i].options, key, iv);
}

static void
test_bodies_seal(void **state)
{
	uint8_t chunk[128];
	struct vmess_body b;
	size_t i, k, n, pad;

	(void)state;
	for (i = 0; i < ALL(bodies); i++) {
		body_start(&b, i);
		for (k = 0; k < 3; k++) {
			memcpy(chunk + VMESS_LENGTH, said[k], strlen(said[k]));
			n = vmess_body_seal(&b, chunk, strlen(said[k]), &pad);
			assert_true(n <= sizeof(chunk) && pad <= VMESS_PAD_MAX);
			memset(chunk + n - pad, 0x5a, pad);
			assert_hex(chunk, n, bodies[i].wire[k]);
		}
		vmess_body_fini(&b);
	}
}

static void
test_bodies_open(void **state)
{
	uint8_t wire[128];
	struct vmess_body b;
	struct vmess_chunk c;
	size_t i, k, n;

	(void)state;
	for (i = 0; i < ALL(bodies); i++) {
		body_start(&b, i);
		for (k = 0; k < 3; k++) {
			n = unhex(wire, sizeof(wire), bodies[i].wire[k]);
			assert_int_equal(vmess_body_length(&b, wire, &c), 0);
			assert_int_equal(c.size, n - VMESS_LENGTH);
			assert_int_equal(c.len, strlen(said[k]));
			assert_int_equal(vmess_body_open(&b, &c, wire + VMESS_LENGTH), 0);
			assert_memory_equal(wire + VMESS_LENGTH, said[k], c.len);
		}
		vmess_body_fini(&b);
	}
}

/* Every bit of a sealed chunk is noticed, but for those of the padding. */
static void
test_body_bits(void **state)
{
	uint8_t wire[128];
	struct vmess_body b;
	struct vmess_chunk c;
	size_t bit, n;

	(void)state;
	for (bit = 16; bit < 8 * (2 + 5 + 16); bit++) {
		body_start(&b, 2);
		n = unhex(wire, sizeof(wire), bodies[2].wire[0]);
		wire[bit / 8] ^= (uint8_t)(1u << bit % 8);
		assert_int_equal(vmess_body_length(&b, wire, &c), 0);
		assert_int_equal(c.size, n - VMESS_LENGTH);
		assert_int_equal(vmess_body_open(&b, &c, wire + VMESS_LENGTH), -EBADMSG);
		vmess_body_fini(&b);
	}
}

static void
test_body_too_short(void **state)
{
	uint8_t zero[2] = { 0x00, 0x0f };
	struct vmess_body b;
	struct vmess_chunk c;

	(void)state;
	body_start(&b, 0);
	assert_int_equal(vmess_body_length(&b, zero, &c), -EBADMSG);
	vmess_body_fini(&b);
}

/* The counter of the nonce wraps without new keys. */
static void
test_body_wraps(void **state)
{
	uint8_t chunk[64];
	struct vmess_body up, down;
	struct vmess_chunk c;
	size_t i, pad;

	(void)state;
	body_start(&up, 1);
	body_start(&down, 1);
	for (i = 0; i < 66000; i++) {
		chunk[2] = (uint8_t)i;
		vmess_body_seal(&up, chunk, 1, &pad);
		assert_int_equal(vmess_body_length(&down, chunk, &c), 0);
		assert_int_equal(vmess_body_open(&down, &c, chunk + 2), 0);
		assert_int_equal(chunk[2], (uint8_t)i);
	}
	vmess_body_fini(&up);
	vmess_body_fini(&down);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ids),
		cmocka_unit_test(test_command_key),
		cmocka_unit_test(test_kdf),
		cmocka_unit_test(test_headers),
		cmocka_unit_test(test_header_ipv6),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_response_keys),
		cmocka_unit_test(test_responses),
		cmocka_unit_test(test_bodies_seal),
		cmocka_unit_test(test_bodies_open),
		cmocka_unit_test(test_body_bits),
		cmocka_unit_test(test_body_too_short),
		cmocka_unit_test(test_body_wraps),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
