/* SPDX-License-Identifier: MIT */
#ifndef TESTS_STACK_HOST_H
#define TESTS_STACK_HOST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/addr.h"
#include "loop/loop.h"
#include "stack/stack.h"

#include <stdbool.h>

/*
 * The host on which applications run, seen from its network device: packets go
 * into the stack, and packets that come out are checked (every checksum, every
 * length) and queued here.  It is the stack's user at the same time and notes
 * what it is told.
 */

/* The stack keeps an acknowledgement back for so long, in case that it can go with bytes. */
enum { HOST_ACK_MS = 4 };

enum { MEGABYTE = 1 << 20 };
enum { HOST_QUEUE = 8192, HOST_CONNS = 4096, PACKET_MAX = 65535 };

/* A packet that came out of the stack. */
struct seen {
	struct endpoint from, to; /* port 0 for ICMP */
	uint8_t proto;
	uint8_t flags; /* TCP */
	uint32_t seq, ack;
	uint32_t window; /* as in the header */
	uint16_t mss;    /* option of a SYN; 0 */
	int scale;       /* option of a SYN; -1 */
	bool sack;       /* option of a SYN */
	bool stamped;    /* it has a timestamp, and echoes one */
	uint32_t stamp, echo;
	uint8_t type, code;
	uint16_t id, no; /* echo */
	bool part;       /* a fragment: p is what it carries */
	bool more;
	uint16_t offset;
	uint16_t number;  /* IPv4's id */
	bool uncut;       /* IPv4's "don't fragment" */
	const uint8_t *p; /* payload, borrowed until the next host_take */
	size_t len;
};

struct host {
	struct loop *loop;
	struct stack *stack;
	struct stack_user user;
	struct stack_config config;

	/* What the user answers, and was told. */
	enum stack_answer answer;
	struct held *held;
	struct endpoint source, target; /* of the last SYN, datagram or echo */
	struct stream *conn[HOST_CONNS];
	size_t nconn, ngone, nsyn, ndatagram, necho;
	size_t nyielded; /* of those that are gone, to others */
	uint8_t datagram[PACKET_MAX];
	size_t datagram_len, segment;
	bool uncut;
	uint16_t echo_id, echo_seq;

	/* The device. */
	int room; /* packets that it still takes; -1: any number */
	uint8_t *queue[HOST_QUEUE];
	size_t queue_len[HOST_QUEUE];
	size_t first, last;
	uint8_t *taken;
};

extern struct host host;
extern bool host_offload; /* what host_setup gives the device */

int host_setup(void **state);
int host_teardown(void **state);
#define HOST_TEST(test) cmocka_unit_test_setup_teardown(test, host_setup, host_teardown)
/* With a device that cuts and sums. */
int host_setup_offload(void **state);
int host_teardown_offload(void **state);
#define HOST_TEST_OFFLOAD(test) \
	cmocka_unit_test_setup_teardown(test, host_setup_offload, host_teardown_offload)
/* Another stack, as host.config says. */
void host_restart(void);

/* Turns until nothing is left to do. */
void host_settle(void);
void host_pass(uint64_t ms);
/* The next packet; false: there is none. Fails the test when it is not sound. */
bool host_take(struct seen *k);
/* Takes all that is queued. The TCP flags of all of it together. */
unsigned host_flags(void);
/* Fails unless nothing is queued. */
void host_quiet(void);

struct endpoint at(const char *text);
/* An application and whom it talks to, of either family. */
extern const struct pair {
	const char *me, *to;
} pairs[2];
/* Bytes of which no two stretches are alike; free them. */
uint8_t *pattern(size_t len);

/* Packets in, with right checksums. */
void host_input_tcp(const struct endpoint *from, const struct endpoint *to, uint8_t flags,
	uint32_t seq, uint32_t ack, uint16_t window, const uint8_t *options,
	size_t optlen, const void *p, size_t len);
/* The same as the kernel hands over what it has not cut and summed; read into the stack's
 * memory. */
void host_input_large(const struct endpoint *from, const struct endpoint *to,
	uint8_t flags, uint32_t seq, uint32_t ack, uint16_t window,
	const uint8_t *options, size_t optlen, const void *p, size_t len);
