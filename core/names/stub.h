/* SPDX-License-Identifier: MIT */
#ifndef NAMES_STUB_H
#define NAMES_STUB_H

#include "names/cache.h"
#include "names/names.h"

#include "base/list.h"

/*
 * Asks resolvers (RFC 1035 7.2).  A question is one name and one type; all who
 * want to know the same wait for the same question, and the last one who
 * leaves ends it.  A server is asked twice, a second apart (the second time
 * without EDNS), then the next one;
 * one that answers that it cannot help, or cannot be reached, is not asked
 * again.  After eight seconds nobody has answered.
 *
 * An answer counts when it comes from the server's own address to a socket
 * that was opened for this one query, with its random id and with the question
 * as it was written; anything else is not even an error (RFC 5452 9).
 */
struct stub;
struct question;

enum { STUB_QUESTIONS = 512, STUB_REASON = 160 };

/* Somebody who waits. `owner` is made ready when the question is answered. */
struct question_wait {
	struct list node;
	struct question *question; /* NULL: waits for none */
	struct task *owner;
};

struct question_answer {
	int status; /* 0; -ENOENT, -ETIMEDOUT, -ENETUNREACH */
	size_t n;
	struct ip ip[NAMES_ADDRS];
	char reason[STUB_REASON]; /* empty with status 0 */
};

/* The cache is borrowed; answers are put there. NULL without memory. */
struct stub *stub_new(struct loop *l, struct cache *c);
/* All questions must have been left. */
void stub_free(struct stub *s);
/* Other servers from now on. Questions under way begin anew. */
void stub_servers(struct stub *s, const struct endpoint *server, int n);
/* Joins the question, which is begun where there is none. `name` is in lower case. 0, or
 * -EINVAL (name), -ENOMEM, -ENOBUFS (STUB_QUESTIONS under way). w->owner is set before. */
int
question_join(struct question_wait *w, struct stub *s, const char *name, uint16_t type);
/* What came out, borrowed until question_leave; NULL while under way. */
const struct question_answer *question_answer(const struct question *q);
void question_leave(struct question_wait *w); /* where it waits for none: nothing */

#endif
