/* SPDX-License-Identifier: MIT */
#ifndef OUTBOUND_OUTBOUND_H
#define OUTBOUND_OUTBOUND_H

#include "base/addr.h"
#include "base/aead.h"
#include "base/err.h"
#include "base/log.h"
#include "loop/loop.h"
#include "names/names.h"
#include "stream/http_head_request.h"
#include "stream/httphead.h"
#include "stream/packets.h"
#include "stream/stream.h"
#include "stream/tcp.h"
#include "stream/tls.h"

#include <stdbool.h>

/*
 * Ways out.  An outbound is made once from its spec, never changes but in what
 * it counts, and is counted: each flow that dialled through it holds it until
 * the flow ends, so a reload cannot take it away.
 */

/* What the configuration says. Strings are copied by outbound_new. */
enum outbound_kind { OUTBOUND_FREEDOM, OUTBOUND_BLACKHOLE, OUTBOUND_VMESS };

enum domain_strategy { DOMAIN_AS_IS, DOMAIN_USE_IP, DOMAIN_USE_IP4, DOMAIN_USE_IP6 };

/* `zero` is `none` without chunks; 6 never stands on the wire. */
enum vmess_security {
	VMESS_AES128_GCM = 3,
	VMESS_CHACHA20_POLY1305 = 4,
	VMESS_NONE = 5,
	VMESS_ZERO = 6,
};

struct vmess_user_spec {
	uint8_t id[16];
	enum vmess_security security; /* `auto` is resolved before */
	uint16_t alter_ids; /* above 0: the old header, with one of so many ids */
	bool authenticated_length;
	bool no_termination_signal;
	unsigned level; /* of the policy */
};

struct vmess_server_spec {
	const char *address; /* name or address */
	uint16_t port;
	const struct vmess_user_spec *user; /* at least one */
	size_t nuser;
};

enum carrier_kind {
	CARRIER_RAW,
	CARRIER_HTTP_HEAD,
	CARRIER_WEBSOCKET,
	CARRIER_HTTPUPGRADE
};

/*
 * What lies between TCP and VMess.  Everything that `request` and `head` point at is
 * borrowed, and outlives the outbound.
 */
struct carrier_spec {
	enum carrier_kind kind;
	/* CARRIER_WEBSOCKET and CARRIER_HTTPUPGRADE. Without a host it is asked for the
	 * name that TLS has, else for the server's name or address. */
	struct http_request request;
	struct httphead_spec head; /* CARRIER_HTTP_HEAD */
	bool secured;              /* by TLS */
	struct tls_spec tls;       /* without a name it is the server's */
};

enum { VMESS_SERVERS_MAX = 64, VMESS_USERS_MAX = 64 };

/* Each connection begins at the server after that of the one before, as a random one of
 * its users; a server that cannot be reached is left for the next one. */
struct vmess_spec {
	const struct vmess_server_spec *server; /* at least one */
	size_t nserver;
	struct carrier_spec carrier;
};

struct freedom_spec {
	enum domain_strategy strategy;
	const char *redirect_address; /* NULL: none; "" keeps the address */
	uint16_t redirect_port;       /* 0: keeps the port */
};

struct blackhole_spec {
	bool http; /* answers 403 before it closes */
};

/* Seconds, by the policy level of the outbound's user; 0: not set by anybody. */
struct outbound_policy {
	unsigned handshake; /* for the opening of a transport, all its layers */
	unsigned conn_idle, uplink_only, downlink_only;
};

struct outbound_spec {
	const char *tag;  /* "" when it has none */
	const char *path; /* "config.json: outbounds[2]", for messages */
	enum outbound_kind kind;
	struct sock_options
		sock; /* interface and source, where the configuration names them */
	struct outbound_policy policy;
	union {
		struct vmess_spec vmess;
		struct freedom_spec freedom;
		struct blackhole_spec blackhole;
	} u;
};

struct times;

