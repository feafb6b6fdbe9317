/* SPDX-License-Identifier: MIT */
/* The VMess stream in the any-layer suite. */
#include "unit/outbound/bench.h"

#include "base/list.h"
#include "unit/stream/anylayer.h"

struct layer {
	struct anylayer a;
	struct server server;
};

static struct stream *
layer_make(struct anylayer *a, struct memory *m)
{
	struct layer *l = container_of(a, struct layer, a);
	size_t chunk_max = l->server.chunk_max;

	server_init(&l->server, bench.id);
	l->server.chunk_max = chunk_max;
	return vmess_stream_new(bench_vmess(), &m->s, &somewhere, &bench.owner);
}

static void
layer_heard(void *arg, const uint8_t *p, size_t len)
{
	anylayer_heard(arg, p, len);
}

static int
layer_hear(struct anylayer *a, const uint8_t *wire, size_t len, size_t *at)
{
	struct server *s = &container_of(a, struct layer, a)->server;
	int r = server_hear(s, wire, len, at, layer_heard, a);

	a->heard_end = s->ended;
	return r < 0 || *at != len ? -1 : 0;
}

static void
layer_say(struct anylayer *a, struct memory *m, const uint8_t *p, size_t len)
{
	server_say(&container_of(a, struct layer, a)->server, p, len, feed, m);
}

static void
layer_say_end(struct anylayer *a, struct memory *m)
{
	server_say(&container_of(a, struct layer, a)->server, NULL, 0, feed, m);
}

/* Frees what was deferred. */
static void
layer_unmake(struct anylayer *a)
{
	(void)a;
	loop_turn(bench.loop, 0);
}

static void
any_layer(enum vmess_security security, size_t chunk_max)
{
	struct layer l = { .a = { .name = "vmess",
				   .make = layer_make,
				   .hear = layer_hear,
				   .say = layer_say,
				   .say_end = layer_say_end,
				   .unmake = layer_unmake,
				   .authentic = security != VMESS_NONE,
				   .marks_end = true } };

	bench_start(security);
	l.server.chunk_max = chunk_max;
	anylayer_all(&l.a);
	bench_end();
}

static void
test_any_layer_gcm(void **state)
{
	(void)state;
	any_layer(VMESS_AES128_GCM, 2000);
}

static void
test_any_layer_chacha(void **state)
{
	(void)state;
	any_layer(VMESS_CHACHA20_POLY1305, 15000);
}

static void
test_any_layer_none(void **state)
{
	(void)state;
	any_layer(VMESS_NONE, 8192);
}

/* The largest chunk that the length field can say. */
static void
test_any_layer_large(void **state)
{
	(void)state;
	any_layer(VMESS_AES128_GCM, 65535 - 16 - 63);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_any_layer_gcm),
		cmocka_unit_test(test_any_layer_chacha),
		cmocka_unit_test(test_any_layer_none),
		cmocka_unit_test(test_any_layer_large),
	};

	log_open(2, LOG_NONE, NULL);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
