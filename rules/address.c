/* SPDX-License-Identifier: MIT */
#include "rules/match.h"

#include <errno.h>
#include <stdlib.h>

/*
 * What v2ray's and Xray's geoip.dat has as "private": more than RFC 1918, also
 * the documentation, benchmark, multicast and reserved ranges of the IANA
 * special-purpose registries (RFC 6890).
 */
static const char *const private_nets[] = { "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10",
	"127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24", "192.0.2.0/24",
	"192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24",
	"203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4", "255.255.255.255/32", "::/128",
	"::1/128", "fc00::/7", "fe80::/10", "ff00::/8" };

struct sight
sight_of(struct ip ip, const struct geoip *g)
{
	return (struct sight){ .ip = ip_unmapped(ip), .geoip = g };
}

const char *
sight_country(struct sight *s)
{
	if (!s->looked && s->geoip)
		geoip_country(s->geoip, &s->ip, s->cc);
	s->looked = true;
	return s->cc;
}

struct address_match *
address_match_new(void)
{
	return calloc(1, sizeof(struct address_match));
}

void
address_match_free(struct address_match *m)
{
	int g;

	if (!m)
		return;
	for (g = 0; g < GROUPS; g++)
		cidr_set_free(&m->group[g].nets);
	free(m);
}

int
address_match_net(struct address_match *m, enum address_group g, const struct cidr *c)
{
	return cidr_set_add(&m->group[g].nets, c);
}

int
address_match_private(struct address_match *m, enum address_group g)
{
	struct cidr c;
	size_t i;
	int r;

	for (i = 0; i < sizeof(private_nets) / sizeof(private_nets[0]); i++) {
		if (!cidr_parse(&c, private_nets[i]))
			return -EINVAL;
		r = address_match_net(m, g, &c);
		if (r < 0)
			return r;
	}
	return 0;
}

/* The number of a country, or -1 for what is not two letters. */
static int
country_number(const char *cc)
{
	int a = cc[0] | 0x20, b;

	if (a < 'a' || a > 'z')
		return -1;
	b = cc[1] | 0x20;
	if (b < 'a' || b > 'z' || cc[2] != '\0')
		return -1;
	return (a - 'a') * 26 + b - 'a';
}

bool
address_match_country(struct address_match *m, enum address_group g, const char *cc)
{
	struct countries *c = &m->group[g].countries;
	int n = country_number(cc);

	if (n < 0)
		return false;
	c->bit[n / 64] |= UINT64_C(1) << (n % 64);
	c->some = true;
	return true;
}

void
address_match_seal(struct address_match *m)
{
	int g;

	for (g = 0; g < GROUPS; g++)
		cidr_set_seal(&m->group[g].nets);
}

static bool
countries_have(const struct countries *c, struct sight *s)
{
	int n;

	if (!c->some || !sight_country(s)[0])
		return false;
	n = country_number(s->cc);
	return n >= 0 && c->bit[n / 64] >> (n % 64) & 1;
}

static bool
group_has(const struct address_match *m, enum address_group g, struct sight *s)
{
	return cidr_set_has(&m->group[g].nets, &s->ip) ||
		countries_have(&m->group[g].countries, s);
}

/* Whether a group with `!` has a say on addresses of this family. */
static bool
group_speaks(const struct address_match *m, enum address_group g, int family)
{
	return m->group[g].countries.some || cidr_set_knows(&m->group[g].nets, family);
}

bool
address_match_takes(const struct address_match *m, struct sight *s)
{
	int g;

	if (s->ip.family == 0)
		return false;
	if (group_has(m, GROUP_IN, s))
		return true;
	for (g = GROUP_NOT_LITERAL; g < GROUPS; g++)
		if (group_speaks(m, g, s->ip.family) && !group_has(m, g, s))
			return true;
	return false;
}

bool
address_match_asks_country(const struct address_match *m)
{
	int g;

	for (g = 0; g < GROUPS; g++)
		if (m->group[g].countries.some)
			return true;
	return false;
}

bool
address_match_negates(const struct address_match *m)
{
	int g;

	for (g = GROUP_NOT_LITERAL; g < GROUPS; g++)
		if (group_speaks(m, g, 4) || group_speaks(m, g, 6))
			return true;
	return false;
}
