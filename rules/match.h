/* SPDX-License-Identifier: MIT */
#ifndef RULES_MATCH_H
#define RULES_MATCH_H

#include "base/err.h"
#include "rules/cidr.h"
#include "rules/rules.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The conditions on ports and addresses. */

struct port_range {
	uint16_t from, to; /* both inside */
};

struct port_set {
	struct port_range *range; /* NULL: no condition */
	size_t n;
};

enum { PORT_RANGES_MAX = 4096 };

/* "53, 443,1000-2000"; empty pieces are passed over, as in Xray. 0, or -1 with a sentence
 * that names no path. */
int port_set_parse(struct port_set *s, const char *text, struct err *e);
void port_set_free(struct port_set *s);
bool port_set_has(const struct port_set *s, uint16_t port);

/*
 * An address and its country, which is looked up when it is first asked for.
 * `ip` is never IPv4 in IPv6 clothes.
 */
struct sight {
	struct ip ip;
	const struct geoip *geoip; /* may be NULL */
	bool looked;
	char cc[3]; /* "": none */
};

struct sight sight_of(struct ip ip, const struct geoip *g);
const char *sight_country(struct sight *s);

/*
 * The values of one `ip` or `source` list.  Xray sorts them into groups and
 * takes an address when any group takes it:
 *
 * - everything without `!`: the address must be in one of them;
 * - all literal networks with `!`: it must be in none of them;
 * - all named lists (geoip:, ext:) with `!`: it must be in none of them.
 *
 * So ["!geoip:xa", "!geoip:xb"] is "neither xa nor xb", but ["!geoip:xa",
 * "!192.0.2.0/24"] takes nearly everything, and so does ["!geoip:xa",
 * "198.51.100.0/24"] that is outside xa.  As in Xray too, a group of networks
 * with `!` takes no address of a family that it has no network of; a country
 * speaks of both families.
 */
enum address_group { GROUP_IN, GROUP_NOT_LITERAL, GROUP_NOT_NAMED, GROUPS };

enum { COUNTRY_WORDS = 11 }; /* 26 * 26 bits */

struct countries {
	uint64_t bit[COUNTRY_WORDS];
	bool some;
};

struct address_match {
	struct {
		struct cidr_set nets;
		struct countries countries;
	} group[GROUPS];
};

struct address_match *address_match_new(void);
void address_match_free(struct address_match *m);
/* As cidr_set_add. */
int
address_match_net(struct address_match *m, enum address_group g, const struct cidr *c);
/* `cc` is two letters, in any case; false when it is not. */
bool address_match_country(struct address_match *m, enum address_group g, const char *cc);
/* geoip:private, which is built in: the ranges of the list that Xray's users know. */
int address_match_private(struct address_match *m, enum address_group g);
void address_match_seal(struct address_match *m);
bool address_match_takes(const struct address_match *m, struct sight *s);
/* Whether the answer ever hangs on the country. */
bool address_match_asks_country(const struct address_match *m);

/* Whether there is a `!` in it. */
bool address_match_negates(const struct address_match *m);

#endif
