/* SPDX-License-Identifier: MIT */
/* The bottom layers over real descriptors, on loopback. */
#include "unit/stream/bench.h"

#include "stream/packets.h"
#include "stream/udp.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { MUCH = 8 << 20 };

static void
bench_pair(struct bench *b)
{
	int fd[2];

	bench_start(b);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fd), 0);
	b->far = fd[1];
	b->s = tcp_adopt(b->loop, b->memory, fd[0], &b->owner);
	assert_non_null(b->s);
}

static void
put(struct bench *b, const char *text)
{
	struct window w;

	assert_int_equal(stream_send_buf(b->s, &w), STREAM_OK);
	assert_true(w.len >= strlen(text));
	memcpy(w.p, text, strlen(text));
	assert_int_equal(stream_send_ack(b->s, strlen(text)), STREAM_OK);
}

/* What ends gives its struct back, and what it was counted as. */
static void
test_structs_are_counted(void **state)
{
	struct stream *other;
	struct bench b;
	size_t one;
	int fd[2];

	(void)state;
	bench_pair(&b);
	one = tcp_memory_structs(b.memory);
	assert_in_range(one, 1, 192);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fd), 0);
	other = tcp_adopt(b.loop, b.memory, fd[0], &b.owner);
	assert_int_equal(tcp_memory_structs(b.memory), 2 * one);
	stream_free(other);
	loop_turn(b.loop, 0);
	assert_int_equal(tcp_memory_structs(b.memory), one);
	close(fd[1]);
	bench_end(&b);
}

static void
test_gathers_until_flush(void **state)
{
	struct bench b;
	char p[16];

	(void)state;
	bench_pair(&b);
	put(&b, "one");
	stream_park(b.s);
	put(&b, "two");
	assert_int_equal(read(b.far, p, sizeof(p)), -1);
	assert_int_equal(stream_flush(b.s), STREAM_OK);
	assert_int_equal(read(b.far, p, sizeof(p)), 6);
	assert_memory_equal(p, "onetwo", 6);
	stream_park(b.s);
	assert_int_equal(tcp_memory_blocks(b.memory)->pool.out, 0);
	bench_end(&b);
}

static void
test_receives_and_ends(void **state)
{
	struct bench b;
	struct window w;

	(void)state;
	bench_pair(&b);
	assert_int_equal(stream_recv_buf(b.s, &w), STREAM_AGAIN);
	stream_park(b.s);
	assert_int_equal(tcp_memory_blocks(b.memory)->pool.out, 0);
	assert_int_equal(write(b.far, "hello", 5), 5);
	wait_woken(&b);
	assert_int_equal(stream_recv_buf(b.s, &w), STREAM_OK);
	assert_int_equal(w.len, 5);
	stream_recv_ack(b.s, 2);
	/* What was not taken survives the turn. */
	stream_park(b.s);
	assert_int_equal(stream_recv_buf(b.s, &w), STREAM_OK);
	assert_int_equal(w.len, 3);
	assert_memory_equal(w.p, "llo", 3);
	stream_recv_ack(b.s, 3);
	assert_int_equal(stream_recv_buf(b.s, &w), STREAM_AGAIN);
	shutdown(b.far, SHUT_WR);
	wait_woken(&b);
	assert_int_equal(stream_recv_buf(b.s, &w), STREAM_END);
	assert_int_equal(stream_recv_buf(b.s, &w), STREAM_END);
	/* The other direction lives on. */
	put(&b, "x");
	assert_int_equal(stream_flush(b.s), STREAM_OK);
	bench_end(&b);
}

/* Sends until nothing more goes; returns how much was acknowledged. */
static size_t
send_until_full(struct bench *b, size_t from)
{
	struct window w;
	size_t i;
	int r;

	while ((r = stream_send_buf(b->s, &w)) == STREAM_OK && from < MUCH) {
		for (i = 0; i < w.len; i++)
			w.p[i] = (uint8_t)((from + i) * 31 >> 3);
		from += w.len;
		assert_int_equal(stream_send_ack(b->s, w.len), STREAM_OK);
	}
	assert_true(r == STREAM_AGAIN || from >= MUCH);
	return from;
}

static size_t
drain_far(struct bench *b, size_t from)
{
	uint8_t p[65536];
	ssize_t n, i;

	while ((n = read(b->far, p, sizeof(p))) > 0) {
		for (i = 0; i < n; i++)
			if (p[i] != (uint8_t)((from + (size_t)i) * 31 >> 3))
				fail_msg("byte %zu is wrong", from + (size_t)i);
		from += (size_t)n;
	}
	return from;
}

