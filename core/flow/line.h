/* SPDX-License-Identifier: MIT */
#ifndef FLOW_LINE_H
#define FLOW_LINE_H

#include "base/list.h"
#include "base/pool.h"
#include "base/random.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Questions of many applications to one resolver, through a server to which
 * each association costs a connection: they share one.  Each leaves with an id
 * that is drawn for it, and its answer, which must have the same question, comes
 * back with the one that it had.  Since all of them leave the server from one
 * port, a line asks for a short time only, and the next begins at another port.
 * Where a server ends lines early, questions go alone, as other datagrams do.
 */
enum {
	LINES_MAX = 32,         /* of all resolvers and ways out */
	LINE_WAITING = 128,     /* questions without an answer */
	LINE_QUESTIONS = 1024,  /* in all */
	LINE_MS = 10000,        /* from the first */
	LINE_ANSWER_MS = 10000, /* for the last */
	LINE_ALONE_MS = 60000,  /* after one that was ended by the other side */
	LINE_DATAGRAM = 1232,   /* bytes of a question; what is longer goes alone */
};

struct flows;
struct assoc_route;

struct lines {
	struct pool pool;
	struct list all; /* the newest last */
	struct list dead;
	struct rng rng;
	size_t n;
};

void lines_init(struct lines *l);
void lines_close(struct flows *fs);
void lines_reap(struct flows *fs);
/* The blocks that did not come home. */
size_t lines_fini(struct lines *l);
/* Sends a question of r's association on. False: it is none, or it has to go alone. */
bool line_ask(struct assoc_route *r, const uint8_t *p, size_t len);

#endif
