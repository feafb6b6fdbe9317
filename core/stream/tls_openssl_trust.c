/* SPDX-License-Identifier: MIT */
/* Trust in certificates, by OpenSSL. */
#include "stream/tls_openssl.h"

#include <errno.h>
#include <openssl/x509.h>
#include <openssl/x509_vfy.h>

static X509 *
certificate_of(struct span der)
{
	const unsigned char *p = der.p;

	return d2i_X509(NULL, &p, (long)der.len);
}

/* What OpenSSL cannot read is left out: it could not be used either. */
static void
store_add(X509_STORE *store, const struct tls_roots *roots)
{
	X509 *x;
	size_t i;

	for (i = 0; i < roots->n; i++) {
		x = certificate_of(roots->certificate[i].der);
		if (!x)
			continue;
		X509_STORE_add_cert(store, x);
		X509_free(x);
	}
}

/* That of the system alone is made once, and shared by all setups. */
int
tls_openssl_roots(struct tls_setup *t, struct err *e)
{
	struct tls_stock *k = t->stock;
	bool shared = t->system_roots && !t->trusted.n;
	X509_STORE *store;

	if (shared && k->store) {
		SSL_CTX_set1_cert_store(t->openssl->client, k->store);
		return 0;
	}
	store = X509_STORE_new();
	if (!store)
		return err_set(e, "no memory left");
	if (t->system_roots)
		store_add(store, &k->roots);
	store_add(store, &t->trusted);
	SSL_CTX_set1_cert_store(t->openssl->client, store);
	if (shared)
		k->store = store;
	else
		X509_STORE_free(store);
	return 0;
}

static int
fail_at(struct tls_stream *t, const struct certificate *c, int error, int64_t now)
{
	unsigned number = (unsigned)error;

	switch (error) {
	case X509_V_ERR_CERT_HAS_EXPIRED:
	case X509_V_ERR_CERT_NOT_YET_VALID:
		return tls_fail_dates(t, c, now);
	case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
	case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
	case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
	case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
	case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
		return tls_fail_issuer(t, c);
	case X509_V_ERR_CERT_SIGNATURE_FAILURE:
		return tls_fail_chain(t, TLS_CHAIN_FORGED, number);
	case X509_V_ERR_INVALID_CA:
	case X509_V_ERR_PATH_LENGTH_EXCEEDED:
		return tls_fail_chain(t, TLS_CHAIN_NO_SIGNER, number);
	case X509_V_ERR_UNHANDLED_CRITICAL_EXTENSION:
		return tls_fail_chain(t, TLS_CHAIN_CONDITION, number);
	case X509_V_ERR_CA_MD_TOO_WEAK:
		return tls_fail_chain(t, TLS_CHAIN_ALGORITHM, number);
	case X509_V_ERR_EE_KEY_TOO_SMALL:
	case X509_V_ERR_CA_KEY_TOO_SMALL:
		return tls_fail_chain(t, TLS_CHAIN_SHORT_KEY, number);
	case X509_V_ERR_INVALID_PURPOSE:
		if (t->chain && c == &t->chain->certificate[0])
			return tls_fail(t, -EACCES,
				"the certificate is not one for servers (key usage)");
		break;
	}
	return tls_fail_chain(t, TLS_CHAIN_OTHER, number);
}

/* Says what OpenSSL found wrong, and with which certificate. */
static int
fail_verified(struct tls_stream *t, X509_STORE_CTX *x, int64_t now)
{
	int error = X509_STORE_CTX_get_error(x);
	X509 *at = X509_STORE_CTX_get_current_cert(x);
	struct certificate c;
	unsigned char *der = NULL;
	int len, r;

	if (!at || X509_STORE_CTX_get_error_depth(x) == 0)
		return fail_at(t, &t->chain->certificate[0], error, now);
	len = i2d_X509(at, &der);
	if (len > 0 && certificate_read(&c, der, (size_t)len) == 0)
		r = fail_at(t, &c, error, now);
	else
		r = fail_at(t, &t->chain->certificate[0], error, now);
	OPENSSL_free(der);
	return r;
}