/* A packet of the stack's, finished as o asks and queued. */
void host_device_take(uint8_t *p, size_t len, const struct offload *o);
void host_input_udp(const struct endpoint *from, const struct endpoint *to, const void *p,
	size_t len);
void host_input_echo(const struct endpoint *from, const struct endpoint *to, uint16_t id,
	uint16_t seq, const void *p, size_t len);
/* What a router behind this machine says of a packet from `from` to `to`, which began with
 * `head` (RFC 4443 3.2). */
void host_input_too_big(const struct endpoint *from, const struct endpoint *to,
	uint8_t proto, const uint8_t head[static 8], uint32_t mtu);
/* As fragments of at most `unit` bytes each, a multiple of 8; in reverse order. */
void host_input_udp_parts(const struct endpoint *from, const struct endpoint *to,
	const void *p, size_t len, size_t unit);
/* Builds a whole IP packet; its length. `offset` and `more` make a fragment of it. */
struct shape {
	const struct endpoint *from, *to;
	uint8_t proto;
	bool part, more;
	uint16_t offset;
	uint32_t id;
};
size_t ip_build(uint8_t *mem, const struct shape *s, const uint8_t *p, size_t len);
size_t tcp_build(uint8_t *mem, const struct endpoint *from, const struct endpoint *to,
	uint8_t flags, uint32_t seq, uint32_t ack, uint16_t window,
	const uint8_t *options, size_t optlen, const void *p, size_t len);
size_t udp_build(uint8_t *mem, const struct endpoint *from, const struct endpoint *to,
	const void *p, size_t len);
size_t echo_build(uint8_t *mem, const struct endpoint *from, const struct endpoint *to,
	uint16_t id, uint16_t seq, const void *p, size_t len);

enum { FIN = 1, SYN = 2, RST = 4, PSH = 8, ACK = 16, URG = 32 };

/*
 * An application's side of one connection: a TCP that never loses, and fails
 * the test when a byte comes twice, out of order or beyond its window.
 */
struct peer {
	struct endpoint me, to;
	uint32_t iss, snd, acked; /* next byte out, and what the stack has acknowledged */
	uint32_t irs, rcv;
	uint32_t window; /* that this side offers */
	uint32_t right;  /* the furthest byte that was ever offered */
	uint32_t their_window;
	int their_scale;
	size_t large; /* bytes of a segment that it sends; 0: as the MTU, cut and summed */
	bool silent;  /* takes what comes, but acknowledges nothing */
	bool plain;   /* knows no timestamps, as old systems */
	bool unscaled;        /* its windows, and the stack's, have 16 bits */
	uint32_t stamp, echo; /* of its timestamps: the next, and the stack's last */
	bool open, fin, reset;
	uint8_t *got;
	size_t ngot, cap;
};

void peer_init(struct peer *p, const char *me, const char *to);
void peer_fini(struct peer *p);
void peer_syn(struct peer *p);
/* SYN, settle, and the last step of the handshake. The stack's stream. */
struct stream *peer_open(struct peer *p);
/* peer_init, and that. */
struct stream *peer_start(struct peer *p, const char *me, const char *to);
void peer_ack(struct peer *p);
void peer_send(struct peer *p, const void *b, size_t len);
void peer_fin(struct peer *p);
/* Takes its window down and says so, with two bytes: lwIP believes in a smaller one when
 * newer bytes come with it. */
void peer_shrink(struct peer *p, uint32_t window);
void peer_reset(struct peer *p);
/* Takes all that the stack has sent, until it sends nothing more. */
void peer_pump(struct peer *p);
/* A megabyte each way at once, of bytes that show any swap. */
void peer_megabyte(struct peer *p);
/* The same by a peer of its own. 0 for `large`: see above. */
void peer_transfer(const char *me, const char *to, uint32_t window, size_t large);

/* The user's side: all that can be read now, appended; what the last call answered. */
int conn_read(struct stream *c, uint8_t *mem, size_t cap, size_t *n);
/* The user of the one connection shuts it and goes. */
void conn_leave(struct stream *c);
/* As much as fits. */
size_t conn_write(struct stream *c, const uint8_t *p, size_t len);

#endif