/* What all outbounds of an engine share; borrowed, and lives longer than they do. */
struct outbound_env {
	struct loop *loop;
	struct names *names;
	struct tcp_memory *memory;
	int64_t (*unix_time)(void);
	struct tls_stock *tls; /* NULL: no outbound has TLS */
	enum tls_library tls_library;
	struct times *times; /* the time servers of the configuration; NULL: none */
	unsigned
		warm; /* connections that each VMess outbound keeps ready (vmess_warm.h) */
	bool clock_auto; /* headers may have another time than this machine's (clock.h) */
};

struct outbound;

struct outbound_ops {
	const char *kind; /* "freedom" */
	/* True: open answers OK only when the target itself has answered, so a flow can
	 * be held until then and refused truthfully. */
	bool truthful;
	/* True: a packets of this outbound goes to one target only, the one it was bound
	 * with. */
	bool per_target;
	/* True: the flow leaves this machine as it is: ping may be answered for it. */
	bool direct;
	/* True: connections hold memory of the ways out for as long as they live. */
	bool heavy;
	struct stream *(*dial)(
		struct outbound *, const struct target *, struct task *owner);
	struct packets *(*bind)(
		struct outbound *, const struct target *, struct task *owner);
	void (*retire)(struct outbound *); /* NULL: nothing is to be done */
	void (*free)(struct outbound *);
};

/* What went through an outbound, for people. The flow room counts, and an outbound notes
 * failures that no flow hears of. */
struct outbound_tally {
	uint64_t flows; /* connections, and ways for datagrams */
	uint64_t up,
		down; /* bytes of applications; of flows in the kernel, with headers */
	/* The same of those that the kernel carried when it was last asked. */
	uint64_t running_up, running_down, running_before; /* the last: the time before */
	/* Loop time, 0 for never: when bytes last came back, when a way last failed. */
	uint64_t answered, failed;
	uint64_t failures; /* ways that did */
	char why[160];     /* the last one */
};

struct outbound {
	const struct outbound_ops *ops;
	struct outbound_env env;
	char tag[64];
	char path[128];
	struct outbound_policy policy;
	bool plain; /* it adds nothing to what the kernel does with a packet by itself */
	unsigned count;
	struct outbound_tally tally;
};

/* True for a freedom outbound without settings of its own: see struct outbound, `plain`. */
bool outbound_is_plain(const struct outbound_spec *spec);

/* NULL and why. The caller holds one count. */
struct outbound *outbound_new(
	const struct outbound_spec *spec, const struct outbound_env *env, struct err *e);
struct outbound *outbound_hold(struct outbound *o);
/* Nobody dials through it any more: what it has made for others to come goes, which holds
 * it.  For who has made it, before the drop. NULL is fine. */
void outbound_retire(struct outbound *o);
void outbound_drop(struct outbound *o); /* the last one frees; NULL is fine */

/* There is too little memory for one more connection: nobody else should come. */
bool outbound_is_short(const struct outbound *o);

/* Some of its connections wait for memory that others hold. */
bool outbound_is_starved(const struct outbound *o);

/*
 * Begins a connection to `to`, which is copied. `owner` is made ready whenever
 * there is something to do. NULL only without memory: everything else is told
 * by stream_open. The stream holds the outbound, where it needs it.
 *
 * Where `to` has an address and a name, freedom AsIs takes the address, and the
 * other strategies and VMess take the name: who wants the server to go to the
 * very address leaves the name out.
 */
struct stream *
outbound_dial(struct outbound *o, const struct target *to, struct task *owner);
/* The same for datagrams. Who has them holds the outbound. */
struct packets *
outbound_bind(struct outbound *o, const struct target *to, struct task *owner);

/* Parses a VMess id as Xray does: a UUID, or 1 to 30 bytes mapped to UUIDv5 (vmess.md 3).
 */
int vmess_id_parse(uint8_t id[static 16], const char *text, struct err *e);

#endif
