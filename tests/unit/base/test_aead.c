/* SPDX-License-Identifier: MIT */
#include "unit/base/check.h"

#include "base/aead.h"
#include "base/aead_inside.h"
#include "base/random.h"

#include <errno.h>

enum { LIBRARIES_MAX = 2, LONGEST = 65535 };

/* The cipher libraries that this build has. */
static size_t
libraries(const struct aead_library *l[static LIBRARIES_MAX])
{
	size_t n = 0;

	l[n++] = &aead_bearssl;
	if (aead_openssl())
		l[n++] = aead_openssl();
	return n;
}

static const struct {
	const char *label;
	enum aead_kind kind;
	const char *key, *nonce, *aad, *plain, *sealed, *tag;
} vectors[] = {
	{ "GCM test case 1", AEAD_AES128_GCM, "00000000000000000000000000000000",
		"000000000000000000000000", "", "", "",
		"58e2fccefa7e3061367f1d57a4e7455a" },
	{ "GCM test case 2", AEAD_AES128_GCM, "00000000000000000000000000000000",
		"000000000000000000000000", "", "00000000000000000000000000000000",
		"0388dace60b6a392f328c2b971b2fe78", "ab6e47d42cec13bdf53a67b21257bddf" },
	{ "GCM test case 4", AEAD_AES128_GCM, "feffe9928665731c6d6a8f9467308308",
		"cafebabefacedbaddecaf888", "feedfacedeadbeeffeedfacedeadbeefabaddad2",
		"d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72"
		"1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39",
		"42831ec2217774244b7221b784d0d49ce3aa212f2c02a4e035c17e2329aca12e"
		"21d514b25466931c7d8f6a5aac84aa051ba30b396a0aac973d58e091",
		"5bc94fbc3221a5db94fae95ae7121a47" },
	{ "a VMess chunk", AEAD_AES128_GCM, "101112131415161718191a1b1c1d1e1f",
		"000002030405060708090a0b", "", "68656c6c6f", "c76e58df1d",
		"1b6686ac14fce9bcc0f768b9c8beb10f" },
	{ "a VMess chunk", AEAD_CHACHA20_POLY1305,
		"1bf42e241816ba29ff5f307bb1bc1d168b39e04ece3e33ab822442d7e6cefd5f",
		"000002030405060708090a0b", "", "68656c6c6f", "8aa8b3dd91",
		"85f30769fd06639baa587ae610a3c4d5" },
	{ "RFC 8439, 2.8.2", AEAD_CHACHA20_POLY1305,
		"808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9f",
		"070000004041424344454647", "50515253c0c1c2c3c4c5c6c7",
		"4c616469657320616e642047656e746c656d656e206f662074686520636c6173"
		"73206f66202739393a204966204920636f756c64206f6666657220796f75206f"
		"6e6c79206f6e652074697020666f7220746865206675747572652c2073756e73"
		"637265656e20776f756c642062652069742e",
		"d31a8d34648e60db7b86afbc53ef7ec2a4aded51296e08fea9e2b5a736ee62d6"
		"3dbea45e8ca9671282fafb69da92728b1a71de0a9e060b2905d6a5b67ecd3b36"
		"92ddbd7f2d778b8c9803aee328091b58fab324e4fad675945585808b4831d7bc"
		"3ff4def08e4b7a9de576d26586cec64b6116",
		"1ae10b594f09e26a7e902ecbd0600691" },
};

