/* SPDX-License-Identifier: MIT */
#include "base/pool.h"

#include "base/log.h"

#include <assert.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* A block that is kept for the next taker would hide a late use from the sanitizer. */
#ifndef __has_feature
#define __has_feature(name) 0
#endif
#if defined(__SANITIZE_ADDRESS__) || __has_feature(address_sanitizer)
static const bool keeps = false;
#else
static const bool keeps = true;
#endif

struct spare {
	struct spare *next;
};

void
pool_init(struct pool *p, const char *name, size_t size, size_t max, size_t keep)
{
	assert(size > 0);
	*p = (struct pool){ .name = name, .size = size, .max = max, .keep = keep };
	if (p->size < sizeof(struct spare))
		p->size = sizeof(struct spare);
	if (!keeps)
		p->keep = 0;
}

/* A block: a spare one where there is one. */
static void *
take(struct pool *p, bool zeroed)
{
	struct spare *block = p->spare;

	if (p->out >= p->max)
		return NULL;
	if (block) {
		p->spare = block->next;
		p->kept--;
		if (zeroed)
			memset(block, 0, p->size);
	} else {
		block = zeroed ? calloc(1, p->size) : malloc(p->size);
		if (!block)
			return NULL;
	}
	p->out++;
	if (p->peak < p->out)
		p->peak = p->out;
	return block;
}

void *
pool_get(struct pool *p)
{
	return take(p, true);
}

void *
pool_take(struct pool *p)
{
	return take(p, false);
}

void
pool_put(struct pool *p, void *block)
{
	struct spare *spare = block;

	if (!block)
		return;
	assert(p->out > 0);
	p->out--;
	if (p->kept >= p->keep) {
		free(block);
		return;
	}
	spare->next = p->spare;
	p->spare = spare;
	p->kept++;
}

void
pool_trim(struct pool *p)
{
	struct spare *spare;

	while ((spare = p->spare)) {
		p->spare = spare->next;
		free(spare);
	}
	p->kept = 0;
}

size_t
pool_fini(struct pool *p)
{
	pool_trim(p);
	if (p->out)
		log_error(
			"pool %s: %zu of its blocks did not come home", p->name, p->out);
	return p->out;
}
