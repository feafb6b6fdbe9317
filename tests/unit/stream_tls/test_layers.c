/* SPDX-License-Identifier: MIT */
/* TLS streams in the any-layer suite. */
#include "unit/stream_tls/bench.h"

#include "base/list.h"
#include "unit/stream/anylayer.h"

#include <stdlib.h>
#include <string.h>

struct layer {
	struct anylayer a;
	struct bench bench;
	struct peer peer;
};

static void
layer_got(void *arg, const uint8_t *p, size_t len)
{
	anylayer_heard(arg, p, len);
}

static struct stream *
layer_make(struct anylayer *a, struct memory *m)
{
	struct layer *l = container_of(a, struct layer, a);

	peer_init(&l->peer, &l->bench.id, m);
	l->peer.got = layer_got;
	l->peer.arg = a;
	return tls_new(l->bench.setup, &m->s, l->bench.loop, &l->bench.owner, bench_time);
}

/* The handshake needs an answer at every turn of it. */
static void
layer_tick(struct anylayer *a)
{
	peer_pump(&container_of(a, struct layer, a)->peer);
}

static int
layer_hear(struct anylayer *a, const uint8_t *wire, size_t len, size_t *at)
{
	struct layer *l = container_of(a, struct layer, a);
	struct memory *m = l->peer.m;

	(void)wire;
	peer_pump(&l->peer);
	a->heard_end = peer_ended(&l->peer);
	*at = len;
	/* What the handshake has read is not part of what is cut and turned. */
	m->in_len -= m->in_at;
	memmove(m->in, m->in + m->in_at, m->in_len);
	m->in_at = 0;
	return br_ssl_engine_last_error(&l->peer.server.eng) ? -1 : 0;
}

static void
layer_say(struct anylayer *a, struct memory *m, const uint8_t *p, size_t len)
{
	(void)m;
	peer_say(&container_of(a, struct layer, a)->peer, p, len);
}

static void
layer_say_end(struct anylayer *a, struct memory *m)
{
	(void)m;
	peer_end(&container_of(a, struct layer, a)->peer);
}

static void
layer_unmake(struct anylayer *a)
{
	loop_turn(container_of(a, struct layer, a)->bench.loop, 0);
}

static void
test_any_layer(void **state)
{
	struct layer l = { .a = { .name = "tls",
				   .make = layer_make,
				   .hear = layer_hear,
				   .say = layer_say,
				   .say_end = layer_say_end,
				   .unmake = layer_unmake,
				   .tick = layer_tick,
				   .authentic = true } };

	bench_serve(&l.bench, state);
	anylayer_all(&l.a);
	bench_end(&l.bench);
}

int
main(void)
{
	const struct CMUnitTest tests[] = { EACH_LIBRARY(test_any_layer) };

	log_open(2, LOG_NONE, NULL);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
