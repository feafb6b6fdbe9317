/* SPDX-License-Identifier: MIT */
/* Users of every kind over a stream: old headers, sealed lengths, no chunks, no end mark. */
#include "unit/outbound/bench.h"

#include "outbound/vmess_kdf.h"

#include <errno.h>
#include <string.h>

static const struct {
	const char *label;
	struct vmess_user_spec user;
	unsigned options, security;
	bool marks; /* our end has a mark */
} kinds[] = {
	{ "gcm", { .security = VMESS_AES128_GCM }, 0x0d, 3, true },
	{ "chacha", { .security = VMESS_CHACHA20_POLY1305 }, 0x0d, 4, true },
	{ "none", { .security = VMESS_NONE }, 0x05, 5, true },
	{ "zero", { .security = VMESS_ZERO }, 0x00, 5, false },
	{ "gcm, sealed lengths",
		{ .security = VMESS_AES128_GCM, .authenticated_length = true }, 0x1d, 3,
		true },
	{ "chacha, sealed lengths",
		{ .security = VMESS_CHACHA20_POLY1305, .authenticated_length = true },
		0x1d, 4, true },
	{ "gcm, no end mark",
		{ .security = VMESS_AES128_GCM, .no_termination_signal = true }, 0x0d, 3,
		false },
	{ "old, gcm", { .security = VMESS_AES128_GCM, .alter_ids = 1 }, 0x0d, 3, true },
	{ "old, chacha", { .security = VMESS_CHACHA20_POLY1305, .alter_ids = 1 }, 0x0d, 4,
		true },
	{ "old, none", { .security = VMESS_NONE, .alter_ids = 1 }, 0x05, 5, true },
	{ "old, zero", { .security = VMESS_ZERO, .alter_ids = 1 }, 0x00, 5, false },
};

static void
kind_start(size_t i)
{
	uint8_t alter[16];

	bench_start_as(&kinds[i].user);
	call_start();
	if (!kinds[i].user.alter_ids)
		return;
	vmess_alter_id(alter, bench.id);
	server_init_old(&call.server, alter, NOW);
}

/* Reads all that there is. */
static int
read_all(uint8_t *p, size_t cap, size_t *len)
{
	struct window w;
	int r;

	while ((r = stream_recv_buf(call.s, &w)) == STREAM_OK) {
		assert_true(*len + w.len <= cap);
		memcpy(p + *len, w.p, w.len);
		*len += w.len;
		stream_recv_ack(call.s, w.len);
	}
	return r;
}

static void
send_all(const uint8_t *p, size_t len)
{
	struct window w;
	size_t n;

	for (n = 0; n < len; n += w.len) {
		assert_int_equal(stream_send_buf(call.s, &w), STREAM_OK);
		w.len = w.len < len - n ? w.len : len - n;
		memcpy(w.p, p + n, w.len);
		assert_int_equal(stream_send_ack(call.s, w.len), STREAM_OK);
	}
}

/* The same two without windows in between, by pieces of `cap` bytes. */
static int
read_straight(uint8_t *p, size_t cap, size_t *len, size_t piece)
{
	size_t n;
	int r;

	do {
		assert_true(*len < cap);
		n = piece < cap - *len ? piece : cap - *len;
		r = stream_read(call.s, p + *len, n, &n);
		*len += r == STREAM_OK ? n : 0;
	} while (r == STREAM_OK);
	return r;
}

static void
send_straight(const uint8_t *p, size_t len, size_t piece)
{
	size_t sent, n;
	struct window w;

	for (sent = 0; sent < len; sent += n) {
		w.p = (uint8_t *)(uintptr_t)p + sent;
		w.len = piece < len - sent ? piece : len - sent;
		assert_int_equal(stream_writev(call.s, &w, 1, &n), STREAM_OK);
		assert_true(n > 0 && n <= w.len);
	}
}

/* `piece` 0: through windows. */
static void
kind_carries(size_t i, size_t grain, size_t piece)
{
	static uint8_t said[70000], got[70001];
	size_t len = 0, n;
	int r;

	for (n = 0; n < sizeof(said); n++)
		said[n] = (uint8_t)(n * 7 + n / 251);
	kind_start(i);
	call_send("asked ");
	assert_int_equal(stream_flush(call.s), STREAM_OK);
	if (piece)
		send_straight(said, sizeof(said), piece);
	else
		send_all(said, sizeof(said));
	assert_int_equal(stream_shut(call.s), STREAM_OK);
	call_hear();
	if (call.server.options != kinds[i].options ||
		call.server.security != kinds[i].security ||
		call.server.ended != kinds[i].marks)
		fail_msg("%s: options %x, security %u", kinds[i].label,
			call.server.options, call.server.security);
	assert_int_equal(call.heard_len, 6 + sizeof(said));
	assert_memory_equal(call.heard + 6, said, sizeof(said));

	call.m.grain = grain;
	call.server.chunk_max = piece % 2 ? 1966 : 20000;
	server_say(&call.server, said, sizeof(said), feed, &call.m);
	if (kinds[i].options & 1)
		server_say(&call.server, NULL, 0, feed, &call.m);
	call.m.in_ends = true;
	r = piece ? read_straight(got, sizeof(got), &len, piece)
		  : read_all(got, sizeof(got), &len);
	if (r != STREAM_END || len != sizeof(said))
		fail_msg("%s: %d after %zu bytes, %s", kinds[i].label, r, len,
			stream_reason(call.s));
	assert_memory_equal(got, said, len);
	call_end();
	assert_true(call.m.shut);
	bench_end();
}

