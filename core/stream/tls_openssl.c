/* SPDX-License-Identifier: MIT */
#include "stream/tls_openssl.h"

#include <assert.h>
#include <errno.h>
#include <openssl/err.h>
#include <string.h>

/*
 * OpenSSL keeps its own buffers for records, which park gives back while they are empty;
 * what is lent here are blocks of one record's payload.  Its BIO is the lower stream.
 */

/* Bytes that a connection holds while it rests, with OpenSSL 3.0: measured by
 * tests/interop/transports/budget.py. */
enum { CONNECTION_COST = 24 * 1024 };

/* OpenSSL asks for more when it is through with what came, so that the records that are
 * counted here brought nothing. */
static int
below_read(BIO *bio, char *p, size_t cap, size_t *n)
{
	struct openssl *o = BIO_get_data(bio);
	int r;

	BIO_clear_retry_flags(bio);
	*n = 0;
	if (tls_idled(&o->t, o->t.records.idle) < 0)
		return 0;
	r = o->t.error ? o->t.error : tls_lower_read(&o->t, (uint8_t *)p, cap, n);
	if (r == STREAM_OK)
		return tls_received(&o->t, (uint8_t *)p, *n) == 0;
	if (r == STREAM_AGAIN)
		BIO_set_retry_read(bio);
	else if (r == STREAM_END)
		o->lower_ended = true;
	else
		tls_fail_beneath(&o->t, r);
	return 0;
}

/* What became of what goes down, as OpenSSL says it: 1, or 0. */
static int
below_passed(BIO *bio, int r)
{
	struct openssl *o = BIO_get_data(bio);

	if (r == STREAM_AGAIN)
		BIO_set_retry_write(bio);
	else if (r != STREAM_OK)
		tls_fail_beneath(&o->t, r);
	return r == STREAM_OK;
}

static int
below_write(BIO *bio, const char *p, size_t len, size_t *n)
{
	struct openssl *o = BIO_get_data(bio);
	int r;

	BIO_clear_retry_flags(bio);
	*n = 0;
	r = o->t.error ? o->t.error : tls_lower_write(&o->t, (const uint8_t *)p, len, n);
	return below_passed(bio, r);
}

static long
below_flush(BIO *bio)
{
	struct openssl *o = BIO_get_data(bio);
	int r;

	BIO_clear_retry_flags(bio);
	r = o->t.error ? o->t.error : stream_flush(o->t.s.lower);
	return below_passed(bio, r);
}

static long
below_ctrl(BIO *bio, int what, long number, void *pointer)
{
	(void)number;
	(void)pointer;
	if (what == BIO_CTRL_FLUSH)
		return below_flush(bio);
	if (what == BIO_CTRL_EOF)
		return ((struct openssl *)BIO_get_data(bio))->lower_ended;
	return 0;
}

BIO_METHOD *
tls_openssl_below(void)
{
	BIO_METHOD *m = BIO_meth_new(
		BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "stream");

	if (!m)
		return NULL;
	BIO_meth_set_read_ex(m, below_read);
	BIO_meth_set_write_ex(m, below_write);
	BIO_meth_set_ctrl(m, below_ctrl);
	return m;
}

static void
openssl_stock_fini(struct tls_stock *k)
{
	X509_STORE_free(k->store);
}

