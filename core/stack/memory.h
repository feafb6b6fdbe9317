/* SPDX-License-Identifier: MIT */
#ifndef STACK_MEMORY_H
#define STACK_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* lwIP's memory: counted, and bounded in bytes.  What lwIP itself calls is in arch/cc.h. */

/* From now on at most `most` bytes; *refused counts how often that was too few. */
void memory_begin(size_t most, uint64_t *refused);
size_t memory_used(void);
/* More than so many 32nds of it are used. */
bool memory_is_beyond(unsigned parts);
/* Nothing is counted in *refused any more. Returns how many blocks lwIP still has. */
size_t memory_end(void);

#endif
