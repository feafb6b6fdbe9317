/* SPDX-License-Identifier: MIT */
#include "unit/stream/anylayer.h"

#include "unit/stream/check.h"

#include <stdlib.h>
#include <string.h>

enum { UP = 100000, DOWN = 150000, SMALL = 3000, CALLS_MAX = 3000000 };

struct way_of_life {
	size_t grain;  /* of the lower stream */
	size_t window; /* how much of a window is used at most; 0: all */
	bool stutters;
	bool windows;
	bool parks; /* after every step */
};

/* Byte i of what goes up or down. */
static uint8_t
byte_at(size_t i, bool up)
{
	uint32_t x = (uint32_t)i * 2654435761u + (up ? 7u : 99u);

	return (uint8_t)(x >> 13 ^ x >> 24);
}

static void
fill(uint8_t *p, size_t from, size_t n, bool up)
{
	size_t i;

	for (i = 0; i < n; i++)
		p[i] = byte_at(from + i, up);
}

static void
assert_bytes(const char *label, const uint8_t *p, size_t from, size_t n, bool up)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (p[i] != byte_at(from + i, up))
			fail_msg("%s: byte %zu is wrong", label, from + i);
}

void
anylayer_heard(struct anylayer *a, const uint8_t *p, size_t len)
{
	if (a->heard_len + len > a->heard_cap) {
		a->heard_cap = (a->heard_len + len) * 2;
		a->heard = realloc(a->heard, a->heard_cap);
		if (!a->heard)
			abort();
	}
	if (len)
		memcpy(a->heard + a->heard_len, p, len);
	a->heard_len += len;
}

/* One run: the layer over its lower stream, from open to free. */
struct life {
	struct anylayer *a;
	struct memory m;
	struct stream *s;
	const struct way_of_life *way;
	size_t sent, got, wire_at;
	int result; /* of recv, when it said END or an error */
};

static void
begin(struct life *v, struct anylayer *a, const struct way_of_life *way)
{
	memset(v, 0, sizeof(*v));
	v->a = a;
	v->way = way;
	v->m.windows = way->windows;
	memory_init(&v->m);
	v->m.grain = way->grain;
	v->m.stutters = way->stutters;
	a->heard_len = 0;
	a->heard_end = false;
	v->s = a->make(a, &v->m);
	assert_non_null(v->s);
}

static void
finish(struct life *v)
{
	stream_free(v->s);
	v->a->unmake(v->a);
	assert_true(v->m.freed);
	memory_fini(&v->m);
}

static void
step(struct life *v)
{
	if (v->way->parks)
		stream_park(v->s);
	if (v->a->tick)
		v->a->tick(v->a);
}

/* Until it does not say AGAIN any more. */
static int
until(struct life *v, int (*call)(struct stream *))
{
	int i, r;

	for (i = 0; i < CALLS_MAX; i++) {
		r = call(v->s);
		if (r != STREAM_AGAIN)
			return r;
		step(v);
	}
	fail_msg("%s never gets on", v->a->name);
	return -1;
}

static size_t
used(const struct life *v, size_t len)
{
	return v->way->window && len > v->way->window ? v->way->window : len;
}

static void
send(struct life *v, size_t len)
{
	struct window w;
	int i, r;

	for (i = 0; i < CALLS_MAX && v->sent < len; i++) {
		r = stream_send_buf(v->s, &w);
		if (r == STREAM_AGAIN) {
			step(v);
			continue;
		}
		assert_int_equal(r, STREAM_OK);
		assert_true(w.len > 0);
		w.len = used(v, w.len < len - v->sent ? w.len : len - v->sent);
		fill(w.p, v->sent, w.len, true);
		assert_true(stream_send_ack(v->s, w.len) >= 0);
		v->sent += w.len;
	}
	assert_int_equal(v->sent, len);
	assert_int_equal(until(v, stream_flush), STREAM_OK);
}

static void
hear(struct life *v, size_t len)
{
	assert_int_equal(v->a->hear(v->a, v->m.out, v->m.out_len, &v->wire_at), 0);
	assert_int_equal(v->a->heard_len, len);
	assert_bytes(v->a->name, v->a->heard, 0, len, true);
}

/* Until END or an error; or, when there is nothing more to come, AGAIN. */
static void
receive(struct life *v)
{
	struct window w;
	int i, dry = 0;

	for (i = 0; i < CALLS_MAX && dry < 4; i++) {
		v->result = stream_recv_buf(v->s, &w);
		if (v->result == STREAM_AGAIN) {
			dry = v->m.in_at == v->m.in_len ? dry + 1 : 0;
			step(v);
			continue;
		}
		if (v->result != STREAM_OK)
			return;
		assert_true(w.len > 0);
		w.len = used(v, w.len);
		if (v->a->authentic)
			assert_bytes(v->a->name, w.p, v->got, w.len, false);
		v->got += w.len;
		stream_recv_ack(v->s, w.len);
	}
}

static void
say(struct life *v, size_t len)
{
	uint8_t *p = malloc(len);

	assert_non_null(p);
	fill(p, 0, len, false);
	v->a->say(v->a, &v->m, p, len);
	free(p);
}

