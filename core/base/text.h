/* SPDX-License-Identifier: MIT */
#ifndef BASE_TEXT_H
#define BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Text as it comes from people. */

/* Decimal, all of s, within [0, max]. */
bool number_parse(uint64_t *n, const char *s, uint64_t max);
/* Lower case (ASCII), without a final dot, into out. False when it does not fit or has an
 * empty label, a space or a control character.  Underscores and UTF-8 bytes pass. */
bool name_normal(char *out, size_t cap, const char *name, size_t len);
/* The same for the name of a host that shall be looked up: nor may it have the brackets,
 * slashes and colons of URLs and of place-holders. */
bool host_normal(char *out, size_t cap, const char *name, size_t len);
/* 1234567 -> "1.2 MB"; decimal prefixes. Returns buf. */
const char *size_format(uint64_t bytes, char buf[static 16]);
/* 612 -> "10 min 12 s"; the two largest of days, hours, minutes and seconds. Returns buf. */
const char *span_format(uint64_t seconds, char buf[static 32]);
bool
hex_parse(uint8_t *out, size_t n, const char *s); /* exactly 2n digits, either case */
/* Where `s` stands in `words` (NULL-ended), without regard to case; -1: nowhere. */
int text_find(const char *const *words, const char *s);
/* The word of `words` (NULL-ended) nearest to `s` by edit distance (at most 2 and less
 * than the length of `s`, without regard to case), or NULL: for "did you mean". */
const char *text_nearest(const char *s, const char *const *words);
/* Puts '?' for each control character (C0, DEL, C1) and each byte that is not UTF-8, so
 * that a stranger's text cannot end a line or steer a terminal. */
void text_clean(char *s);

#endif
