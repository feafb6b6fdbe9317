/* SPDX-License-Identifier: MIT */
#ifndef OUTBOUND_CARRIER_H
#define OUTBOUND_CARRIER_H

#include "base/random.h"
#include "outbound/outbound.h"

/*
 * What one server is reached through above TCP: TLS, and in it WebSocket, HTTPUpgrade, a
 * false HTTP head, or nothing.
 */
struct carrier {
	enum carrier_kind kind;
	struct tls_setup *tls; /* held; NULL: none */
	char *host;            /* of the request; owned */
	struct http_request request;
	struct httphead_spec head;
};

/*
 * For the server at `at`, whose name is `name` or NULL.  `like` is the carrier of
 * another server of the same spec, or NULL: where both have the same TLS, they share it.
 * 0, or -1 and why; carrier_fini also after -1.
 */
struct carrier_place {
	const char *name;
	const struct ip *ip;
	const struct carrier *like;
};
int carrier_init(struct carrier *c, const struct carrier_spec *spec,
	const struct carrier_place *at, const struct outbound_env *env, struct err *e);
void carrier_fini(struct carrier *c);

/* What a server has let be seen of its clock; 0: nothing. Unix time. */
struct carrier_told {
	int64_t date;                  /* of its HTTP answer, good or bad */
	int64_t date_at;               /* this machine's clock when that came */
	int64_t not_before, not_after; /* of its certificate */
};
/* `top` is what carrier_new has made. */
void carrier_told(
	const struct carrier *c, const struct stream *top, struct carrier_told *told);

/* Bytes may be lost to a server that never came up, without open having told. */
bool carrier_is_early(const struct carrier *c);

/* Of an open `top`, the highest layer that has spoken with the server already. */
struct stream *carrier_spoken(const struct carrier *c, struct stream *top);

/* The layers over `lower`, which is taken, also on failure. `rng` and `c` outlive them.
 * NULL without memory. */
struct stream *carrier_new(const struct carrier *c, struct stream *lower, struct rng *rng,
	const struct outbound_env *env, struct task *owner);

#endif
