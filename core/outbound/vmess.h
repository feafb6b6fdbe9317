/* SPDX-License-Identifier: MIT */
#ifndef OUTBOUND_VMESS_H
#define OUTBOUND_VMESS_H

#include "base/random.h"
#include "outbound/outbound.h"
#include "outbound/vmess_body.h"
#include "outbound/vmess_header.h"
#include "stream/blocks.h"

/*
 * A VMess outbound, and the two things that it makes over a lower stream: a
 * stream for TCP and packets for UDP.  The lower stream may be any: the transport
 * now, TLS or WebSocket above it later.
 */
struct vmess {
	struct outbound o;
	uint8_t command_key[16]; /* secret */
	struct rng rng;          /* for padding */
	char *name;              /* of the server; owned; NULL: an address */
	struct endpoint server;  /* family 0: by name */
	struct sock_options sock;
	enum vmess_security security;
	unsigned unanswered; /* connections in a row that ended without an answer */
	bool marks;          /* this server sends end marks: one was seen */
	struct log_limit silent, garbage;
};

/* Both take `lower`, also on failure, hold the outbound and copy `to`. NULL without
 * memory. */
struct stream *vmess_stream_new(struct vmess *v, struct stream *lower,
	const struct target *to, struct task *owner);
struct packets *vmess_packets_new(struct vmess *v, struct stream *lower,
	const struct target *to, struct task *owner);

/* What a session reports of its server, so that people are told what is wrong. */
void vmess_answered(struct vmess *v);
void vmess_unanswered(struct vmess *v);
void vmess_garbled(struct vmess *v);

#endif
