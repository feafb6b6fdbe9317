/* SPDX-License-Identifier: MIT */
#ifndef BASE_ADDR_H
#define BASE_ADDR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Addresses as values: small, copied freely, compared with the functions below
 * and never with memcmp.  Bytes are in network order, ports in host order.
 */

enum network {
	NETWORK_TCP,
	NETWORK_UDP,
	NETWORK_ICMP, /* echo only; no rule of Xray's names it */
};

struct ip {
	uint8_t family; /* 4, 6, or 0: no address */
	uint8_t b[16];  /* the first 4 for IPv4; the rest is then zero */
};

struct endpoint {
	struct ip ip;
	uint16_t port;
};

struct cidr {
	struct ip ip; /* as written; the host bits may be set */
	uint8_t bits;
};

/* Where a flow wants to go: an address, or a name, or both. */
struct target {
	struct ip ip; /* family 0: only the name is known */
	uint16_t port;
	const char *name; /* NULL, or lower case without a final dot; borrowed */
};

enum { IP_TEXT = 46, ENDPOINT_TEXT = 54, CIDR_TEXT = 50, NAME_MAX_LEN = 253 };

/* Text forms.  The parsers take all of `s` and answer false for anything else. */
bool ip_parse(struct ip *ip, const char *s);
bool
endpoint_parse(struct endpoint *e, const char *s); /* 192.0.2.1:80, [2001:db8::1]:80 */
bool cidr_parse(struct cidr *c, const char *s);    /* 192.0.2.0/24, or an address alone */
/* These write at most the size named above, always end in NUL, and return `buf`. */
const char *ip_format(const struct ip *ip, char buf[static IP_TEXT]);
const char *endpoint_format(const struct endpoint *e, char buf[static ENDPOINT_TEXT]);
const char *cidr_format(const struct cidr *c, char buf[static CIDR_TEXT]);

/* family is 4 or 6, b has 4 or 16 bytes. */
struct ip ip_make(int family, const uint8_t *b);
bool ip_equal(const struct ip *a, const struct ip *b);
bool endpoint_equal(const struct endpoint *a, const struct endpoint *b);
bool cidr_has(const struct cidr *c, const struct ip *ip);

/* ::ffff:a.b.c.d as the IPv4 address that it stands for; anything else unchanged. */
struct ip ip_unmapped(struct ip ip);
/* The classes below are those of the IANA special-purpose registries. */
bool ip_is_multicast(const struct ip *ip); /* and 255.255.255.255 */
bool ip_is_unspecified(const struct ip *ip);
bool ip_is_loopback(const struct ip *ip);
bool ip_is_link_local(const struct ip *ip);

#endif
