/* SPDX-License-Identifier: MIT */
#ifndef STACK_STACK_H
#define STACK_STACK_H

#include "base/addr.h"
#include "base/pool.h"
#include "loop/loop.h"
#include "platform/tun.h"
#include "stream/stream.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>

/*
 * The TCP/IP stack behind the TUN: packets on one side; connections, datagrams
 * and echo requests on the other.  Any address and port is answered for.  This
 * room alone knows lwIP, whose state is global: one stack a process.
 */
struct stack;

/* What to do with a SYN. */
enum stack_answer {
	STACK_ADMIT,      /* let it in: SYN-ACK */
	STACK_HOLD,       /* keep it until stack_answer_held */
	STACK_RESET,      /* RST: connection refused */
	STACK_NO_HOST,    /* ICMP host unreachable */
	STACK_NO_NET,     /* ICMP network unreachable */
	STACK_PROHIBITED, /* ICMP administratively prohibited */
	STACK_IGNORE,     /* silence */
};

/* Why there is no connection in the end. */
enum stack_gone {
	STACK_GAVE_UP, /* the application stopped asking, or began no more than a handshake */
	STACK_GAVE_WAY, /* there was no room, or others came and it had waited longest */
};

struct held; /* a SYN that is being held */

/* A UDP datagram of an application, whole and verified; or several of `segment` bytes each
 * (the last may be shorter), as the device gave them. `segment` is 0 for one. */
struct stack_datagram {
	struct endpoint source, target;
	const uint8_t *p;
	size_t len, segment;
	bool uncut; /* it may not be cut into fragments on its way: "don't fragment", IPv6 */
};

/*
 * What the stack tells its user.  Called from stack_input, stack_resume and the
 * stack's own timers and end of turn only, and never from inside lwIP: the calls
 * may use the stack and its connections, but must not free the stack.
 */
struct stack_user {
	/* Of each SYN first, whatever the stack has room for.  True: it goes another way,
	 * and *a is what is said to it, STACK_IGNORE or a refusal.  May be NULL. */
	bool (*elsewhere)(struct stack_user *, const struct endpoint *source,
		const struct endpoint *target, enum stack_answer *a);
	/* A new connection is asked for, and there is room for it. On ADMIT and HOLD,
	 * *cookie goes with it from here on; on HOLD `held` stays good until it is
	 * answered or `gone` is called. */
	enum stack_answer (*syn)(struct stack_user *, const struct endpoint *source,
		const struct endpoint *target, struct held *held, void **cookie);
	/* The application has completed the handshake. The connection is the user's: it
	 * ends with stream_free. Its owner is set by conn_own. */
	void (*conn)(struct stack_user *, void *cookie, struct stream *conn);
	/* It never did, or could not: nothing of it is left in the stack. */
	void (*gone)(struct stack_user *, void *cookie, enum stack_gone why);
	void (*datagram)(struct stack_user *, const struct stack_datagram *d);
	/* An ICMP echo request. */
	void (*echo)(struct stack_user *, const struct ip *source,
		const struct ip *target, uint16_t id, uint16_t seq, const uint8_t *p,
		size_t len);
	/* A segment of a connection that is not here. True: it is taken care of; else it is
	 * answered with a reset. May be NULL. */
	bool (*stray)(struct stack_user *, const struct endpoint *source,
		const struct endpoint *target);
	/* A packet for the device. 0, or -EAGAIN: it is full, keep it until stack_resume.
	 */
	int (*output)(struct stack_user *, const struct iovec *v, int n,
		const struct offload *o);
};

struct stack_config {
	int mtu;          /* of the device */
	size_t conns_max; /* connections; 0: 16,384 */
	/* Held SYNs, seven eighths of them for one target and those that are counted with
	 * it; 8 to 65,535; 0: 1,024. Beyond, the oldest gives way after 3 s. */
	size_t held_max;
	size_t ring; /* bytes towards the application per connection while in flight; 0:
			1 MiB */
	/* Bytes, half of them for rings and half for what was received; 0: 256 MiB. When
	 * they become few, connections get no larger windows and the smallest rings; at
	 * the bound who needs a ring waits for one, and no new connection is let in. */
	size_t memory;
	/* The device takes segments that are to be cut and summed by it. */
	bool offload;
	bool datagrams;  /* the same of UDP; not without `offload` */
	uint32_t window; /* receive window, bytes, 16 KiB to 4 MiB; 0: 256 KiB */
};

