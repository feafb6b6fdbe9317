/* SPDX-License-Identifier: MIT */
#include "unit/flow/hello.h"

#include "base/bytes.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum { MESSAGE_MAX = 16000 };

static void
extension(struct writer *w, uint16_t type, size_t len)
{
	writer_be16(w, type);
	writer_be16(w, (uint16_t)len);
	for (size_t i = 0; i < len; i++)
		writer_u8(w, (uint8_t)i);
}

static void
server_name(struct writer *w, const char *name)
{
	size_t n = strlen(name);

	writer_be16(w, 0);
	writer_be16(w, (uint16_t)(n + 5));
	writer_be16(w, (uint16_t)(n + 3));
	writer_u8(w, 0);
	writer_be16(w, (uint16_t)n);
	writer_bytes(w, name, n);
}

/* The handshake message without a record around it. */
static size_t
message_write(const struct hello *h, uint8_t *mem)
{
	static const uint8_t before[] = { 0x03, 0x03 };
	struct writer w;
	size_t ext;

	writer_init(&w, mem, MESSAGE_MAX);
	writer_be32(&w, 1u << 24);
	writer_bytes(&w, before, sizeof(before));
	for (int i = 0; i < 32; i++)
		writer_u8(&w, (uint8_t)(i * 11));
	writer_u8(&w, 32);
	for (int i = 0; i < 32; i++)
		writer_u8(&w, (uint8_t)(i * 5));
	writer_be16(&w, 6);
	writer_be32(&w, 0x1a1a1301);
	writer_be16(&w, 0xc02f);
	writer_u8(&w, 1);
	writer_u8(&w, 0);
	ext = w.len;
	writer_be16(&w, 0);
	extension(&w, 0x2a2a, 1);
	extension(&w, 51, h->padding);
	if (h->name != NULL)
		server_name(&w, h->name);
	extension(&w, 43, 3);
	assert(!w.bad);
	be16_put(mem + ext, (uint16_t)(w.len - ext - 2));
	be32_put(mem, 1u << 24 | (uint32_t)(w.len - 4));
	return w.len;
}

size_t
hello_write(const struct hello *h, uint8_t *out, size_t cap)
{
	uint8_t *message = malloc(MESSAGE_MAX);
	size_t len, at, n;
	struct writer w;

	assert(message != NULL);
	len = message_write(h, message);
	writer_init(&w, out, cap);
	for (at = 0; at < len; at += n) {
		n = len - at < h->record ? len - at : h->record;
		writer_u8(&w, 22);
		writer_be16(&w, 0x0301);
		writer_be16(&w, (uint16_t)n);
		writer_bytes(&w, message + at, n);
	}
	free(message);
	assert(!w.bad);
	return w.len;
}
