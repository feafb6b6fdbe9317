/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "platform/sock.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>

/* All of it on loopback, both families. */
static const char *const loopbacks[] = { "127.0.0.1", "::1" };

static struct endpoint
loopback(size_t i)
{
	struct endpoint e = { .port = 0 };

	assert_true(ip_parse(&e.ip, loopbacks[i]));
	return e;
}

static void
wait_for(int fd, short events)
{
	struct pollfd p = { .fd = fd, .events = events };

	assert_int_equal(poll(&p, 1, 10000), 1);
}

static void
is_ours(int fd)
{
	assert_true(fd >= 0);
	assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	assert_true(fcntl(fd, F_GETFL) & O_NONBLOCK);
}

/* Loopback is a device, but leads to no other side; 192.0.2.1 is nobody's. */
static void
no_tunnel_has_these_addresses(void **state)
{
	char name[SOCK_DEVICE] = "as it was";
	struct ip ip;
	size_t i;

	(void)state;
	for (i = 0; i < 2; i++) {
		ip = loopback(i).ip;
		assert_int_equal(sock_tunnel_of(&ip, name), -ENOENT);
	}
	assert_true(ip_parse(&ip, "192.0.2.1"));
	assert_int_equal(sock_tunnel_of(&ip, name), -ENOENT);
	assert_string_equal(name, "as it was");
}

static void
tcp_over(size_t i)
{
	const struct sock_options o = { .nodelay = true, .source = loopback(i).ip };
	struct endpoint at = loopback(i), from, local;
	const struct iovec v[2] = { { (void *)"ab", 2 }, { (void *)"cd", 2 } };
	int server, near, far;
	char text[16];

	server = sock_tcp_listen(&at, 8);
	is_ours(server);
	assert_int_equal(sock_accept(server, &from), -EAGAIN);
	assert_int_equal(sock_local(server, &at), 0);
	near = sock_tcp_connect(&at, &o);
	is_ours(near);
	wait_for(near, POLLOUT);
	assert_int_equal(sock_tcp_connected(near), 0);
	wait_for(server, POLLIN);
	far = sock_accept(server, &from);
	is_ours(far);
	assert_int_equal(sock_local(near, &local), 0);
	assert_true(endpoint_equal(&from, &local));
	assert_int_equal(sock_read(far, text, sizeof text), -EAGAIN);
	assert_int_equal(sock_writev(near, v, 2), 4);
	wait_for(far, POLLIN);
	assert_int_equal(sock_read(far, text, sizeof text), 4);
	assert_memory_equal(text, "abcd", 4);
	assert_int_equal(sock_shut_write(near), 0);
	wait_for(far, POLLIN);
	assert_int_equal(sock_read(far, text, sizeof text), 0);
	sock_close(far);
	sock_close(near);
	sock_close(server);
	/* Nobody listens there any more. */
	near = sock_tcp_connect(&at, NULL);
	if (near >= 0) {
		wait_for(near, POLLOUT);
		assert_int_equal(sock_tcp_connected(near), -ECONNREFUSED);
		sock_close(near);
	} else {
		assert_int_equal(near, -ECONNREFUSED);
	}
}

static void
tcp(void **state)
{
	(void)state;
	tcp_over(0);
	tcp_over(1);
}

/* Where the kernel has no cookie of the other side it asks for one, and does not wait. */
static void
fast_open_without_a_cookie(void **state)
{
	const struct sock_options o = { .fast = SOCK_FAST_DATA };
	struct endpoint at = loopback(0), from;
	bool held = true;
	int server, near, far;

	(void)state;
	server = sock_tcp_listen(&at, 8);
	assert_int_equal(sock_local(server, &at), 0);
	near = sock_tcp_connect_fast(&at, &o, &held);
	is_ours(near);
	assert_false(held);
	wait_for(near, POLLOUT);
	assert_int_equal(sock_tcp_connected(near), 0);
	wait_for(server, POLLIN);
	far = sock_accept(server, &from);
	is_ours(far);
	assert_false(sock_fast_lost(near));
	sock_close(far);
	sock_close(near);
	sock_close(server);
}

