/* SPDX-License-Identifier: MIT */
#include "unit/outbound/server.h"

#include "base/bytes.h"

#include <string.h>

enum { S = 1, M = 4, P = 8, A = 16 };
enum { GCM = 3, CHACHA = 4, NONE = 5 };

struct salt {
	const void *p;
	size_t len;
};

/* HMAC whose hash function is the same thing one salt shorter. */
static void
nested(const struct salt *salt, size_t n, const uint8_t *m, size_t len, uint8_t out[32])
{
	uint8_t text[64 + 64 * 5 + 64];
	size_t i, k;

	if (n == 0) {
		sha256(m, len, out);
		return;
	}
	for (k = 0; k < 2; k++) {
		for (i = 0; i < 64; i++)
			text[i] =
				(uint8_t)((i < salt[n - 1].len
							  ? ((const uint8_t *)salt[n - 1]
									    .p)[i]
							  : 0) ^
					(k ? 0x5c : 0x36));
		memcpy(text + 64, k ? out : m, k ? 32 : len);
		nested(salt, n - 1, text, 64 + (k ? 32 : len), out);
	}
}

static void
kdf(uint8_t out[32], const uint8_t key[16], const char *a, const uint8_t *b,
	const uint8_t *c)
{
	const struct salt salt[] = { { "VMess AEAD KDF", 14 }, { a, strlen(a) },
		{ b, 16 }, { c, 8 } };

	nested(salt, b ? 4 : 2, key, 16, out);
}

void
server_init(struct server *s, const uint8_t id[static 16])
{
	static const char salt[] = "c48619fe-8f02-49e0-b9e9-edf763e17e21";
	uint8_t text[16 + 36];

	memset(s, 0, sizeof(*s));
	memcpy(text, id, 16);
	memcpy(text + 16, salt, 36);
	md5(text, sizeof(text), s->command_key);
}

void
server_init_old(struct server *s, const uint8_t alter_id[static 16], int64_t time)
{
	s->old = true;
	s->time = time;
	memcpy(s->alter_id, alter_id, 16);
}

void
server_fini(struct server *s)
{
	bytes_wipe(s, sizeof(*s));
}

static int
open_part(struct server *s, const char *key_salt, const char *nonce_salt,
	const uint8_t *wire, uint8_t *p, size_t len)
{
	uint8_t key[32], nonce[32];
	struct aead a;
	int r;

	kdf(key, s->command_key, key_salt, wire, wire + 34);
	kdf(nonce, s->command_key, nonce_salt, wire, wire + 34);
	aead_init(&a, AEAD_AES128_GCM, key);
	r = aead_open(&a, nonce, wire, 16, p, len, p + len);
	aead_fini(&a);
	return r;
}

static void
way_start(struct server_way *w, int security, const uint8_t key[16], const uint8_t iv[16])
{
	uint8_t wide[32];

	memcpy(w->iv, iv, 16);
	shake128_init(&w->mask, iv, 16);
	w->counter = 0;
	w->sealed = security == NONE ? NULL : &w->aead;
	md5(key, 16, wide);
	md5(wide, 16, wide + 16);
	if (security == GCM)
		aead_init(&w->aead, AEAD_AES128_GCM, key);
	else if (security == CHACHA)
		aead_init(&w->aead, AEAD_CHACHA20_POLY1305, wide);
}

/* The request's key and IV, in both directions. */
static void
lengths_start(struct server *s, struct server_way *w)
{
	static const struct salt salt[] = { { "VMess AEAD KDF", 14 }, { "auth_len", 8 } };
	uint8_t key[32], wide[32];

	nested(salt, 2, s->key, 16, key);
	md5(key, 16, wide);
	md5(wide, 16, wide + 16);
	if (s->security == GCM)
		aead_init(&w->length, AEAD_AES128_GCM, key);
	else
		aead_init(&w->length, AEAD_CHACHA20_POLY1305, wide);
	memcpy(w->length_iv, s->iv, 16);
}

static void
response_keys(struct server *s)
{
	uint8_t hash[32];

	if (s->old) {
		md5(s->key, 16, s->key);
		md5(s->iv, 16, s->iv);
		return;
	}
	sha256(s->key, 16, hash);
	memcpy(s->key, hash, 16);
	sha256(s->iv, 16, hash);
	memcpy(s->iv, hash, 16);
}