static void
test_reads_what_was_looked_at(void **state)
{
	struct bench b;
	struct window w;
	uint8_t got[8];
	size_t n;

	(void)state;
	bench_pair(&b);
	assert_int_equal(write(b.far, "answer", 6), 6);
	assert_int_equal(stream_recv_buf(b.s, &w), STREAM_OK);
	assert_int_equal(w.len, 6);
	assert_int_equal(stream_read(b.s, got, 4, &n), STREAM_OK);
	assert_int_equal(n, 4);
	assert_memory_equal(got, "answ", 4);
	assert_int_equal(stream_recv_buf(b.s, &w), STREAM_OK);
	assert_int_equal(w.len, 2);
	assert_int_equal(stream_read(b.s, got, 4, &n), STREAM_OK);
	assert_int_equal(n, 2);
	assert_memory_equal(got, "er", 2);
	assert_int_equal(stream_read(b.s, got, 4, &n), STREAM_AGAIN);
	bench_end(&b);
}

static void
test_keeps_what_the_kernel_does_not_take(void **state)
{
	size_t sent = 0, got = 0;
	struct bench b;

	(void)state;
	bench_pair(&b);
	while (sent < MUCH) {
		sent = send_until_full(&b, sent);
		if (stream_flush(b.s) == STREAM_AGAIN) {
			stream_park(b.s);
			assert_int_equal(tcp_memory_blocks(b.memory)->pool.out, 1);
			got = drain_far(&b, got);
			wait_woken(&b);
		}
	}
	while (stream_shut(b.s) == STREAM_AGAIN) {
		got = drain_far(&b, got);
		wait_woken(&b);
	}
	got = drain_far(&b, got);
	assert_int_equal(got, sent);
	bench_end(&b);
}

static void
test_abort_and_close(void **state)
{
	struct bench b;
	char p[8];

	(void)state;
	bench_connected(&b);
	stream_free(b.s);
	b.s = NULL;
	assert_int_equal(read(b.far, p, sizeof(p)), -1);
	assert_int_equal(errno, ECONNRESET);
	bench_end(&b);

	bench_connected(&b);
	put(&b, "bye");
	assert_int_equal(stream_shut(b.s), STREAM_OK);
	stream_free(b.s);
	b.s = NULL;
	assert_int_equal(read(b.far, p, sizeof(p)), 3);
	assert_int_equal(read(b.far, p, sizeof(p)), 0);
	bench_end(&b);
}

static void
test_errors_are_final(void **state)
{
	struct linger none = { 1, 0 };
	struct bench b;
	struct window w;

	(void)state;
	bench_connected(&b);
	assert_int_equal(stream_recv_buf(b.s, &w), STREAM_AGAIN);
	setsockopt(b.far, SOL_SOCKET, SO_LINGER, &none, sizeof(none));
	close(b.far);
	b.far = -1;
	wait_woken(&b);
	assert_int_equal(stream_recv_buf(b.s, &w), -ECONNRESET);
	assert_int_equal(stream_send_buf(b.s, &w), -ECONNRESET);
	assert_int_equal(stream_shut(b.s), -ECONNRESET);
	assert_int_equal(stream_recv_buf(b.s, &w), -ECONNRESET);
	assert_non_null(strstr(stream_reason(b.s), "reset by the other side"));
	bench_end(&b);
}

static void
test_refused(void **state)
{
	struct endpoint at = loopback(4, 0);
	char want[128], text[ENDPOINT_TEXT];
	struct bench b;
	int listener;

	(void)state;
	bench_start(&b);
	listener = sock_tcp_listen(&at, 1);
	assert_int_equal(sock_local(listener, &at), 0);
	close(listener);
	b.s = tcp_dial(b.loop, b.memory, &at, NULL, &b.owner);
	assert_int_equal(open_fully(&b), -ECONNREFUSED);
	assert_int_equal(stream_open(b.s), -ECONNREFUSED);
	snprintf(want, sizeof(want), "connect to %s: connection refused",
		endpoint_format(&at, text));
	assert_string_equal(stream_reason(b.s), want);
	bench_end(&b);
}

/* Datagrams. */

static struct packets *
udp_start(struct bench *b)
{
	struct packets *k;

	bench_start(b);
	k = udp_open(b->loop, tcp_memory_packets(b->memory), NULL, &b->owner);
	assert_non_null(k);
	assert_int_equal(packets_open(k), STREAM_OK);
	return k;
}

static int
udp_server(int family, struct target *to)
{
	struct endpoint at = loopback(family, 0);
	struct sock_options o = { .source = at.ip };
	int fd = sock_udp_open(family, &o);

	if (fd < 0)
		return fd;
	assert_int_equal(sock_local(fd, &at), 0);
	*to = (struct target){ .ip = loopback(family, 0).ip, .port = at.port };
	return fd;
}

static int
recv_fully(struct bench *b, struct packets *k, struct endpoint *from, void *p, size_t *n)
{
	int r;

	while ((r = packets_recv(k, from, p, 64, n)) == STREAM_AGAIN)
		wait_woken(b);
	return r;
}

