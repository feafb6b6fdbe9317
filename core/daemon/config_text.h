/* SPDX-License-Identifier: MIT */
#ifndef DAEMON_CONFIG_TEXT_H
#define DAEMON_CONFIG_TEXT_H

#include "base/err.h"

#include <stddef.h>

/*
 * From the text that people write to strict JSON: comments (two slashes, a
 * hash, slash and star) and trailing commas become spaces, so that every byte
 * keeps its line and column; what follows the first document is cut off.
 */
enum { CONFIG_TEXT_MAX = 16 << 20, CONFIG_DEPTH_MAX = 64 };

/* Lines and columns count from 1; columns in characters (UTF-8). */
struct config_spot {
	unsigned line, column;
};

struct config_spot config_text_spot(const char *text, size_t offset);

/*
 * Works in place; text[*len] must be NUL. *second is where a second document
 * begins, line 0 when there is none. 0, or -1 and why, with file, line and
 * column: what is no object, brackets too deep or never closed, a string or
 * comment without an end.
 */
int config_text_clean(const char *file, char *text, size_t *len,
	struct config_spot *second, struct err *e);

#endif
