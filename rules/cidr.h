/* SPDX-License-Identifier: MIT */
#ifndef RULES_CIDR_H
#define RULES_CIDR_H

#include "base/addr.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * A set of networks.  Add them all, seal once, then ask: the set is then two
 * sorted arrays of ranges that neither overlap nor touch, and a question costs
 * one binary search.
 */
struct wide {
	uint64_t high, low; /* an IPv6 address as one number */
};

struct range4 {
	uint32_t from, to; /* both inside */
};

struct range6 {
	struct wide from, to;
};

struct cidr_set {
	struct range4 *four;
	struct range6 *six;
	size_t n4, n6;
	size_t cap4, cap6;
};

enum { CIDR_SET_MAX = 4000000 }; /* networks of one family */

/* Zero-initialise a set. 0, -ENOMEM, or -E2BIG beyond CIDR_SET_MAX. ::ffff:0:0/96 and
 * what lies in it is taken as the IPv4 network that it stands for. */
int cidr_set_add(struct cidr_set *s, const struct cidr *c);
void cidr_set_seal(struct cidr_set *s);
void cidr_set_free(struct cidr_set *s); /* what the set holds; it may be used again */
/* Only after cidr_set_seal. */
bool cidr_set_has(const struct cidr_set *s, const struct ip *ip);
/* Whether anything of that family (4 or 6) is in the set. */
bool cidr_set_knows(const struct cidr_set *s, int family);

#endif
