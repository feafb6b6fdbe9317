/* SPDX-License-Identifier: MIT */
#include "unit/base/check.h"

#include "base/bytes.h"
#include "base/digest.h"

static void
published_digests(void **state)
{
	uint8_t out[SHA256_LEN];

	(void)state;
	/* RFC 1321, A.5 */
	md5("", 0, out);
	assert_hex(out, MD5_LEN, "d41d8cd98f00b204e9800998ecf8427e");
	md5("abc", 3, out);
	assert_hex(out, MD5_LEN, "900150983cd24fb0d6963f7d28e17f72");
	/* FIPS 180 */
	sha1("abc", 3, out);
	assert_hex(out, SHA1_LEN, "a9993e364706816aba3e25717850c26c9cd0d89d");
	sha256("abc", 3, out);
	assert_hex(out, SHA256_LEN,
		"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
	/* RFC 2202, 2 */
	hmac_md5("Jefe", 4, "what do ya want for nothing?", 28, out);
	assert_hex(out, MD5_LEN, "750c783e6ab0b503eaa86e310a5db738");
}

static void
a_digest_goes_on_after_a_look(void **state)
{
	uint8_t out[SHA256_LEN], whole[SHA256_LEN];
	struct sha256 h, fork;

	(void)state;
	sha256_init(&h);
	sha256_add(&h, "ab", 2);
	fork = h;
	sha256_out(&h, out);
	sha256_add(&h, "c", 1);
	sha256_out(&h, out);
	sha256("abc", 3, whole);
	assert_memory_equal(out, whole, sizeof out);
	sha256_add(&fork, "d", 1);
	sha256_out(&fork, out);
	sha256("abd", 3, whole);
	assert_memory_equal(out, whole, sizeof out);
}

/* Byte i of a message is 7 i + 3. The first 16 bytes, and SHA-256 of the first 1000. */
static const struct {
	size_t len;
	const char *first, *thousand;
} shakes[] = {
	{ 0, "7f9c2ba4e88f827d616045507605853e",
		"218ae7a5107911c8702edb40ec361ebbe57b6b6288287889361baabdb4d5cc9c" },
	{ 16, "f77252a305decdb102eb82ed34adfa82",
		"3183978efa7cac818be4b03fa500256eaea21ead8e325b99a3b058d1f74d813a" },
	{ 167, "bb961bb015521037905f9baf69ce60dd",
		"0f0d50170ec5e6358a71a6bb00c30345c0f1cd9ea4b5672763045fe10626faa9" },
	{ 168, "d4f73f3b6c4b72d05f45ed1f80b57744",
		"0fad2e5ecdc61414321c6c21e2a688283bcdd7135d8a4159d9c8f6a18a2cb3bb" },
	{ 169, "30454dd0f630ab1bb8fada554060d540",
		"4701767a92e04daa5b3887c5b76afc1587adc451273cb5d8c7d6a45656e4cd84" },
	{ 400, "f85b0a75a7571ef5abb8926010d90bd6",
		"aaf1b83a030437c0dc7cdaa297bb04dd01f731535644ae3ab1c6aeb56625f61b" },
};

static void
shake_absorbs_and_draws(void **state)
{
	uint8_t in[400], out[1000], sum[SHA256_LEN];
	struct shake128 s;
	size_t i, at;

	(void)state;
	for (i = 0; i < sizeof in; i++)
		in[i] = (uint8_t)(i * 7 + 3);
	for (i = 0; i < sizeof shakes / sizeof *shakes; i++) {
		shake128_init(&s, in, shakes[i].len);
		for (at = 0; at < sizeof out; at += 2)
			be16_put(out + at, shake128_be16(&s));
		assert_hex(out, 16, shakes[i].first);
		sha256(out, sizeof out, sum);
		assert_hex(sum, sizeof sum, shakes[i].thousand);
	}
}

/* The masks of a VMess connection: vectors of its two directions. */
static void
shake_draws_numbers(void **state)
{
	static const uint16_t request[] = { 0x9848, 0x1946, 0xde85, 0xc670, 0xa7a8,
		0x4432, 0xab40, 0x91a8, 0x1ec7, 0xa312 };
	static const uint16_t response[] = { 0x1a5a, 0x93f7, 0x9db6, 0x916d, 0xfb99,
		0xb094, 0xde46, 0xcc59, 0xf99e, 0xf2b6 };
	struct shake128 s;
	size_t i;

	(void)state;
	shake128_init(&s, unhex(1, "000102030405060708090a0b0c0d0e0f"), 16);
	for (i = 0; i < 10; i++)
		assert_int_equal(shake128_be16(&s), request[i]);
	shake128_init(&s, unhex(1, "be45cb2605bf36bebde684841a28f0fd"), 16);
	for (i = 0; i < 10; i++)
		assert_int_equal(shake128_be16(&s), response[i]);
}

static void
shake_skips(void **state)
{
	static const size_t some[] = { 0, 1, 83, 84, 85, 168, 500 };
	struct shake128 drawn, skipped;
	size_t i, k;

	(void)state;
	shake128_init(&drawn, "seed", 4);
	skipped = drawn;
	for (i = 0; i < sizeof some / sizeof *some; i++) {
		for (k = 0; k < some[i]; k++)
			shake128_be16(&drawn);
		shake128_skip(&skipped, some[i]);
		assert_int_equal(shake128_be16(&skipped), shake128_be16(&drawn));
	}
}

static void
checks_without_a_key(void **state)
{
	(void)state;
	assert_int_equal(crc32_ieee("", 0), 0);
	assert_int_equal(crc32_ieee("123456789", 9), 0xcbf43926);
	/* The end of a VMess auth id. */
	assert_int_equal(
		crc32_ieee(unhex(1, "000000006553f10001020304"), 12), 0xb85575f7);
	assert_int_equal(fnv1a32("", 0), 0x811c9dc5);
	assert_int_equal(fnv1a32("a", 1), 0xe40c292c);
	assert_int_equal(fnv1a32("foobar", 6), 0xbf9cf968);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(published_digests),
		cmocka_unit_test(a_digest_goes_on_after_a_look),
		cmocka_unit_test(shake_absorbs_and_draws),
		cmocka_unit_test(shake_draws_numbers),
		cmocka_unit_test(shake_skips),
		cmocka_unit_test(checks_without_a_key),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