/* Only to one certificate, as if it were the whole store. */
static STACK_OF(X509) * stack_of(const struct certificate *c)
{
	STACK_OF(X509) *stack = sk_X509_new_null();
	X509 *x = certificate_of(c->der);

	if (!stack || !x || !sk_X509_push(stack, x)) {
		X509_free(x);
		sk_X509_free(stack);
		return NULL;
	}
	return stack;
}

/*
 * What was sent, without the roots in it: OpenSSL follows one issuer of a name, and a root
 * that is not trusted would hide the same authority signed by another.  NULL: no memory.
 */
static STACK_OF(X509) * without_roots(STACK_OF(X509) * sent)
{
	STACK_OF(X509) *stack = sk_X509_new_null();
	X509 *x;
	int i;

	for (i = 0; stack && i < sk_X509_num(sent); i++) {
		x = sk_X509_value(sent, i);
		if (X509_NAME_cmp(X509_get_subject_name(x), X509_get_issuer_name(x)) &&
			!sk_X509_push(stack, x)) {
			sk_X509_free(stack);
			return NULL;
		}
	}
	return stack;
}

static int
openssl_trusts(struct tls_stream *t, const struct certificate *anchor, int64_t now)
{
	X509_STORE_CTX *x = openssl_of(&t->s)->verifying;
	X509_VERIFY_PARAM *how = X509_STORE_CTX_get0_param(x);
	STACK_OF(X509) *sent = X509_STORE_CTX_get0_untrusted(x), *links, *only = NULL;
	int r = 0;

	links = without_roots(sent);
	if (anchor)
		only = stack_of(anchor);
	if (!links || (anchor && !only)) {
		r = tls_fail(t, -ENOMEM, "no memory left");
		goto out;
	}
	if (anchor)
		X509_STORE_CTX_set0_trusted_stack(x, only);
	X509_STORE_CTX_set0_untrusted(x, links);
	X509_VERIFY_PARAM_set_time(how, (time_t)now);
	/* A trusted certificate need not be a root. */
	X509_VERIFY_PARAM_set_flags(
		how, X509_V_FLAG_PARTIAL_CHAIN | X509_V_FLAG_TRUSTED_FIRST);
	if (X509_verify_cert(x) <= 0)
		r = fail_verified(t, x, now);
	X509_STORE_CTX_set0_untrusted(x, sent);
out:
	sk_X509_free(links);
	sk_X509_pop_free(only, X509_free);
	return r;
}

static void
collect(struct tls_stream *t, X509_STORE_CTX *x)
{
	STACK_OF(X509) *sent = X509_STORE_CTX_get0_untrusted(x);
	unsigned char *to;
	int i, len;

	for (i = 0; i < sk_X509_num(sent); i++) {
		len = i2d_X509(sk_X509_value(sent, i), NULL);
		to = len > 0 ? tls_chain_add(t, (size_t)len) : NULL;
		if (!to)
			return;
		i2d_X509(sk_X509_value(sent, i), &to);
		tls_chain_added(t, (size_t)len);
	}
}

int
tls_openssl_verify(X509_STORE_CTX *x, void *unused)
{
	SSL *ssl = X509_STORE_CTX_get_ex_data(x, SSL_get_ex_data_X509_STORE_CTX_idx());
	struct openssl *o = SSL_get_app_data(ssl);
	int r;

	(void)unused;
	collect(&o->t, x);
	o->verifying = x;
	r = tls_judge(&o->t, openssl_trusts);
	o->verifying = NULL;
	/* The server is told that the certificate is bad, and not why. */
	X509_STORE_CTX_set_error(x, r < 0 ? X509_V_ERR_CERT_REJECTED : X509_V_OK);
	return r == 0;
}