/* What its TLS complained about; beneath that, its ciphers may have complained before. */
static int
failed(struct openssl *o)
{
	unsigned long error, first = ERR_peek_error();
	const char *text;
	int reason;

	do {
		error = ERR_get_error();
	} while (error && ERR_GET_LIB(error) != ERR_LIB_SSL);
	text = ERR_reason_error_string(error ? error : first);
	reason = ERR_GET_REASON(error);
	if (reason > SSL_AD_REASON_OFFSET && reason < SSL_AD_REASON_OFFSET + 256)
		return tls_fail_alert(&o->t, (unsigned)(reason - SSL_AD_REASON_OFFSET));
	switch (reason) {
	case SSL_R_UNSUPPORTED_PROTOCOL:
	case SSL_R_WRONG_SSL_VERSION:
	case SSL_R_VERSION_TOO_LOW:
		return tls_fail_older(&o->t);
	case SSL_R_DECRYPTION_FAILED_OR_BAD_RECORD_MAC:
	case SSL_R_BAD_RECORD_TYPE:
		return tls_fail(
			&o->t, -EBADMSG, "a record of the server was changed on the way");
	case SSL_R_RECORD_TOO_SMALL:
	case SSL_R_TOO_MANY_WARN_ALERTS:
	case SSL_R_TOO_MANY_KEY_UPDATES:
		return tls_idled(&o->t, TLS_IDLE_RECORDS_MAX + 1);
	case SSL_R_BAD_SIGNATURE:
		return tls_fail(&o->t, -EACCES,
			"the server has the certificate, and not the key that belongs to it");
	case ERR_R_ASN1_LIB:
		return tls_fail_unreadable(&o->t);
	}
	return tls_fail(&o->t, -EPROTO, "what the server sends is no TLS (OpenSSL: %s)",
		text ? text : "no reason");
}

/* What a call that did nothing means. */
static int
outcome(struct openssl *o, int r)
{
	switch (SSL_get_error(o->ssl, r)) {
	case SSL_ERROR_WANT_READ:
	case SSL_ERROR_WANT_WRITE:
		return o->t.error ? o->t.error : STREAM_AGAIN;
	case SSL_ERROR_ZERO_RETURN:
		if (o->t.error)
			return o->t.error;
		if (o->lower_ended || !o->t.up)
			return tls_lower_ended(&o->t);
		o->t.ended = true;
		return STREAM_END;
	}
	if (o->t.error)
		return o->t.error;
	return o->lower_ended ? tls_lower_ended(&o->t) : failed(o);
}

/* Offers the newest session. A ticket of TLS 1.3 is good for one connection (RFC 8446,
 * C.4); a session of 1.2 stays. */
static void
resume(struct openssl *o)
{
	struct tls_openssl_setup *p = o->t.setup->openssl;
	SSL_SESSION *session;

	if (!p->nsessions)
		return;
	session = p->session[p->nsessions - 1];
	SSL_set_session(o->ssl, session);
	if (SSL_SESSION_get_protocol_version(session) < TLS_1_3)
		return;
	SSL_SESSION_free(session);
	p->nsessions--;
}

static int
start(struct openssl *o)
{
	struct tls_setup *setup = o->t.setup;
	struct tls_openssl_setup *p = setup->openssl;
	BIO *bio;

	o->place = blocks_get(&setup->stock->openssl, &o->t.wait);
	if (!o->place)
		return STREAM_AGAIN;
	o->ssl = SSL_new(p->client);
	bio = BIO_new(p->below);
	if (!o->ssl || !bio) {
		BIO_free(bio);
		return tls_fail(&o->t, -ENOMEM, "no memory left");
	}
	BIO_set_data(bio, o);
	BIO_set_init(bio, 1);
	SSL_set_bio(o->ssl, bio, bio);
	SSL_set_app_data(o->ssl, o);
	SSL_set_connect_state(o->ssl);
	if (*setup->name)
		SSL_set_tlsext_host_name(o->ssl, setup->name);
	resume(o);
	return STREAM_OK;
}

static const char *
agreed_alpn(const struct openssl *o)
{
	const struct tls_setup *t = o->t.setup;
	const unsigned char *p;
	unsigned len;
	size_t i;

	SSL_get0_alpn_selected(o->ssl, &p, &len);
	for (i = 0; i < t->nalpn; i++)
		if (len == strlen(t->alpn[i]) && memcmp(p, t->alpn[i], len) == 0)
			return t->alpn[i];
	return NULL;
}

