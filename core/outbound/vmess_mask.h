/* SPDX-License-Identifier: MIT */
#ifndef OUTBOUND_VMESS_MASK_H
#define OUTBOUND_VMESS_MASK_H

#include "base/digest.h"

/*
 * The numbers of one direction of a VMess connection that hide lengths and tell how long a
 * padding is (vmess.md 8.3), drawn from SHAKE128 over its IV.  The state of that is 200
 * bytes: a connection that has drawn little keeps the seed alone, from which the state is
 * made anew unless it was among those used last; one that has drawn much has it for itself.
 */
struct vmess_mask {
	struct shake128 *state; /* owned; NULL: made from the seed */
	uint32_t drawn;         /* numbers, while there is no state */
	uint8_t seed[16];
};

void vmess_mask_init(struct vmess_mask *m, const uint8_t seed[static 16]);
/* Wipes it, and what was made of it. Zeros are fine. */
void vmess_mask_fini(struct vmess_mask *m);
uint16_t vmess_mask_draw(struct vmess_mask *m);

#endif
