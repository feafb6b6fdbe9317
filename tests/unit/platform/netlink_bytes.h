/* SPDX-License-Identifier: MIT */
#ifndef NETLINK_BYTES_H
#define NETLINK_BYTES_H

#include <assert.h>
#include <linux/netlink.h>
#include <stdint.h>
#include <string.h>

/* A message of the kernel's, written byte by byte as its headers say: nests are closed in
 * the reverse order of their opening. */
struct netlink_bytes {
	_Alignas(struct nlmsghdr) uint8_t p[1024];
	size_t len;
};

static inline void
netlink_bytes_begin(struct netlink_bytes *b, uint16_t type, const void *head, size_t size)
{
	struct nlmsghdr h = { .nlmsg_type = type };

	memset(b, 0, sizeof(*b));
	memcpy(b->p, &h, sizeof(h));
	memcpy(b->p + sizeof(h), head, size);
	b->len = sizeof(h) + NLMSG_ALIGN(size);
}

static inline void
netlink_bytes_put(struct netlink_bytes *b, uint16_t type, const void *p, size_t size)
{
	struct nlattr a = { .nla_len = (uint16_t)(sizeof(a) + size), .nla_type = type };

	assert(b->len + sizeof(a) + NLA_ALIGN(size) <= sizeof(b->p));
	memcpy(b->p + b->len, &a, sizeof(a));
	if (size)
		memcpy(b->p + b->len + sizeof(a), p, size);
	b->len += sizeof(a) + NLA_ALIGN(size);
}

/* Where it begins, for netlink_bytes_close. */
static inline size_t
netlink_bytes_open(struct netlink_bytes *b, uint16_t type)
{
	size_t at = b->len;

	netlink_bytes_put(b, type | NLA_F_NESTED, NULL, 0);
	return at;
}

static inline void
netlink_bytes_close(struct netlink_bytes *b, size_t at)
{
	uint16_t n = (uint16_t)(b->len - at);

	memcpy(b->p + at, &n, sizeof(n));
}

static inline const struct nlmsghdr *
netlink_bytes_end(struct netlink_bytes *b)
{
	uint32_t n = (uint32_t)b->len;

	memcpy(b->p, &n, sizeof(n));
	return (const void *)b->p;
}

#endif
