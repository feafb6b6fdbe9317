/* SPDX-License-Identifier: MIT */
#ifndef KEEPER_CHECK_H
#define KEEPER_CHECK_H

#include "base/err.h"
#include "keeper/message.h"

#include <stdbool.h>

/*
 * Every field of a request, before the keeper acts on it: the engine that asks
 * may be in a stranger's hands.  0, or -1 and why.
 */
int check_tun(const struct tun_config *c, struct err *e);
int check_routes(const struct request_routes *r, struct err *e);
int check_resolver(const struct request_resolver *r, struct err *e);
int check_ping(const struct request_ping *r, struct err *e);
int check_direct(const struct request_direct *r, struct err *e);
int check_file(const struct request_file *r, struct err *e);

/* A name that an interface of ours may have: letters, digits, `_` and `-`. */
bool check_device(const char *name);

#endif
