/* SPDX-License-Identifier: MIT */
#ifndef OUTBOUND_SNTP_H
#define OUTBOUND_SNTP_H

#include <stddef.h>
#include <stdint.h>

/*
 * The messages of SNTP, as a client has them (RFC 4330, RFC 5905).  Of the time that a
 * server gives whole seconds are enough here.
 *
 * The time stamp that a request carries is no time but a random cookie: the server
 * repeats it, so that nobody else can answer, and learns nothing of this clock.
 */
enum { SNTP_PORT = 123, SNTP_SIZE = 48, SNTP_COOKIE = 8, SNTP_CODE = 5 };

enum sntp_verdict {
	SNTP_TIME,      /* the server's time */
	SNTP_NOT_OURS,  /* no answer to this request: as if nothing had come */
	SNTP_UNSETTLED, /* the server does not know the time itself */
	SNTP_KISS,      /* it wants to be left alone (RFC 5905, 7.4) */
};

struct sntp_answer {
	int64_t time;         /* Unix time, with SNTP_TIME */
	char code[SNTP_CODE]; /* of letters and digits, with SNTP_KISS */
};

void sntp_request_write(
	uint8_t out[static SNTP_SIZE], const uint8_t cookie[static SNTP_COOKIE]);
enum sntp_verdict sntp_answer_read(struct sntp_answer *a, const uint8_t *p, size_t len,
	const uint8_t cookie[static SNTP_COOKIE]);

#endif
