/* SPDX-License-Identifier: MIT */
#ifndef STREAM_HTTP_DATE_H
#define STREAM_HTTP_DATE_H

#include <stdint.h>

/*
 * A date of HTTP (RFC 9110, 5.6.7) as Unix time: the form of today and the two old ones,
 * which recipients must take.  Two digits of a year stand for 1970 to 2069.  0: it is
 * none.
 */
int64_t http_date_parse(const char *s);

#endif
