/* SPDX-License-Identifier: MIT */
#ifndef STACK_ROOM_H
#define STACK_ROOM_H

#include "stack/packet.h"
#include "stack/path.h"
#include "stack/reassembly.h"
#include "stack/stack.h"

#include "base/list.h"
#include "base/log.h"
#include "base/pool.h"
#include "base/random.h"
#include "base/ring.h"
#include "base/table.h"

/*
 * What the files of this room share.  The rule that keeps it sound: lwIP is not
 * re-entrant, so the user is told nothing from inside lwIP.  Callbacks of lwIP
 * only mark connections and put them on lists; stack_tell, called after lwIP
 * has returned, does the talking and frees what is dead.
 */

struct tcp_pcb;
struct pbuf;
struct lent;

enum {
	OPENING_MAX =
		1024, /* handshakes that are not complete; beyond, the oldest ends */
	OPENING_MS = 10000,       /* for the application's ACK */
	HELD_MS = 3000,           /* that a held SYN waits before it gives way */
	HELD_SHARES = 256,        /* counters of those, by their targets */
	LINGER_MS = 120000,       /* for an application that does not take the rest */
	LINGER_HUNGRY_MS = 10000, /* the same where others wait for the memory */
	ACK_MS = 4,        /* that an acknowledgement waits for something to go with */
	KEPT_MAX = 64,     /* small packets that wait for the device */
	DEVICE_KEPT = 192, /* bytes of each at most */
	LENT_MAX = 512,    /* large packets that are not copied; beyond, they are */
	LENT_KEEP = 16,    /* of these, blocks that wait for the next packet */
	SEGMENT_MAX = 65535 - IP6_HEADER - TCP_HEADER, /* bytes of payload */
	RING_FIRST = 16 * 1024, /* bytes; grows to what the configuration says */
	RING_LEAST = 1024,      /* where memory is short */
	RING_MAX = 4 << 20,     /* TCP_SND_BUF */
	WINDOW_LEAST = 1024,    /* where many are promised */
	WINDOW_FIRST = 16 * 1024,
	WINDOW_UNIT = 128,    /* that a window is told in: TCP_RCV_SCALE */
	WINDOW_MAX = 4 << 20, /* TCP_WND */
	DATAGRAMS_MAX = 128,  /* in one super-packet: Linux' UDP_MAX_SEGMENTS */
	MSS_MIN = 48,         /* as in Linux; below, a peer only wants to hurt */
};

/* Of 32 parts of lwIP's memory so many are used: from there on ... */
enum {
	MEMORY_SHORT = 28, /* no connection is let in */
	MEMORY_TIGHT = 30, /* nobody may have more than WINDOW_LEAST unread */
	MEMORY_LAST = 31,  /* acknowledgements alone pass */
};

enum conn_state {
	CONN_OPENING,   /* its SYN is with lwIP; the user waits for `conn` or `gone` */
	CONN_OPEN,      /* it is the user's */
	CONN_LINGERING, /* the user has let go; lwIP delivers what is left */
	CONN_DELIVERED, /* the same, and the application has all of it: TIME-WAIT, or the
			   application has not ended yet */
	CONN_DEAD,      /* freed by the next stack_tell */
} __attribute__((packed));

/* A TCP connection.  It lives as long as lwIP's pcb or the user's stream, whichever is
 * longer. */