/* Both directions whole, both ends in order. */
static void
whole(struct anylayer *a, const struct way_of_life *way, size_t up, size_t down)
{
	struct life v;

	begin(&v, a, way);
	assert_int_equal(until(&v, stream_open), STREAM_OK);
	send(&v, up);
	hear(&v, up);
	say(&v, down);
	receive(&v);
	assert_int_equal(v.got, down);
	assert_int_equal(v.result, STREAM_AGAIN);
	/* Half closed: what comes afterwards still arrives. */
	assert_int_equal(until(&v, stream_shut), STREAM_OK);
	hear(&v, up);
	assert_true(a->heard_end || v.m.shut);
	a->say_end(a, &v.m);
	v.m.in_ends = true;
	receive(&v);
	assert_int_equal(v.got, down);
	assert_int_equal(v.result, STREAM_END);
	receive(&v);
	assert_int_equal(v.result, STREAM_END);
	finish(&v);
}

static void
test_whole(struct anylayer *a)
{
	static const size_t grains[] = { 1, 2, 3, 777, 65536, 0 };
	struct way_of_life way;
	size_t g, w;
	unsigned bits;

	for (g = 0; g < 6; g++)
		for (w = 0; w < 6; w++)
			for (bits = 0; bits < 8; bits++) {
				way = (struct way_of_life){ grains[g], grains[w],
					bits & 1, bits & 2, bits & 4 };
				/* Parking on every byte of a long way is for the patient. */
				if (grains[g] && grains[g] < 100)
					whole(a, &way, SMALL, SMALL);
				else
					whole(a, &way, UP, DOWN);
			}
}

/* What the peer says in all, as it is on the wire. Answers its length. */
static size_t
speech(struct life *v, struct anylayer *a, const struct way_of_life *way, size_t len)
{
	begin(v, a, way);
	assert_int_equal(until(v, stream_open), STREAM_OK);
	send(v, 10);
	hear(v, 10);
	say(v, len);
	a->say_end(a, &v->m);
	return v->m.in_len;
}

static void
test_truncated(struct anylayer *a)
{
	static const struct way_of_life way = { 0, 0, false, false, true };
	struct life v;
	size_t cut, all;
	int i, first;

	all = speech(&v, a, &way, SMALL);
	finish(&v);
	for (cut = 0; cut < all; cut += cut < 200 || cut + 200 > all ? 1 : 37) {
		speech(&v, a, &way, SMALL);
		v.m.in_len = cut < v.m.in_len ? cut : v.m.in_len;
		v.m.in_ends = true;
		receive(&v);
		if (v.result == STREAM_END && v.got < SMALL && a->marks_end)
			fail_msg("%s: cut at %zu, told as an end at %zu", a->name, cut,
				v.got);
		if (v.result != STREAM_END && v.result >= 0)
			fail_msg("%s: cut at %zu: %d", a->name, cut, v.result);
		/* Final: every later call says the same. */
		first = v.result;
		for (i = 0; i < 3; i++) {
			receive(&v);
			assert_int_equal(v.result, first);
		}
		if (first < 0) {
			assert_int_equal(stream_flush(v.s), first);
			assert_true(*stream_reason(v.s));
		}
		finish(&v);
	}
}

static void
test_bits(struct anylayer *a)
{
	static const struct way_of_life way = { 0, 0, false, false, false };
	struct life v;
	size_t bit, all;

	all = speech(&v, a, &way, SMALL) * 8;
	finish(&v);
	for (bit = 0; bit < all; bit += bit < 1600 ? 1 : 97) {
		speech(&v, a, &way, SMALL);
		if (bit < v.m.in_len * 8)
			v.m.in[bit / 8] ^= (uint8_t)(1u << bit % 8);
		v.m.in_ends = true;
		receive(&v); /* Compares what it gets with what was said. */
		assert_true(v.result == STREAM_END || v.result < 0);
		finish(&v);
	}
}

/* An error beneath is the layer's own, and stays. */
static void
test_lower_error(struct anylayer *a)
{
	static const struct way_of_life way = { 0, 0, false, false, true };
	struct window w;
	struct life v;

	begin(&v, a, &way);
	v.m.error = -111;
	assert_int_equal(stream_open(v.s), -111);
	v.m.error = 0;
	assert_int_equal(stream_open(v.s), -111);
	assert_true(*stream_reason(v.s));
	finish(&v);
	speech(&v, a, &way, SMALL);
	v.m.error = -104;
	receive(&v);
	assert_int_equal(v.result, -104);
	v.m.error = 0;
	assert_int_equal(stream_send_buf(v.s, &w), -104);
	assert_int_equal(stream_shut(v.s), -104);
	finish(&v);
}

/* Freed at any point, nothing is left. */
static void
test_freed_early(struct anylayer *a)
{
	static const struct way_of_life way = { 3, 0, true, false, false };
	struct window w;
	struct life v;
	size_t i;

	begin(&v, a, &way);
	finish(&v);
	begin(&v, a, &way);
	until(&v, stream_open);
	finish(&v);
	for (i = 0; i < 40; i++) {
		begin(&v, a, &way);
		until(&v, stream_open);
		if (stream_send_buf(v.s, &w) == STREAM_OK) {
			fill(w.p, 0, i < w.len ? i : w.len, true);
			stream_send_ack(v.s, i < w.len ? i : w.len);
			stream_flush(v.s);
		}
		finish(&v);
	}
}

void
anylayer_all(struct anylayer *a)
{
	test_whole(a);
	test_truncated(a);
	test_bits(a);
	test_lower_error(a);
	test_freed_early(a);
	free(a->heard);
	a->heard = NULL;
	a->heard_len = a->heard_cap = 0;
}
