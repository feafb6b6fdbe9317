/* SPDX-License-Identifier: MIT */
#include "stream/pace.h"

enum { UNIT = 64 };

void
pace_read(struct pace *p, size_t n)
{
	size_t units = p->units + n / UNIT;

	p->units = units < UINT16_MAX ? (uint16_t)units : UINT16_MAX;
}

static void
restart(struct pace *p, uint16_t now)
{
	p->units = 0;
	p->pieces = 0;
	p->since = now;
}

/* Whether so much came in `ms`. */
static bool
is_fast(const struct pace *p, unsigned ms)
{
	return p->units >= ms * (PACE_RATE / UNIT);
}

/* Less than two milliseconds of the clock say nothing: they may have been one moment. */
static bool
goes_on(struct pace *p, uint16_t now)
{
	uint16_t passed = (uint16_t)(now - p->since);
	bool fast = is_fast(p, passed);

	if (passed < PACE_TICK)
		return true;
	restart(p, now);
	return fast;
}

static bool
begins(struct pace *p, uint16_t now)
{
	bool many;

	if (!is_fast(p, (uint16_t)(now - p->since))) {
		restart(p, now);
		return false;
	}
	if (p->pieces < UINT8_MAX)
		p->pieces++;
	if (p->units < PACE_PROOF / UNIT)
		return false;
	many = p->pieces > PACE_PROOF / PACE_PIECE;
	restart(p, now);
	return many;
}

bool
pace_is_steady(struct pace *p, uint64_t now)
{
	return p->steady ? goes_on(p, (uint16_t)now) : begins(p, (uint16_t)now);
}

void
pace_restart(struct pace *p)
{
	restart(p, p->since);
}

static void
ticked(struct timer *t)
{
	struct pacer *r = container_of(t, struct pacer, tick);
	size_t i;

	for (i = 0; i < r->count; i++) {
		r->held[i].pace->held = false;
		watch_ask(r->held[i].watch, WATCH_READ);
	}
	r->count = 0;
}

bool
pacer_hold(struct pacer *r, struct pace *p, struct watch *w)
{
	if (p->held)
		return true;
	if (r->count == PACE_MOST)
		return false;
	if (r->count == 0) {
		timer_init(&r->tick, w->loop, ticked);
		timer_arm(&r->tick, PACE_TICK);
	}
	r->held[r->count].pace = p;
	r->held[r->count++].watch = w;
	p->held = true;
	return true;
}

void
pacer_leave(struct pacer *r, struct pace *p)
{
	size_t i;

	if (!p->held)
		return;
	p->held = false;
	for (i = 0; r->held[i].pace != p; i++)
		;
	r->held[i] = r->held[--r->count];
	if (r->count == 0)
		timer_stop(&r->tick);
}
