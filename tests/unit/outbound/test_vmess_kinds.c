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
kind_carries(size_t i, size_t grain)
{
	static uint8_t said[70000], got[70000];
	size_t len = 0, n;
	struct window w;
	int r;

	for (n = 0; n < sizeof(said); n++)
		said[n] = (uint8_t)(n * 7 + n / 251);
	kind_start(i);
	call_send("asked ");
	assert_int_equal(stream_flush(call.s), STREAM_OK);
	for (n = 0; n < sizeof(said); n += w.len) {
		assert_int_equal(stream_send_buf(call.s, &w), STREAM_OK);
		w.len = w.len < sizeof(said) - n ? w.len : sizeof(said) - n;
		memcpy(w.p, said + n, w.len);
		assert_int_equal(stream_send_ack(call.s, w.len), STREAM_OK);
	}
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
	call.server.chunk_max = 20000;
	server_say(&call.server, said, sizeof(said), feed, &call.m);
	if (kinds[i].options & 1)
		server_say(&call.server, NULL, 0, feed, &call.m);
	call.m.in_ends = true;
	r = read_all(got, sizeof(got), &len);
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
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(kinds) / sizeof(*kinds); i++) {
		kind_carries(i, 0);
		kind_carries(i, 1);
	}
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
		call_send("x");
		assert_int_equal(stream_flush(call.s), STREAM_OK);
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
	call_send("x");
	assert_int_equal(stream_flush(call.s), STREAM_OK);
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
		cmocka_unit_test(test_sealed_length_bits),
		cmocka_unit_test(test_old_answer_of_another),
	};

	log_open(2, LOG_NONE, NULL);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