static void
note_end_of_handshake(struct openssl *o)
{
	static const char *const text[] = { "TLS 1.0", "TLS 1.1", "TLS 1.2", "TLS 1.3" };
	int version = SSL_version(o->ssl);

	if (version >= TLS_1_0 && version <= TLS_1_3)
		o->t.facts.version = text[version - TLS_1_0];
	o->t.facts.cipher = SSL_CIPHER_standard_name(SSL_get_current_cipher(o->ssl));
	o->t.facts.alpn = agreed_alpn(o);
	o->t.facts.resumed = SSL_session_reused(o->ssl) == 1;
	o->t.up = true;
	o->t.records.idle = 0;
	tls_handshake_over(&o->t);
}

/* Before each call whose errors will be looked at. There is hardly ever one left of others,
 * and looking costs less than clearing. */
static void
errors_forget(void)
{
	if (ERR_peek_error())
		ERR_clear_error();
}

static int
openssl_open(struct stream *s)
{
	struct openssl *o = openssl_of(s);
	int r;

	if (o->t.error)
		return o->t.error;
	if (o->t.up)
		return STREAM_OK;
	r = o->ssl ? STREAM_OK : tls_begin(&o->t);
	if (r == STREAM_OK && !o->ssl)
		r = start(o);
	if (r != STREAM_OK)
		return r;
	errors_forget();
	r = SSL_do_handshake(o->ssl);
	if (r != 1)
		return outcome(o, r);
	note_end_of_handshake(o);
	return STREAM_OK;
}

/* Gives what was acknowledged to OpenSSL; OK when it has all of it. */
static int
write_out(struct openssl *o)
{
	size_t n;
	int r;

	while (o->out_at < o->out_end) {
		errors_forget();
		r = SSL_write_ex(o->ssl, o->out + o->out_at, o->out_end - o->out_at, &n);
		if (r != 1) {
			r = outcome(o, r);
			return r == STREAM_END ? tls_fail_ended(&o->t) : r;
		}
		o->out_at += n;
	}
	o->out_at = o->out_end = 0;
	return STREAM_OK;
}

static int
openssl_send_buf(struct stream *s, struct window *w)
{
	struct openssl *o = openssl_of(s);
	int r;

	r = openssl_open(s);
	if (r != STREAM_OK)
		return r;
	if (o->t.shut)
		return -EPIPE;
	if (!o->out)
		o->out = blocks_get(&o->t.setup->stock->windows, &o->t.wait);
	if (!o->out)
		return STREAM_AGAIN;
	if (o->out_end == TLS_PAYLOAD_MAX || o->out_at) {
		r = write_out(o);
		if (r != STREAM_OK)
			return r;
	}
	w->p = o->out + o->out_end;
	w->len = TLS_PAYLOAD_MAX - o->out_end;
	return STREAM_OK;
}

static int
openssl_send_ack(struct stream *s, size_t n)
{
	struct openssl *o = openssl_of(s);

	if (o->t.error)
		return o->t.error;
	assert(n <= TLS_PAYLOAD_MAX - o->out_end);
	o->out_end += n;
	return STREAM_OK;
}

static int
openssl_flush(struct stream *s)
{
	struct openssl *o = openssl_of(s);
	int r;

	r = openssl_open(s);
	if (r == STREAM_OK)
		r = write_out(o);
	if (r != STREAM_OK)
		return r;
	r = stream_flush(s->lower);
	return r < 0 ? tls_fail_beneath(&o->t, r) : r;
}

static int
read_record(struct openssl *o)
{
	size_t n = 0;
	int r;

	errors_forget();
	r = SSL_read_ex(o->ssl, o->in, TLS_PAYLOAD_MAX, &n);
	if (r != 1)
		return outcome(o, r);
	o->in_at = 0;
	o->in_end = n;
	o->t.records.idle = 0;
	return STREAM_OK;
}

