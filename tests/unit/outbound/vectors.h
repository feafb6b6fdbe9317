/* SPDX-License-Identifier: MIT */
#ifndef UNIT_OUTBOUND_VECTORS_H
#define UNIT_OUTBOUND_VECTORS_H

#include "outbound/vmess_header.h"

/* What tests with bytes of other implementations share. */
#define ALL(a) (sizeof(a) / sizeof(*(a)))

/* Hex to bytes; the length is the text's. */
size_t unhex(uint8_t *out, size_t cap, const char *hex);
void assert_hex(const void *p, size_t len, const char *hex);
/* What the vectors were drawn with. */
void draw_fill(struct vmess_draw *d, size_t padlen);

#endif
