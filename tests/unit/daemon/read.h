/* SPDX-License-Identifier: MIT */
#ifndef UNIT_DAEMON_READ_H
#define UNIT_DAEMON_READ_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "daemon/config.h"

/* The least that a configuration needs. */
#define DIRECT "\"outbounds\":[{\"protocol\":\"freedom\"}]"

/* A configuration that has to be right; the caller frees it. */
struct config *read_text(const char *text);
/* One whose text, of less than 512 bytes, is printed. */
struct config *read_filled(const char *form, ...) __attribute__((format(printf, 1, 2)));

#endif