/* A write to what is gone is an error and no signal. */
static void
no_signal(void **state)
{
	const struct iovec v = { (void *)"x", 1 };
	struct endpoint at = loopback(0);
	int server, near, i;
	ssize_t r = 0;

	(void)state;
	server = sock_tcp_listen(&at, 8);
	assert_int_equal(sock_local(server, &at), 0);
	near = sock_tcp_connect(&at, NULL);
	wait_for(near, POLLOUT);
	sock_close(server); /* resets the connection that nobody accepted */
	for (i = 0; i < 3 && r >= 0; i++) {
		wait_for(near, POLLIN);
		r = sock_writev(near, &v, 1);
	}
	assert_true(r == -EPIPE || r == -ECONNRESET);
	assert_int_equal(sock_writev(near, &v, 1), -EPIPE);
	sock_close(near);
}

static void
udp_over(size_t i)
{
	struct endpoint here = loopback(i), there = loopback(i), closed, from;
	const struct sock_options o = { .source = here.ip };
	char text[16];
	int a, b, c, error = 0;

	a = sock_udp_open(here.ip.family, NULL);
	b = sock_udp_open(here.ip.family, &o);
	c = sock_udp_open(here.ip.family, &o);
	is_ours(a);
	assert_int_equal(sock_local(b, &there), 0);
	assert_int_equal(sock_local(c, &closed), 0);
	sock_close(c);
	assert_int_equal(sock_next_error(a, &from, &error), -EAGAIN);
	/* To nobody, then to somebody: the error of the one is not that of the other. */
	assert_int_equal(sock_send_to(a, &closed, "x", 1), 1);
	wait_for(a, POLLERR);
	assert_int_equal(sock_send_to(a, &there, "hello", 5), 5);
	assert_int_equal(sock_recv_from(a, &from, text, sizeof text), -EAGAIN);
	assert_int_equal(sock_next_error(a, &from, &error), 0);
	assert_int_equal(error, ECONNREFUSED);
	assert_true(endpoint_equal(&from, &closed));
	assert_int_equal(sock_next_error(a, &from, &error), -EAGAIN);
	wait_for(b, POLLIN);
	assert_int_equal(sock_recv_from(b, &from, text, sizeof text), 5);
	assert_int_equal(sock_send_to(b, &from, "", 0), 0);
	wait_for(a, POLLIN);
	assert_int_equal(sock_recv_from(a, &from, text, sizeof text), 0);
	assert_true(endpoint_equal(&from, &there));
	sock_close(a);
	sock_close(b);
}

static void
udp(void **state)
{
	(void)state;
	udp_over(0);
	udp_over(1);
}

/* Too long for any packet is an error of this call. */
static void
too_long(void **state)
{
	static uint8_t much[70000];
	struct endpoint to = loopback(0);
	int fd = sock_udp_open(4, NULL);

	(void)state;
	to.port = 9;
	assert_int_equal(sock_send_to(fd, &to, much, sizeof much), -EMSGSIZE);
	sock_close(fd);
}

static void
refusals(void **state)
{
	const struct sock_options nowhere = { .interface = "none-such" };
	struct endpoint to = loopback(0);

	(void)state;
	to.port = 9;
	assert_int_equal(sock_udp_open(5, NULL), -EAFNOSUPPORT);
	assert_int_equal(sock_ping_open(0, 0), -EAFNOSUPPORT);
	assert_int_equal(sock_tcp_connect(&to, &nowhere), -ENODEV);
	to.ip.family = 0;
	assert_int_equal(sock_tcp_connect(&to, NULL), -EAFNOSUPPORT);
	sock_close(-1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_tunnel_has_these_addresses),
		cmocka_unit_test(tcp),
		cmocka_unit_test(fast_open_without_a_cookie),
		cmocka_unit_test(no_signal),
		cmocka_unit_test(udp),
		cmocka_unit_test(too_long),
		cmocka_unit_test(refusals),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
