/* SPDX-License-Identifier: MIT */
#include "stack/memory.h"

#include "base/log.h"
#include "base/random.h"
#include "stack/arch/cc.h"
#include "stack/lwipopts.h"

#include <stdlib.h>
#include <string.h>

/* In front of each block stands its size; the rest keeps the alignment that lwIP was told
 * of. */
enum { BLOCK_HEAD = MEM_ALIGNMENT };
_Static_assert(BLOCK_HEAD >= sizeof(size_t), "the size has to fit");

/* lwIP names no owner when it asks for memory. */
static size_t blocks, bytes, bytes_max;
static uint64_t *refused;

void
memory_begin(size_t most, uint64_t *refusals)
{
	bytes_max = most > bytes ? most : bytes;
	refused = refusals;
}

size_t
memory_end(void)
{
	refused = NULL;
	return blocks;
}

size_t
memory_used(void)
{
	return bytes;
}

bool
memory_is_beyond(unsigned parts)
{
	return bytes > bytes_max / 32 * parts;
}

void *
port_block_new(size_t n)
{
	uint8_t *p;

	if (n > bytes_max - bytes) {
		if (refused)
			++*refused;
		return NULL;
	}
	p = malloc(BLOCK_HEAD + n);
	if (!p)
		return NULL;
	memcpy(p, &n, sizeof(n));
	blocks++;
	bytes += n;
	return p + BLOCK_HEAD;
}

void *
port_block_new_zeroed(size_t count, size_t n)
{
	void *p = port_block_new(count * n);

	if (p)
		memset(p, 0, count * n);
	return p;
}

void
port_block_free(void *block)
{
	uint8_t *p = (uint8_t *)block - BLOCK_HEAD;
	size_t n;

	if (!block)
		return;
	memcpy(&n, p, sizeof(n));
	blocks--;
	bytes -= n;
	free(p);
}

void
port_failed(const char *what, const char *file, int line)
{
	log_error("lwIP met the impossible: %s (%s:%d)", what, file, line);
	abort();
}

uint32_t
port_random(void)
{
	uint32_t v;

	random_bytes(&v, sizeof(v));
	return v;
}
