/* SPDX-License-Identifier: MIT */
#ifndef UNIT_STREAM_CHECK_H
#define UNIT_STREAM_CHECK_H

/* cmocka.h needs these before it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#endif
