/* SPDX-License-Identifier: MIT */
/* Chunks that other implementations of VMess made or accepted, one by one. */
#include "unit/outbound/check.h"

#include "outbound/vmess_body.h"
#include "unit/outbound/vectors.h"

#include <errno.h>
#include <string.h>

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
	{ "gcm SMA", VMESS_AES128_GCM, 0x15, false,
		{ "a81f0b658605d9d5ea01c3c19e40bfac7f0cc76e58df1d1b6686ac14fce9bcc0"
		  "f768b9c8beb10f",
			"9f66cb62ddacf97cd0817c337382fcb043cfa73871a4333c7ae23e3f05645c73"
			"2fa4cb09397c9326",
			"1f300f89b42c7e982c2da396bfeec4acd19de8f7acff2d8276759cb6fcd3bb07"
			"1318" } },
	{ "gcm SMPA", VMESS_AES128_GCM, 0x1d, false,
		{ "a817027ad0a44cd027466b2a51d1a0f58ba2c76e58df1d1b6686ac14fce9bcc0"
		  "f768b9c8beb10f5a5a5a5a5a5a5a5a",
			"9f6c213a5ea509386e973ee24ff7a43fca4aa73871a4333c7ae23e3f05645c73"
			"2fa4cb09397c93265a5a5a5a5a5a",
			"1f359ba5f5a886ba732682fe21d468eb155fe8f7acff2d8276759cb6fcd3bb07"
			"13185a5a5a5a5a" } },
	{ "chacha SMPA", VMESS_CHACHA20_POLY1305, 0x1d, false,
		{ "a9365128d220b6252bc686d3aac0eabd7c218aa8b3dd9185f30769fd06639baa"
		  "587ae610a3c4d55a5a5a5a5a5a5a5a",
			"d03ef745603b2d7cd2758673c84d93be484b232bce041366882ab7696ce37ec6"
			"de11a8f63ac4b9ac5a5a5a5a5a5a",
			"b04b35c727fb5033db94db53f4ff08b36cd872f04bc19d759d4c4fb09054759b"
			"05eb5a5a5a5a5a" } },
	{ "gcm SMPA, response", VMESS_AES128_GCM, 0x1d, true,
		{ "a805f303a84f039ace98d0c73d17d9901fd568cc48dfb6f4991ff32ae8183c05"
		  "fc12b7578da7c15a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a"
		  "5a",
			"9f5d87da43b4458478ae39879763c400cf3b439ef6a9261ed6c8a6bdb6dc4d18"
			"ff52c5754d0e126a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a"
			"5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a",
			"1f06de023d11af47164e6fa10aa44f026d0589cff455a654c3a7583f7ba97341"
			"4dba5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a"
			"5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a" } },
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
	if (bodies[i].options & VMESS_SEALED_LENGTHS)
		vmess_body_seal_lengths(b, d.key, d.iv);
}

static void
test_bodies_seal(void **state)
{
	uint8_t chunk[160];
	struct vmess_body b;
	size_t i, k, n, pad;

	(void)state;
	for (i = 0; i < ALL(bodies); i++) {
		body_start(&b, i);
		for (k = 0; k < 3; k++) {
			memcpy(chunk + b.field, said[k], strlen(said[k]));
			n = vmess_body_seal(
				&b, chunk, chunk + b.field, strlen(said[k]), &pad);
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
	uint8_t wire[160], apart[160];
	struct vmess_body b;
	struct vmess_chunk c;
	size_t i, k, n;

	(void)state;
	for (i = 0; i < ALL(bodies); i++) {
		body_start(&b, i);
		for (k = 0; k < 3; k++) {
			n = unhex(wire, sizeof(wire), bodies[i].wire[k]);
			assert_int_equal(vmess_body_length(&b, wire, &c), 0);
			assert_int_equal(c.size, n - b.field);
			assert_int_equal(c.len, strlen(said[k]));
			assert_int_equal(vmess_body_open(&b, &c, wire + b.field,
						 k == 1 ? wire + b.field : apart),
				0);
			assert_memory_equal(
				k == 1 ? wire + b.field : apart, said[k], c.len);
		}
		vmess_body_fini(&b);
	}
}

/* Every bit of a sealed chunk is noticed, but for those of the padding. */
static void
test_body_bits(void **state)
{
	uint8_t wire[160], p[160];
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
		assert_int_equal(
			vmess_body_open(&b, &c, wire + VMESS_LENGTH, p), -EBADMSG);
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
		vmess_body_seal(&up, chunk, chunk + 2, 1, &pad);
		assert_int_equal(vmess_body_length(&down, chunk, &c), 0);
		assert_int_equal(vmess_body_open(&down, &c, chunk + 2, chunk + 2), 0);
		assert_int_equal(chunk[2], (uint8_t)i);
	}
	vmess_body_fini(&up);
	vmess_body_fini(&down);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bodies_seal),
		cmocka_unit_test(test_bodies_open),
		cmocka_unit_test(test_body_bits),
		cmocka_unit_test(test_body_too_short),
		cmocka_unit_test(test_body_wraps),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
