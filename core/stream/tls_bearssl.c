/* SPDX-License-Identifier: MIT */
#include "base/aead.h"
#include "base/random.h"
#include "stream/tls_trust.h"

#include <assert.h>
#include <bearssl.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/*
 * BearSSL's engine is four windows already, and they are lent as they are: the lower
 * stream reads and writes in the engine's own buffers.  A record out has 4 KiB.
 */
enum { RECORD_OUT = 4096 + 85 };
/* A session is offered again for this long. */
enum { SESSION_LIFE_MS = 3600 * 1000 };

/* The chain as it comes, for br_x509_class. */
struct receiver {
	const br_x509_class *vtable;
	struct tls_stream *t;
	uint8_t *to;      /* where the certificate goes; NULL: it is passed over */
	size_t len;       /* of it, so far */
	br_x509_pkey key; /* points into the chain */
};

/* A connection's memory: 25 KB, taken when the lower stream is up. */
struct engine {
	br_ssl_client_context client;
	struct receiver receiver;
	uint8_t in[BR_SSL_BUFSIZE_INPUT];
	uint8_t out[RECORD_OUT];
};

struct bearssl {
	struct tls_stream t;
	struct engine *engine; /* a block of the stock's; NULL before the handshake */
};

/*
 * A client that was set up once is copied for each connection: the library asks the
 * processor (CPUID) at every set-up, which costs 7 us and more in a virtual machine,
 * several times.  Nothing in a client that has not begun points into itself.
 */
struct tls_bearssl_setup {
	br_ssl_client_context client;
	br_x509_minimal_context unused; /* what the set-up of the library wants */
	br_ssl_session_parameters session;
	uint64_t session_until; /* loop_now(); 0: there is none */
};

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

static struct bearssl *
bearssl_of(const struct stream *s)
{
	return container_of(tls_of(s), struct bearssl, t);
}

