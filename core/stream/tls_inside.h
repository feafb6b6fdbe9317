/* SPDX-License-Identifier: MIT */
#ifndef STREAM_TLS_INSIDE_H
#define STREAM_TLS_INSIDE_H

#include "stream/blocks.h"
#include "stream/tls.h"
#include "stream/tls_certificate.h"
#include "stream/tls_roots.h"

/* What the two libraries have in common, and what each must do. For tls*.c only. */

/* 16 certificates, 64 KiB: the longest chains in use have six, with 12 KiB. */
enum { TLS_CHAIN_MAX = 16, TLS_CHAIN_BYTES = 64 * 1024 };
/* Chains that are looked at at once, and the bytes of their certificates; a handshake that
 * needs more fails.  From certificate to verdict takes a round trip at most. */
enum { TLS_CHAINS_MAX = 4096, TLS_CHAINS_KEEP = 2, TLS_CHAINS_BYTES = 32 << 20 };
/* Memory of connections that is kept for the next ones. */
enum { TLS_CONNECTIONS_KEEP = 2 };
/* A record with this many others before it that brought nothing is a flood. */
enum { TLS_IDLE_RECORDS_MAX = 128 };
/* The largest payload of a record (RFC 8446, 5.1), and windows of OpenSSL's. */
enum { TLS_PAYLOAD_MAX = 16384, TLS_WINDOWS_MAX = 8192, TLS_WINDOWS_KEEP = 16 };
/* What memory is counted as, bytes; measured by tests/interop/transports/budget.py: a
 * handshake beside its connection (buffers for records, keys, the chain of certificates),
 * and a window with the buffer that OpenSSL has behind it. */
enum { TLS_HANDSHAKE_COST = 40 * 1024, TLS_WINDOW_COST = TLS_PAYLOAD_MAX + 17 * 1024 };

/* The chain that a server sends, from its first byte to the end of the handshake. */
struct tls_chain {
	uint8_t *der[TLS_CHAIN_MAX]; /* owned */
	struct certificate
		certificate[TLS_CHAIN_MAX]; /* as they came; 0 is the server's */
	bool readable[TLS_CHAIN_MAX];
	size_t n, used; /* used: bytes of all */
	bool too_long;
};

/* Where the borders of records are, in what a server sends (RFC 5246, 6.2.1). */
struct tls_records {
	uint8_t header[5];
	uint8_t have;  /* bytes of the header; 0: at a border */
	uint16_t left; /* of the record's body */
	unsigned idle; /* records since the last payload */
	bool alien;    /* the first bytes were not of a record at all */
	bool seen;     /* a whole header */
};

void tls_records_see(struct tls_records *r, const uint8_t *p, size_t len);

struct tls_stream;

struct tls_library_ops {
	const char *name;
	enum tls_version newest;
	size_t connection; /* bytes of memory that each open connection takes here... */
	size_t cost;       /* ...and all that it holds while it rests, struct and all */
	int (*setup_init)(struct tls_setup *t, struct err *e); /* 0; -1 and why */
	void (*setup_fini)(struct tls_setup *t);
	void (*stock_fini)(struct tls_stock *k);
	size_t stream; /* bytes of its struct, which begins with a struct tls_stream */
	const struct stream_ops *stream_ops;
};

extern const struct tls_library_ops tls_bearssl;
extern const struct tls_library_ops *const tls_openssl; /* NULL: not built in */

struct x509_store_st;
struct tls_bearssl_setup;
struct tls_openssl_setup;

struct tls_stock {
	char *trust_file;               /* owned; NULL: the system's */
	struct tls_roots roots;         /* empty until a setup needs them */
	struct x509_store_st *store;    /* the same for OpenSSL; NULL until then */
	struct blocks bearssl, openssl; /* a connection's memory each */
	struct blocks windows;
	struct pool chains;
	size_t chain_bytes;    /* in all of them */
	struct budget *budget; /* that connections draw on; NULL: none */
	unsigned count;
};

struct tls_setup {
	struct tls_stock *stock; /* held */
	const struct tls_library_ops *library;
	struct tls_bearssl_setup *bearssl; /* owned by its library */
	struct tls_openssl_setup *openssl; /* the same */
	struct tls_roots trusted;          /* besides the system's */
	char **alpn, **verify_names;       /* owned */
	size_t nalpn, nverify;
	struct tls_pin *chain_pins, *pins; /* owned */
	size_t nchain_pins, npins;
	char name[NAME_MAX_LEN + 1]; /* "": none; lower case */
	struct ip ip;
	enum tls_version min, max; /* never TLS_VERSION_ANY */
	bool system_roots;
	bool allow_insecure;
	bool resumes;
	unsigned count;
};

