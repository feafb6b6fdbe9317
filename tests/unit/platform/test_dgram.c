/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "platform/dgram.h"
#include "platform/posix/dgram_each.h"
#include "platform/sock.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

/* Batches over loopback, both families, with the kernel's cutting and joining and without. */

enum { ROOM = 65536, IN = 16 };

static const char *const loopbacks[] = { "127.0.0.1", "::1" };

static struct {
	int near, far;
	struct endpoint at; /* far's */
	uint8_t *bytes, *room;
} t;

static void
begin(size_t family)
{
	struct endpoint at = { .port = 0 };
	struct sock_options o = { .mark = 0 };
	size_t i;

	assert_true(ip_parse(&at.ip, loopbacks[family]));
	o.source = at.ip;
	t.near = sock_udp_open(at.ip.family, NULL);
	t.far = sock_udp_open(at.ip.family, &o);
	assert_true(t.near >= 0 && t.far >= 0);
	assert_int_equal(sock_local(t.far, &t.at), 0);
	t.bytes = malloc(ROOM);
	t.room = malloc((size_t)IN * ROOM);
	for (i = 0; i < ROOM; i++)
		t.bytes[i] = (uint8_t)(i * 7 + i / 251);
}

static void
end(void)
{
	sock_close(t.near);
	sock_close(t.far);
	free(t.bytes);
	free(t.room);
}

static int
receive(struct dgram_in *d, int n)
{
	struct pollfd p = { .fd = t.far, .events = POLLIN };
	int i;

	for (i = 0; i < n; i++) {
		d[i].p = t.room + (size_t)i * ROOM;
		d[i].cap = ROOM;
	}
	assert_int_equal(poll(&p, 1, 10000), 1);
	return dgram_recv(t.far, d, n);
}

/* All that is sent in `d` arrives, byte for byte and with its borders. */
static void
arrives(const struct dgram_out *d, int n)
{
	struct dgram_in in[IN];
	size_t size, len, at = 0, done;
	int i = 0, k, got;

	while (i < n) {
		got = receive(in, IN);
		assert_true(got > 0);
		for (k = 0; k < got; k++) {
			size = in[k].segment > 0 ? in[k].segment : in[k].len;
			done = 0;
			do {
				len = d[i].segment > 0 ? d[i].segment : d[i].len;
				len = len < d[i].len - at ? len : d[i].len - at;
				assert_true(size >= len);
				assert_int_equal(
					size < in[k].len - done ? size : in[k].len - done,
					len);
				assert_memory_equal(in[k].p + done, d[i].p + at, len);
				done += len;
				at += len;
				if (at == d[i].len) {
					at = 0;
					i++;
				}
			} while (done < in[k].len);
		}
	}
	assert_int_equal(dgram_recv(t.far, in, 1), -EAGAIN);
}

static struct dgram_out
out(size_t from, size_t len, size_t segment)
{
	return (struct dgram_out){ t.at, t.bytes + from, len, segment };
}

static void
passes(struct dgram_out *d, int n)
{
	bool cuts = true, whole = false;
	int i, r;

	for (i = 0; i < n; i += r) {
		r = dgram_send(t.near, &cuts, d + i, n - i);
		assert_true(r > 0);
	}
	arrives(d, n);
	for (i = 0; i < n; i += r) {
		r = dgram_send(t.near, &whole, d + i, n - i);
		assert_true(r > 0);
	}
	arrives(d, n);
	assert_int_equal(dgram_send_each(t.near, d, n), n);
	arrives(d, n);
}

static void
test_batches(void **state)
{
	size_t family;
	int i, join;

	(void)state;
	for (family = 0; family < 2; family++) {
		for (join = 0; join < 2; join++) {
			struct dgram_out d[8];

			begin(family);
			if (join)
				dgram_join(t.far);
			for (i = 0; i < 8; i++)
				d[i] = out((size_t)i * 100, 100, 0);
			passes(d, 1);
			passes(d, 8);
			d[3].len = 10; /* ends a run */
			d[5].len = 0;  /* neither begins nor ends one */
			d[6].len = 1000;
			passes(d, 8);
			d[2] = out(0, 3001, 1200);
			passes(d, 8);
			d[7] = out(0, 65000, 1200);
			passes(d + 7, 1);
			d[0] = out(0, 60000, 500); /* more than the kernel cuts into */
			passes(d, 1);
			end();
		}
	}
}

static void
test_several_places(void **state)
{
	struct dgram_out d[4];
	struct endpoint other;
	struct sock_options o = { .mark = 0 };
	struct dgram_in in[IN] = { 0 };
	bool cuts = true;
	int second;

	(void)state;
	begin(0);
	o.source = t.at.ip;
	second = sock_udp_open(4, &o);
	assert_int_equal(sock_local(second, &other), 0);
	d[0] = d[1] = d[2] = d[3] = out(0, 64, 0);
	d[1].to = d[3].to = other;
	assert_int_equal(dgram_send(t.near, &cuts, d, 4), 4);
	assert_int_equal(receive(in, IN), 2);
	assert_int_equal(in[0].len, 64);
	assert_int_equal(in[0].segment, 0);
	assert_int_equal(dgram_recv_each(second, in, 2), 2);
	assert_int_equal(dgram_recv_each(second, in, 2), -EAGAIN);
	sock_close(second);
	end();
}

static void
test_errors(void **state)
{
	static uint8_t huge[65536];
	struct dgram_in in = { .p = huge, .cap = sizeof(huge) };
	const uint8_t all_ones[4] = { 255, 255, 255, 255 };
	struct dgram_out d[2];
	bool cuts = true;

	(void)state;
	begin(0);
	d[0] = out(0, 10, 0);
	d[1] = (struct dgram_out){ t.at, huge, sizeof(huge), 0 };
	assert_int_equal(dgram_send(t.near, &cuts, d, 2), 1);
	assert_int_equal(dgram_send(t.near, &cuts, d + 1, 1), -EMSGSIZE);
	/* Broadcast is not permitted on this socket. */
	d[1] = (struct dgram_out){ { ip_make(4, all_ones), 9 }, huge, 20, 10 };
	assert_int_equal(dgram_send(t.near, &cuts, d + 1, 1), -EACCES);
	/* What an earlier datagram did is not the next one's fault. */
	d[1] = out(0, 10, 0);
	d[1].to.port = 1;
	assert_int_equal(dgram_send(t.near, &cuts, d + 1, 1), 1);
	assert_int_equal(dgram_send(t.near, &cuts, d, 1), 1);
	assert_int_equal(dgram_recv(t.near, &in, 1), -EAGAIN);
	arrives((struct dgram_out[]){ d[0], d[0] }, 2);
	assert_true(dgram_abilities() & DGRAM_MANY);
	end();
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_batches),
		cmocka_unit_test(test_several_places),
		cmocka_unit_test(test_errors),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