static int
section_read(struct server *s, const uint8_t *p, size_t len)
{
	static const uint8_t lengths[] = { 0, 4, 0, 16 };
	struct reader r;
	uint8_t n, pad;

	reader_init(&r, p, len);
	if (reader_u8(&r) != 1)
		return -1;
	reader_copy(&r, s->iv, 16);
	reader_copy(&r, s->key, 16);
	s->tag = reader_u8(&r);
	s->options = reader_u8(&r);
	pad = reader_u8(&r);
	s->security = pad & 15;
	reader_skip(&r, 1);
	s->command = reader_u8(&r);
	s->port = reader_be16(&r);
	s->type = reader_u8(&r);
	n = s->type == 2 ? reader_u8(&r) : s->type < 4 ? lengths[s->type] : 0;
	memset(s->address, 0, sizeof(s->address));
	if (n == 0)
		return -1;
	reader_copy(&r, s->address, n);
	reader_skip(&r, pad >> 4);
	if (r.bad || r.len != 4 || reader_be32(&r) != fnv1a32(p, len - 4))
		return -1;
	way_start(&s->up, s->security, s->key, s->iv);
	if (s->options & A) {
		lengths_start(s, &s->up);
		lengths_start(s, &s->down);
	}
	response_keys(s);
	way_start(&s->down, s->security, s->key, s->iv);
	return 0;
}

/* All of it comes at once in these tests: the section ends where its checksum is right. */
static int
old_header_read(struct server *s, const uint8_t *wire, size_t len, size_t *at)
{
	uint8_t time[32], auth[16], iv[16], stream[16], section[512];
	size_t i, n;

	for (i = 0; i < 4; i++)
		be64_put(time + 8 * i, (uint64_t)s->time);
	hmac_md5(s->alter_id, 16, time, 8, auth);
	if (len < 16 + 45 || memcmp(auth, wire, 16) != 0)
		return -1;
	md5(time, sizeof(time), iv);
	for (i = 0; i < len - 16 && i < sizeof(section); i++) {
		if (i % 16 == 0)
			aes128_block(s->command_key, i ? wire + i : iv, stream);
		section[i] = wire[16 + i] ^ stream[i % 16];
	}
	for (n = 45; n <= i; n++)
		if (fnv1a32(section, n - 4) == be32_get(section + n - 4))
			break;
	if (n > i || section_read(s, section, n) < 0)
		return -1;
	s->greeted = true;
	*at += 16 + n;
	return 0;
}

/* 1: more bytes are needed. */
static int
header_read(struct server *s, const uint8_t *wire, size_t len, size_t *at)
{
	uint8_t key[32], plain[16], head[42], section[1024];
	size_t n;

	if (s->old)
		return old_header_read(s, wire, len, at);
	if (len < 42)
		return 1;
	memcpy(head, wire, sizeof(head));
	kdf(key, s->command_key, "AES Auth ID Encryption", NULL, NULL);
	aes128_unblock(key, wire, plain);
	if (crc32_ieee(plain, 12) != be32_get(plain + 12))
		return -1;
	s->time = (int64_t)be64_get(plain);
	if (open_part(s, "VMess Header AEAD Key_Length", "VMess Header AEAD Nonce_Length",
		    wire, head + 16, 2) < 0)
		return -1;
	n = be16_get(head + 16);
	if (n + 16 > sizeof(section))
		return -1;
	if (len < 42 + n + 16)
		return 1;
	memcpy(section, wire + 42, n + 16);
	if (open_part(s, "VMess Header AEAD Key", "VMess Header AEAD Nonce", wire,
		    section, n) < 0 ||
		section_read(s, section, n) < 0)
		return -1;
	s->greeted = true;
	*at += 42 + n + 16;
	return 0;
}

static void
nonce_of(struct server_way *w, uint8_t nonce[12])
{
	memcpy(nonce, w->iv, 12);
	be16_put(nonce, w->counter++);
}

static void
length_nonce(struct server_way *w, uint8_t nonce[12])
{
	memcpy(nonce, w->length_iv, 12);
	be16_put(nonce, w->length_counter++);
}

/* 1: more bytes are needed. */
static int
chunk_read(struct server *s, const uint8_t *wire, size_t len, size_t *at,
	void (*heard)(void *arg, const uint8_t *p, size_t len), void *arg)
{
	static uint8_t body[65536];
	struct server_way *w = &s->up;
	struct shake128 before = w->mask;
	size_t pad = 0, size, tag = w->sealed ? 16 : 0, field = s->options & A ? 18 : 2;
	uint8_t nonce[12], length[18];

	if (!(s->options & S)) {
		heard(arg, wire, len);
		*at += len;
		return 0;
	}
	if (len < field)
		return 1;
	if (s->options & P)
		pad = shake128_be16(&w->mask) % 64;
	memcpy(length, wire, field);
	if (s->options & A) {
		length_nonce(w, nonce);
		if (aead_open(&w->length, nonce, NULL, 0, length, 2, length + 2) < 0)
			return -1;
		size = be16_get(length) + 16u;
	} else {
		size = be16_get(wire) ^ (s->options & M ? shake128_be16(&w->mask) : 0u);
	}
	if (size < tag + pad)
		return -1;
	if (len < field + size) {
		w->mask = before;
		w->length_counter -= !!(s->options & A);
		return 1;
	}
	memcpy(body, wire + field, size);
	size -= tag + pad;
	nonce_of(w, nonce);
	if (w->sealed &&
		aead_open(w->sealed, nonce, NULL, 0, body, size, body + size) < 0)
		return -1;
	*at += field + size + tag + pad;
	s->ended = size == 0;
	s->chunks += !s->ended;
	heard(arg, body, size);
	return 0;
}

