/* SPDX-License-Identifier: MIT */
#ifndef STACK_ARCH_CC_H
#define STACK_ARCH_CC_H

#include <stddef.h>
#include <stdint.h>

/* What lwIP asks of a port.  All functions are in port.c. */

void *port_block_new(size_t n);
void *port_block_new_zeroed(size_t count, size_t n);
void port_block_free(void *block);
/* Ends the program: lwIP found impossible what has happened. */
void port_failed(const char *what, const char *file, int line) __attribute__((noreturn));
uint32_t port_random(void);

#define LWIP_PLATFORM_DIAG(x)   ((void)0)
#define LWIP_PLATFORM_ASSERT(x) port_failed(x, __FILE__, __LINE__)
#define LWIP_RAND()             port_random()
#define LWIP_NO_UNISTD_H        1

#endif
