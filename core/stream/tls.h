/* SPDX-License-Identifier: MIT */
#ifndef STREAM_TLS_H
#define STREAM_TLS_H

#include "base/addr.h"
#include "base/err.h"
#include "loop/loop.h"
#include "stream/stream.h"

#include <stdbool.h>

/*
 * TLS to a server, as a layer over any stream.  Three things, each made from the
 * one before it and counted by it:
 *
 *   stock   what all TLS of a process shares: the trust anchors of the system, read
 *           once, and the memory of connections, which has a maximum;
 *   setup   what one outbound wants: names, versions, pins; it never changes, but
 *           for the sessions that it resumes;
 *   stream  one connection.
 *
 * Two libraries stand behind this face.  BearSSL is always there and speaks TLS 1.0
 * to 1.2; OpenSSL, where it was built in, speaks 1.3 too.  Nothing here imitates a
 * browser's handshake.
 */
struct budget;
struct tls_stock;
struct tls_setup;

enum tls_library {
	TLS_ANY, /* OpenSSL where it was built in, else BearSSL */
	TLS_BEARSSL,
	TLS_OPENSSL,
};

bool tls_library_built(enum tls_library l);

/*
 * Trust anchors are read when the first setup needs them: from `trust_file` (a PEM
 * bundle; NULL: the file that SSL_CERT_FILE names, else the first bundle that there is
 * of those that Debian, Fedora, Alpine, openSUSE and macOS keep).  `max` connections
 * may be open at a time; the next one waits in its stream_open until one is freed.
 * NULL only without memory.  The caller holds one count.
 */
struct tls_stock *tls_stock_new(const char *trust_file, size_t max);
/* Its connections draw on g, which outlives it; a connection for which there is not enough
 * is not made. */
void tls_stock_share(struct tls_stock *k, struct budget *g);
void tls_stock_drop(struct tls_stock *k); /* NULL is fine */

enum tls_version {
	TLS_VERSION_ANY = 0, /* at least 1.2, at most what the library has */
	TLS_1_0 = 0x0301,
	TLS_1_1 = 0x0302,
	TLS_1_2 = 0x0303,
	TLS_1_3 = 0x0304,
};

enum { TLS_ALPN_MAX = 8, TLS_LIST_MAX = 64, TLS_PIN = 32 };

struct tls_text_list {
	const char *const *text;
	size_t n; /* at most TLS_LIST_MAX (alpn: TLS_ALPN_MAX) */
};

/* The SHA-256 of what is expected. */
struct tls_pin {
	uint8_t hash[TLS_PIN];
};

struct tls_pin_list {
	const struct tls_pin *pin;
	size_t n; /* at most TLS_LIST_MAX */
};

/* What the configuration says. All of it is copied by tls_setup_new. */
struct tls_spec {
	/* The server's name: it is sent, and the certificate must have it.  Where it is
	 * the text of an address, the certificate must have that, and nothing is sent. */
	const char *name;
	/* Where there is no name, the certificate must be for this address. */
	struct ip ip;
	struct tls_text_list alpn;
	enum tls_version min, max;
	/* The certificate must have one of these instead (verifyPeerCertByName). */
	struct tls_text_list verify_names;
	/* SHA-256 over the whole chain that the server sends, as V2Ray counts it: one of
	 * them must match, besides everything else (pinnedPeerCertificateChainSha256). */
	struct tls_pin_list chain_pins;
	/* SHA-256 of a certificate, instead of trust (pinnedPeerCertSha256): that of the
	 * server itself is enough; to that of an authority in its chain, the chain must
	 * lead, and the names must match. */
	struct tls_pin_list pins;
	/* PEM texts with certificates that are trusted, too. */
	struct tls_text_list trusted;
	bool disable_system_root;
	/* Neither chain nor names are looked at; pins still are. */
	bool allow_insecure;
	bool no_resumption;
};

/* Holds the stock. NULL and why. The caller holds one count. */
struct tls_setup *tls_setup_new(struct tls_stock *k, enum tls_library l,
	const struct tls_spec *spec, struct err *e);
struct tls_setup *tls_setup_hold(struct tls_setup *t);
void tls_setup_drop(struct tls_setup *t); /* the last one frees; NULL is fine */
/* "BearSSL" or "OpenSSL". */
const char *tls_setup_library(const struct tls_setup *t);

/* Reads 64 hex digits, with or without colons, or the base64 of 32 bytes. */
bool tls_pin_parse(struct tls_pin *pin, const char *text);

/*
 * Takes `lower`, and frees it also where it answers NULL (no memory). Holds the setup.
 * open carries `lower` forward, and then the handshake, which has no time limit of its
 * own; every failure is told by open, with a sentence in reason.  -EACCES: the
 * certificate was refused; -EPROTO and others: the handshake.
 *
 * After shut the server's bytes still come.  A server that ends without a word
 * (close_notify) has ended in order, unless it was in the middle of a record.  Once the
 * server has ended, BearSSL sends nothing any more (RFC 5246, 7.2.1).
 */
struct stream *tls_new(struct tls_setup *t, struct stream *lower, struct loop *l,
	struct task *owner, int64_t (*unix_time)(void));

/* What a handshake has come to, for people who ask. */
/* What a handshake failed at, for advice; the sentence is stream_reason's. */
enum tls_fault {
	TLS_FAULT_NONE,    /* it did not, or nothing of these */
	TLS_FAULT_VERSION, /* no version that both speak */
	TLS_FAULT_DATES,   /* a certificate is too old or too new */
	TLS_FAULT_NAME,    /* the certificate, or the whole server, is another's */
	TLS_FAULT_ISSUER,  /* nobody who is trusted signed it */
	TLS_FAULT_PIN,     /* it is not the pinned one */
	TLS_FAULT_CLIENT,  /* a certificate of the client is wanted */
};

struct tls_facts {
	const char *version;           /* "TLS 1.2"; static */
	const char *cipher;            /* as IANA or the library writes it; static */
	const char *alpn;              /* "" where none was agreed on; the setup's */
	bool resumed;                  /* then there was no certificate to look at */
	int64_t not_before, not_after; /* of the server's certificate; 0: none was seen */
	char names[256];               /* that the certificate has; cut to fit */
	enum tls_fault fault;
};

/* `s` is of tls_new, and the certificate is the one of its handshake, good or refused. */
void tls_facts_get(const struct stream *s, struct tls_facts *f);

#endif
