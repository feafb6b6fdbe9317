/* SPDX-License-Identifier: MIT */
#ifndef OUTBOUND_VMESS_WARM_H
#define OUTBOUND_VMESS_WARM_H

#include "base/list.h"
#include "loop/loop.h"
#include "stream/stream.h"

/*
 * Connections to the servers of an outbound that are made before they are needed: all
 * that lies beneath VMess is open, and nothing of VMess was sent.  Those that are missing
 * are begun whenever one is asked for, and at no other time, so that a machine which asks
 * for nothing soon has none.  None gets old: a server waits for a header for a time, and
 * where it was seen twice to close them at an age, they live for three quarters of that.
 */
struct vmess;

/* At most so many of an outbound. */
enum { VMESS_WARM_MAX = 16 };

struct vmess_warm {
	struct vmess *v;
	struct list kept;   /* of struct kept, the oldest first; owned */
	unsigned n, most;   /* how many there are, and are to be */
	struct timer grown; /* when the first is too old */
};

/* What a server has taught of how long it waits for a header. All of it is ms, and on the
 * loop's clock. */
struct vmess_patience {
	uint64_t age;       /* how old they get... */
	uint64_t until;     /* ...until then, and as old as ever afterwards */
	uint64_t closed;    /* the age of the last that it has closed, and... */
	uint64_t closed_at; /* ...when; 0: none, or one has outlived it since */
};

void vmess_warm_init(struct vmess_warm *w, struct vmess *v, unsigned most);
/* Closes them all, which hold the outbound, and makes no more. */
void vmess_warm_close(struct vmess_warm *w);
/*
 * One of them, for `owner`, or NULL: as vmess_reach_new makes it, and open.  The kernel was
 * just asked whether its server has sent anything, be it its end, and whether a new
 * connection would come from the same address.
 */
struct stream *vmess_warm_take(struct vmess_warm *w, struct task *owner);
/* Begins those that are missing; none while all servers are out of reach, or close them at
 * once. */
void vmess_warm_fill(struct vmess_warm *w);

#endif
