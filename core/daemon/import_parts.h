/* SPDX-License-Identifier: MIT */
#ifndef DAEMON_IMPORT_PARTS_H
#define DAEMON_IMPORT_PARTS_H

#include "daemon/import.h"
#include "daemon/import_server.h"
#include "stream/tls.h"

enum { LINK_MAX = 64 * 1024, IMPORT_DEAD_MAX = 256 };

/* An import as its parts see it. */
struct import {
	struct config_reader reader; /* its file: what is being read, for messages */
	struct err err;              /* what reader.err is */
	const char *name;
	struct json_object *outbounds; /* of the configuration that is made */
	struct json_object *tags;      /* those that are taken are its members */
	struct json_object *transport; /* v2ray 4's defaults for the file, or NULL */
	const struct target *time;     /* sing-box's time server, or NULL; the reader's */
	size_t servers, failed;
	bool full;        /* there were more servers than are taken, and that was said */
	struct err first; /* why the first that failed did */
	struct tls_stock *tls; /* for servers that are checked; NULL until one is */
};

/* The tag of what goes out directly; no server gets it. */
#define IMPORT_DIRECT_TAG "direct"

/* What import_read gives out, of all servers that were added. 0, or -1 and why. */
int import_print(
	struct import *im, const struct import_choices *c, char **out, struct err *e);
/* A server that has been read whole becomes an outbound. `at` is where it stood. */
void import_add(struct import *im, const struct node *at, struct server *s);
/* The same for an outbound that is Xray's already; takes the reference. Place-holders,
 * with which examples are full, are taken as the configuration's reader does. */
void import_add_outbound(struct import *im, const struct node *at, const char *name,
	struct json_object *out);
/*
 * Whether the configuration's reader takes this outbound, and it can be built. `dead` says
 * why nothing could get through it all the same, or is "".  0, or -1 after node_fail.
 */
int import_check(struct import *im, const struct node *at, struct json_object *out,
	char dead[static IMPORT_DEAD_MAX]);
/* Instead: the server could not be read, and the reader's error says why. */
void import_skip(struct import *im);
/* Something else than a server could not be read, and goes without. */
void import_lose(struct import *im);
/* Whether `kind` says VMess. If not, import_skip where it is no word, and a warning for
 * what is neither that nor local: ways out that are no servers are nobody's loss. `what`
 * is what such things are called. */
bool import_is_vmess(struct import *im, const struct node *kind, const char *what,
	const char *const *local);
/* What will not be found in the configuration that is made. */
void import_leave_out(const struct node *root, const char *const *keys);

/*
 * The parts, each for one kind of text: they add what they can read and skip the
 * rest.  Those that can find the whole of it broken answer 0, or -1 and why.
 */
void import_lines(struct import *im, const char *text);
void import_link(struct import *im, const char *link);
void import_link_object(struct import *im, const struct node *link);
int import_clash(struct import *im, const char *text, size_t len, struct err *e);
void import_clash_proxies(struct import *im, const struct node *root);
void import_singbox(struct import *im, const struct node *root);
/* Its time server: im->time, or a warning. */
void import_singbox_time(struct import *im, const struct node *root);
void import_singbox_outbound(struct import *im, const struct node *outbound);
void import_xray(struct import *im, const struct node *root);
void import_xray_outbound(struct import *im, const struct node *outbound);

/* The members that a link of v2rayN, or one in the form of a URI, stands for. NULL after
 * node_fail at `at`. A new reference. */
struct json_object *link_json(const struct node *at, const char *link);
struct json_object *link_uri(const struct node *at, const char *link);

/* An outbound in Xray's schema; -1 after node_fail. For export too. */
int xray_server_read(const struct node *outbound, struct server *s);

/* A YAML document, whose scalars become strings, booleans and null; aliases and merge
 * keys are followed. NULL and why. A new reference. */
struct json_object *
import_yaml(const char *name, const char *text, size_t len, struct err *e);

/* A document with comments and trailing commas, or NULL and why. A new reference. */
struct json_object *
import_json(const char *name, const char *text, size_t len, struct err *e);

#endif
