/* SPDX-License-Identifier: MIT */
#ifndef DNS_DNS_H
#define DNS_DNS_H

#include "base/addr.h"
#include "loop/loop.h"
#include "names/names.h"

#include <stdbool.h>
#include <stdint.h>

/*
 * What applications ask.  Their queries come out of the TUN, addressed to the
 * resolver address that sluice put into the machine's settings; they go on to
 * the resolver of the configuration, or the machine's own, as a flow like any
 * other, by the rules.  What is answered is remembered: address -> name, which
 * is the NAME fact of the flows that follow.
 */
struct dns;

struct dns_config {
	struct endpoint server[NAMES_SERVERS]; /* where queries go on to; the first that
						  answers */
	int nserver;
	/* Those that only this machine can ask: they mean something else, or nothing, where
	 * an outbound's server is. */
	bool local[NAMES_SERVERS];
	const struct names_host *host; /* answered here; borrowed; may be NULL */
	size_t nhost;
	struct ip ours[2]; /* the addresses (v4, v6) that applications are told to ask */
	size_t seen_max;   /* names remembered; 0: 16,384 */
	bool seen_off;
};

struct dns *dns_new(struct loop *l, const struct dns_config *c);
void dns_free(struct dns *d);

/* Whether a flow to `to` is a query to us: our address, port 53. */
bool dns_is_ours(const struct dns *d, const struct endpoint *to);
/*
 * A query of an application from `source`. Answers the length of a reply at
 * `reply` that goes back at once (hosts; FORMERR for what cannot be read, NOTIMP
 * for what is no question), or 0 and in *server where the query goes on to; a
 * question that is repeated within ten seconds without an answer noted in
 * between goes on to the next server. -EBADMSG: an answer, or too short for a
 * header; it is dropped without a reply. -EMSGSIZE: the reply does not fit into
 * cap, which never happens with 512. -ENETUNREACH: there is no server.
 */
int dns_query(struct dns *d, const struct endpoint *source, const uint8_t *p, size_t len,
	uint8_t *reply, size_t cap, struct endpoint *server);
/* The server for queries over TCP, which are passed on as they are. */
int dns_stream_server(struct dns *d, struct endpoint *server);
/* Whether this server, which one of the two above gave, is a local one. */
bool dns_is_local(const struct dns *d, const struct endpoint *server);
/*
 * A query that goes on from `who`, an application, to `server`, which is any
 * resolver. What is no query is passed over. An answer is waited for ten seconds;
 * of more than 1,024 questions the oldest is forgotten.
 */
void dns_asked(struct dns *d, const struct endpoint *who, const struct endpoint *server,
	const uint8_t *p, size_t len);
/* An answer of `server` that passes by on its way to `who`: where it is the first to a
 * question of dns_asked, its addresses are remembered. Anything else teaches nothing. */
void dns_note(struct dns *d, const struct endpoint *who, const struct endpoint *server,
	const uint8_t *p, size_t len);
/* The name by which an application last came to know this address, or NULL. Borrowed
 * until the next call of dns_note. */
const char *dns_name_of(struct dns *d, const struct ip *ip);

#endif
