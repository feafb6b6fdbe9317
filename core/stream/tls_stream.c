/* SPDX-License-Identifier: MIT */
/* What the TLS streams of both libraries share. */
#include "stream/tls_inside.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Record types 20 to 24, and version 3.x (RFC 8446, 5.1). */
static bool
header_is_tls(const uint8_t h[static 5])
{
	return h[0] >= 20 && h[0] <= 24 && h[1] == 3;
}

void
tls_records_see(struct tls_records *r, const uint8_t *p, size_t len)
{
	size_t n;

	while (len) {
		n = r->have < 5 ? 5u - r->have : r->left;
		n = n < len ? n : len;
		if (r->have < 5) {
			memcpy(r->header + r->have, p, n);
			r->have += (uint8_t)n;
			if (r->have == 5) {
				r->left = be16_get(r->header + 3);
				r->alien |= !r->seen && !header_is_tls(r->header);
				r->seen = true;
				r->idle++;
			}
		} else {
			r->left -= (uint16_t)n;
		}
		if (r->have == 5 && r->left == 0)
			r->have = 0;
		p += n;
		len -= n;
	}
}

/* From now on t holds n bytes of the budget, and has room for them. */
static bool
hold(struct tls_stream *t, size_t n)
{
	struct budget *g = t->setup->stock->budget;

	if (!g)
		return true;
	if (n > t->held && !budget_take(g, n - t->held))
		return false;
	if (n < t->held)
		budget_give(g, t->held - n);
	t->held = n;
	return true;
}

static struct tls_chain *
chain_of(struct tls_stream *t)
{
	if (!t->chain)
		t->chain = pool_get(&t->setup->stock->chains);
	return t->chain;
}

uint8_t *
tls_chain_add(struct tls_stream *t, size_t len)
{
	struct tls_stock *k = t->setup->stock;
	struct tls_chain *h = chain_of(t);

	if (h &&
		(h->n == TLS_CHAIN_MAX || len > CERTIFICATE_MAX ||
			len > TLS_CHAIN_BYTES - h->used)) {
		h->too_long = true;
		return NULL;
	}
	if (h && len <= TLS_CHAINS_BYTES - k->chain_bytes)
		h->der[h->n] = malloc(len ? len : 1);
	if (!h || !h->der[h->n]) {
		tls_fail(t, -ENOMEM, "no memory left for its certificates");
		return NULL;
	}
	h->used += len;
	k->chain_bytes += len;
	return h->der[h->n];
}

void
tls_chain_added(struct tls_stream *t, size_t len)
{
	struct tls_chain *h = t->chain;

	h->readable[h->n] = certificate_read(&h->certificate[h->n], h->der[h->n], len) ==
		0;
	h->n++;
}

void
tls_handshake_over(struct tls_stream *t)
{
	struct tls_stock *k = t->setup->stock;
	size_t i;

	hold(t, t->setup->library->cost);
	if (!t->chain)
		return;
	for (i = 0; i < TLS_CHAIN_MAX; i++)
		free(t->chain->der[i]);
	k->chain_bytes -= t->chain->used;
	pool_put(&k->chains, t->chain);
	t->chain = NULL;
}

int
tls_received(struct tls_stream *t, const uint8_t *p, size_t len)
{
	tls_records_see(&t->records, p, len);
	if (t->records.alien)
		return tls_fail(t, -EPROTO, "what answers there does not speak TLS%s",
			memcmp(t->records.header, "HTTP/", 5) ? "" : ", but HTTP");
	return 0;
}

int
tls_idled(struct tls_stream *t, unsigned records)
{
	if (records <= TLS_IDLE_RECORDS_MAX)
		return 0;
	return tls_fail(t, -EPROTO, "the server floods with empty records");
}

int
tls_lower_read(struct tls_stream *t, uint8_t *p, size_t cap, size_t *n)
{
	int r = stream_read_window(t->s.lower, p, cap, n);

	return r == STREAM_AGAIN ? stream_read(t->s.lower, p, cap, n) : r;
}

int
tls_lower_write(struct tls_stream *t, const uint8_t *p, size_t len, size_t *n)
{
	/* A window may be written to; this one is not. */
	struct window w = { (uint8_t *)(uintptr_t)p, len };
	int r;

	*n = 0;
	r = stream_write_window(t->s.lower, &w, n);
	if (r == STREAM_AGAIN && *n == 0)
		return stream_writev(t->s.lower, &w, 1, n);
	return r == STREAM_AGAIN ? STREAM_OK : r;
}

int
tls_begin(struct tls_stream *t)
{
	int r = stream_open(t->s.lower);

	t->begun = r == STREAM_OK;
	return r < 0 ? tls_fail_beneath(t, r) : r;
}

static void
stream_delete(struct deferred *d)
{
	struct tls_stream *t = container_of(d, struct tls_stream, gone);

	tls_unsay(t);
	free(t);
}

void
tls_stream_own(struct stream *s, struct task *owner)
{
	struct tls_stream *t = tls_of(s);

	t->owner = t->wait.owner = owner;
}

void
tls_stream_fini(struct tls_stream *t)
{
	tls_handshake_over(t);
	hold(t, 0);
	blocks_leave(&t->wait);
	stream_free(t->s.lower);
	tls_setup_drop(t->setup);
	loop_defer(t->loop, &t->gone, stream_delete);
}

const char *
tls_stream_reason(const struct stream *s)
{
	const struct tls_stream *t = tls_of(s);

	if (t->why)
		return t->why;
	return t->error ? stream_reason(s->lower) : "";
}

void
tls_facts_get(const struct stream *s, struct tls_facts *f)
{
	*f = tls_of(s)->facts;
	if (!f->version)
		f->version = "";
	if (!f->cipher)
		f->cipher = "";
	if (!f->alpn)
		f->alpn = "";
}

struct stream *
tls_new(struct tls_setup *setup, struct stream *lower, struct loop *l, struct task *owner,
	int64_t (*unix_time)(void))
{
	struct tls_stream *t = calloc(1, setup->library->stream);

	if (t)
		t->setup = setup;
	if (!t || !hold(t, setup->library->cost + TLS_HANDSHAKE_COST)) {
		stream_free(lower);
		free(t);
		return NULL;
	}
	tls_setup_hold(setup);
	t->s.ops = setup->library->stream_ops;
	t->s.lower = lower;
	t->loop = l;
	t->owner = owner;
	t->unix_time = unix_time;
	block_wait_init(&t->wait, l, owner);
	return &t->s;
}
