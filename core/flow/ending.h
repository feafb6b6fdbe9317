/* SPDX-License-Identifier: MIT */
#ifndef FLOW_ENDING_H
#define FLOW_ENDING_H

#include "base/addr.h"
#include "rules/rules.h"

/* The one line that is logged of a flow: when it ends. All pointers are borrowed. */
struct ending {
	enum network network;
	struct endpoint source, target;
	const char *name;            /* NULL: none known */
	const struct rules *rules;   /* NULL: none was asked */
	int rule;                    /* of them, as a verdict has it */
	const char *outbound;        /* tag; NULL: none chosen */
	uint64_t up, down, duration; /* bytes, bytes, milliseconds */
	const char *how;
};

void ending_log(const struct ending *e);

#endif
