/* SPDX-License-Identifier: MIT */
#ifndef FLOW_SNIFF_H
#define FLOW_SNIFF_H

#include "base/addr.h"
#include "rules/rules.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * What the first bytes of an application tell: the protocol, and the name of
 * the server where the protocol carries one.  It is a hint for routing and
 * never a judgement of the bytes, which are passed on as they are.
 */
enum { SNIFF_MAX = 8192 }; /* bytes that are looked at; more of them tell nothing more */

struct sniffed {
	enum protocol protocol;
	char name[NAME_MAX_LEN + 1]; /* lower case, "" when there is none */
};

/*
 * Looks at the first len bytes.  True: settled.  False: more bytes could tell
 * more; what is known so far is in *s, and holds if no more ever come.
 */
bool sniff(struct sniffed *s, const uint8_t *p, size_t len);

#endif
