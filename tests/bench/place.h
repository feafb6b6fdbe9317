/* SPDX-License-Identifier: MIT */
#ifndef SLUICE_BENCH_PLACE_H
#define SLUICE_BENCH_PLACE_H

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/socket.h>

/* Where a program of the benchmarks serves, or what it talks to: of IPv4 or IPv6. */
static union {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
} at;

static socklen_t at_len;

static void
at_set(const char *address, const char *port)
{
	at.v6.sin6_port = htons((uint16_t)atoi(port)); /* at the same place in both */
	if (inet_pton(AF_INET6, address, &at.v6.sin6_addr) == 1) {
		at.any.sa_family = AF_INET6;
		at_len = sizeof(at.v6);
	} else if (inet_pton(AF_INET, address, &at.v4.sin_addr) == 1) {
		at.any.sa_family = AF_INET;
		at_len = sizeof(at.v4);
	} else {
		exit(2);
	}
}

#endif
