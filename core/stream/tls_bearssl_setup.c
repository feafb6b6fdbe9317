/* SPDX-License-Identifier: MIT */
/* What BearSSL's connections of one outbound have in common, and their chains. */
#include "base/aead.h"
#include "stream/tls_bearssl.h"
#include "stream/tls_trust.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const struct {
	uint16_t suite;
	const char *name;
} suite_names[] = {
	{ BR_TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
		"ECDHE_ECDSA_WITH_AES_128_GCM_SHA256" },
	{ BR_TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256, "ECDHE_RSA_WITH_AES_128_GCM_SHA256" },
	{ BR_TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
		"ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256" },
	{ BR_TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
		"ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256" },
	{ BR_TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
		"ECDHE_ECDSA_WITH_AES_256_GCM_SHA384" },
	{ BR_TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384, "ECDHE_RSA_WITH_AES_256_GCM_SHA384" },
	{ BR_TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA, "ECDHE_ECDSA_WITH_AES_128_CBC_SHA" },
	{ BR_TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA, "ECDHE_RSA_WITH_AES_128_CBC_SHA" },
	{ BR_TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA, "ECDHE_ECDSA_WITH_AES_256_CBC_SHA" },
	{ BR_TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA, "ECDHE_RSA_WITH_AES_256_CBC_SHA" },
};

enum { SUITES = sizeof(suite_names) / sizeof(*suite_names) };

const char *
tls_bearssl_suite_name(uint16_t suite)
{
	size_t i;

	for (i = 0; i < SUITES; i++)
		if (suite_names[i].suite == suite)
			return suite_names[i].name;
	return NULL;
}

/* What the library does fast on this processor comes first: AES-GCM with hardware for
 * it, else ChaCha20. */
static void
set_suites(br_ssl_engine_context *e)
{
	bool gcm_first = aead_fastest() == AEAD_AES128_GCM;
	uint16_t suite[SUITES];
	size_t i;

	for (i = 0; i < SUITES; i++)
		suite[i] = suite_names[i].suite;
	if (!gcm_first)
		for (i = 0; i < 2; i++) {
			suite[i] = suite_names[i + 2].suite;
			suite[i + 2] = suite_names[i].suite;
		}
	br_ssl_engine_set_suites(e, suite, SUITES);
}

int
tls_bearssl_setup_init(struct tls_setup *t, struct err *e)
{
	struct tls_bearssl_setup *b = calloc(1, sizeof(*b));
	uint8_t room[BR_SSL_BUFSIZE_MONO];
	br_ssl_engine_context *eng;

	if (!b)
		return err_set(e, "no memory left");
	t->bearssl = b;
	eng = &b->client.eng;
	br_ssl_client_init_full(&b->client, &b->unused, NULL, 0);
	br_ssl_engine_set_versions(eng, t->min, t->max);
	set_suites(eng);
	br_ssl_engine_add_flags(eng, BR_OPT_NO_RENEGOTIATION);
	if (t->nalpn)
		br_ssl_engine_set_protocol_names(
			eng, (const char **)(uintptr_t)t->alpn, t->nalpn);
	/* The first reset asks the system for randomness; each copy gets its own, too. */
	br_ssl_engine_set_buffer(eng, room, sizeof(room), 0);
	if (!br_ssl_client_reset(&b->client, NULL, 0))
		return err_set(e, "BearSSL finds no randomness in this system");
	return 0;
}

void
tls_bearssl_setup_fini(struct tls_setup *t)
{
	if (t->bearssl)
		bytes_wipe(t->bearssl, sizeof(*t->bearssl));
	free(t->bearssl);
}

/* The class that BearSSL gives the server's certificates to, as they come. */

static struct receiver *
receiver_of(const br_x509_class *const *c)
{
	return container_of(
		(const br_x509_class **)(uintptr_t)c, struct receiver, vtable);
}

static void
chain_start(const br_x509_class **c, const char *name)
{
	(void)c;
	(void)name;
}

static void
certificate_start(const br_x509_class **c, uint32_t len)
{
	struct receiver *r = receiver_of(c);

	r->to = tls_chain_add(r->t, len);
	r->len = 0;
}

static void
certificate_append(const br_x509_class **c, const unsigned char *p, size_t len)
{
	struct receiver *r = receiver_of(c);

	if (r->to && len)
		memcpy(r->to + r->len, p, len);
	r->len += len;
}

static void
certificate_end(const br_x509_class **c)
{
	struct receiver *r = receiver_of(c);

	if (r->to)
		tls_chain_added(r->t, r->len);
}

static void
take_key(struct receiver *r)
{
	const struct certificate *c = &r->t->chain->certificate[0];

	/* BearSSL only reads what these point to. */
	if (c->key == KEY_RSA) {
		r->key.key_type = BR_KEYTYPE_RSA;
		r->key.key.rsa.n = (unsigned char *)(uintptr_t)c->modulus.p;
		r->key.key.rsa.nlen = c->modulus.len;
		r->key.key.rsa.e = (unsigned char *)(uintptr_t)c->exponent.p;
		r->key.key.rsa.elen = c->exponent.len;
	} else {
		r->key.key_type = BR_KEYTYPE_EC;
		r->key.key.ec.curve = c->curve;
		r->key.key.ec.q = (unsigned char *)(uintptr_t)c->point.p;
		r->key.key.ec.qlen = c->point.len;
	}
}

static unsigned
chain_end(const br_x509_class **c)
{
	struct receiver *r = receiver_of(c);

	if (tls_judge(r->t, tls_trust) < 0)
		return BR_ERR_X509_NOT_TRUSTED;
	if (r->t->chain->certificate[0].key == KEY_OTHER) {
		tls_fail(r->t, -EACCES,
			"the server's key is of a kind that BearSSL does not know");
		return BR_ERR_X509_WRONG_KEY_TYPE;
	}
	take_key(r);
	return 0;
}

/* All suites that are offered use the key for signatures. */
static const br_x509_pkey *
chain_key(const br_x509_class *const *c, unsigned *uses)
{
	if (uses)
		*uses = BR_KEYTYPE_SIGN;
	return &receiver_of(c)->key;
}

static const br_x509_class receiver_class = {
	.context_size = sizeof(struct receiver),
	.start_chain = chain_start,
	.start_cert = certificate_start,
	.append = certificate_append,
	.end_cert = certificate_end,
	.end_chain = chain_end,
	.get_pkey = chain_key,
};

void
tls_bearssl_receive(struct receiver *r, struct tls_stream *t)
{
	r->vtable = &receiver_class;
	r->t = t;
}
