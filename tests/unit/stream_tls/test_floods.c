/* SPDX-License-Identifier: MIT */
/* Servers that keep a connection busy after the handshake, without a byte of payload: OpenSSL's
 * server can be made to send whatever a session allows. */
#include "base/bytes.h"
#include "unit/stream_tls/bench.h"

#include <errno.h>
#include <openssl/ssl.h>
#include <string.h>

enum { TIMES = 1000 };

struct flooder {
	SSL_CTX *context;
	SSL *ssl;
	BIO *in, *out; /* the SSL's */
	struct memory m;
	size_t heard; /* of m.out */
	struct stream *s;
	struct tls_setup *setup;
};

/* Everything that can be done with what was written so far. */
static void
flooder_pump(struct flooder *f)
{
	uint8_t piece[4096];
	int n;

	if (f->m.out_len > f->heard)
		BIO_write(f->in, f->m.out + f->heard, (int)(f->m.out_len - f->heard));
	f->heard = f->m.out_len;
	SSL_do_handshake(f->ssl);
	while ((n = BIO_read(f->out, piece, sizeof(piece))) > 0)
		memory_feed(&f->m, piece, (size_t)n);
}

static void
flooder_load(struct flooder *f, int version)
{
	f->context = SSL_CTX_new(TLS_server_method());
	assert_non_null(f->context);
	SSL_CTX_set_min_proto_version(f->context, version);
	SSL_CTX_set_max_proto_version(f->context, version);
	assert_int_equal(SSL_CTX_use_certificate_file(f->context,
				 CERTIFICATES "/server.pem", SSL_FILETYPE_PEM),
		1);
	assert_int_equal(SSL_CTX_use_PrivateKey_file(
				 f->context, CERTIFICATES "/p256.key", SSL_FILETYPE_PEM),
		1);
	f->ssl = SSL_new(f->context);
	f->in = BIO_new(BIO_s_mem());
	f->out = BIO_new(BIO_s_mem());
	SSL_set_bio(f->ssl, f->in, f->out);
	SSL_set_accept_state(f->ssl);
}

static void
flooder_new(struct bench *b, struct flooder *f, int version)
{
	memset(f, 0, sizeof(*f));
	flooder_load(f, version);
	f->setup = bench_setup(b, "middle", (struct tls_spec){ .name = "a.example" });
	memory_init(&f->m);
	f->s = tls_new(f->setup, &f->m.s, b->loop, &b->owner, bench_time);
	assert_non_null(f->s);
}

static void
flooder_start(struct bench *b, struct flooder *f, int version)
{
	int i, r = STREAM_AGAIN;

	flooder_new(b, f, version);
	for (i = 0; i < 8; i++) {
		r = stream_open(f->s);
		flooder_pump(f);
	}
	if (r != STREAM_OK)
		fail_msg("%d: %s", r, stream_reason(f->s));
}

static void
flooder_end(struct bench *b, struct flooder *f)
{
	stream_free(f->s);
	loop_turn(b->loop, 0);
	memory_fini(&f->m);
	tls_setup_drop(f->setup);
	SSL_free(f->ssl);
	SSL_CTX_free(f->context);
}

static int
receive(struct flooder *f)
{
	struct window w;
	int r;

	while ((r = stream_recv_buf(f->s, &w)) == STREAM_OK)
		stream_recv_ack(f->s, w.len);
	return r;
}

/* What a server may send once more. */
static void
key_update(struct flooder *f)
{
	assert_int_equal(SSL_key_update(f->ssl, SSL_KEY_UPDATE_NOT_REQUESTED), 1);
}

static void
key_update_asked(struct flooder *f)
{
	assert_int_equal(SSL_key_update(f->ssl, SSL_KEY_UPDATE_REQUESTED), 1);
}

static void
ticket(struct flooder *f)
{
	assert_int_equal(SSL_new_session_ticket(f->ssl), 1);
}

static void
hello_request(struct flooder *f)
{
	SSL_renegotiate(f->ssl);
}

static void
assert_ended(const char *label, struct flooder *f, int error, const char *want)
{
	int r = receive(f);

	if (r != error || !strstr(stream_reason(f->s), want))
		fail_msg("%s: %d, \"%s\"", label, r, stream_reason(f->s));
	assert_true(f->m.in_at < f->m.in_len);
}

static void
flood(struct bench *b, const char *label, int version, void (*again)(struct flooder *))
{
	struct flooder f;
	size_t all;
	int i, r;

	flooder_start(b, &f, version);
	r = receive(&f);
	if (r != STREAM_AGAIN)
		fail_msg("%s: %d, %s", label, r, stream_reason(f.s));
	all = f.m.in_len;
	for (i = 0; i < TIMES; i++) {
		again(&f);
		flooder_pump(&f);
	}
	if (f.m.in_len < all + TIMES * 5)
		fail_msg("%s: the server has sent %zu bytes", label, f.m.in_len - all);
	assert_ended(label, &f, -EPROTO, "the server floods with empty records");
	flooder_end(b, &f);
}

static void
test_floods(void **state)
{
	struct bench b;

	bench_start(&b, state);
	if (b.library == TLS_OPENSSL) {
		flood(&b, "key updates", TLS1_3_VERSION, key_update);
		flood(&b, "key updates that want an answer", TLS1_3_VERSION,
			key_update_asked);
		flood(&b, "tickets", TLS1_3_VERSION, ticket);
	}
	flood(&b, "HelloRequests", TLS1_2_VERSION, hello_request);
	bench_end(&b);
}

static void
feed_change_cipher_specs(struct flooder *f)
{
	static const uint8_t record[] = { 0x14, 3, 3, 0, 1, 1 };
	int i;

	for (i = 0; i < TIMES * 10; i++)
		memory_feed(&f->m, record, sizeof(record));
}

/* Records that are no part of TLS 1.3, and that a client passes over (RFC 8446, 5): behind
 * the ServerHello, and after the handshake, where they are an error. */
static void
test_change_cipher_specs(void **state)
{
	struct flooder f;
	struct bench b;

	bench_start(&b, state);
	if (b.library == TLS_OPENSSL) {
		flooder_start(&b, &f, TLS1_3_VERSION);
		feed_change_cipher_specs(&f);
		assert_ended("after the handshake", &f, -EBADMSG,
			"a record of the server was changed on the way");
		flooder_end(&b, &f);

		flooder_new(&b, &f, TLS1_3_VERSION);
		assert_int_equal(stream_open(f.s), STREAM_AGAIN);
		flooder_pump(&f);
		f.m.in_len = 5u + be16_get(f.m.in + 3);
		feed_change_cipher_specs(&f);
		assert_ended("behind the ServerHello", &f, -EPROTO,
			"what the server sends is no TLS");
		flooder_end(&b, &f);
	}
	bench_end(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		EACH_LIBRARY(test_floods),
		EACH_LIBRARY(test_change_cipher_specs),
	};

	log_open(2, LOG_NONE, NULL);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
