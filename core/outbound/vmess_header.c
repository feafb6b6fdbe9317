/* SPDX-License-Identifier: MIT */
#include "outbound/vmess_header.h"

#include "base/aead.h"
#include "base/bytes.h"
#include "base/digest.h"
#include "outbound/vmess_kdf.h"

#include <errno.h>
#include <string.h>

enum { TYPE_IPV4 = 1, TYPE_DOMAIN = 2, TYPE_IPV6 = 3 };
enum { AUTH_LEN = 16, NONCE_LEN = 8 };

/* What is derived is a key or its nonce; each pair has salts of its own. */
enum pair { REQUEST_LENGTH, REQUEST_SECTION, RESPONSE_LENGTH, RESPONSE_HEADER, PAIRS };

struct salted {
	struct vmess_nest key, nonce;
};

/* Two levels of each nest never change: they are computed once in a process. */
static const struct salted *
salted(enum pair which)
{
	static const char *const salts[PAIRS][2] = {
		[REQUEST_LENGTH] = { "VMess Header AEAD Key_Length",
			"VMess Header AEAD Nonce_Length" },
		[REQUEST_SECTION] = { "VMess Header AEAD Key",
			"VMess Header AEAD Nonce" },
		[RESPONSE_LENGTH] = { "AEAD Resp Header Len Key",
			"AEAD Resp Header Len IV" },
		[RESPONSE_HEADER] = { "AEAD Resp Header Key", "AEAD Resp Header IV" },
	};
	static struct salted cache[PAIRS];
	struct salted *s = &cache[which];

	if (s->key.levels == 0) {
		vmess_nest_init(&s->key);
		s->nonce = s->key;
		vmess_nest_push(&s->key, salts[which][0], strlen(salts[which][0]));
		vmess_nest_push(&s->nonce, salts[which][1], strlen(salts[which][1]));
	}
	return s;
}

void
vmess_keys_init(struct vmess_keys *k, const uint8_t id[static 16])
{
	static const char salt[] = "AES Auth ID Encryption";
	uint8_t out[VMESS_KDF_LEN];
	struct vmess_nest n;

	vmess_command_key(k->command, id);
	vmess_nest_init(&n);
	vmess_nest_push(&n, salt, sizeof(salt) - 1);
	vmess_nest_out(&n, k->command, sizeof(k->command), out);
	memcpy(k->auth, out, sizeof(k->auth));
	bytes_wipe(out, sizeof(out));
}

bool
vmess_name_fits(const char *name)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyz0123456789-._";
	size_t len = strlen(name);

	return len > 0 && len <= NAME_MAX_LEN && strspn(name, allowed) == len;
}

static int
target_write(struct writer *w, const struct target *to)
{
	writer_be16(w, to->port);
	if (to->name && vmess_name_fits(to->name)) {
		writer_u8(w, TYPE_DOMAIN);
		writer_u8(w, (uint8_t)strlen(to->name));
		writer_bytes(w, to->name, strlen(to->name));
		return 0;
	}
	if (!to->ip.family)
		return -EINVAL;
	writer_u8(w, to->ip.family == 4 ? TYPE_IPV4 : TYPE_IPV6);
	writer_bytes(w, to->ip.b, to->ip.family == 4 ? 4 : 16);
	return 0;
}

int
vmess_section_write(uint8_t out[static VMESS_SECTION_MAX], const struct vmess_request *r,
	const struct vmess_draw *d)
{
	struct writer w;

	writer_init(&w, out, VMESS_SECTION_MAX);
	writer_u8(&w, 1);
	writer_bytes(&w, d->iv, sizeof(d->iv));
	writer_bytes(&w, d->key, sizeof(d->key));
	writer_u8(&w, d->tag);
	writer_u8(&w, (uint8_t)r->options);
	writer_u8(&w,
		(uint8_t)(d->padlen << 4 |
			(r->security == VMESS_ZERO ? VMESS_NONE : r->security)));
	writer_u8(&w, 0);
	writer_u8(&w, (uint8_t)r->command);
	if (target_write(&w, r->to) < 0)
		return -EINVAL;
	writer_bytes(&w, d->padding, d->padlen);
	writer_be32(&w, fnv1a32(out, w.len));
	return w.bad ? -EINVAL : (int)w.len;
}

/* The auth id: time, random and checksum in one block that only this user's key opens. */
static void
auth_write(uint8_t out[static AUTH_LEN], const uint8_t key[static 16], int64_t time,
	const uint8_t random[static 4])
{
	uint8_t plain[AUTH_LEN];

	be64_put(plain, (uint64_t)time);
	memcpy(plain + 8, random, 4);
	be32_put(plain + 12, crc32_ieee(plain, 12));
	aes128_block(key, plain, out);
}

