/* SPDX-License-Identifier: MIT */
#ifndef OUTBOUND_CLOCK_H
#define OUTBOUND_CLOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * What is known of this machine's clock, and whose time the header of a VMess
 * connection carries.  Nothing here reads a clock or sets one.
 */
enum {
	CLOCK_ALLOWED_S = 120, /* VMess servers take a header that is so far off */
	/* Readings that are nearer than this are the same. They differ by the time that an
	 * answer takes, and by whole seconds. */
	CLOCK_NEAR_S = 60,
	CLOCK_WHO = 96,
};

/* Who has told it, where that was the server in HTTP. */
#define CLOCK_HTTP_WHO "the server's HTTP answer"

/* What somebody has told. */
struct clock_reading {
	bool told;
	bool bound;          /* it is off by so much at least (a certificate's dates) */
	int64_t ahead;       /* this clock less theirs, seconds */
	char who[CLOCK_WHO]; /* "192.0.2.1 (SNTP)" */
};

void clock_tell(struct clock_reading *r, int64_t ahead, const char *who);
/* A header with this clock's time would be refused by theirs. */
bool clock_is_wrong(const struct clock_reading *r);
/* "7 min 12 s ahead of 192.0.2.1 (SNTP)". Returns `text`. */
const char *clock_text(const struct clock_reading *r, char *text, size_t cap);

/* Whose time. */
enum clock_source {
	CLOCK_OWN,  /* this machine's */
	CLOCK_HTTP, /* that of the server's own HTTP answers */
	CLOCK_SNTP, /* a time server's, of the configuration */
	CLOCK_SOURCES,
};

/*
 * The choice for one server.  A time that is not this machine's is tried where this
 * clock is wrong by it, and stays only where the server then answers; it is never used
 * for another server, since whoever lies must not spoil what works.
 */
struct clock_choice {
	struct clock_reading http;
	bool known;             /* the server has answered a header with `kept`... */
	enum clock_source kept; /* ...most recently */
	unsigned lost;   /* connections in a row with `kept` that were not answered */
	unsigned failed; /* a bit for each source that was tried since, in vain */
};

/* For the next header. `sntp` is what a time server has told, or NULL. */
enum clock_source clock_choose(struct clock_choice *c, const struct clock_reading *sntp);
/* What is to be added to this machine's time. */
int64_t clock_shift(const struct clock_choice *c, const struct clock_reading *sntp,
	enum clock_source s);
/* The server has answered such a header. True: that is news. */
bool clock_answered(struct clock_choice *c, enum clock_source s);
/* It has not. True: the source is not used any more. */
bool clock_unanswered(struct clock_choice *c, enum clock_source s);

#endif
