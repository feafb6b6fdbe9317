/* SPDX-License-Identifier: MIT */
/* In place of tls_openssl.c where OpenSSL is not built in. */
#include "stream/tls_inside.h"

const struct tls_library_ops *const tls_openssl = NULL;
