/* SPDX-License-Identifier: MIT */
#ifndef STREAM_TLS_PEM_H
#define STREAM_TLS_PEM_H

#include <stddef.h>
#include <stdint.h>

/*
 * Takes the next certificate (RFC 7468) out of a PEM text, and decodes it into `out`,
 * which may be where the text is.  Other things between the certificates are passed over.
 * The length; 0: there is no more; -1: what stands between the lines is not base64.
 * *text moves behind it.
 */
long pem_certificate_next(const char **text, size_t *len, uint8_t *out, size_t cap);

#endif
