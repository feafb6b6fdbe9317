/* SPDX-License-Identifier: MIT */
#include "stream/tls_bearssl.h"
#include "base/random.h"

#include <assert.h>
#include <errno.h>

/* A session is offered again for this long. */
enum { SESSION_LIFE_MS = 3600 * 1000 };

static void
bearssl_stock_fini(struct tls_stock *k)
{
	(void)k;
}

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
	tls_bearssl_receive(&b->engine->receiver, &b->t);
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
		return tls_lower_ended(&b->t);
	case BR_ERR_UNSUPPORTED_VERSION:
	case BR_ERR_BAD_VERSION:
		return tls_fail_older(&b->t);
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

/* Gives the records that are there to the lower stream; OK when none is left. */
static int
write_out(struct bearssl *b)
{
	br_ssl_engine_context *e = engine_of(b);
	struct window w;
	size_t n;
	int r;

	while ((w.p = br_ssl_engine_sendrec_buf(e, &w.len))) {
		r = tls_lower_write(&b->t, w.p, w.len, &n);
		if (r < 0)
			return tls_fail_beneath(&b->t, r);
		if (r != STREAM_OK)
			return r;
		br_ssl_engine_sendrec_ack(e, n);
		b->written = true;
	}
	return STREAM_OK;
}

/* The same, with nothing held back. */
static int
push(struct bearssl *b)
{
	int r = write_out(b);

	if (r != STREAM_OK || !b->written)
		return r;
	r = stream_flush(b->t.s.lower);
	if (r == STREAM_OK)
		b->written = false;
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
	r = tls_lower_read(&b->t, p, cap, &n);
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

	br_ssl_engine_get_session_parameters(e, &session);
	f->version = session.version == BR_TLS12 ? "TLS 1.2"
		: session.version == BR_TLS11    ? "TLS 1.1"
						 : "TLS 1.0";
	f->cipher = tls_bearssl_suite_name(session.cipher_suite);
	f->alpn = br_ssl_engine_get_selected_protocol(e);
	f->resumed = b->t.chain == NULL;
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
	r = b->engine ? STREAM_OK : tls_begin(&b->t);
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
		r = write_out(b);
		if (r != STREAM_OK)
			return r;
		if (!(br_ssl_engine_current_state(engine_of(b)) & BR_SSL_SENDAPP))
			return tls_fail_ended(&b->t);
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

	blocks_pass(&b->t.wait);
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
	.own = tls_stream_own,
	.free = bearssl_free,
};

static_assert(offsetof(struct bearssl, t) == 0, "tls_new makes it");

const struct tls_library_ops tls_bearssl = {
	.name = "BearSSL",
	.newest = TLS_1_2,
	.connection = sizeof(struct engine),
	.cost = sizeof(struct bearssl) + sizeof(struct engine),
	.setup_init = tls_bearssl_setup_init,
	.setup_fini = tls_bearssl_setup_fini,
	.stock_fini = bearssl_stock_fini,
	.stream = sizeof(struct bearssl),
	.stream_ops = &bearssl_ops,
};