static void
published_vectors(void **state)
{
	uint8_t bytes[UNHEX_MAX], tag[AEAD_TAG];
	const uint8_t *nonce, *aad;
	struct aead a, copy;
	size_t i, len, aadlen;

	(void)state;
	for (i = 0; i < sizeof vectors / sizeof *vectors; i++) {
		print_message("%s\n", vectors[i].label);
		len = strlen(vectors[i].plain) / 2;
		aadlen = strlen(vectors[i].aad) / 2;
		nonce = unhex(1, vectors[i].nonce);
		aad = unhex(2, vectors[i].aad);
		aead_init(&copy, vectors[i].kind, unhex(3, vectors[i].key));
		a = copy; /* the key schedule may move */
		aead_fini(&copy);
		memcpy(bytes, unhex(0, vectors[i].plain), len);
		aead_seal(&a, nonce, aad, aadlen, bytes, len, tag);
		assert_hex(bytes, len, vectors[i].sealed);
		assert_hex(tag, sizeof tag, vectors[i].tag);
		assert_int_equal(aead_open(&a, nonce, aad, aadlen, bytes, len, tag), 0);
		assert_hex(bytes, len, vectors[i].plain);
		aead_fini(&a);
	}
}

/* The face takes one library for a message; each must do for any. */
static void
published_vectors_by_each_library(void **state)
{
	const struct aead_library *l[LIBRARIES_MAX];
	struct aead_keyed k = { 0 };
	uint8_t bytes[UNHEX_MAX], tag[AEAD_TAG];
	size_t i, j, n = libraries(l);
	struct aead_message m = { .from = bytes, .to = bytes };
	struct aead a;

	(void)state;
	for (i = 0; i < sizeof vectors / sizeof *vectors * n; i++) {
		j = i / n;
		m.nonce = unhex(1, vectors[j].nonce);
		m.aad = unhex(2, vectors[j].aad);
		m.aadlen = strlen(vectors[j].aad) / 2;
		m.len = strlen(vectors[j].plain) / 2;
		aead_init(&a, vectors[j].kind, unhex(3, vectors[j].key));
		assert_int_equal(l[i % n]->take(&k, &a), 0);
		memcpy(bytes, unhex(0, vectors[j].plain), m.len);
		l[i % n]->seal(&k, &m, tag);
		assert_hex(bytes, m.len, vectors[j].sealed);
		assert_hex(tag, sizeof tag, vectors[j].tag);
		assert_int_equal(l[i % n]->open(&k, &m, tag), 0);
		assert_hex(bytes, m.len, vectors[j].plain);
		l[i % n]->forget(&k);
		aead_fini(&a);
	}
}

/* Seals the same message with each library, opens it with each, in place and not, and has
 * it refused with a bit turned. */
static void
compare(const struct aead_library *const *l, size_t n, struct aead_keyed *k,
	const struct aead_message *plain)
{
	static uint8_t first[LONGEST], p[LONGEST];
	uint8_t first_tag[AEAD_TAG], tag[AEAD_TAG];
	struct aead_message m = *plain;
	size_t i;

	m.to = first;
	l[0]->seal(&k[0], &m, first_tag);
	m.from = m.to = p;
	for (i = 0; i < n; i++) {
		memcpy(p, plain->from, m.len);
		l[i]->seal(&k[i], &m, tag);
		assert_memory_equal(p, first, m.len);
		assert_memory_equal(tag, first_tag, AEAD_TAG);
		assert_int_equal(l[i]->open(&k[i], &m, tag), 0);
		assert_memory_equal(p, plain->from, m.len);
		memcpy(p, first, m.len);
		tag[m.len % AEAD_TAG] ^= 1;
		assert_int_equal(l[i]->open(&k[i], &m, tag), -EBADMSG);
	}
	m.from = first;
	for (i = 0; i < n; i++) {
		memset(p, 0, m.len);
		assert_int_equal(l[i]->open(&k[i], &m, first_tag), 0);
		assert_memory_equal(p, plain->from, m.len);
		if (m.len == 0)
			continue;
		first[m.len / 2] ^= 0x80;
		assert_int_equal(l[i]->open(&k[i], &m, first_tag), -EBADMSG);
		first[m.len / 2] ^= 0x80;
	}
}

