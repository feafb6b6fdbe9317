/* SPDX-License-Identifier: MIT */
#ifndef STREAM_TLS_PEM_H
#define STREAM_TLS_PEM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Decodes base64 (RFC 4648, 4; white space is passed over, padding may be missing) into
 * `out`, which may be where the text is. The length; -1: it is none, or above `cap`.
 */
long base64_decode(uint8_t *out, size_t cap, const char *text, size_t len);

/*
 * Takes the next certificate (RFC 7468) out of a PEM text, and decodes it into `out`,
 * which may be where the text is.  Other things between the certificates are passed over.
 * The length; 0: there is no more; -1: what stands between the lines is not base64.
 * *text moves behind it.
 */
long pem_certificate_next(const char **text, size_t *len, uint8_t *out, size_t cap);

#endif
