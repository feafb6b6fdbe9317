/* SPDX-License-Identifier: MIT */
#include "rules/geodat.h"

#include "base/text.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <strings.h>

enum {
	VARINT_MAX = 10,  /* bytes of a 64-bit number, seven bits in each */
	NAMES_MAX = 4096, /* lists of a file that "did you mean" looks at */
	SHORT_NAME = 4    /* below that, nearly everything is near */
};

static uint64_t
varint_read(struct reader *r)
{
	uint64_t v = 0;
	uint8_t byte;
	int i;

	for (i = 0; i < VARINT_MAX; i++) {
		byte = reader_u8(r);
		if (i == VARINT_MAX - 1 && byte > 1)
			break;
		v |= (uint64_t)(byte & 0x7f) << (7 * i);
		if (!(byte & 0x80))
			return r->bad ? 0 : v;
	}
	r->bad = true;
	return 0;
}

static void
bytes_read(struct reader *r, struct wire_field *f)
{
	uint64_t n = varint_read(r);

	if (n > r->len)
		r->bad = true;
	else
		reader_part(r, (size_t)n, &f->bytes);
}

int
wire_next(struct reader *r, struct wire_field *f)
{
	uint64_t key;

	if (r->bad)
		return -EBADMSG;
	if (r->len == 0)
		return 0;
	memset(f, 0, sizeof(*f));
	key = varint_read(r);
	f->number = (uint32_t)(key >> 3);
	f->type = key & 7;
	switch (f->type) {
	case WIRE_VARINT:
		f->value = varint_read(r);
		break;
	case WIRE_FIXED64:
		reader_skip(r, 8);
		break;
	case WIRE_BYTES:
		bytes_read(r, f);
		break;
	case WIRE_FIXED32:
		reader_skip(r, 4);
		break;
	default: /* groups, which neither file has, and two numbers without a meaning */
		r->bad = true;
	}
	if (key >> 32 || f->number == 0)
		r->bad = true;
	return r->bad ? -EBADMSG : 1;
}

/* The name of the list with these fields; usually it is the first of them. */
static int
list_name(struct reader list, struct reader *name)
{
	struct wire_field f;
	int r;

	while ((r = wire_next(&list, &f)) > 0) {
		if (f.number == 1 && f.type == WIRE_BYTES) {
			*name = f.bytes;
			return 0;
		}
	}
	return r < 0 ? r : -EBADMSG;
}

/* The next list of the file: 1, 0 at its end, or -EBADMSG. */
static int
list_next(struct reader *file, struct reader *list, struct reader *name)
{
	struct wire_field f;
	int r;

	while ((r = wire_next(file, &f)) > 0) {
		if (f.number != 1 || f.type != WIRE_BYTES)
			continue;
		*list = f.bytes;
		r = list_name(f.bytes, name);
		return r < 0 ? r : 1;
	}
	return r;
}

static bool
is_word(const struct reader *r, const char *s, size_t len)
{
	return r->len == len && strncasecmp((const char *)r->p, s, len) == 0;
}

int
geodat_find(const void *p, size_t len, const char *name, struct reader *list)
{
	struct reader file, its;
	int r;

	reader_init(&file, p, len);
	while ((r = list_next(&file, list, &its)) > 0)
		if (is_word(&its, name, strlen(name)))
			return 0;
	return r < 0 ? r : -ENOENT;
}

const char *
geodat_nearest(const void *p, size_t len, const char *name, char out[static GEODAT_NAME])
{
	struct reader file, list, its;
	const char *words[2] = { NULL, NULL };
	char word[GEODAT_NAME];
	int i;

	out[0] = '\0';
	if (strlen(name) < SHORT_NAME)
		return out;
	reader_init(&file, p, len);
	for (i = 0; i < NAMES_MAX && list_next(&file, &list, &its) > 0; i++) {
		if (its.len == 0 || its.len >= sizeof(word) || memchr(its.p, 0, its.len))
			continue;
		memcpy(word, its.p, its.len);
		word[its.len] = '\0';
		words[0] = word;
		if (!text_nearest(name, words))
			continue;
		memcpy(out, word, its.len + 1);
		break;
	}
	return out;
}