static void
libraries_say_the_same(void **state)
{
	static const enum aead_kind kinds[] = { AEAD_AES128_GCM, AEAD_CHACHA20_POLY1305 };
	static uint8_t plain[LONGEST];
	const struct aead_library *l[LIBRARIES_MAX];
	struct aead_keyed k[LIBRARIES_MAX] = { 0 };
	uint8_t key[AEAD_KEY_MAX], nonce[AEAD_NONCE], aad[40];
	struct aead_message m = { nonce, aad, 0, plain, plain, 0 };
	size_t kind, i, n = libraries(l);
	struct aead a;

	(void)state;
	random_bytes(plain, sizeof plain);
	random_bytes(aad, sizeof aad);
	for (kind = 0; kind < 2; kind++) {
		random_bytes(key, sizeof key);
		aead_init(&a, kinds[kind], key);
		for (i = 0; i < n; i++)
			assert_int_equal(l[i]->take(&k[i], &a), 0);
		/* All short ones, some around each power of two, and the longest. */
		for (m.len = 0; m.len <= LONGEST;
			m.len += m.len < 530 ? 1 : m.len / 7 + m.len % 5) {
			random_bytes(nonce, sizeof nonce);
			m.aadlen = m.len % sizeof aad;
			compare(l, n, k, &m);
		}
		m.len = LONGEST;
		compare(l, n, k, &m);
		aead_fini(&a);
	}
	for (i = 0; i < n; i++)
		l[i]->forget(&k[i]);
}

/* Keys whose schedules push each other out, by turns with short and long messages: each
 * seals as the library does that knows no other, and opens what it has sealed. */
static void
many_keys_at_once(void **state)
{
	enum { KEYS = 200, LONG = 2000 };
	static struct aead a[KEYS];
	static uint8_t p[KEYS][LONG], right[LONG], tags[KEYS][AEAD_TAG];
	static const uint8_t nonce[AEAD_NONCE], zeros[LONG];
	struct aead_message m = { .nonce = nonce, .from = zeros, .to = right };
	uint8_t key[AEAD_KEY_MAX] = { 0 }, tag[AEAD_TAG];
	struct aead_keyed k = { 0 };
	size_t i, round;

	(void)state;
	for (i = 0; i < KEYS; i++) {
		key[0] = (uint8_t)i;
		aead_init(&a[i], i % 3 ? AEAD_AES128_GCM : AEAD_CHACHA20_POLY1305, key);
	}
	for (round = 0; round < 4; round++) {
		m.len = round % 2 ? LONG : 20;
		memset(p, 0, sizeof p);
		for (i = 0; i < KEYS; i++) {
			aead_seal(&a[i], nonce, NULL, 0, p[i], m.len, tags[i]);
			aead_bearssl.take(&k, &a[i]);
			aead_bearssl.seal(&k, &m, tag);
			assert_memory_equal(p[i], right, m.len);
			assert_memory_equal(tags[i], tag, AEAD_TAG);
		}
		for (i = KEYS; i-- > 0;) {
			assert_int_equal(
				aead_open(&a[i], nonce, NULL, 0, p[i], m.len, tags[i]),
				0);
			assert_memory_equal(p[i], zeros, m.len);
		}
	}
	for (i = 0; i < KEYS; i++)
		aead_fini(&a[i]);
	aead_bearssl.forget(&k);
}

/* Every length through some blocks of both ciphers, whole and with a bit turned in each
 * place that is protected. */
