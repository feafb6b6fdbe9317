/* SPDX-License-Identifier: MIT */
#ifndef KEEPER_REPORT_H
#define KEEPER_REPORT_H

#include "platform/tun.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * How a running sluice is, as `sluice status` is told it: two messages, one of
 * the keeper and one of the engine.  Who reads them may be another version of
 * this program, and the engine may be in a stranger's hands; so they have a
 * form of their own, and no text in them has a control character once it was
 * read.  Times are spans back from now, in milliseconds.
 */
enum {
	REPORT_MAX = 65536,    /* bytes of a message */
	REPORT_OUTBOUNDS = 64, /* further ones are counted, and not told of */
	REPORT_WORD = 32,
	REPORT_TAG = 64,
	REPORT_LINE = 160,
	REPORT_WHY = 96,
};

#define REPORT_NEVER UINT64_MAX

enum report_phase {
	REPORT_STARTING, /* the first engine is not ready yet */
	REPORT_RUNNING,  /* flows pass */
	REPORT_AGAIN,    /* the engine has died, and another one is not ready yet */
	REPORT_ENDING,   /* asked to end */
	REPORT_PHASES
};

struct keeper_report {
	char version[REPORT_WORD];
	enum report_phase phase;
	bool asked;              /* the engine was given the question */
	uint32_t keeper, engine; /* process ids; 0: there is no engine now */
	uint64_t age, engine_age;
	uint32_t restarts;       /* engines after the first */
	uint64_t died;           /* when the last one ended; or never */
	char death[REPORT_LINE]; /* how */
	char device[TUN_NAME];   /* "": none yet */
	uint32_t mtu;
	bool routed4, routed6; /* our rules lead into the device what applications send */
	bool resolver;         /* and so does what they ask */
	bool exposed;    /* somebody changed our firewall rules, and they are not back */
	bool astray;     /* the same of our device, routes and routing rules */
	uint32_t mends;  /* how often they were put back, */
	uint64_t mended; /* and when the last time; or never */
	/* Packets that had to leave, and that rules of somebody else's led into the device: how
	 * many were told of, when the last time (or never), and the mark that it had. */
	uint32_t led_back;
	uint64_t led;
	uint32_t led_mark;
	/* The interface by which traffic of a family leaves past the device, though it is led
	 * into it: rules or routes of somebody else's; "" */
	char beside4[TUN_NAME], beside6[TUN_NAME];
	/* Why the kernel carries no direct flows of a family that it else would; "" */
	char held4[REPORT_WHY], held6[REPORT_WHY];
};

enum report_counter {
	REPORT_TCP,     /* connections now, without those in the kernel */
	REPORT_UDP,     /* associations now, the same */
	REPORT_KERNEL,  /* flows in the kernel now */
	REPORT_SEEN,    /* those of them whose bytes so far are counted, too */
	REPORT_HELD,    /* SYNs that wait for their way out */
	REPORT_TCP_ALL, /* since the engine began: all of them */
	REPORT_UDP_ALL,
	REPORT_KERNEL_ALL,
	REPORT_UP, /* payload bytes; of flows in the kernel, with headers */
	REPORT_DOWN,
	REPORT_REFUSED,    /* connections */
	REPORT_DROPPED,    /* datagrams and packets */
	REPORT_BROKEN,     /* ways by a server that did not keep to its protocol */
	REPORT_OVER,       /* flows and packets for which there was no room or memory */
	REPORT_TCP_MOST,   /* that may be at a time: connections, */
	REPORT_UDP_MOST,   /* associations */
	REPORT_PACKETS_IN, /* from the device */
	REPORT_PACKETS_OUT,
	REPORT_QUESTIONS,   /* that applications asked our resolver */
	REPORT_MEMORY,      /* bytes of traffic's memory in use */
	REPORT_MEMORY_MOST, /* its limit */
	REPORT_COUNTERS
};

/* Who carries direct flows of a family. */
enum report_way {
	REPORT_WAY_NONE,   /* nobody: the device has no address of the family */
	REPORT_WAY_STACK,  /* sluice */
	REPORT_WAY_SAFE,   /* the kernel what loses nothing by it, sluice the rest */
	REPORT_WAY_KERNEL, /* the kernel */
	REPORT_WAYS
};

struct direct_report {
	enum report_way way;
	char why[REPORT_LINE]; /* the kernel does not; "": nobody asked for it */
};

struct outbound_report {
	char tag[REPORT_TAG], kind[REPORT_WORD];
	char server[REPORT_LINE]; /* "": it has none */
	uint64_t flows, up, down; /* since the engine began */
	/* When bytes last came back from its server, and when a way through it last
	 * failed; or never. */
	uint64_t answered, failed;
	uint64_t failures;     /* of those ways */
	char why[REPORT_LINE]; /* the last one failed */
	/* Why sluice carries its direct flows where the kernel carries others; "": it does
	 * not. */
	char kept[REPORT_WHY];
};

struct engine_report {
	uint64_t n[REPORT_COUNTERS];
	unsigned offload;               /* TUN_ bits */
	struct direct_report direct[2]; /* IPv4, IPv6 */
	uint32_t outbounds;             /* all of them */
	uint32_t noutbound;             /* of these */
	struct outbound_report outbound[REPORT_OUTBOUNDS];
};

/* The length at `p`; what is too long in a text is left out. */
size_t keeper_report_write(const struct keeper_report *r, uint8_t p[static REPORT_MAX]);
size_t engine_report_write(const struct engine_report *r, uint8_t p[static REPORT_MAX]);
/* 0; -EBADMSG: it is none; -EPROTO: it is one of another form, then *version (of the
 * keeper's) is what it says or "". */
int keeper_report_read(struct keeper_report *r, const void *p, size_t len);
int engine_report_read(struct engine_report *r, const void *p, size_t len);

#endif