int
server_hear(struct server *s, const uint8_t *wire, size_t len, size_t *at,
	void (*heard)(void *arg, const uint8_t *p, size_t len), void *arg)
{
	int r = 0;

	while (*at < len && r == 0) {
		if (s->ended)
			return -1;
		if (!s->greeted)
			r = header_read(s, wire + *at, len - *at, at);
		else
			r = chunk_read(s, wire + *at, len - *at, at, heard, arg);
	}
	return r < 0 ? -1 : 0;
}

static void
seal_part(const uint8_t key16[16], const char *key_salt, const uint8_t iv[16],
	const char *nonce_salt, uint8_t *p, size_t len)
{
	uint8_t key[32], nonce[32];
	struct aead a;

	kdf(key, key16, key_salt, NULL, NULL);
	kdf(nonce, iv, nonce_salt, NULL, NULL);
	aead_init(&a, AEAD_AES128_GCM, key);
	aead_seal(&a, nonce, NULL, 0, p, len, p + len);
	aead_fini(&a);
}

void
server_answer_plain(struct server *s, const uint8_t *p, size_t len,
	void (*say)(void *arg, const uint8_t *p, size_t len), void *arg)
{
	uint8_t head[18 + 1024 + 16];

	be16_put(head, (uint16_t)len);
	if (len)
		memcpy(head + 18, p, len);
	seal_part(s->key, "AEAD Resp Header Len Key", s->iv, "AEAD Resp Header Len IV",
		head, 2);
	seal_part(s->key, "AEAD Resp Header Key", s->iv, "AEAD Resp Header IV", head + 18,
		len);
	s->answered = true;
	say(arg, head, 18 + len + 16);
}

void
server_answer(
	struct server *s, void (*say)(void *arg, const uint8_t *p, size_t len), void *arg)
{
	const uint8_t plain[4] = { s->tag };
	uint8_t sealed[16];
	size_t i;

	if (s->old) {
		aes128_block(s->key, s->iv, sealed);
		for (i = 0; i < 4; i++)
			sealed[i] ^= plain[i];
		s->answered = true;
		say(arg, sealed, 4);
		return;
	}
	server_answer_plain(s, plain, sizeof(plain), say, arg);
}

static void
chunk_say(struct server *s, const uint8_t *p, size_t len,
	void (*say)(void *arg, const uint8_t *p, size_t len), void *arg)
{
	static uint8_t out[18 + 65536];
	struct server_way *w = &s->down;
	size_t pad = 0, size, field = s->options & A ? 18 : 2;
	uint8_t nonce[12];

	if (!(s->options & S)) {
		if (len)
			say(arg, p, len);
		return;
	}
	if (s->options & P)
		pad = shake128_be16(&w->mask) % 64;
	size = len + (w->sealed ? 16 : 0) + pad;
	if (s->options & A) {
		length_nonce(w, nonce);
		be16_put(out, (uint16_t)(size - 16));
		aead_seal(&w->length, nonce, NULL, 0, out, 2, out + 2);
	} else {
		be16_put(out,
			(uint16_t)(size ^
				(s->options & M ? shake128_be16(&w->mask) : 0)));
	}
	if (len)
		memcpy(out + field, p, len);
	nonce_of(w, nonce);
	if (w->sealed)
		aead_seal(w->sealed, nonce, NULL, 0, out + field, len, out + field + len);
	memset(out + field + size - pad, 0x5a, pad);
	say(arg, out, field + size);
}

void
server_say(struct server *s, const uint8_t *p, size_t len,
	void (*say)(void *arg, const uint8_t *p, size_t len), void *arg)
{
	size_t max = s->chunk_max ? s->chunk_max : 2000;
	size_t n;

	if (!s->answered)
		server_answer(s, say, arg);
	do {
		n = len < max ? len : max;
		chunk_say(s, p, n, say, arg);
		p = p ? p + n : NULL;
		len -= n;
	} while (len);
}
