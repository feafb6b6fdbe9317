/* SPDX-License-Identifier: MIT */
#ifndef FUZZ_FUZZ_H
#define FUZZ_FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* What every harness is, and how it tells that something does not hold. */

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t len);

static inline void
must(bool holds)
{
	if (!holds)
		abort();
}

/* A message for people is one line, and not empty. */
static inline void
must_be_line(const char *text)
{
	must(text[0] && !strchr(text, '\n'));
}

#endif
