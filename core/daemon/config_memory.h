/* SPDX-License-Identifier: MIT */
#ifndef DAEMON_CONFIG_MEMORY_H
#define DAEMON_CONFIG_MEMORY_H

#include <stddef.h>

/*
 * Memory that is given out piece by piece and goes all at once: what a
 * configuration consists of.  There is no answer for "no memory": a machine
 * that cannot hold its configuration cannot run it, and the program ends.
 */
struct config_memory;

struct config_memory *config_memory_new(void);
void config_memory_free(struct config_memory *m); /* wipes it; NULL is fine */
/* `n` zeroed elements of `size` bytes; a pointer that may be written even for none. */
void *config_memory_take(struct config_memory *m, size_t n, size_t size);
char *config_memory_text(struct config_memory *m, const char *s, size_t len);
/* The same without the white space at its ends. */
const char *config_memory_trimmed(struct config_memory *m, const char *s, size_t len);
/* The pieces of a list with commas, trimmed, NULL-ended; empty ones are left out. */
const char *const *config_memory_pieces(struct config_memory *m, const char *s);

#endif
