/* SPDX-License-Identifier: MIT */
#ifndef KEEPER_CHANGE_H
#define KEEPER_CHANGE_H

#include "base/addr.h"
#include "base/err.h"
#include "platform/direct.h"
#include "platform/net.h"
#include "platform/tun.h"

/* Until when a change of the system stays. */
enum change_class {
	CHANGE_SESSION, /* until the program ends, or `recover` after it was killed */
	CHANGE_GUARD,   /* beyond that, until the user says so */
	CHANGE_BOOT,    /* until the machine starts again; never undone */
};

enum change_kind {
	CHANGE_ADDRESS,
	CHANGE_ROUTES,
	CHANGE_FIREWALL,
	CHANGE_RESOLVER,
	CHANGE_SYSCTL,
	CHANGE_DIRECT,
};

enum { SYSCTL_NAME = 96, SYSCTL_VALUE = 64, CHANGE_TEXT = 512 };

/* One change of the system, with all that undoing it takes. */
struct change {
	enum change_class until;
	enum change_kind kind;
	union {
		struct {
			char dev[TUN_NAME];
			struct cidr cidr;
		} address;
		struct net_routes routes;
		char plan[NET_PLAN];
		struct {
			char name[SYSCTL_NAME];
			char ours[SYSCTL_VALUE], old[SYSCTL_VALUE];
		} sysctl;
		struct {
			int family;
			unsigned kept; /* see struct net_direct */
		} direct;
	} u;
};

/* As one line of the journal, without its end. 0, or -EINVAL: it has no such form. */
int change_format(const struct change *c, char text[static CHANGE_TEXT]);
/* The whole of `text`, in exactly the form that change_format writes. */
int change_parse(struct change *c, const char *text);
/* Undoing what was never made is a success. 0, or -1 and why. */
int change_undo(const struct change *c, struct err *e);

#endif