/* An AES-128-GCM key and its nonce. */
struct derived {
	struct aead aead;
	uint8_t nonce[VMESS_KDF_LEN];
};

static void
derive(struct derived *v, const struct vmess_nest *key_nest, const uint8_t *key,
	const struct vmess_nest *nonce_nest, const uint8_t *nonce_key)
{
	uint8_t k[VMESS_KDF_LEN];

	vmess_nest_out(key_nest, key, 16, k);
	aead_init(&v->aead, AEAD_AES128_GCM, k);
	vmess_nest_out(nonce_nest, nonce_key, 16, v->nonce);
	bytes_wipe(k, sizeof(k));
}

static void
derived_wipe(struct derived *v)
{
	aead_fini(&v->aead);
	bytes_wipe(v->nonce, sizeof(v->nonce));
}

/* What the two parts of one request are sealed with. */
struct sealing {
	const uint8_t *command_key, *auth, *nonce;
};

/* Seals len bytes at p in place; the tag goes right behind them. */
static void
part_seal(enum pair which, const struct sealing *g, uint8_t *p, size_t len)
{
	struct salted s = *salted(which);
	struct derived v;

	vmess_nest_push(&s.key, g->auth, AUTH_LEN);
	vmess_nest_push(&s.key, g->nonce, NONCE_LEN);
	vmess_nest_push(&s.nonce, g->auth, AUTH_LEN);
	vmess_nest_push(&s.nonce, g->nonce, NONCE_LEN);
	derive(&v, &s.key, g->command_key, &s.nonce, g->command_key);
	aead_seal(&v.aead, v.nonce, g->auth, AUTH_LEN, p, len, p + len);
	derived_wipe(&v);
}

int
vmess_header_write(uint8_t out[static VMESS_HEADER_MAX], const struct vmess_keys *k,
	const struct vmess_request *r, const struct vmess_draw *d)
{
	uint8_t *length = out + AUTH_LEN;
	uint8_t *nonce = length + 2 + AEAD_TAG;
	uint8_t *section = nonce + NONCE_LEN;
	const struct sealing g = { k->command, out, nonce };
	int n;

	n = vmess_section_write(section, r, d);
	if (n < 0)
		return n;
	auth_write(out, k->auth, r->time, d->auth);
	memcpy(nonce, d->nonce, NONCE_LEN);
	be16_put(length, (uint16_t)n);
	part_seal(REQUEST_LENGTH, &g, length, 2);
	part_seal(REQUEST_SECTION, &g, section, (size_t)n);
	return (int)(section - out) + n + AEAD_TAG;
}

void
vmess_response_keys(
	const struct vmess_draw *d, uint8_t key[static 16], uint8_t iv[static 16])
{
	uint8_t digest[SHA256_LEN];

	sha256(d->key, sizeof(d->key), digest);
	memcpy(key, digest, 16);
	sha256(d->iv, sizeof(d->iv), digest);
	memcpy(iv, digest, 16);
	bytes_wipe(digest, sizeof(digest));
}

static int
part_open(enum pair which, const uint8_t *key, const uint8_t *iv, uint8_t *p, size_t len)
{
	const struct salted *s = salted(which);
	struct derived v;
	int r;

	derive(&v, &s->key, key, &s->nonce, iv);
	r = aead_open(&v.aead, v.nonce, NULL, 0, p, len, p + len);
	derived_wipe(&v);
	return r;
}

int
vmess_response_size(const uint8_t key[static 16], const uint8_t iv[static 16],
	uint8_t p[static VMESS_RESPONSE_SIZE])
{
	int n;

	if (part_open(RESPONSE_LENGTH, key, iv, p, 2) < 0)
		return -EBADMSG;
	n = be16_get(p) + AEAD_TAG;
	return n < 4 + AEAD_TAG || n > VMESS_RESPONSE_MAX ? -EBADMSG : n;
}

/* The option byte and the command (switch account) are advice that we do not take. */
int
vmess_response_open(const uint8_t key[static 16], const uint8_t iv[static 16],
	uint8_t tag, uint8_t *p, size_t len)
{
	struct reader r;

	if (len < AEAD_TAG || part_open(RESPONSE_HEADER, key, iv, p, len - AEAD_TAG) < 0)
		return -EBADMSG;
	reader_init(&r, p, len - AEAD_TAG);
	return reader_u8(&r) == tag && !r.bad ? 0 : -EBADMSG;
}