static int
openssl_recv_buf(struct stream *s, struct window *w)
{
	struct openssl *o = openssl_of(s);
	int r;

	r = openssl_open(s);
	if (r != STREAM_OK)
		return r;
	if (o->in_at == o->in_end) {
		if (o->t.ended)
			return STREAM_END;
		if (!o->in)
			o->in = blocks_get(&o->t.setup->stock->windows, &o->t.wait);
		if (!o->in)
			return STREAM_AGAIN;
		r = read_record(o);
		if (r != STREAM_OK)
			return r;
	}
	w->p = o->in + o->in_at;
	w->len = o->in_end - o->in_at;
	return STREAM_OK;
}

static void
openssl_recv_ack(struct stream *s, size_t n)
{
	struct openssl *o = openssl_of(s);

	assert(n <= o->in_end - o->in_at);
	o->in_at += n;
}

static int
openssl_shut(struct stream *s)
{
	struct openssl *o = openssl_of(s);
	int r;

	r = openssl_flush(s);
	if (r != STREAM_OK)
		return r;
	if (!o->t.shut) {
		errors_forget();
		r = SSL_shutdown(o->ssl);
		r = r < 0 ? outcome(o, r) : STREAM_OK;
		if (r != STREAM_OK && r != STREAM_END)
			return r;
		o->t.shut = true;
	}
	r = stream_shut(s->lower);
	return r < 0 ? tls_fail_beneath(&o->t, r) : r;
}

/* Half a record is none.  OpenSSL before 3.0.14 takes its buffer for empty after the header
 * of a record, frees it when asked, and goes on to read in it (CVE-2024-4741). */
static bool
is_between_records(const struct openssl *o)
{
	return o->t.records.have == 0 && !SSL_has_pending(o->ssl);
}

/* A window stands for OpenSSL's buffer as well, which lives on with half a record in it. */
static void
drop_windows(struct openssl *o, bool all)
{
	struct blocks *b = &o->t.setup->stock->windows;

	if (o->in && (all || (o->in_at == o->in_end && is_between_records(o)))) {
		blocks_put(b, o->in);
		o->in = NULL;
		o->in_at = o->in_end = 0;
	}
	if (all || o->out_at == o->out_end) {
		blocks_put(b, o->out);
		o->out = NULL;
		o->out_at = o->out_end = 0;
	}
	if (o->ssl && is_between_records(o))
		SSL_free_buffers(o->ssl);
}

static void
openssl_park(struct stream *s)
{
	struct openssl *o = openssl_of(s);

	drop_windows(o, false);
	blocks_pass(&o->t.wait);
	stream_park(s->lower);
}

static void
openssl_free(struct stream *s)
{
	struct openssl *o = openssl_of(s);

	drop_windows(o, true);
	/* Without this, OpenSSL would take its session for one that went wrong. */
	if (o->ssl && !o->t.error)
		SSL_set_shutdown(o->ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
	SSL_free(o->ssl);
	o->ssl = NULL;
	blocks_put(&o->t.setup->stock->openssl, o->place);
	o->place = NULL;
	tls_stream_fini(&o->t);
}

static const struct stream_ops openssl_ops = {
	.name = "tls",
	.open = openssl_open,
	.send_buf = openssl_send_buf,
	.send_ack = openssl_send_ack,
	.flush = openssl_flush,
	.recv_buf = openssl_recv_buf,
	.recv_ack = openssl_recv_ack,
	.shut = openssl_shut,
	.park = openssl_park,
	.reason = tls_stream_reason,
	.own = tls_stream_own,
	.free = openssl_free,
};

static_assert(offsetof(struct openssl, t) == 0, "tls_new makes it");

static const struct tls_library_ops ops = {
	.name = "OpenSSL",
	.newest = TLS_1_3,
	.connection = 1,
	.cost = CONNECTION_COST,
	.setup_init = tls_openssl_setup_init,
	.setup_fini = tls_openssl_setup_fini,
	.stock_fini = openssl_stock_fini,
	.stream = sizeof(struct openssl),
	.stream_ops = &openssl_ops,
};

const struct tls_library_ops *const tls_openssl = &ops;