struct stack_counters {
	uint64_t in, out; /* packets */
	uint64_t in_bytes, out_bytes;
	uint64_t malformed; /* truncated, lying lengths, impossible flags, bad checksums,
			      offload that cannot be */
	uint64_t unknown; /* protocols that nobody here speaks, options we do not take */
	uint64_t syns, held, admitted, refused, forgotten, over_limit;
	uint64_t retransmitted; /* segments towards the application: on this machine a bug
				   where it is not 0 */
	uint64_t in_large, out_large; /* packets that stood for several */
	uint64_t output_full;         /* times the device would not take a packet */
	size_t conns;                 /* now */
	size_t waiting;               /* held SYNs, now */
};

/* NULL without memory. `user` is borrowed for the stack's life. */
struct stack *
stack_new(struct loop *l, const struct stack_config *c, struct stack_user *user);
/* All connections must have been freed; what lwIP still closes is dropped. Returns how
 * many blocks of its pools did not come home. */
size_t stack_free(struct stack *s);

/* Where the next packet should be read to: TUN_PACKET bytes, the stack's. It is asked for
 * before each packet, since stack_input may keep it. */
void *stack_buffer(struct stack *s);
/* A packet from the device; copied, unless it is in stack_buffer's memory. Whatever is in
 * it, nothing worse than a drop happens. */
void stack_input(struct stack *s, const void *p, size_t len, const struct offload *o);
/*
 * While the user is told of something that came in: the packet itself, as it came.  NULL
 * where it came in fragments.
 */
struct stack_packet {
	const uint8_t *p;
	size_t len;
	size_t at; /* where the transport header begins */
	struct offload offload;
};
const struct stack_packet *stack_packet(const struct stack *s);
/* The device takes packets again. */
void stack_resume(struct stack *s);
const struct stack_counters *stack_counters(const struct stack *s);
/* Bytes that are in use now: of stack_config's `memory`, and for connections. */
size_t stack_memory(const struct stack *s);

/* Answers a held SYN, which is then gone (for ADMIT, `conn` or `gone` follows). */
void stack_answer_held(struct stack *s, struct held *h, enum stack_answer a);

/* The task that is made ready when this connection has news. */
void conn_own(struct stream *conn, struct task *owner);
/*
 * An application that has ended may still read, or may have closed: asked by this, the
 * kernel of one that has closed resets the connection.  Where it is `local`, at once; of
 * another machine's no more is asked than a keep-alive (RFC 9293, 3.8.4), which Linux takes
 * for a minute after a close, too.
 */
void conn_ask(struct stream *conn, bool local);

/* A datagram to the application, from `source` (what it sent to). 0, -EAGAIN (dropped),
 * -EMSGSIZE. */
int stack_udp_send(struct stack *s, const struct endpoint *source,
	const struct endpoint *to, const uint8_t *p, size_t len);
/* The same for the bytes of `n` pieces, 32 at most, which are datagrams of `segment` bytes
 * each, the last maybe shorter; a datagram lies in one piece. How many went, which may be
 * fewer than all; -EAFNOSUPPORT, -EMSGSIZE. */
int stack_udp_send_many(struct stack *s, const struct endpoint *source,
	const struct endpoint *to, const struct iovec *v, int n, size_t segment);
/* An ICMP error to the application about a datagram of `len` bytes that it sent and that
 * is too long for its way: at most `most` bytes would pass. */
void stack_udp_too_big(struct stack *s, const struct endpoint *app,
	const struct endpoint *target, size_t len, size_t most);
/* An ICMP error to the application about a datagram that it sent from `app` to `target`:
 * STACK_RESET (port unreachable), STACK_NO_HOST, STACK_NO_NET or STACK_PROHIBITED. */
void stack_udp_refuse(struct stack *s, const struct endpoint *app,
	const struct endpoint *target, enum stack_answer why);
/* An echo reply from `source` to the application. */
int stack_echo_reply(struct stack *s, const struct ip *source, const struct ip *to,
	uint16_t id, uint16_t seq, const uint8_t *p, size_t len);

#endif