struct tls_stream {
	struct stream s;         /* s.lower: owned */
	struct tls_setup *setup; /* held */
	struct tls_chain *chain; /* owned; NULL: none came, or it is judged */
	char *why;               /* owned; NULL: the lower stream knows */
	struct loop *loop;
	struct task *owner;
	int64_t (*unix_time)(void);
	struct block_wait wait;
	struct deferred gone;
	struct tls_records records;
	struct tls_facts facts;
	size_t held; /* bytes of the stock's budget */
	int error;   /* -errno: final */
	bool begun;  /* the lower stream is up */
	bool up;     /* the handshake is over */
	bool ended;
	bool shut; /* our close_notify is out, or on its way */
};

static inline struct tls_stream *
tls_of(const struct stream *s)
{
	return container_of(s, struct tls_stream, s);
}

/* For whom a message is: the server's name, or its address. `out` has ENDPOINT_TEXT or
 * more bytes where there is no name. */
const char *tls_server_text(const struct tls_setup *t, char out[static IP_TEXT]);

/* Ends the connection with a sentence, and answers `error`. Only the first one counts. Who
 * knows more for people to act on than `error` says sets facts.fault before. */
int tls_fail(struct tls_stream *t, int error, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/* Frees the sentence. */
void tls_unsay(struct tls_stream *t);
/* For bytes to a server that has ended the connection. */
int tls_fail_ended(struct tls_stream *t);
/* The same where the lower stream's own reason is the sentence. */
int tls_fail_beneath(struct tls_stream *t, int error);
/* The server has no version that is new enough. */
int tls_fail_older(struct tls_stream *t);
/* What an alert of the server (RFC 8446, 6.2) means here. */
int tls_fail_alert(struct tls_stream *t, unsigned alert);
/* The lower stream has ended: STREAM_END, or an error where that is none. */
int tls_lower_ended(struct tls_stream *t);
/* Follows the borders of records; -EPROTO when what came is no TLS. */
int tls_received(struct tls_stream *t, const uint8_t *p, size_t len);
/* -EPROTO when so many records without payload in a row are a flood. */
int tls_idled(struct tls_stream *t, unsigned records);

/* Bytes of records from and to the lower stream, gathered in its windows, since records
 * are small beside what a system call can take along: what was written waits for a flush.
 * While there is no memory for a window they go straight, so that nobody who holds some
 * waits for more. Answers as stream_read and stream_writev. */
int tls_lower_read(struct tls_stream *t, uint8_t *p, size_t cap, size_t *n);
int tls_lower_write(struct tls_stream *t, const uint8_t *p, size_t len, size_t *n);
/* Carries lower forward. */
int tls_begin(struct tls_stream *t);
/* One more certificate of `len` bytes: where its bytes go. NULL: there are too many, or
 * there is no memory, with which the stream has failed. */
uint8_t *tls_chain_add(struct tls_stream *t, size_t len);
/* They are all there. */
void tls_chain_added(struct tls_stream *t, size_t len);
void tls_handshake_over(struct tls_stream *t);
void tls_stream_own(struct stream *s, struct task *owner);
/* The part of free that both libraries have: everything, in the end. */
void tls_stream_fini(struct tls_stream *t);

const char *tls_stream_reason(const struct stream *s);

/*
 * Judges the chain that came: pins, dates, trust, uses, names.  `trusts` is the
 * library's: whether the chain leads to what is trusted, or where `anchor` is not NULL,
 * to that certificate of the chain; it fails the stream when not.  0, or the error with
 * which the stream has failed.
 */
int tls_judge(struct tls_stream *t,
	int (*trusts)(
		struct tls_stream *, const struct certificate *anchor, int64_t now));

/* The pin of the server's own certificate, which there must be, as the configuration
 * writes it. Returns `out`. */
enum { TLS_PIN_TEXT = 2 * TLS_PIN + 1 };
const char *tls_server_pin(const struct tls_stream *t, char out[static TLS_PIN_TEXT]);

/* Sentences about what a library found; each fails the stream. */
int tls_fail_dates(struct tls_stream *t, const struct certificate *c, int64_t now);
int tls_fail_issuer(struct tls_stream *t, const struct certificate *last);
int tls_fail_unreadable(struct tls_stream *t);

/* Why a chain of certificates does not hold. */
enum tls_chain_fault {
	TLS_CHAIN_FORGED,    /* a signature is wrong */
	TLS_CHAIN_NO_SIGNER, /* one of them may not sign the one below it */
	TLS_CHAIN_CONDITION, /* an unknown extension must not be passed over */
	TLS_CHAIN_ALGORITHM, /* a signature or a key of a kind that is not taken */
	TLS_CHAIN_SHORT_KEY, /* of a server or of an authority */
	TLS_CHAIN_OTHER,     /* the library's number is all that there is to say */
};

/* `number` is the library's. */
int tls_fail_chain(struct tls_stream *t, enum tls_chain_fault f, unsigned number);

#endif
