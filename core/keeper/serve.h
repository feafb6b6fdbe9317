/* SPDX-License-Identifier: MIT */
#ifndef KEEPER_SERVE_H
#define KEEPER_SERVE_H

#include "base/log.h"
#include "keeper/journal.h"
#include "keeper/keeper.h"
#include "keeper/report.h"
#include "platform/net.h"
#include "platform/tun.h"

#include <stdbool.h>
#include <sys/types.h>

/*
 * Numbers that this program has on the machine.  The mark and the table are
 * the same number, which is easily found in `ip rule` and `nft list ruleset`;
 * the rules come well before the main table's (32766).
 */
enum { OUR_TABLE = 7370, OUR_MARK = 7370, OUR_RULES = 7370, OUR_KEPT = 7371 };

/* What the engine has asked for so far and this machine therefore has. It outlives an
 * engine: the next one is given the same. */
struct serve {
	const struct keeper_config *config;
	struct journal *journal;
	uid_t uid;
	gid_t gid;
	int tun; /* -1: not yet; closed by serve_fini */
	struct tun_config tun_config;
	char tun_name[TUN_NAME];
	bool routed;
	bool direct4, direct6; /* see serve_direct.h */
	bool asked4, asked6;   /* this engine wants them */
	int raw4, raw6; /* what it sends by; -1: none; closed by serve_renew, _fini */
	int rules;      /* net_rules_watch; -1: none; closed by serve_fini */
	int losses;     /* net_direct_losses; -1: none; closed by serve_fini */
	int settings;   /* net_sysctl_watch; -1: none; closed by serve_fini */
	int marks;      /* the same, of serve_routes */
	int policy;     /* net_policy_watch; -1: none; closed by serve_fini */
	int changes;    /* net_changes_watch; -1: none; closed by serve_fini */
	int misled;     /* net_misled_watch; -1: none; closed by serve_fini */
	int resolver;   /* net_resolver_watch; -1: none; closed by serve_fini */
	bool can_end;   /* the kernel ends connections of others */
	unsigned index; /* of the device */
	bool astray;    /* of it or what leads there something is missing */
	bool gone;      /* the device is */
	/* Where traffic of a family leaves that should go into the device; "": it does not. */
	char beside4[TUN_NAME], beside6[TUN_NAME];
	uint32_t mends;        /* how often something was put back, */
	uint64_t mended, said; /* ms of boot time: the last time; since when are the */
	unsigned sayings;      /* lines of serve_again counted */
	unsigned lost;         /* NET_RULES_ bits: taken away and not back yet, */
	unsigned missed;       /* and those that were tried in vain, which was said */
	/* The rule of the machine by which no direct flow of a family is the kernel's; "" */
	char by_user4[REPORT_WHY], by_user6[REPORT_WHY];
	/* Answers to direct flows of a family were kept from connection tracking, which goes
	 * on for all we know: none is the kernel's any more. */
	bool unseen4, unseen6;
	uint32_t led_back; /* packets that had to leave and were led into the device, */
	uint64_t led;      /* ms of boot time: the last time, */
	unsigned led_mark; /* and the mark that it had */
	struct log_limit led_said;
	bool strict; /* net_direct_is_strict, when the tables of direct flows were made */
	struct net_routes routes;
	struct net_resolvers before; /* the machine's own, noted before any change */
	bool noted, taken;
	bool usurped;     /* somebody wrote over our resolv.conf, and it is not back; */
	uint64_t retaken; /* ms of boot time: when that was last tried; 0: never */
	int nservers;     /* of `servers`, when taken */
	struct ip servers[NET_RESOLVERS];
	bool ready; /* this engine has said so; the keeper clears it */
};

void serve_init(struct serve *s, const struct keeper_config *c, struct journal *j);
/* There is a new engine, which has asked for nothing yet. */
void serve_renew(struct serve *s);
/* Closes the device. The journal is undone by its owner, before. */
void serve_fini(struct serve *s);

/* Sets a sysctl; journalled with what it was, but where it is so already. 0, or -1 and
 * why. */
int serve_sysctl(struct serve *s, const char *name, const char *value, struct err *e);
/* The same for what is not needed everywhere: in a container the system's settings often
 * cannot be changed from within. A warning then names the loss. */
void
serve_sysctl_wish(struct serve *s, const char *name, const char *value, const char *loss);
/* Sets one that may be in the journal already. Whether it is so now. */
bool serve_sysctl_again(
	struct serve *s, const char *name, const char *value, const char *loss);
/* Before a line that says that what somebody has changed is put back: he may go on and on.
 * What the line ends with; NULL: there is none any more for now. */
const char *serve_again(struct serve *s);
/* Whether the device has one. */
bool serve_has_address(const struct serve *s, int family);
/* The firewall of this device. */
void serve_firewall(const struct serve *s, struct net_firewall *f);

/* Reads one request from `sock` and answers it. 0; -EAGAIN: there was none; or -errno:
 * the engine is gone, or cannot be talked to any more. */
int serve_next(struct serve *s, int sock);

#endif