static br_ssl_engine_context *
engine_of(const struct bearssl *b)
{
	return &b->engine->client.eng;
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

static int
bearssl_setup_init(struct tls_setup *t, struct err *e)
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

static void
bearssl_setup_fini(struct tls_setup *t)
{
	if (t->bearssl)
		bytes_wipe(t->bearssl, sizeof(*t->bearssl));
	free(t->bearssl);
}

static void
bearssl_stock_fini(struct tls_stock *k)
{
	(void)k;
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

	r->to = tls_chain_add(r->t->chain, len);
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
		tls_chain_added(r->t->chain, r->len);
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

/* Takes memory and begins the handshake. */
static int
engine_start(struct bearssl *b)
{
	struct tls_setup *setup = b->t.setup;
	struct tls_bearssl_setup *template = setup->bearssl;
	bool resume = setup->resumes && template->session_until > loop_now(b->t.loop);
	br_ssl_client_context *client;
	uint8_t seed[32];

	b->engine = blocks_get(&setup->stock->bearssl, &b->t.wait);
	if (!b->engine)
		return STREAM_AGAIN;
	client = &b->engine->client;
	*client = template->client;
	b->engine->receiver.vtable = &receiver_class;
	b->engine->receiver.t = &b->t;
	br_ssl_engine_set_x509(&client->eng, &b->engine->receiver.vtable);
	br_ssl_engine_set_buffers_bidi(&client->eng, b->engine->in, sizeof(b->engine->in),
		b->engine->out, sizeof(b->engine->out));
	random_bytes(seed, sizeof(seed));
	br_ssl_engine_inject_entropy(&client->eng, seed, sizeof(seed));
	bytes_wipe(seed, sizeof(seed));
	if (resume)
		br_ssl_engine_set_session_parameters(&client->eng, &template->session);
	if (!br_ssl_client_reset(client, *setup->name ? setup->name : NULL, resume))
		return tls_fail(&b->t, -EINVAL, "BearSSL does not begin (error %d)",
			br_ssl_engine_last_error(&client->eng));
	return STREAM_OK;
}

/* The engine has stopped: an end in order, or an error. */
static int
stopped(struct bearssl *b)
{
	int error = br_ssl_engine_last_error(engine_of(b));

	if (b->t.error)
		return b->t.error;
	if (error == BR_ERR_OK && b->t.up) {
		b->t.ended = true;
		return STREAM_END;
	}
	if (error >= BR_ERR_RECV_FATAL_ALERT && error < BR_ERR_SEND_FATAL_ALERT)
		return tls_fail_alert(&b->t, (unsigned)(error - BR_ERR_RECV_FATAL_ALERT));
	switch (error) {
	case BR_ERR_OK:
		return tls_fail(&b->t, -ECONNRESET, "the server closed in the handshake");
	case BR_ERR_UNSUPPORTED_VERSION:
	case BR_ERR_BAD_VERSION:
		return tls_fail(&b->t, -EPROTO,
			"the server speaks an older TLS than the configuration allows "
			"(minVersion is 1.%d)",
			b->t.setup->min - TLS_1_0);
	case BR_ERR_BAD_MAC:
		return tls_fail(
			&b->t, -EBADMSG, "a record of the server was changed on the way");
	case BR_ERR_BAD_SIGNATURE:
		return tls_fail(&b->t, -EACCES,
			"the server has the certificate, and not the key that belongs to it");
	}
	return tls_fail(&b->t, -EPROTO,
		"what the server sends is no TLS (BearSSL's error %d)", error);
}

/* Writes the records that are there; OK when none is left. */
static int
push(struct bearssl *b)
{
	br_ssl_engine_context *e = engine_of(b);
	struct window w;
	bool some = false;
	size_t n;
	int r;

	while ((w.p = br_ssl_engine_sendrec_buf(e, &w.len))) {
		n = 0;
		r = stream_writev(b->t.s.lower, &w, 1, &n);
		if (r < 0)
			return tls_fail_beneath(&b->t, r);
		if (r != STREAM_OK)
			return r;
		br_ssl_engine_sendrec_ack(e, n);
		some = true;
	}
	r = some ? stream_flush(b->t.s.lower) : STREAM_OK;
	return r < 0 ? tls_fail_beneath(&b->t, r) : r;
}

/* Reads once into the engine; *moved: something came. AGAIN also where the engine has
 * no room, since then it waits for something else. */
static int
pull(struct bearssl *b, bool *moved)
{
	br_ssl_engine_context *e = engine_of(b);
	size_t cap, n = 0;
	uint8_t *p;
	int r;

	p = br_ssl_engine_recvrec_buf(e, &cap);
	if (!p)
		return STREAM_AGAIN;
	r = stream_read(b->t.s.lower, p, cap, &n);
	if (r == STREAM_END)
		return tls_lower_ended(&b->t);
	if (r < 0)
		return tls_fail_beneath(&b->t, r);
	if (r != STREAM_OK)
		return r;
	r = tls_received(&b->t, p, n);
	if (r == 0)
		r = tls_idled(&b->t, b->t.records.idle);
	if (r < 0)
		return r;
	br_ssl_engine_recvrec_ack(e, n);
	*moved = true;
	return STREAM_OK;
}

static void
note_end_of_handshake(struct bearssl *b)
{
	struct tls_bearssl_setup *template = b->t.setup->bearssl;
	br_ssl_engine_context *e = engine_of(b);
	struct tls_facts *f = &b->t.facts;
	br_ssl_session_parameters session;
	size_t i;

	br_ssl_engine_get_session_parameters(e, &session);
	f->version = session.version == BR_TLS12 ? "TLS 1.2"
		: session.version == BR_TLS11    ? "TLS 1.1"
						 : "TLS 1.0";
	for (i = 0; i < SUITES; i++)
		if (suite_names[i].suite == session.cipher_suite)
			f->cipher = suite_names[i].name;
	f->alpn = br_ssl_engine_get_selected_protocol(e);
	f->resumed = b->t.chain->n == 0;
	if (session.session_id_len && b->t.setup->resumes && !f->resumed) {
		template->session = session;
		template->session_until = loop_now(b->t.loop) + SESSION_LIFE_MS;
	}
	bytes_wipe(&session, sizeof(session));
	b->t.up = true;
	b->t.records.idle = 0;
	tls_handshake_over(&b->t);
}

static int
handshake(struct bearssl *b)
{
	br_ssl_engine_context *e = engine_of(b);
	bool moved;
	int pushed, pulled;

	do {
		moved = false;
		/* A handshake takes turns: what is not out yet has no answer. */
		pushed = push(b);
		if (pushed != STREAM_OK)
			return pushed;
		if (br_ssl_engine_current_state(e) & BR_SSL_CLOSED)
			return stopped(b);
		if (br_ssl_engine_current_state(e) & BR_SSL_SENDAPP) {
			note_end_of_handshake(b);
			return STREAM_OK;
		}
		pulled = pull(b, &moved);
		if (pulled < 0)
			return pulled;
	} while (moved);
	return STREAM_AGAIN;
}

static int
bearssl_open(struct stream *s)
{
	struct bearssl *b = bearssl_of(s);
	int r;

	if (b->t.error)
		return b->t.error;
	if (b->t.up)
		return STREAM_OK;
	r = tls_begin(&b->t);
	if (r == STREAM_OK && !b->engine)
		r = engine_start(b);
	return r == STREAM_OK ? handshake(b) : r;
}

static int
bearssl_send_buf(struct stream *s, struct window *w)
{
	struct bearssl *b = bearssl_of(s);
	int r;

	r = bearssl_open(s);
	if (r != STREAM_OK)
		return r;
	if (b->t.shut)
		return -EPIPE;
	for (;;) {
		w->p = br_ssl_engine_sendapp_buf(engine_of(b), &w->len);
		if (w->p)
			return STREAM_OK;
		r = push(b);
		if (r != STREAM_OK)
			return r;
		if (!(br_ssl_engine_current_state(engine_of(b)) & BR_SSL_SENDAPP))
			return tls_fail(
				&b->t, -EPIPE, "the server has ended the connection");
	}
}

static int
bearssl_send_ack(struct stream *s, size_t n)
{
	struct bearssl *b = bearssl_of(s);

	if (b->t.error)
		return b->t.error;
	if (n)
		br_ssl_engine_sendapp_ack(engine_of(b), n);
	return STREAM_OK;
}

static int
bearssl_flush(struct stream *s)
{
	struct bearssl *b = bearssl_of(s);
	int r;

	r = bearssl_open(s);
	if (r != STREAM_OK)
		return r;
	if (!b->t.shut)
		br_ssl_engine_flush(engine_of(b), 0);
	r = push(b);
	if (r != STREAM_OK)
		return r;
	r = stream_flush(s->lower);
	return r < 0 ? tls_fail_beneath(&b->t, r) : r;
}

static int
bearssl_recv_buf(struct stream *s, struct window *w)
{
	struct bearssl *b = bearssl_of(s);
	bool moved;
	int r;

	r = bearssl_open(s);
	if (r != STREAM_OK)
		return r;
	do {
		if (b->t.ended)
			return STREAM_END;
		w->p = br_ssl_engine_recvapp_buf(engine_of(b), &w->len);
		if (w->p) {
			b->t.records.idle = 0;
			return STREAM_OK;
		}
		/* What does not fit into the lower stream must not stop this one from
		 * reading: two peers that both did so would wait for each other. */
		r = push(b);
		if (r < 0)
			return r;
		if (br_ssl_engine_current_state(engine_of(b)) & BR_SSL_CLOSED)
			return stopped(b);
		moved = false;
		r = pull(b, &moved);
	} while (moved);
	return r;
}

static void
bearssl_recv_ack(struct stream *s, size_t n)
{
	if (n)
		br_ssl_engine_recvapp_ack(engine_of(bearssl_of(s)), n);
}

/*
 * BearSSL takes "close" for both directions, and passes over what still comes.  Its
 * state for that is 2 where "open" is 1 (struct br_ssl_engine_context: application_data);
 * put back, it lends what comes until the server's own close_notify.  The library has no
 * function for it; tests/unit/stream_tls holds it to that.
 */
static void
close_sending(br_ssl_engine_context *e)
{
	br_ssl_engine_close(e);
	if (e->application_data == 2)
		e->application_data = 1;
}

static int
bearssl_shut(struct stream *s)
{
	struct bearssl *b = bearssl_of(s);
	int r;

	r = bearssl_flush(s);
	if (r != STREAM_OK)
		return r;
	if (!b->t.shut && !b->t.ended)
		close_sending(engine_of(b));
	b->t.shut = true;
	r = push(b);
	if (r != STREAM_OK)
		return r;
	r = stream_shut(s->lower);
	return r < 0 ? tls_fail_beneath(&b->t, r) : r;
}

static void
bearssl_park(struct stream *s)
{
	struct bearssl *b = bearssl_of(s);

	if (b->t.wait.called)
		blocks_leave(&b->t.wait);
	stream_park(s->lower);
}

static void
bearssl_free(struct stream *s)
{
	struct bearssl *b = bearssl_of(s);

	if (b->engine)
		bytes_wipe(b->engine, sizeof(*b->engine));
	blocks_put(&b->t.setup->stock->bearssl, b->engine);
	b->engine = NULL;
	tls_stream_fini(&b->t);
}

static const struct stream_ops bearssl_ops = {
	.name = "tls",
	.open = bearssl_open,
	.send_buf = bearssl_send_buf,
	.send_ack = bearssl_send_ack,
	.flush = bearssl_flush,
	.recv_buf = bearssl_recv_buf,
	.recv_ack = bearssl_recv_ack,
	.shut = bearssl_shut,
	.park = bearssl_park,
	.reason = tls_stream_reason,
	.free = bearssl_free,
};

static struct tls_stream *
bearssl_new(void)
{
	struct bearssl *b = calloc(1, sizeof(*b));

	if (!b)
		return NULL;
	b->t.s.ops = &bearssl_ops;
	return &b->t;
}

const struct tls_library_ops tls_bearssl = {
	.name = "BearSSL",
	.newest = TLS_1_2,
	.connection = sizeof(struct engine),
	.setup_init = bearssl_setup_init,
	.setup_fini = bearssl_setup_fini,
	.stock_fini = bearssl_stock_fini,
	.stream_new = bearssl_new,
};
