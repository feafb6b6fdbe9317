/* SPDX-License-Identifier: MIT */
#include "platform/posix/sock_os.h"
#include "platform/sock.h"

#include <errno.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

static bool
is_tunnel_with(const struct ifaddrs *a, const struct ip *ip)
{
	struct sockaddr_storage sa = { .ss_family = AF_UNSPEC };
	struct endpoint e;

	if (!a->ifa_addr || !(a->ifa_flags & IFF_POINTOPOINT))
		return false;
	if (a->ifa_addr->sa_family == AF_INET)
		memcpy(&sa, a->ifa_addr, sizeof(struct sockaddr_in));
	else if (a->ifa_addr->sa_family == AF_INET6)
		memcpy(&sa, a->ifa_addr, sizeof(struct sockaddr_in6));
	sock_address_get(&e, &sa);
	return e.ip.family != 0 && ip_equal(&e.ip, ip);
}

int
sock_tunnel_of(const struct ip *ip, char name[static SOCK_DEVICE])
{
	struct ifaddrs *all;
	const struct ifaddrs *a;
	int r = -ENOENT;

	if (getifaddrs(&all) == -1)
		return -errno;
	for (a = all; a && r != 0; a = a->ifa_next) {
		if (!is_tunnel_with(a, ip))
			continue;
		snprintf(name, SOCK_DEVICE, "%s", a->ifa_name);
		r = 0;
	}
	freeifaddrs(all);
	return r;
}
