/* SPDX-License-Identifier: MIT */
#include "base/addr.h"

#include "base/text.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

static size_t
ip_size(const struct ip *ip)
{
	return ip->family == 4 ? 4 : 16;
}

struct ip
ip_make(int family, const uint8_t *b)
{
	struct ip ip = { .family = (uint8_t)family };

	memcpy(ip.b, b, ip_size(&ip));
	return ip;
}

bool
ip_parse(struct ip *ip, const char *s)
{
	struct ip got = { .family = strchr(s, ':') ? 6 : 4 };

	if (inet_pton(got.family == 4 ? AF_INET : AF_INET6, s, got.b) != 1)
		return false;
	*ip = got;
	return true;
}

/* An address that is the n bytes at s. */
static bool
part_parse(struct ip *ip, const char *s, size_t n)
{
	char text[IP_TEXT];

	if (n >= sizeof text)
		return false;
	memcpy(text, s, n);
	text[n] = '\0';
	return ip_parse(ip, text);
}

bool
endpoint_parse(struct endpoint *e, const char *s)
{
	const char *colon = strrchr(s, ':');
	bool bracketed = *s == '[';
	struct endpoint got;
	const char *end;
	uint64_t port;

	if (!colon || !number_parse(&port, colon + 1, UINT16_MAX))
		return false;
	end = colon;
	if (bracketed && (*--end != ']' || end == s))
		return false;
	s += bracketed;
	if (!part_parse(&got.ip, s, (size_t)(end - s)))
		return false;
	if (got.ip.family != (bracketed ? 6 : 4))
		return false;
	got.port = (uint16_t)port;
	*e = got;
	return true;
}

bool
cidr_parse(struct cidr *c, const char *s)
{
	const char *slash = strchr(s, '/');
	struct cidr got;
	uint64_t bits;

	if (!part_parse(&got.ip, s, slash ? (size_t)(slash - s) : strlen(s)))
		return false;
	bits = ip_size(&got.ip) * 8;
	if (slash && !number_parse(&bits, slash + 1, bits))
		return false;
	got.bits = (uint8_t)bits;
	*c = got;
	return true;
}

const char *
ip_format(const struct ip *ip, char buf[static IP_TEXT])
{
	int af = ip->family == 4 ? AF_INET : AF_INET6;

	if (ip->family == 0 || !inet_ntop(af, ip->b, buf, IP_TEXT))
		snprintf(buf, IP_TEXT, "-");
	return buf;
}

const char *
endpoint_format(const struct endpoint *e, char buf[static ENDPOINT_TEXT])
{
	char ip[IP_TEXT];

	ip_format(&e->ip, ip);
	if (e->ip.family == 6)
		snprintf(buf, ENDPOINT_TEXT, "[%s]:%u", ip, e->port);
	else
		snprintf(buf, ENDPOINT_TEXT, "%s:%u", ip, e->port);
	return buf;
}

const char *
cidr_format(const struct cidr *c, char buf[static CIDR_TEXT])
{
	char ip[IP_TEXT];

	snprintf(buf, CIDR_TEXT, "%s/%u", ip_format(&c->ip, ip), c->bits);
	return buf;
}

bool
ip_equal(const struct ip *a, const struct ip *b)
{
	if (a->family != b->family)
		return false;
	return a->family == 0 || memcmp(a->b, b->b, ip_size(a)) == 0;
}

bool
endpoint_equal(const struct endpoint *a, const struct endpoint *b)
{
	return a->port == b->port && ip_equal(&a->ip, &b->ip);
}

bool
cidr_has(const struct cidr *c, const struct ip *ip)
{
	size_t whole = c->bits / 8;
	uint8_t mask = (uint8_t)(0xff00 >> c->bits % 8);

	if (c->ip.family != ip->family || ip->family == 0)
		return false;
	if (memcmp(c->ip.b, ip->b, whole) != 0)
		return false;
	return mask == 0 || ((c->ip.b[whole] ^ ip->b[whole]) & mask) == 0;
}

/* ::ffff:0:0/96, RFC 4291, 2.5.5.2 */
static const uint8_t mapped[12] = { [10] = 0xff, [11] = 0xff };

struct ip
ip_unmapped(struct ip ip)
{
	if (ip.family != 6 || memcmp(ip.b, mapped, sizeof mapped) != 0)
		return ip;
	return ip_make(4, ip.b + sizeof mapped);
}

bool
ip_is_multicast(const struct ip *ip)
{
	struct ip a = ip_unmapped(*ip);

	if (a.family == 6)
		return a.b[0] == 0xff;
	if (a.family == 4)
		return a.b[0] >> 4 == 0xe || memcmp(a.b, "\377\377\377\377", 4) == 0;
	return false;
}

bool
ip_is_unspecified(const struct ip *ip)
{
	static const uint8_t zero[16];
	struct ip a = ip_unmapped(*ip);

	return a.family != 0 && memcmp(a.b, zero, ip_size(&a)) == 0;
}

bool
ip_is_loopback(const struct ip *ip)
{
	static const uint8_t one[16] = { [15] = 1 };
	struct ip a = ip_unmapped(*ip);

	if (a.family == 6)
		return memcmp(a.b, one, sizeof one) == 0;
	return a.family == 4 && a.b[0] == 127;
}

bool
ip_is_link_local(const struct ip *ip)
{
	struct ip a = ip_unmapped(*ip);

	if (a.family == 6)
		return a.b[0] == 0xfe && (a.b[1] & 0xc0) == 0x80;
	return a.family == 4 && a.b[0] == 169 && a.b[1] == 254;
}