/* A second family takes a second block, and all come home. */
static void
test_udp_structs_are_counted(void **state)
{
	struct target to[2];
	struct packets *k;
	struct bench b;
	size_t one;
	int fd[2];

	(void)state;
	k = udp_start(&b);
	one = tcp_memory_structs(b.memory);
	assert_in_range(one, 1, 128);
	fd[0] = udp_server(6, &to[0]);
	fd[1] = udp_server(4, &to[1]);
	assert_true(fd[0] >= 0 && fd[1] >= 0);
	assert_int_equal(packets_send(k, &to[0], (uint8_t *)"ask", 3), STREAM_OK);
	assert_int_equal(tcp_memory_structs(b.memory), one);
	assert_int_equal(packets_send(k, &to[1], (uint8_t *)"ask", 3), STREAM_OK);
	assert_int_equal(tcp_memory_structs(b.memory), 2 * one);
	packets_free(k);
	loop_turn(b.loop, 0);
	assert_int_equal(tcp_memory_structs(b.memory), 0);
	close(fd[0]);
	close(fd[1]);
	bench_end(&b);
}

/* One socket for both targets, as RFC 4787 wants it. */
static void
test_udp_two_targets(void **state)
{
	struct endpoint first, second, from;
	struct target to[2];
	struct packets *k;
	struct bench b;
	char p[64];
	size_t n;
	int fd[2], i;

	(void)state;
	k = udp_start(&b);
	for (i = 0; i < 2; i++) {
		fd[i] = udp_server(4, &to[i]);
		assert_true(fd[i] >= 0);
		assert_int_equal(packets_send(k, &to[i], (uint8_t *)"ask", 3), STREAM_OK);
	}
	assert_int_equal(sock_recv_from(fd[0], &first, p, sizeof(p)), 3);
	assert_int_equal(sock_recv_from(fd[1], &second, p, sizeof(p)), 3);
	assert_true(endpoint_equal(&first, &second));
	assert_int_equal(sock_send_to(fd[1], &first, "answer", 6), 6);
	assert_int_equal(recv_fully(&b, k, &from, p, &n), STREAM_OK);
	assert_int_equal(n, 6);
	assert_int_equal(from.port, to[1].port);
	packets_free(k);
	close(fd[0]);
	close(fd[1]);
	bench_end(&b);
}

static void
test_udp_refused(void **state)
{
	struct target dead, alive;
	struct endpoint from;
	struct packets *k;
	struct bench b;
	char p[64];
	size_t n;
	int fd;

	(void)state;
	k = udp_start(&b);
	close(udp_server(4, &dead));
	fd = udp_server(4, &alive);
	assert_int_equal(packets_send(k, &dead, (uint8_t *)"x", 1), STREAM_OK);
	assert_int_equal(recv_fully(&b, k, &from, p, &n), PACKETS_REFUSED);
	assert_int_equal(from.port, dead.port);
	/* Another destination does not suffer from it. */
	assert_int_equal(packets_send(k, &dead, (uint8_t *)"x", 1), STREAM_OK);
	assert_int_equal(packets_send(k, &alive, (uint8_t *)"y", 1), STREAM_OK);
	assert_int_equal(sock_recv_from(fd, &from, p, sizeof(p)), 1);
	assert_int_equal(sock_send_to(fd, &from, "z", 1), 1);
	do {
		assert_true(recv_fully(&b, k, &from, p, &n) >= 0);
	} while (from.port != alive.port);
	assert_int_equal(p[0], 'z');
	packets_free(k);
	close(fd);
	bench_end(&b);
}

static void
test_udp_unreachable_and_too_large(void **state)
{
	static uint8_t huge[65536];
	const uint8_t all_ones[4] = { 255, 255, 255, 255 };
	const struct target nowhere = { .ip = ip_make(4, all_ones), .port = 9 };
	struct target to = { .ip = loopback(4, 0).ip, .port = 9 };
	struct endpoint from;
	struct packets *k;
	struct bench b;
	char p[64];
	size_t n;

	(void)state;
	k = udp_start(&b);
	assert_int_equal(packets_send(k, &to, huge, sizeof(huge)), -EMSGSIZE);
	/* Broadcast is not permitted on this socket, which the system says at once. */
	assert_int_equal(packets_send(k, &nowhere, huge, 1), STREAM_OK);
	wait_woken(&b);
	assert_int_equal(
		packets_recv(k, &from, (uint8_t *)p, 64, &n), PACKETS_PROHIBITED);
	assert_int_equal(from.port, 9);
	assert_int_equal(packets_recv(k, &from, (uint8_t *)p, 64, &n), STREAM_AGAIN);
	assert_string_equal(packets_reason(k), "");
	packets_free(k);
	bench_end(&b);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_structs_are_counted),
		cmocka_unit_test(test_gathers_until_flush),
		cmocka_unit_test(test_receives_and_ends),
		cmocka_unit_test(test_reads_what_was_looked_at),
		cmocka_unit_test(test_keeps_what_the_kernel_does_not_take),
		cmocka_unit_test(test_abort_and_close),
		cmocka_unit_test(test_errors_are_final),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_udp_structs_are_counted),
		cmocka_unit_test(test_udp_two_targets),
		cmocka_unit_test(test_udp_refused),
		cmocka_unit_test(test_udp_unreachable_and_too_large),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
