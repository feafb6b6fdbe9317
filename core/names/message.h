/* SPDX-License-Identifier: MIT */
#ifndef NAMES_MESSAGE_H
#define NAMES_MESSAGE_H

#include "base/addr.h"
#include "base/bytes.h"

#include <stdbool.h>

/* The DNS message codec (RFC 1035, 3596, 6891): just what a resolver of our kind needs.
 */

enum {
	DNS_A = 1,
	DNS_CNAME = 5,
	DNS_SOA = 6,
	DNS_PTR = 12,
	DNS_AAAA = 28,
	DNS_OPT = 41,
	DNS_HTTPS = 65
};
enum {
	DNS_NOERROR = 0,
	DNS_FORMERR = 1,
	DNS_SERVFAIL = 2,
	DNS_NXDOMAIN = 3,
	DNS_NOTIMP = 4,
	DNS_REFUSED = 5
};
enum { DNS_NAME_TEXT = 256, DNS_ANSWERS = 32, DNS_UDP_MAX = 1232 };

struct dns_question {
	/* Lower case, no final dot; "" for the root. A byte of a label that is no
	 * plain character, a dot or a backslash is written \DDD (RFC 1035 5.1). */
	char name[DNS_NAME_TEXT];
	uint16_t type, class;
};

struct dns_answer {
	struct ip ip;
	uint32_t ttl; /* seconds; the smallest of the chain that led there */
};

struct dns_message {
	uint16_t id;
	bool response, truncated, recursion_desired;
	uint8_t opcode, rcode;
	struct dns_question question;
	struct dns_answer answer[DNS_ANSWERS]; /* A and AAAA that answer the question,
						  CNAMEs followed */
	int nanswer;
	uint32_t negative_ttl; /* from the SOA (RFC 2308) when there is no answer; 0: none
				  given */
};

/* Reads a message with one question. 0, or -EBADMSG; what stands in the header is right
 * even then, if there is a header (12 bytes). Answers past DNS_ANSWERS, records of
 * a section past 128 and chains of 16 CNAMEs and more are left out. */
int dns_read(struct dns_message *m, const void *p, size_t len);
/* The bytes of the question section, which begins behind the 12 of the header. 0: not
 * readable, or not one question. */
size_t dns_question_len(const void *p, size_t len);
/* Whether two messages ask byte for byte the same, upper and lower case included. */
bool dns_question_same(const void *a, size_t alen, const void *b, size_t blen);
/* Writes a query with RD, and EDNS with our UDP size. Its length, or -EMSGSIZE / -EINVAL
 * (name). */
int dns_write_query(void *p, size_t cap, uint16_t id, const char *name, uint16_t type);
/* Writes an answer to `q` with these addresses (those of the type asked for, as many as fit
 * into cap), or only the code. A `q` whose question has type 0 is answered without a
 * question. Its length, or -EMSGSIZE / -EINVAL (name). */
int dns_write_answer(void *p, size_t cap, const struct dns_message *q, int rcode,
	const struct ip *ip, size_t n, uint32_t ttl);

#endif
