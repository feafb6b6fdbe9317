/* SPDX-License-Identifier: MIT */
#ifndef BASE_BYTES_H
#define BASE_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Reading and writing big-endian fields.
 *
 * Bytes from strangers go through a reader: ask for every field, then ask once
 * whether all was there.  After the first field that is missing, `bad` stays
 * set and every further answer is zero, so a parser needs one check at its end.
 * A writer is the same for output: when the room runs out, `bad` stays set and
 * nothing more is written.
 */

struct reader {
	const uint8_t *p;
	size_t len; /* bytes left */
	bool bad;
};

struct writer {
	uint8_t *mem;
	size_t cap;
	size_t len; /* bytes written */
	bool bad;
};

void reader_init(struct reader *r, const void *p, size_t len);
uint8_t reader_u8(struct reader *r);
uint16_t reader_be16(struct reader *r);
uint32_t reader_be32(struct reader *r);
uint64_t reader_be64(struct reader *r);
/* The next n bytes in place, borrowed; NULL (and bad) when there are fewer. */
const uint8_t *reader_bytes(struct reader *r, size_t n);
/* Copies n bytes, or zeroes `to` when there are fewer. */
void reader_copy(struct reader *r, void *to, size_t n);
void reader_skip(struct reader *r, size_t n);
/* Splits the next n bytes off into `part`, which is bad from the start when there are
 * fewer. */
void reader_part(struct reader *r, size_t n, struct reader *part);

void writer_init(struct writer *w, void *mem, size_t cap);
void writer_u8(struct writer *w, uint8_t v);
void writer_be16(struct writer *w, uint16_t v);
void writer_be32(struct writer *w, uint32_t v);
void writer_be64(struct writer *w, uint64_t v);
void writer_bytes(struct writer *w, const void *p, size_t n);

uint16_t be16_get(const uint8_t p[static 2]);
uint32_t be32_get(const uint8_t p[static 4]);
uint64_t be64_get(const uint8_t p[static 8]);
void be16_put(uint8_t p[static 2], uint16_t v);
void be32_put(uint8_t p[static 4], uint32_t v);
void be64_put(uint8_t p[static 8], uint64_t v);

/* The Internet checksum (RFC 1071).  `sum` carries a running, unfolded sum between
 * pieces; only the last piece may have an odd length. */
uint32_t checksum_add(uint32_t sum, const void *p, size_t len);
uint16_t checksum_fold(uint32_t sum); /* the value for the field, complemented */

/* Zeroes secrets so that the compiler cannot leave it out. */
void bytes_wipe(void *p, size_t len);
/* Compares in a time that depends on len only. */
bool bytes_equal_secret(const void *a, const void *b, size_t len);

#endif
