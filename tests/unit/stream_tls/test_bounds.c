/* SPDX-License-Identifier: MIT */
/* What the certificates of all handshakes together may hold. */
#include "unit/stream_tls/bench.h"

#include "base/bytes.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* A chain of four times the same one; 600 of them are more than 32 MB. */
enum { CERTIFICATES_SENT = 4, HANDSHAKES = 600, RECORD = 16384, FLIGHT_MAX = 70000 };

/* A client whose server has sent its certificates, and is silent since. */
struct half {
	struct memory m;
	struct stream *s;
};

struct flight {
	uint8_t bytes[FLIGHT_MAX];
	size_t len;
};

static void
put24(uint8_t *to, size_t n)
{
	to[0] = (uint8_t)(n >> 16);
	be16_put(to + 1, (uint16_t)n);
}

static void
add_message(struct flight *f, uint8_t kind, const uint8_t *body, size_t len)
{
	uint8_t *message = malloc(len + 4);
	size_t at, n;

	assert_non_null(message);
	message[0] = kind;
	put24(message + 1, len);
	memcpy(message + 4, body, len);
	for (at = 0; at < len + 4; at += n) {
		uint8_t *record = f->bytes + f->len;

		n = len + 4 - at < RECORD ? len + 4 - at : RECORD;
		assert_true(f->len + 5 + n <= FLIGHT_MAX);
		memcpy(record, (uint8_t[]){ 0x16, 3, 3 }, 3);
		be16_put(record + 3, (uint16_t)n);
		memcpy(record + 5, message + at, n);
		f->len += 5 + n;
	}
	free(message);
}

/* ServerHello: TLS 1.2, no session, ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, and that its
 * renegotiation is secure. */
static void
add_hello(struct flight *f)
{
	static const uint8_t rest[] = { 0, 0xc0, 0x2b, 0, 0, 5, 0xff, 1, 0, 1, 0 };
	uint8_t body[34 + sizeof(rest)] = { 3, 3 };

	memcpy(body + 34, rest, sizeof(rest));
	add_message(f, 2, body, sizeof(body));
}

static void
add_chain(struct flight *f, const char *name)
{
	struct identity id;
	uint8_t *body;
	size_t i, len, each;

	identity_load(&id, "p256", name);
	each = 3 + id.chain[0].data_len;
	len = 3 + CERTIFICATES_SENT * each;
	body = malloc(len);
	assert_non_null(body);
	put24(body, len - 3);
	for (i = 0; i < CERTIFICATES_SENT; i++) {
		put24(body + 3 + i * each, each - 3);
		memcpy(body + 6 + i * each, id.chain[0].data, each - 3);
	}
	add_message(f, 11, body, len);
	free(body);
	identity_free(&id);
}

static int
half_start(
	struct bench *b, struct half *h, struct tls_setup *setup, const struct flight *f)
{
	memory_init(&h->m);
	h->s = tls_new(setup, &h->m.s, b->loop, &b->owner, bench_time);
	assert_non_null(h->s);
	assert_int_equal(stream_open(h->s), STREAM_AGAIN);
	memory_feed(&h->m, f->bytes, f->len);
	return stream_open(h->s);
}

static void
half_end(struct bench *b, struct half *h)
{
	stream_free(h->s);
	loop_turn(b->loop, 0);
	memory_fini(&h->m);
}

/* Who comes when there is no room is refused, and the others go on; their room is used again. */
static void
test_chains_together(void **state)
{
	struct tls_setup *setup;
	struct half *half;
	struct flight *f;
	struct bench b;
	size_t n = 0;
	int r;

	bench_start(&b, state);
	half = calloc(HANDSHAKES, sizeof(*half));
	f = calloc(1, sizeof(*f));
	assert_true(half && f);
	tls_stock_drop(b.stock);
	b.stock = tls_stock_new(CERTIFICATES "/stranger.pem", HANDSHAKES);
	setup = bench_setup(&b, "", (struct tls_spec){ .allow_insecure = true });
	add_hello(f);
	add_chain(f, "long");
	do
		r = half_start(&b, &half[n++], setup, f);
	while (r == STREAM_AGAIN && n < HANDSHAKES);
	assert_int_equal(r, -ENOMEM);
	assert_non_null(strstr(
		stream_reason(half[n - 1].s), "no memory left for its certificates"));
	/* 32 MB in chains of 64 KiB at most. */
	assert_in_range(n, 512, HANDSHAKES - 1);
	half_end(&b, &half[--n]);
	half_end(&b, &half[--n]);
	assert_int_equal(half_start(&b, &half[n++], setup, f), STREAM_AGAIN);
	assert_int_equal(half_start(&b, &half[n++], setup, f), -ENOMEM);
	while (n)
		half_end(&b, &half[--n]);
	tls_setup_drop(setup);
	bench_end(&b);
	free(half);
	free(f);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		EACH_LIBRARY(test_chains_together),
	};

	log_open(2, LOG_NONE, NULL);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
