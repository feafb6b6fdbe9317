/* SPDX-License-Identifier: MIT */
#ifndef TESTS_RESOLVER_H
#define TESTS_RESOLVER_H

#include "base/addr.h"
#include "base/bytes.h"

#include <stdbool.h>

/* A resolver on loopback that answers as its script says. */
struct resolver;

/* A query as it came. */
struct asked_for {
	const uint8_t *p;
	size_t len, question; /* all of it; the question section */
	uint16_t type;
	bool tcp;
	int nth; /* how many queries came before, UDP and TCP together */
	struct endpoint from;
};

/* Writes an answer; nothing written is silence. */
typedef void
resolver_script(struct resolver *r, const struct asked_for *q, struct writer *w);

struct resolver {
	struct endpoint at;
	resolver_script *script;
	int udp, tcp;
	int queries, tcp_queries;
	uint16_t port[16]; /* where queries came from, and their ids */
	uint16_t id[16];
};

enum { RESOLVERS = 4 };

/* Binds 127.0.0.`last`. */
void resolver_start(struct resolver *r, int last, resolver_script *script);
void resolver_stop(struct resolver *r);
/* All that are started do what there is to do. */
void resolvers_serve(void);

/* Pieces of answers. */
void answer_begin(struct writer *w, const struct asked_for *q, uint16_t flags,
	int answers, int authorities);
/* A record of the question's name. */
void
answer_record(struct writer *w, uint16_t type, uint32_t ttl, const void *p, size_t len);
void answer_address(struct writer *w, const char *ip, uint32_t ttl);
/* A SOA of the root with this TTL and last number. */
void answer_soa(struct writer *w, uint32_t ttl, uint32_t minimum);

#endif
