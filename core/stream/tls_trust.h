/* SPDX-License-Identifier: MIT */
#ifndef STREAM_TLS_TRUST_H
#define STREAM_TLS_TRUST_H

#include "stream/tls_inside.h"

/*
 * For BearSSL, whose validator wants a chain in order and knows no alternatives: looks
 * for a way from the server's certificate to one that is trusted (of the setup, of the
 * system, or `anchor` alone), among the certificates in whatever order they came, and
 * lets br_x509_minimal judge each way that names and dates allow.  0, or the error with
 * which the stream has failed.
 */
int tls_trust(struct tls_stream *t, const struct certificate *anchor, int64_t now);

#endif
