/* SPDX-License-Identifier: MIT */
#include "host.h"

/* A SYN where a connection is, from the same port. */

static void
test_syn_again(void **state)
{
	struct stream *c;
	struct seen k;
	struct peer p;

	(void)state;
	peer_init(&p, "198.18.0.2:40000", "203.0.113.9:81");
	peer_syn(&p);
	host_settle();
	assert_true(host_take(&k));
	peer_syn(&p); /* the SYN-ACK was lost */
	host_settle();
	assert_true(host_take(&k));
	assert_int_equal(k.flags, SYN | ACK);
	host_quiet();
	assert_int_equal(host.nsyn, 1);
	/* A new attempt from the same port. */
	p.iss += 77777;
	peer_syn(&p);
	assert_int_equal(host.nsyn, 2);
	assert_int_equal(host.ngone, 1);
	peer_pump(&p);
	peer_ack(&p);
	assert_int_equal(host.nconn, 1);
	/* On a connection that lives it is challenged (RFC 5961). */
	c = host.conn[0];
	p.iss += 77777;
	host_input_tcp(&p.me, &p.to, SYN, p.iss, 0, 1000, NULL, 0, NULL, 0);
	host_settle();
	assert_true(host_take(&k));
	assert_int_equal(k.flags, ACK);
	assert_int_equal(conn_write(c, (const uint8_t *)"still", 5), 5);
	host_settle();
	assert_true(host_take(&k));
	assert_int_equal(k.len, 5);
}

/* The application has ended, and what it sent is still to be read; so has the user, whose
 * FIN is on its way. */
static struct stream *
last_ack(struct peer *p)
{
	struct stream *c = peer_start(p, "198.18.0.2:40000", "203.0.113.9:81");
	peer_send(p, "question", 8);
	peer_fin(p);
	peer_pump(p);
	stream_shut(c);
	p->silent = true;
	peer_pump(p);
	assert_true(p->fin);
	return c;
}

static void
reads_all(struct stream *c)
{
	uint8_t mem[16];
	size_t n = 0;

	assert_int_equal(conn_read(c, mem, sizeof(mem), &n), STREAM_END);
	assert_int_equal(n, 8);
	assert_memory_equal(mem, "question", 8);
}

/* As with any connection that lives (RFC 9293 3.10.7.4) it is the application's kernel that
 * says of it that it is over; what it had sent is not lost by that. */
static void
test_syn_at_the_last(void **state)
{
	struct stream *c;
	struct seen k;
	struct peer p, next;

	(void)state;
	c = last_ack(&p);
	peer_init(&next, "198.18.0.2:40000", "203.0.113.9:81");
	next.iss = p.iss + 77777;
	peer_syn(&next);
	host_settle();
	assert_true(host_take(&k));
	assert_int_equal(k.flags, ACK);
	assert_int_equal(k.ack, p.snd);
	host_quiet();
	assert_int_equal(host.nsyn, 1);
	host_input_tcp(&p.me, &p.to, RST, k.ack, 0, 0, NULL, 0, NULL, 0);
	reads_all(c);
	peer_syn(&next);
	peer_pump(&next);
	assert_int_equal(host.nsyn, 2);
	assert_true(next.open);
	peer_fini(&p);
	peer_fini(&next);
}

/* The last acknowledgement never comes, which is nobody's loss. */
static void
test_silent_at_the_last(void **state)
{
	struct stream *c;
	struct peer p;

	(void)state;
	c = last_ack(&p);
	host_pass(10000);
	reads_all(c);
	peer_fini(&p);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		HOST_TEST(test_syn_again),
		HOST_TEST(test_syn_at_the_last),
		HOST_TEST(test_silent_at_the_last),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