struct conn {
	struct stream stream;
	struct ring *ring; /* owned; NULL while nothing is in flight */
	/* Owned; the last of what was received and not yet read, whose next is the first,
	 * round; NULL: nothing. */
	struct pbuf *in;
	struct stack *stack;
	struct tcp_pcb *pcb; /* lwIP's, which knows the ends; NULL when it is gone */
	union {
		void *cookie;       /* the user's, in CONN_OPENING */
		struct task *owner; /* later; NULL: nobody */
	};
	struct table_node node; /* in stack.conns; its hash is set before */
	/* By its state in stack.opening, stack.lingering or stack.delivered, oldest first, in
	 * stack.hungry or in none; and in stack.news when the user must be told, or it is
	 * dead. */
	struct list place;
	struct list work;  /* in stack.work: to be looked at when the turn ends; or in
			      stack.acks */
	struct list stuck; /* in stack.stuck: the device was full */
	uint64_t since;    /* when it came to that place */
	uint32_t drained;  /* bytes that were read since the window grew last */
	uint32_t acked;    /* what the application was told last of its sequence */
	uint32_t offered;  /* the window that is promised, bytes; 0: none */
	uint32_t credit;   /* bytes that were read and lwIP does not know of yet */
	uint32_t ring_cap;
	/* Sequence numbers of the application's: the highest seen, its FIN's. */
	uint32_t top, fin;
	uint16_t
		in_used; /* bytes of the first that were read: a pbuf counts in 16 bits */
	uint16_t in_room; /* bytes that still fit into the last, where it gathers small
			     pieces: GATHER_ROOM at most */
	uint16_t mss;     /* bytes of payload that a segment may have on the link */
	uint16_t large; /* the same for what we send: a multiple, where the device cuts */
	int16_t error;  /* 0, or -errno: final */
	enum conn_state state;
	bool accepted : 1; /* the handshake is complete */
	bool ended : 1;    /* the application's FIN has come */
	bool shut : 1;     /* a FIN goes after all that is in the ring */
	bool sent_fin : 1; /* lwIP has been told to send it */
	/* The application's FIN was seen, at `fin`, maybe out of order. */
	bool fin_known : 1;
	bool cramped : 1;   /* the ring was full: the next one is larger */
	bool ack_waits : 1; /* it is in stack.acks */
	bool ack_late : 1;  /* an acknowledgement has waited long enough */
};

_Static_assert(sizeof(struct conn) <= 168, "there are tens of thousands");

struct held {
	struct stack *stack;
	struct table_node node;
	struct list age; /* in stack.waits, oldest first */
	struct timer timer;
	struct endpoint app, target;
	void *cookie;
	uint64_t since, seen;         /* when it came, and was repeated last */
	uint8_t head[TCP_HEADER_MAX]; /* its TCP header */
	size_t headlen;
	bool kept;     /* false while the user is being asked */
	bool answered; /* admitted in vain: `gone` is on its way */
};

struct stack {
	struct loop *loop;
	struct stack_user *user;
	struct stack_config config;
	struct stack_counters n;
	struct stack_packet now; /* p is NULL: none */
	struct reassembly *parts;
	struct paths paths;
	struct lent *reading; /* owned: what the device is read into */
	struct pool conn_pool, held_pool, kept_pool, lent_pool;
	struct table conns, helds;
	struct list waits;           /* held SYNs, oldest first */
	uint16_t share[HELD_SHARES]; /* of them, by target */
	struct list news, work, acks, stuck, opening, lingering, delivered, hungry, kept;
	size_t nopening, nlingering, ndelivered;
	struct timer tick, ack;
	struct turn_end end;
	struct rng rng;
	uint32_t fragment_id;
	size_t promised, rings; /* bytes: the sum of all windows, of all rings */
	struct log_limit fullness;
	bool slow; /* lwIP's slow timers were in the last tick: they are in every second */
	bool full; /* the device takes nothing until stack_resume */
};

/* stack.c */
/* Tells the user what has happened and frees what is dead.  Never inside lwIP. */
void stack_tell(struct stack *s);
/* Looks at c when the turn ends. */
void stack_work(struct conn *c);
/* Whether the same is wanted in ACK_MS, where nothing else is the occasion before. */
void stack_work_later(struct conn *c, bool wanted);
/* Lets those send that were stopped, until the device is full again. */
void stack_unstick(struct stack *s);
uint64_t tuple_hash(
	const struct table *t, const struct endpoint *app, const struct endpoint *target);

/* admit.c */
void admit_segment(struct stack *s, const struct segment *g);
void admit_end(struct stack *s);

/* conn.c */
/* NULL at the limit, or without memory. */
struct conn *conn_new(struct stack *s, const struct segment *g, void *cookie);
struct conn *conn_find(
	const struct stack *s, const struct endpoint *app, const struct endpoint *target);
/* Sends what can be sent, acknowledges, gives an empty ring back. */
void conn_push(struct conn *c);
void conn_wake(struct conn *c);
/* Whether bytes are still to be sent, or to be acknowledged. */
bool conn_owes(const struct conn *c);
/* Ends it now, with a RST where `reset`. */
void conn_drop(struct conn *c, bool reset);
/* A connection whose user has gone: whether the application has all by now. */
void conn_settle(struct conn *c);
/* To the list of the opening, the lingering or the delivered; and off it. */
void conn_age_begin(struct conn *c);
void conn_age_end(struct conn *c);
void conn_release(struct conn *c);

