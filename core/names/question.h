/* SPDX-License-Identifier: MIT */
#ifndef NAMES_QUESTION_H
#define NAMES_QUESTION_H

#include "names/message.h"
#include "names/stub.h"

#include "base/random.h"
#include "base/table.h"

/*
 * The inside of the stub, shared by its two files: stub.c knows who asks and
 * who waits, question.c how one question is put to the servers.
 */
enum {
	QUERIES = 2, /* sockets of a question that still hear late answers */
	LEAD = 2,    /* a message's length before it, over TCP (RFC 1035 4.2.2) */
	QUERY_CAP = 12 + 255 + 4 + 11,
};

struct stub {
	struct loop *loop;
	struct cache *cache;
	struct table running; /* questions by name */
	struct rng rng;
	struct endpoint server[NAMES_SERVERS];
	int nserver;
	int preferred; /* the one that answered last is asked first */
};

enum question_state {
	QUESTION_UDP,  /* queries are out, and the timer runs to the next one */
	QUESTION_TCP,  /* an answer was cut; the whole one comes by a connection */
	QUESTION_DONE, /* `answer` is there, no socket is open any more */
};

/* One query and the socket that waits for its answer. */
struct query {
	struct watch watch;
	bool open;
	int server;
	uint8_t bytes[LEAD + QUERY_CAP];
	size_t len; /* without the lead */
};

/* The connection, beside the query in `tcp`. */
struct connection {
	bool connected;
	size_t sent; /* lead and query */
	size_t got;  /* lead and answer */
	uint8_t lead[LEAD];
	uint8_t *mem; /* the answer, once its length is known: at most 64 KB */
	size_t len;
};

struct question {
	struct table_node node;
	struct stub *stub;
	enum question_state state;
	struct task task;
	struct timer timer;
	uint64_t end;
	struct list waits; /* struct question_wait */
	struct deferred deferred;

	int server, sends; /* who is being asked, and how often so far */
	unsigned failed;   /* servers that are not asked any more, a bit each */
	bool unreachable;  /* so far no query could even be sent */
	int next_query;
	struct query udp[QUERIES], tcp;
	struct connection con;

	struct question_answer answer;
	uint16_t type;
	char name[DNS_NAME_TEXT];
};

/* Puts the question to the servers, from the start. q is idle (question_hang_up), and may
 * be done when this returns. */
void question_begin(struct question *q);
/* Closes all sockets. */
void question_hang_up(struct question *q);
/* Ends the question with this status and tells those who wait. */
void question_done(struct question *q, int status);
/* What the loop calls. */
void question_run(struct task *task);
void question_fire(struct timer *t);

#endif
