/* SPDX-License-Identifier: MIT */
#ifndef KEEPER_MESSAGE_H
#define KEEPER_MESSAGE_H

#include "platform/net.h"
#include "platform/tun.h"

#include <stddef.h>
#include <stdint.h>

/*
 * What travels between engine and keeper.  Both are one program, so these are
 * the structs as they lie in memory; but the keeper trusts no value in them,
 * and no type here has bit patterns that C does not allow.
 */
enum request_code {
	REQUEST_TUN = 1,
	REQUEST_ROUTES,
	REQUEST_RESOLVER,
	REQUEST_RESOLVERS,
	REQUEST_PING,
	REQUEST_FILE,
	REQUEST_READY,
	REQUEST_DIRECT,
	REQUEST_ENDINGS,
	REQUEST_CODES
};

enum { REQUEST_NAME = 512 };

struct request_routes {
	uint8_t v4, v6;
};

struct request_resolver {
	int32_t n;
	struct ip server[NET_RESOLVERS];
};

struct request_ping {
	int32_t family;
};

struct request_direct {
	int32_t family;
};

struct request_file {
	char name[REQUEST_NAME]; /* "": the configuration */
};

struct request {
	uint32_t code;
	union {
		struct tun_config tun;
		struct request_routes routes;
		struct request_resolver resolver;
		struct request_ping ping;
		struct request_direct direct;
		struct request_file file;
	} u;
};

/* The length of a request whose part of the union has `size` bytes. */
#define REQUEST_SIZE(size) (offsetof(struct request, u) + (size))

struct answer {
	int32_t result; /* 0, or -1 and `text` says why */
	union {
		char name[TUN_NAME];
		struct net_resolvers resolvers;
	} u;
	char text[512];
};

#endif
