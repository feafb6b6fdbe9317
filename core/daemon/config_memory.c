/* SPDX-License-Identifier: MIT */
#include "daemon/config_memory.h"

#include "base/bytes.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

struct block {
	struct block *next;
	size_t size, used; /* bytes */
	max_align_t mem[];
};

struct config_memory {
	struct block *block; /* the newest; only this one has room */
};

enum { BLOCK_SIZE = 16 * 1024 };

static struct block *
block_new(size_t size)
{
	struct block *b;

	if (size > SIZE_MAX - sizeof(*b))
		abort();
	b = calloc(1, sizeof(*b) + size);
	if (!b)
		abort();
	b->size = size;
	return b;
}

struct config_memory *
config_memory_new(void)
{
	struct config_memory *m = calloc(1, sizeof(*m));

	if (!m)
		abort();
	return m;
}

void
config_memory_free(struct config_memory *m)
{
	struct block *b;

	if (!m)
		return;
	while ((b = m->block) != NULL) {
		m->block = b->next;
		bytes_wipe(b->mem, b->used);
		free(b);
	}
	free(m);
}

void *
config_memory_take(struct config_memory *m, size_t n, size_t size)
{
	const size_t align = sizeof(max_align_t);
	struct block *b = m->block;
	size_t want;
	void *p;

	if (size && n > (SIZE_MAX / 2) / size)
		abort();
	want = (n * size + align) / align * align;
	if (!b || b->size - b->used < want) {
		b = block_new(want > BLOCK_SIZE ? want : BLOCK_SIZE);
		b->next = m->block;
		m->block = b;
	}
	p = (char *)b->mem + b->used;
	b->used += want;
	return p;
}

char *
config_memory_text(struct config_memory *m, const char *s, size_t len)
{
	char *copy = config_memory_take(m, len + 1, 1);

	memcpy(copy, s, len);
	return copy;
}

static bool
is_space(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

static void
trim(const char **s, size_t *len)
{
	for (; *len && is_space(**s); (*len)--)
		(*s)++;
	while (*len && is_space((*s)[*len - 1]))
		(*len)--;
}

const char *
config_memory_trimmed(struct config_memory *m, const char *s, size_t len)
{
	trim(&s, &len);
	return config_memory_text(m, s, len);
}

const char *const *
config_memory_pieces(struct config_memory *m, const char *s)
{
	const char **list, *p, *piece;
	size_t n = 1, k = 0, len, kept;

	for (p = s; *p; p++)
		n += *p == ',';
	list = config_memory_take(m, n + 1, sizeof(*list));
	for (p = s; *p; p += len + (p[len] == ',')) {
		piece = p;
		kept = len = strcspn(p, ",");
		trim(&piece, &kept);
		if (kept)
			list[k++] = config_memory_text(m, piece, kept);
	}
	return list;
}
