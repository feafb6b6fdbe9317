/* SPDX-License-Identifier: MIT */
#include "outbound/clock.h"

#include "base/text.h"

#include <stdio.h>

/* Of what has worked, one connection may go unanswered for its target's sake. */
enum { LOST_MAX = 2 };

static uint64_t
distance(int64_t ahead)
{
	return (uint64_t)(ahead < 0 ? -ahead : ahead);
}

void
clock_tell(struct clock_reading *r, int64_t ahead, const char *who)
{
	r->told = true;
	r->bound = false;
	r->ahead = ahead;
	snprintf(r->who, sizeof(r->who), "%s", who);
}

bool
clock_is_wrong(const struct clock_reading *r)
{
	return r && r->told && distance(r->ahead) > CLOCK_ALLOWED_S;
}

const char *
clock_text(const struct clock_reading *r, char *text, size_t cap)
{
	char span[32];

	snprintf(text, cap, "%s%s %s %s", r->bound ? "at least " : "",
		span_format(distance(r->ahead), span),
		r->ahead < 0 ? "behind" : "ahead of", r->who);
	return text;
}

/* A source that says the same as this clock is no other. */
static bool
is_worth_trying(const struct clock_reading *r)
{
	return r && r->told && !r->bound && distance(r->ahead) > CLOCK_NEAR_S;
}

static bool
is_open(const struct clock_choice *c, const struct clock_reading *sntp,
	enum clock_source s)
{
	if (c->failed >> s & 1)
		return false;
	switch (s) {
	case CLOCK_HTTP:
		return is_worth_trying(&c->http);
	case CLOCK_SNTP:
		return is_worth_trying(sntp);
	case CLOCK_OWN:
	case CLOCK_SOURCES:
		break;
	}
	return true;
}

/* The first that is open; CLOCK_SOURCES: none is. */
static enum clock_source
first_open(const struct clock_choice *c, const struct clock_reading *sntp)
{
	static const enum clock_source order[] = { CLOCK_HTTP, CLOCK_SNTP, CLOCK_OWN };
	size_t i;

	if (c->known && is_open(c, sntp, c->kept))
		return c->kept;
	for (i = 0; i < sizeof(order) / sizeof(*order); i++)
		if (is_open(c, sntp, order[i]))
			return order[i];
	return CLOCK_SOURCES;
}

enum clock_source
clock_choose(struct clock_choice *c, const struct clock_reading *sntp)
{
	/* All were in vain, but the server may have been down: they begin anew. */
	if (first_open(c, sntp) == CLOCK_SOURCES)
		c->failed = 0;
	return first_open(c, sntp);
}

int64_t
clock_shift(const struct clock_choice *c, const struct clock_reading *sntp,
	enum clock_source s)
{
	switch (s) {
	case CLOCK_HTTP:
		return -c->http.ahead;
	case CLOCK_SNTP:
		return sntp ? -sntp->ahead : 0;
	case CLOCK_OWN:
	case CLOCK_SOURCES:
		break;
	}
	return 0;
}

bool
clock_answered(struct clock_choice *c, enum clock_source s)
{
	bool news = !c->known || c->kept != s;

	c->known = true;
	c->kept = s;
	c->lost = 0;
	c->failed = 0;
	return news;
}

bool
clock_unanswered(struct clock_choice *c, enum clock_source s)
{
	if (c->known && c->kept == s && ++c->lost < LOST_MAX)
		return false;
	if (c->failed >> s & 1)
		return false;
	c->failed |= 1u << s;
	return true;
}
