/* SPDX-License-Identifier: MIT */
#ifndef NAMES_NAMES_H
#define NAMES_NAMES_H

#include "base/addr.h"
#include "base/err.h"
#include "loop/loop.h"

#include <stddef.h>

/*
 * The bootstrap resolver: names of servers, over direct sockets of our own, by
 * the resolvers that the machine had before sluice came.  It lies below the
 * outbounds, so a name that an outbound needs can never be asked for through
 * an outbound.  UDP first, TCP where the answer was cut; the hosts given by
 * the configuration, then /etc/hosts, then the cache, then the wire.
 */
struct names;

enum { NAMES_SERVERS = 8, NAMES_ADDRS = 16 };

struct names_host {
	const char *name;    /* lower case, no final dot */
	const struct ip *ip; /* n of them */
	size_t n;
	const char *alias; /* or: another name to ask for; NULL */
};

struct names_config {
	struct endpoint server[NAMES_SERVERS];
	int nserver;
	const struct names_host
		*host; /* borrowed for the life of the resolver; may be NULL */
	size_t nhost;
	const char *hosts_file; /* "/etc/hosts", or NULL for none */
	size_t cache_max;       /* entries; 0: 1,024 */
};

/* NULL only without memory. */
struct names *names_new(struct loop *l, const struct names_config *c);
void names_free(struct names *n); /* all lookups must have been freed; NULL is fine */

/* One question under way. `owner` is made ready when there is an answer. */
struct lookup;
enum { LOOKUP_V4 = 1, LOOKUP_V6 = 2 };

/* NULL only without memory. A name that is an address answers at once with it. Where one
 * family has addresses, those of the other are waited for 300 ms and not longer. The
 * owner is made ready also when the answer is there at once. */
struct lookup *
names_lookup(struct names *n, const char *name, unsigned families, struct task *owner);
/*
 * -EAGAIN while under way. Else how many addresses there are, at ip (borrowed
 * until lookup_free), v6 and v4 interleaved as RFC 8305 wants; or -ENOENT: the
 * name does not exist or has no address of these families; -ETIMEDOUT: no
 * resolver gave an answer (or 512 questions are under way); -ENETUNREACH: there
 * is no resolver to ask, or no way to any.
 */
int lookup_answer(struct lookup *k, const struct ip **ip);
const char *lookup_reason(const struct lookup *k); /* for people */
void lookup_free(struct lookup *k);                /* at any time; NULL is fine */

/* The network changed: what is cached may be wrong there, and servers may differ. */
void names_changed(struct names *n, const struct endpoint *server, int nserver);

#endif
