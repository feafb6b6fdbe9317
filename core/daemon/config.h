/* SPDX-License-Identifier: MIT */
#ifndef DAEMON_CONFIG_H
#define DAEMON_CONFIG_H

#include "base/err.h"
#include "base/log.h"
#include "dns/dns.h"
#include "flow/flow.h"
#include "names/names.h"
#include "outbound/outbound.h"
#include "outbound/times.h"
#include "platform/tun.h"
#include "rules/rules.h"

#include <stdbool.h>
#include <stddef.h>

/*
 * The configuration, typed: Xray's schema (design 8) as this program
 * understands it.  Reading is pure: bytes in, this struct out; no file but the
 * one given is opened, nothing on the system is touched.  All strings and
 * arrays belong to the struct and go with config_free.
 */
enum dns_server_kind { DNS_SERVER_ADDRESS, DNS_SERVER_LOCALHOST };

struct dns_server_spec {
	enum dns_server_kind kind;
	struct endpoint at;
};

/* sluice.direct: who carries direct flows once they are decided. */
enum direct_way {
	DIRECT_STACK,  /* sluice, each byte of them */
	DIRECT_AUTO,   /* the kernel, where it can and loses nothing; else sluice */
	DIRECT_KERNEL, /* the kernel; where it cannot is an error */
};

/* Where the file says nothing. */
enum { CONFIG_DIRECT = DIRECT_AUTO };

/* A file whose text is wanted, and where it goes. */
struct config_certificate {
	const char *file;
	const char *path; /* "config.json: outbounds[0]...", for messages */
	const char **text;
	struct config_certificate *next;
};

enum { CONFIG_BUDGET = 256 << 20 }; /* bytes, where sluice.memory is not set */

struct config {
	const char *file; /* as given, for messages */
	enum log_level log_level;

	struct rule_spec *rule;
	size_t nrule;
	enum domain_resolve strategy;

	struct outbound_spec *outbound;
	size_t noutbound;

	struct tun_config tun;
	const char *tun_tag; /* inbound tag, "" when it has none */
	bool tun_plain;      /* sluice.offload: false; the device does nothing for us */
	size_t budget;       /* sluice.memory: bytes for traffic */
	bool tun_implied;    /* the file has no tun inbound */
	bool for_client; /* it has inbounds such as programs of this machine connect to */
	bool for_server; /* it has only such as clients connect to from outside */
	bool auto_routes; /* autoSystemRoutingTable; true for an implied tun */
	bool route_v4, route_v6;
	struct ip tun_dns[2];       /* what applications are told to ask (v4, v6) */
	const char *auto_interface; /* autoOutboundsInterface: NULL, "auto" or a name */
	struct sniffing sniffing;

	struct dns_server_spec *dns_server;
	size_t ndns_server;
	struct names_host *host;
	size_t nhost;

	unsigned level; /* of the tun; `policy` is that of this level */
	struct flow_policy policy;
	struct config_certificate *certificate; /* a list; NULL: none */
	enum tls_library tls;                   /* sluice.tls */
	struct time_server_spec *sntp;          /* sluice.sntp */
	size_t nsntp;
	unsigned warm; /* sluice.warm: connections that each VMess outbound keeps ready */
	bool clock_auto;        /* sluice.clock: "auto" */
	enum direct_way direct; /* sluice.direct */
	const char *geoip_file; /* sluice.geoip, or NULL: the default place */

	struct config_memory *memory; /* everything above */
};

/* What is said of a file beside the error in a struct err, one line each; the line has the
 * file and the path. */
struct config_say {
	void (*warn)(struct config_say *, const char *line); /* it is no error */
	/* Another one follows, which may be the last, and then is in the struct err: one for
	 * each rule, outbound or section that is wrong, up to CONFIG_ERRORS_MAX.  NULL: the
	 * first one ends the reading. */
	void (*error)(struct config_say *, const char *line);
};

enum { CONFIG_ERRORS_MAX = 20 };

/*
 * Reads a configuration from memory. `file` names it in messages. NULL and why:
 * one line with the file, then line and column for broken JSON, or the path of
 * the value: `config.json: outbounds[0].settings.port: 70000 is not a port (1-65535)`.
 */
struct config *config_read(const char *file, const char *text, size_t len,
	struct config_say *say, struct err *e);
void config_free(struct config *c);
/*
 * The typed form as JSON of the same schema, which config_read takes again, and
 * which prints the same (golden tests). It holds the ids of VMess users. 0 and
 * *text, to be freed by config_print_free; or -ENOMEM.
 */
int config_print(const struct config *c, char **text);
void config_print_free(char *text); /* wipes it; NULL is fine */

/*
 * Loads what the configuration names beyond itself: its rules into *rules, which
 * are the caller's, and the list of sniffing.domainsExcluded and the texts of
 * certificates into the configuration.  `files` and `say` (may be NULL) are used while
 * loading only.  0, or -1 and why.
 */
int config_rules(struct config *c, struct rules_files *files, struct config_say *say,
	struct rules **rules, struct err *e);

#endif
