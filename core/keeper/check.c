/* SPDX-License-Identifier: MIT */
#include "keeper/check.h"

#include <string.h>

bool
check_device(const char *name)
{
	static const char allowed[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
		"0123456789_-";
	size_t len = strnlen(name, TUN_NAME);

	/* A dot would be a separator in a sysctl's name; `lo` is nobody's. */
	return len > 0 && len < TUN_NAME && strspn(name, allowed) == len &&
		name[0] != '-' && strcmp(name, "lo") != 0;
}

static bool
is_unicast(const struct ip *ip)
{
	static const uint8_t zero[12];

	if (ip->family != 4 && ip->family != 6)
		return false;
	if (ip->family == 4 && memcmp(ip->b + 4, zero, sizeof zero) != 0)
		return false;
	return !ip_is_unspecified(ip) && !ip_is_multicast(ip);
}

static int
address_check(const struct cidr *c, struct err *e)
{
	char text[CIDR_TEXT];

	if (!is_unicast(&c->ip) || ip_is_loopback(&c->ip) ||
		c->bits > (c->ip.family == 6 ? 128 : 32))
		return err_set(e, "TUN: %s cannot be an address of the device",
			c->ip.family == 4 || c->ip.family == 6 ? cidr_format(c, text)
							       : "this");
	return 0;
}

int
check_tun(const struct tun_config *c, struct err *e)
{
	int i;

	if (!memchr(c->name, '\0', TUN_NAME) || (c->name[0] && !check_device(c->name)))
		return err_set(e,
			"TUN: the name must have 1 to %d letters, digits, `_` or `-`",
			TUN_NAME - 1);
	if (c->mtu < TUN_MTU_MIN || c->mtu > TUN_MTU_MAX)
		return err_set(e, "TUN: an MTU of %d is not one from %d to %d", c->mtu,
			TUN_MTU_MIN, TUN_MTU_MAX);
	if (c->queue < TUN_QUEUE_MIN || c->queue > TUN_QUEUE_MAX)
		return err_set(e, "TUN: a queue of %d packets is not one from %d to %d",
			c->queue, TUN_QUEUE_MIN, TUN_QUEUE_MAX);
	if (c->naddrs < 1 || c->naddrs > TUN_ADDRS)
		return err_set(
			e, "TUN: %d addresses are not 1 to %d", c->naddrs, TUN_ADDRS);
	for (i = 0; i < c->naddrs; i++) {
		if (address_check(&c->addrs[i], e) < 0)
			return -1;
	}
	return 0;
}

int
check_routes(const struct request_routes *r, struct err *e)
{
	if (r->v4 > 1 || r->v6 > 1)
		return err_set(e, "routes: a family is carried or not");
	return 0;
}

int
check_resolver(const struct request_resolver *r, struct err *e)
{
	int i;

	if (r->n < 1 || r->n > NET_RESOLVERS)
		return err_set(e, "resolver: %d servers are not 1 to %d", (int)r->n,
			NET_RESOLVERS);
	for (i = 0; i < r->n; i++) {
		if (!is_unicast(&r->server[i]))
			return err_set(
				e, "resolver: server %d has no usable address", i + 1);
	}
	return 0;
}

int
check_ping(const struct request_ping *r, struct err *e)
{
	if (r->family != 4 && r->family != 6)
		return err_set(e, "ping: family %d is neither 4 nor 6", (int)r->family);
	return 0;
}

int
check_direct(const struct request_direct *r, struct err *e)
{
	if (r->family != 4 && r->family != 6)
		return err_set(e, "direct: family %d is neither 4 nor 6", (int)r->family);
	return 0;
}

/* No part of a relative name may begin with a dot: neither `..` nor what people hide. */
static bool
is_plain(const char *name)
{
	const char *p;

	for (p = name; p; p = strchr(p, '/')) {
		p += *p == '/';
		if (*p == '.' || *p == '/' || *p == '\0')
			return false;
	}
	return true;
}

int
check_file(const struct request_file *r, struct err *e)
{
	const char *p;

	if (!memchr(r->name, '\0', sizeof r->name))
		return err_set(e, "file: the name is too long");
	for (p = r->name; *p; p++) {
		if ((unsigned char)*p < ' ' || *p == 0x7f)
			return err_set(e, "file: the name has a control character");
	}
	if (r->name[0] != '\0' && r->name[0] != '/' && !is_plain(r->name))
		return err_set(e,
			"%s: a relative name must lead downwards, and no part of it may "
			"begin with a dot",
			r->name);
	return 0;
}