static void
test_kinds_carry(void **state)
{
	static const size_t pieces[] = { 0, 301, 5000, 16999, 50000 };
	size_t i, k;

	(void)state;
	for (i = 0; i < sizeof(kinds) / sizeof(*kinds); i++) {
		kind_carries(i, 1, 0);
		for (k = 0; k < sizeof(pieces) / sizeof(*pieces); k++)
			kind_carries(i, 0, pieces[k]);
		kind_carries(i, 1, 5001);
	}
}

/* Whole chunks leave without a copy: each but the last has as much as it may. */
static void
test_straight_chunks_are_full(void **state)
{
	static const uint8_t said[3 * VMESS_PAYLOAD_MAX + 1];

	(void)state;
	kind_start(0);
	send_straight(said, sizeof(said), sizeof(said));
	assert_int_equal(stream_flush(call.s), STREAM_OK);
	call_hear();
	assert_int_equal(call.heard_len, sizeof(said));
	assert_true(call.server.chunks <= 5); /* the block's end cuts one */
	call_end();
	bench_end();
}

/* What finds no room is not taken, and goes later. */
static void
test_straight_when_full(void **state)
{
	static uint8_t said[70000];
	struct window w = { said, sizeof(said) };
	size_t n, all = 0;
	int r;

	(void)state;
	for (n = 0; n < sizeof(said); n++)
		said[n] = (uint8_t)(n % 249);
	kind_start(0);
	call.m.full = true;
	while ((r = stream_writev(call.s, &w, 1, &n)) == STREAM_OK) {
		all += n;
		w = (struct window){ said + all, sizeof(said) - all };
	}
	assert_int_equal(r, STREAM_AGAIN);
	assert_in_range(all, VMESS_PAYLOAD_MAX, TCP_BLOCK);
	call.m.full = false;
	send_straight(said + all, sizeof(said) - all, sizeof(said));
	assert_int_equal(stream_flush(call.s), STREAM_OK);
	call_hear();
	assert_int_equal(call.heard_len, sizeof(said));
	assert_memory_equal(call.heard, said, sizeof(said));
	call_end();
	bench_end();
}

/* Many chunks come at once; those before a damaged one still count. */
static void
test_straight_run_until_damage(void **state)
{
	uint8_t got[64];
	size_t n, head;
	int k;

	(void)state;
	kind_start(0);
	call_ask();
	call_hear();
	for (k = 0; k < 3; k++) {
		head = call.m.in_len;
		server_say(&call.server, (const uint8_t *)"good", 4, feed, &call.m);
	}
	assert_int_equal(stream_read(call.s, got, sizeof(got), &n), STREAM_OK);
	assert_int_equal(n, 12);
	assert_memory_equal(got, "goodgoodgood", 12);
	for (k = 0; k < 3; k++) {
		head = call.m.in_len;
		server_say(&call.server, (const uint8_t *)"then", 4, feed, &call.m);
	}
	call.m.in[head + 2] ^= 1;
	assert_int_equal(stream_read(call.s, got, sizeof(got), &n), STREAM_OK);
	assert_int_equal(n, 8);
	assert_int_equal(stream_read(call.s, got, sizeof(got), &n), -EBADMSG);
	call_end();
	bench_end();
}

/* Every bit of a sealed length is noticed. */
static void
test_sealed_length_bits(void **state)
{
	struct window w;
	size_t bit, head;

	(void)state;
	for (bit = 0; bit < 18 * 8; bit++) {
		kind_start(4);
		call_ask();
		call_hear();
		server_answer(&call.server, feed, &call.m);
		head = call.m.in_len;
		server_say(&call.server, (const uint8_t *)"y", 1, feed, &call.m);
		call.m.in[head + bit / 8] ^= (uint8_t)(1u << bit % 8);
		assert_int_equal(stream_recv_buf(call.s, &w), -EBADMSG);
		call_end();
		bench_end();
	}
}

/* An old response header is only four bytes, of which one proves something. */
static void
test_old_answer_of_another(void **state)
{
	struct window w;

	(void)state;
	kind_start(7);
	call_ask();
	call_hear();
	call.server.tag++;
	server_answer(&call.server, feed, &call.m);
	assert_int_equal(stream_recv_buf(call.s, &w), -EBADMSG);
	assert_non_null(strstr(stream_reason(call.s), "not VMess with this id"));
	call_end();
	bench_end();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_kinds_carry),
		cmocka_unit_test(test_straight_chunks_are_full),
		cmocka_unit_test(test_straight_when_full),
		cmocka_unit_test(test_straight_run_until_damage),
		cmocka_unit_test(test_sealed_length_bits),
		cmocka_unit_test(test_old_answer_of_another),
	};

	log_open(2, LOG_NONE, NULL);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