static void
what_was_sealed_opens_and_nothing_else(void **state)
{
	static const enum aead_kind kinds[] = { AEAD_AES128_GCM, AEAD_CHACHA20_POLY1305 };
	uint8_t key[AEAD_KEY_MAX], nonce[AEAD_NONCE], aad[33], plain[300], p[300];
	uint8_t tag[AEAD_TAG];
	size_t k, len, at;
	struct aead a;

	(void)state;
	random_bytes(key, sizeof key);
	random_bytes(nonce, sizeof nonce);
	random_bytes(aad, sizeof aad);
	random_bytes(plain, sizeof plain);
	for (k = 0; k < 2; k++) {
		aead_init(&a, kinds[k], key);
		for (len = 0; len <= sizeof plain; len++) {
			size_t aadlen = len % (sizeof aad + 1);

			memcpy(p, plain, len);
			aead_seal(&a, nonce, aad, aadlen, p, len, tag);
			assert_int_equal(
				aead_open(&a, nonce, aad, aadlen, p, len, tag), 0);
			assert_memory_equal(p, plain, len);
			aead_seal(&a, nonce, aad, aadlen, p, len, tag);
			at = len % AEAD_TAG;
			tag[at] ^= 0x40;
			assert_int_equal(
				aead_open(&a, nonce, aad, aadlen, p, len, tag), -EBADMSG);
			tag[at] ^= 0x40;
			memcpy(p, plain, len);
			aead_seal(&a, nonce, aad, aadlen, p, len, tag);
			if (len == 0)
				continue;
			p[len - 1] ^= 1;
			assert_int_equal(
				aead_open(&a, nonce, aad, aadlen, p, len, tag), -EBADMSG);
			memcpy(p, plain, len);
			aead_seal(&a, nonce, aad, aadlen, p, len, tag);
			if (aadlen == 0)
				continue;
			assert_int_equal(
				aead_open(&a, nonce, aad, aadlen - 1, p, len, tag),
				-EBADMSG);
		}
		aead_fini(&a);
	}
}

static void
a_finished_key_is_gone(void **state)
{
	static const struct aead_keyed none;
	static const struct aead zero;
	const struct aead_library *l[LIBRARIES_MAX];
	struct aead_keyed k = { 0 };
	uint8_t key[AEAD_KEY_MAX];
	size_t i, n = libraries(l);
	struct aead a;

	(void)state;
	random_bytes(key, sizeof key);
	for (i = 0; i < n; i++) {
		aead_init(&a, AEAD_AES128_GCM, key);
		assert_int_equal(l[i]->take(&k, &a), 0);
		l[i]->forget(&k);
		assert_memory_equal(&k, &none, sizeof k);
		aead_fini(&a);
		assert_memory_equal(&a, &zero, sizeof a);
		aead_fini(&a); /* once more does no harm */
	}
}

static void
single_blocks(void **state)
{
	uint8_t out[16];

	(void)state;
	/* FIPS 197, C.1 */
	aes128_block(unhex(1, "000102030405060708090a0b0c0d0e0f"),
		unhex(2, "00112233445566778899aabbccddeeff"), out);
	assert_hex(out, 16, "69c4e0d86a7b0430d8cdb78070b4c55a");
	aes128_unblock(unhex(1, "000102030405060708090a0b0c0d0e0f"), out, out);
	assert_hex(out, 16, "00112233445566778899aabbccddeeff");
	/* A VMess auth id. */
	aes128_block(unhex(1, "1415ba74ca8b3d041a8f583fb4116315"),
		unhex(2, "000000006553f10001020304b85575f7"), out);
	assert_hex(out, 16, "4774fe5cc901ea4f81f2159909767a36");
}

static void
key_stream(void **state)
{
	static const uint8_t key[32];
	uint8_t p[64];

	(void)state;
	/* RFC 8439, A.1, test vector 1 */
	chacha20_stream(key, p, sizeof p);
	assert_hex(p, sizeof p,
		"76b8e0ada0f13d90405d6ae55386bd28bdd219b8a08ded1aa836efcc8b770dc7"
		"da41597c5157488d7724e03fb8d84a376a43b8f41518a11cc387b669b2ee6586");
}

static void
one_kind_is_fastest(void **state)
{
	enum aead_kind kind = aead_fastest();

	(void)state;
	assert_true(kind == AEAD_AES128_GCM || kind == AEAD_CHACHA20_POLY1305);
	assert_int_equal(kind, aead_fastest());
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(published_vectors),
		cmocka_unit_test(published_vectors_by_each_library),
		cmocka_unit_test(libraries_say_the_same),
		cmocka_unit_test(many_keys_at_once),
		cmocka_unit_test(what_was_sealed_opens_and_nothing_else),
		cmocka_unit_test(a_finished_key_is_gone),
		cmocka_unit_test(single_blocks),
		cmocka_unit_test(key_stream),
		cmocka_unit_test(one_kind_is_fastest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
