/* SPDX-License-Identifier: MIT */
#include "base/bytes.h"

#include <arpa/inet.h>
#include <string.h>

uint16_t
be16_get(const uint8_t p[static 2])
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

uint32_t
be32_get(const uint8_t p[static 4])
{
	return (uint32_t)be16_get(p) << 16 | be16_get(p + 2);
}

uint64_t
be64_get(const uint8_t p[static 8])
{
	return (uint64_t)be32_get(p) << 32 | be32_get(p + 4);
}

void
be16_put(uint8_t p[static 2], uint16_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

void
be32_put(uint8_t p[static 4], uint32_t v)
{
	be16_put(p, (uint16_t)(v >> 16));
	be16_put(p + 2, (uint16_t)v);
}

void
be64_put(uint8_t p[static 8], uint64_t v)
{
	be32_put(p, (uint32_t)(v >> 32));
	be32_put(p + 4, (uint32_t)v);
}

void
reader_init(struct reader *r, const void *p, size_t len)
{
	*r = (struct reader){ .p = p, .len = len };
}

const uint8_t *
reader_bytes(struct reader *r, size_t n)
{
	const uint8_t *p = r->p;

	if (r->bad || n > r->len) {
		r->bad = true;
		return NULL;
	}
	if (n) {
		r->p += n;
		r->len -= n;
	}
	return p;
}

uint8_t
reader_u8(struct reader *r)
{
	const uint8_t *p = reader_bytes(r, 1);

	return p ? *p : 0;
}

uint16_t
reader_be16(struct reader *r)
{
	const uint8_t *p = reader_bytes(r, 2);

	return p ? be16_get(p) : 0;
}

uint32_t
reader_be32(struct reader *r)
{
	const uint8_t *p = reader_bytes(r, 4);

	return p ? be32_get(p) : 0;
}

uint64_t
reader_be64(struct reader *r)
{
	const uint8_t *p = reader_bytes(r, 8);

	return p ? be64_get(p) : 0;
}

void
reader_copy(struct reader *r, void *to, size_t n)
{
	const uint8_t *p = reader_bytes(r, n);

	if (n == 0)
		return;
	if (p)
		memcpy(to, p, n);
	else
		memset(to, 0, n);
}

void
reader_skip(struct reader *r, size_t n)
{
	reader_bytes(r, n);
}

void
reader_part(struct reader *r, size_t n, struct reader *part)
{
	const uint8_t *p = reader_bytes(r, n);

	reader_init(part, p, r->bad ? 0 : n);
	part->bad = r->bad;
}

void
writer_init(struct writer *w, void *mem, size_t cap)
{
	*w = (struct writer){ .mem = mem, .cap = cap };
}

/* The next n bytes to fill, or NULL when there is no room. */
static uint8_t *
writer_room(struct writer *w, size_t n)
{
	uint8_t *p;

	if (w->bad || n > w->cap - w->len) {
		w->bad = true;
		return NULL;
	}
	p = w->mem + w->len;
	w->len += n;
	return p;
}

void
writer_u8(struct writer *w, uint8_t v)
{
	uint8_t *p = writer_room(w, 1);

	if (p)
		*p = v;
}

void
writer_be16(struct writer *w, uint16_t v)
{
	uint8_t *p = writer_room(w, 2);

	if (p)
		be16_put(p, v);
}

void
writer_be32(struct writer *w, uint32_t v)
{
	uint8_t *p = writer_room(w, 4);

	if (p)
		be32_put(p, v);
}

void
writer_be64(struct writer *w, uint64_t v)
{
	uint8_t *p = writer_room(w, 8);

	if (p)
		be64_put(p, v);
}

void
writer_bytes(struct writer *w, const void *bytes, size_t n)
{
	uint8_t *p;

	if (n == 0)
		return;
	p = writer_room(w, n);
	if (p)
		memcpy(p, bytes, n);
}

static uint32_t
fold16(uint64_t sum)
{
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint32_t)sum;
}

/*
 * The sum is taken over words in the order of this machine, eight bytes at a
 * time, and put into network order at the end: RFC 1071, 2 (B), allows that.
 */
uint32_t
checksum_add(uint32_t sum, const void *p, size_t len)
{
	const uint8_t *at = p;
	uint64_t acc = 0, eight;
	uint16_t two;

	for (; len >= 8; at += 8, len -= 8) {
		memcpy(&eight, at, 8);
		acc += (eight & UINT32_MAX) + (eight >> 32);
	}
	for (; len >= 2; at += 2, len -= 2) {
		memcpy(&two, at, 2);
		acc += two;
	}
	if (len) {
		two = 0;
		memcpy(&two, at, 1);
		acc += two;
	}
	return fold16(sum) + ntohs((uint16_t)fold16(acc));
}

uint16_t
checksum_fold(uint32_t sum)
{
	return (uint16_t)~fold16(sum);
}

void
bytes_wipe(void *p, size_t len)
{
	if (len)
		explicit_bzero(p, len);
}

bool
bytes_equal_secret(const void *a, const void *b, size_t len)
{
	const volatile uint8_t *x = a, *y = b;
	uint8_t differs = 0;
	size_t i;

	for (i = 0; i < len; i++)
		differs |= x[i] ^ y[i];
	return differs == 0;
}
