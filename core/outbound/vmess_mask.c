/* SPDX-License-Identifier: MIT */
#include "outbound/vmess_mask.h"

#include "base/bytes.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/*
 * So many numbers come of the first permutation of SHAKE128, 0.4 us, which is all that it
 * takes to make their state anew: those of 42 chunks with padding.
 */
enum { SHORT = 84 };

/*
 * States that were used last: which place one has follows from its seed, which is random.
 * These belong to the one thread that there is.
 */
enum { PLACES = 64 };
static struct place {
	struct shake128 state;
	uint32_t drawn;
	uint8_t seed[16];
} places[PLACES];

static struct place *
place_of(const struct vmess_mask *m)
{
	return &places[m->seed[0] % PLACES];
}

static bool
is_at(const struct vmess_mask *m, const struct place *p)
{
	return p->drawn == m->drawn && memcmp(p->seed, m->seed, sizeof(p->seed)) == 0;
}

/* Its state as it is now, in its place. */
static struct place *
ready(const struct vmess_mask *m)
{
	struct place *p = place_of(m);

	if (m->drawn > 0 && is_at(m, p))
		return p;
	memcpy(p->seed, m->seed, sizeof(p->seed));
	p->drawn = m->drawn;
	shake128_init(&p->state, m->seed, sizeof(m->seed));
	shake128_skip(&p->state, m->drawn);
	return p;
}

/* Where there is no memory for it, it is made anew as before. */
static void
keep(struct vmess_mask *m, const struct place *p)
{
	m->state = malloc(sizeof(*m->state));
	if (m->state)
		*m->state = p->state;
}

void
vmess_mask_init(struct vmess_mask *m, const uint8_t seed[static 16])
{
	*m = (struct vmess_mask){ 0 };
	memcpy(m->seed, seed, sizeof(m->seed));
}

void
vmess_mask_fini(struct vmess_mask *m)
{
	struct place *p = place_of(m);

	if (memcmp(p->seed, m->seed, sizeof(p->seed)) == 0)
		bytes_wipe(p, sizeof(*p));
	if (m->state)
		bytes_wipe(m->state, sizeof(*m->state));
	free(m->state);
	bytes_wipe(m, sizeof(*m));
}

uint16_t
vmess_mask_draw(struct vmess_mask *m)
{
	struct place *p;
	uint16_t v;

	if (m->state)
		return shake128_be16(m->state);
	p = ready(m);
	v = shake128_be16(&p->state);
	p->drawn = ++m->drawn;
	if (m->drawn >= SHORT)
		keep(m, p);
	return v;
}
