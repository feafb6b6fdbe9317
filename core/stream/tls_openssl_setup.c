/* SPDX-License-Identifier: MIT */
/* What OpenSSL's connections of one outbound have in common. */
#include "stream/tls_openssl.h"

#include <stdlib.h>
#include <string.h>

/* A new session: of TLS 1.2 once, of 1.3 whenever the server sends a ticket. The oldest
 * goes when there are too many. */
static int
session_keep(SSL *ssl, SSL_SESSION *session)
{
	struct openssl *o = SSL_get_app_data(ssl);
	struct tls_openssl_setup *p = o->t.setup->openssl;

	if (p->nsessions == SESSIONS_MAX) {
		SSL_SESSION_free(p->session[0]);
		p->nsessions--;
		memmove(p->session, p->session + 1, p->nsessions * sizeof(*p->session));
	}
	p->session[p->nsessions++] = session;
	return 1;
}

static int
set_alpn(SSL_CTX *client, const struct tls_setup *t)
{
	uint8_t wire[TLS_ALPN_MAX * 256];
	size_t i, len, n = 0;

	for (i = 0; i < t->nalpn; i++) {
		len = strlen(t->alpn[i]);
		wire[n++] = (uint8_t)len;
		memcpy(wire + n, t->alpn[i], len);
		n += len;
	}
	return n ? SSL_CTX_set_alpn_protos(client, wire, (unsigned)n) : 0;
}

static bool
set_ciphers(SSL_CTX *client)
{
	/* AES of 128 bits first: the faster one, and as good. */
	return SSL_CTX_set_ciphersuites(client,
		       "TLS_AES_128_GCM_SHA256:TLS_CHACHA20_POLY1305_SHA256:"
		       "TLS_AES_256_GCM_SHA384") == 1 &&
		SSL_CTX_set_cipher_list(client,
			"ECDHE+AESGCM+AES128:ECDHE+CHACHA20:ECDHE+AESGCM:ECDHE+AES") == 1;
}

static void
set_manners(SSL_CTX *client, const struct tls_setup *t)
{
	SSL_CTX_set_options(client,
		SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
			SSL_OP_IGNORE_UNEXPECTED_EOF);
	SSL_CTX_set_mode(client,
		SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	SSL_CTX_set_verify(client, SSL_VERIFY_PEER, NULL);
	SSL_CTX_set_cert_verify_callback(client, tls_openssl_verify, NULL);
	/* The old versions need hashes that level 1 does not take. */
	if (t->min < TLS_1_2)
		SSL_CTX_set_security_level(client, 0);
	SSL_CTX_set_session_cache_mode(client, SSL_SESS_CACHE_OFF);
	if (!t->resumes)
		return;
	SSL_CTX_set_session_cache_mode(
		client, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
	SSL_CTX_sess_set_new_cb(client, session_keep);
}

int
tls_openssl_setup_init(struct tls_setup *t, struct err *e)
{
	struct tls_openssl_setup *p = calloc(1, sizeof(*p));

	if (!p)
		return err_set(e, "no memory left");
	t->openssl = p;
	p->below = tls_openssl_below();
	p->client = SSL_CTX_new(TLS_client_method());
	if (!p->below || !p->client)
		return err_set(e,
			"OpenSSL does not begin: no memory left, or a fault in "
			"its configuration (openssl.cnf)");
	set_manners(p->client, t);
	if (!SSL_CTX_set_min_proto_version(p->client, (int)t->min) ||
		!SSL_CTX_set_max_proto_version(p->client, (int)t->max) ||
		!set_ciphers(p->client) || set_alpn(p->client, t) != 0)
		return err_set(e,
			"OpenSSL refuses these versions or protocols (is it built "
			"without them?)");
	return tls_openssl_roots(t, e);
}

void
tls_openssl_setup_fini(struct tls_setup *t)
{
	struct tls_openssl_setup *p = t->openssl;

	if (!p)
		return;
	while (p->nsessions)
		SSL_SESSION_free(p->session[--p->nsessions]);
	SSL_CTX_free(p->client);
	BIO_meth_free(p->below);
	free(p);
}