/* port.c: all that touches lwIP's globals */
int port_start(struct stack *s);
/* Ends all that lwIP has. Returns how many blocks did not come home. */
size_t port_end(struct stack *s);
/* Every entry into lwIP that concerns c begins here: its timers run from now on, and the
 * list of connections is the one that c is in. */
struct tcp_pcb *port_enter(struct conn *c);
/* Hands a segment to lwIP, without options except a first SYN's. */
void port_input(struct conn *c, const struct segment *g, const struct syn_options *o);
/* What can be told of a window: less where the application knows no scale. */
uint32_t port_window_max(const struct conn *c);
/* Both sides have ended, and know it: nothing is lost with c. */
bool port_is_over(const struct conn *c);
/* The application has acknowledged all that was written, and the FIN behind it. */
bool port_has_delivered(const struct conn *c);
/* c waits for its SYN-ACK's answer, and g is the same SYN once more. */
bool port_syn_again(const struct conn *c, const struct segment *g);
void port_abandon(struct conn *c, bool reset);
/* Write, acknowledge, credit, FIN: all that c has for lwIP. */
void port_push(struct conn *c);
/* Frees the first of those that *last is the last of. */
void port_pbuf_drop(struct pbuf **last);
struct pbuf *port_pbuf_next(const struct pbuf *p);
struct window port_pbuf_window(const struct pbuf *p);
void port_tick(struct timer *t);
/* Sends what the device would not take. */
void port_resume(struct conn *c);
/* See conn_ask. */
void port_ask(struct conn *c, bool local);

/* reply.c: packets that this room makes itself */
/* The bytes that a packet to that host may have. */
size_t reply_mtu(const struct stack *s, const struct ip *to);
int reply_send(struct stack *s, const struct ip *source, const struct ip *to,
	uint8_t proto, const struct iovec v[2]);
void reply_reset(struct stack *s, const struct segment *g);
/* What no sane peer says in the middle of a connection, from our numbers in g: who has it
 * says where it stands (RFC 5961, 4), and who has not resets it. */
void reply_challenge(struct stack *s, const struct segment *g);
/* The first of so many ids that no other packet has soon. */
uint32_t reply_id(struct stack *s, size_t packets);
/* An IP header for `len` bytes behind it; its length. */
size_t reply_header(uint8_t *mem, const struct ip *source, const struct ip *to,
	uint8_t proto, size_t len, uint32_t id);
/* A packet that an ICMP error is about: of the `whole` bytes behind its IP header the
 * first `len`, which begin with ports. */
struct quoted {
	const struct endpoint *app, *target;
	const uint8_t *head;
	size_t len, whole;
	uint8_t proto;
};
/* An ICMP error from the target: why is one of the refusals. */
void reply_refuse(struct stack *s, const struct quoted *q, enum stack_answer why);
void reply_too_big(struct stack *s, const struct quoted *q, size_t mtu);

/* credit.c */
void credit_begin(struct conn *c); /* sets c->offered */
void credit_end(struct conn *c);
/* The user has taken n bytes: what of it, and beyond it, may be offered again is added to
 * c->credit. */
void credit_take(struct conn *c, size_t n);
/* A ring of at most ring_cap bytes; 0, -EAGAIN: c is woken when there may be one, or
 * -ENOMEM. */
int credit_ring(struct conn *c);
/* Wakes as many of those who wait for a ring as there is room for. */
void credit_call(struct stack *s);
/* Whether the memory is nearly used up, so that nobody else should come. */
bool credit_is_short(const struct stack *s);
void credit_ring_drop(struct conn *c);

/* lent.c */
bool lent_begin(struct stack *s); /* false without memory */
size_t lent_end(struct stack *s); /* blocks that did not come home */
/* The segment g as lwIP gets it: a header of our own, with options where the SYN had `o`,
 * and the payload in the memory that it was read into, or copied. NULL without memory. */
struct pbuf *
lent_segment(struct stack *s, const struct segment *g, const struct syn_options *o);

/* device.c */
/* What is left to the device is in o; NULL: nothing. 0, -EAGAIN: the device is full, or
 * another -errno. */
int device_send(struct stack *s, const struct iovec *v, int n, const struct offload *o);
/* The same for a packet that nobody sends again: kept while the device is full, dropped
 * when too many are. */
void
device_send_sure(struct stack *s, const struct iovec *v, int n, const struct offload *o);
void device_resume(struct stack *s);
void device_begin(struct stack *s);
size_t device_end(struct stack *s); /* blocks that did not come home */

#endif
