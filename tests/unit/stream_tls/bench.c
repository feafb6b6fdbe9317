/* SPDX-License-Identifier: MIT */
#include "unit/stream_tls/bench.h"

#include "stream/tls_certificate.h"
#include "stream/tls_pem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const enum tls_library libraries[2] = { TLS_BEARSSL, TLS_OPENSSL };
int64_t bench_clock;

int64_t
bench_time(void)
{
	return bench_clock;
}

static void
idle(struct task *t)
{
	(void)t;
}

static int64_t
made_at(void)
{
	char *text = certificates_text("root.pem");
	const char *at = text;
	size_t len = strlen(text);
	struct certificate c;
	uint8_t der[4096];
	long n;

	n = pem_certificate_next(&at, &len, der, sizeof(der));
	assert_true(n > 0);
	assert_int_equal(certificate_read(&c, der, (size_t)n), 0);
	free(text);
	return c.not_before;
}

void
bench_start(struct bench *b, void **state)
{
	memset(b, 0, sizeof(*b));
	b->library = **(enum tls_library **)state;
	if (!tls_library_built(b->library))
		skip();
	bench_clock = made_at() + 5 * 86400;
	b->loop = loop_new();
	b->stock = tls_stock_new(CERTIFICATES "/stranger.pem", 4);
	assert_non_null(b->loop);
	assert_non_null(b->stock);
	task_init(&b->owner, idle);
}

void
bench_serve_as(struct bench *b, void **state, const char *key, const char *chain)
{
	bench_start(b, state);
	identity_load(&b->id, key, chain);
	b->setup = bench_setup(b, "root", (struct tls_spec){ .name = "a.example" });
}

void
bench_serve(struct bench *b, void **state)
{
	bench_serve_as(b, state, "p256", "server middle");
}

void
bench_again(struct bench *b, struct tls_spec spec)
{
	tls_setup_drop(b->setup);
	b->setup = bench_setup(b, "root", spec);
}

void
bench_end(struct bench *b)
{
	if (b->setup) {
		tls_setup_drop(b->setup);
		identity_free(&b->id);
	}
	tls_stock_drop(b->stock);
	task_fini(&b->owner);
	loop_free(b->loop);
}

struct tls_setup *
bench_setup(struct bench *b, const char *roots, struct tls_spec spec)
{
	char names[256], file[64], *name, *rest = names;
	const char *text[TLS_LIST_MAX];
	struct tls_setup *t;
	struct err e = { "" };

	spec.trusted.text = text;
	snprintf(names, sizeof(names), "%s", roots);
	while ((name = strsep(&rest, " "))) {
		if (!*name)
			continue;
		snprintf(file, sizeof(file), "%s.pem", name);
		text[spec.trusted.n++] = certificates_text(file);
	}
	t = tls_setup_new(b->stock, b->library, &spec, &e);
	if (!t)
		fail_msg("%s", e.text);
	while (spec.trusted.n)
		free((char *)(uintptr_t)text[--spec.trusted.n]);
	return t;
}

void
pair_start_as(
	struct bench *b, struct pair *p, struct tls_setup *setup, struct identity *id)
{
	memset(p, 0, sizeof(*p));
	memory_init(&p->m);
	peer_init(&p->peer, id, &p->m);
	p->s = tls_new(setup, &p->m.s, b->loop, &b->owner, bench_time);
	assert_non_null(p->s);
}

void
pair_start(struct bench *b, struct pair *p)
{
	pair_start_as(b, p, b->setup, &b->id);
}

int
pair_open(struct pair *p)
{
	size_t before;
	int r;

	do {
		before = p->m.in_len + p->m.out_len;
		r = stream_open(p->s);
		peer_pump(&p->peer);
	} while (r == STREAM_AGAIN && p->m.in_len + p->m.out_len != before);
	return r;
}

void
pair_connect(struct bench *b, struct pair *p)
{
	int r;

	pair_start(b, p);
	r = pair_open(p);
	if (r != STREAM_OK)
		fail_msg("%d: %s", r, stream_reason(p->s));
}

int
pair_receive(struct pair *p, size_t *n)
{
	struct window w;
	int r;

	while ((r = stream_recv_buf(p->s, &w)) == STREAM_OK) {
		*n += w.len;
		stream_recv_ack(p->s, w.len);
	}
	return r;
}

void
pair_end(struct bench *b, struct pair *p)
{
	stream_free(p->s);
	loop_turn(b->loop, 0);
	assert_true(p->m.freed);
	memory_fini(&p->m);
}
