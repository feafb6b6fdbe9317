/* SPDX-License-Identifier: MIT */
#ifndef DAEMON_IMPORT_SERVER_H
#define DAEMON_IMPORT_SERVER_H

#include "daemon/config_json.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * A VMess server as links, sing-box, Clash and Xray all describe it: what an
 * import reads and an export writes.  Strings belong to the reader's memory;
 * "" or NULL is what nobody said.
 */
enum server_network { SERVER_RAW, SERVER_WS, SERVER_HTTPUPGRADE };

struct server_header {
	const char *name, *value;
};

enum { SERVER_HEADERS_MAX = 32 };

struct server {
	const char *name; /* what people call it; may be anything */
	const char *address;
	uint16_t port;
	const char *id;       /* as written: a UUID or a word */
	const char *security; /* a word that V2Ray knows */
	uint16_t alter_id;
	bool authenticated_length, no_termination; /* the experiments */

	enum server_network network;
	bool http_header;        /* SERVER_RAW behind a false HTTP request */
	const char *method;      /* of that request */
	const char *host, *path; /* in a false request: lists with commas */
	struct server_header header[SERVER_HEADERS_MAX];
	size_t nheader;
	uint32_t early_data; /* bytes; what `?ed=` in the path says is not in here */
	const char *early_header;

	bool fast_open; /* TCP Fast Open */

	bool tls;
	const char *server_name;
	const char *const *alpn; /* NULL-ended, or NULL */
	bool insecure;           /* the certificate is not checked */
	const char *fingerprint; /* whose handshake is imitated */
	const char *pin;         /* SHA-256 of certificates, hexadecimal, with commas */
	const char *min_version, *max_version; /* of TLS: "1.2" */
	/* Lines of PEM that are trusted in place of the system's authorities, or the name of
	 * a file with them. */
	const char *certificate, *certificate_file;
};

void server_init(struct server *s);
/*
 * What all of them have to be told at the end: the name for TLS where it is
 * left out, HTTP/1.1 beneath WebSocket, a slash before the path.  Says at `n`
 * what it changes.
 */
void server_complete(const struct node *n, struct server *s);
/* The outbound in Xray's schema without a tag, a new reference. */
struct json_object *server_outbound(const struct server *s);

/*
 * Values as strangers write them.  Strings come back without white space at
 * their ends, never with a control character.  All leave the server alone where
 * the value is absent or empty, and answer 0, or -1 after node_fail.
 */
int field_text(const struct node *n, const char **out); /* numbers and booleans too */
/* true, "1", 1 and their like. */
int field_flag(const struct node *n, bool *out);
/* Its place in `words`; an error where it has none, which calls it a `what`. */
int field_word(const struct node *n, const char *what, const char *const *words, int *at);
int field_name(const struct node *n, struct server *s);
int field_address(const struct node *n, struct server *s);
int field_port(const struct node *n, struct server *s);
int field_id(const struct node *n, struct server *s);
int field_alter_id(const struct node *n, struct server *s);
int field_security(const struct node *n, struct server *s);
int field_transport(const struct node *n, struct server *s);
int field_path(const struct node *n, struct server *s);
int field_early_data(const struct node *n, struct server *s);
int field_alpn(const struct node *n, struct server *s);
/* A member `Host` becomes the server's host; a list of values is several headers. */
int field_headers(const struct node *n, struct server *s);
/* The strings of a list, or one string, joined with commas. */
int field_joined(const struct node *n, const char **out);

#endif
