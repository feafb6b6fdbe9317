/* SPDX-License-Identifier: MIT */
#ifndef FLOW_FACTS_H
#define FLOW_FACTS_H

#include "flow/flow.h"
#include "flow/sniff.h"

/*
 * What is known of one flow, and how it becomes more.  The rules say which
 * fact they need; this gets it, or says what must be waited for.  Facts that
 * no rule asks for are never fetched.
 */
struct inquiry {
	struct lookup *lookup;     /* owned; NULL: none under way */
	struct facts facts;        /* facts.name points to `name`, or is NULL */
	struct dns *dns;           /* borrowed; may be NULL */
	struct names *names;       /* borrowed; may be NULL where flows have addresses */
	const struct setup *setup; /* the flow's */
	bool no_bytes;             /* there is no payload to look at */
	bool to_local;             /* the target is a local resolver: see dns_is_local */
	char name[NAME_MAX_LEN + 1];
};

enum inquiry_answer {
	INQUIRY_DECIDED,
	INQUIRY_WAITS, /* a name is being looked up; the owner is made ready */
	INQUIRY_BYTES, /* the first payload is needed: inquiry_sniffed */
};

/* `target` is copied, its name too. */
void inquiry_begin(struct inquiry *q, const struct setup *setup, struct dns *dns,
	struct names *names);
void inquiry_about(struct inquiry *q, enum network network, const struct endpoint *source,
	const struct target *target);
void inquiry_fini(struct inquiry *q);

/* Asks the rules, and gets what they miss where that takes no waiting. The verdict holds
 * as long as the setup. */
enum inquiry_answer
inquiry_decide(struct inquiry *q, struct verdict *v, struct task *owner);

/* The way out that a verdict means; NULL: there is none of that name. */
struct outbound *inquiry_outbound(const struct inquiry *q, const struct verdict *v);

/* The way out that the rules have for a flow of which no more is known, without waiting;
 * NULL: they want more, or there is none. */
struct outbound *inquiry_way(const struct setup *setup, struct dns *dns,
	struct names *names, enum network network, const struct endpoint *source,
	const struct endpoint *target);

/* True: the bytes of this flow are wanted only because `o` carries names and the name
 * should become the target's. */
bool inquiry_wants_name(const struct inquiry *q, const struct outbound *o);
/*
 * The first payload was looked at; BYTES is known now, and NAME too.  True:
 * its name is to be the target's (it is then facts.name).
 */
bool inquiry_sniffed(struct inquiry *q, const struct sniffed *s);

#endif
