/* SPDX-License-Identifier: MIT */
#ifndef BASE_RANDOM_H
#define BASE_RANDOM_H

#include <stddef.h>
#include <stdint.h>

/*
 * Random bytes for keys, ids and padding.  random_bytes asks the system each
 * time and is for secrets and for few bytes.  A struct rng is seeded from the
 * system once and then makes bytes itself (ChaCha20, rekeyed from its own
 * output after every call, so that earlier output cannot be recomputed).
 */
struct rng {
	uint8_t key[32];
	uint8_t buf[480];
	size_t left; /* unused bytes at the end of buf */
};

void
random_bytes(void *p, size_t n); /* ends the program if the system has no randomness */
void rng_init(struct rng *g);
void rng_fini(struct rng *g);
void rng_bytes(struct rng *g, void *p, size_t n);
uint32_t rng_below(struct rng *g, uint32_t n); /* uniform in 0..n-1; n > 0 */

#endif
