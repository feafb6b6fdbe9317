/* SPDX-License-Identifier: MIT */
#include "rules/cidr.h"

#include "base/bytes.h"

#include <errno.h>
#include <stdlib.h>

/* Room for one more element; doubles. */
static int
grow(void **mem, size_t *cap, size_t n, size_t size)
{
	size_t to = *cap ? *cap * 2 : 8;
	void *p;

	if (n < *cap)
		return 0;
	if (n >= CIDR_SET_MAX)
		return -E2BIG;
	p = realloc(*mem, to * size);
	if (!p)
		return -ENOMEM;
	*mem = p;
	*cap = to;
	return 0;
}

void
cidr_set_free(struct cidr_set *s)
{
	free(s->four);
	free(s->six);
	*s = (struct cidr_set){ 0 };
}

static struct wide
wide_of(const struct ip *ip)
{
	return (struct wide){ be64_get(ip->b), be64_get(ip->b + 8) };
}

static int
wide_compare(struct wide a, struct wide b)
{
	if (a.high != b.high)
		return a.high < b.high ? -1 : 1;
	if (a.low != b.low)
		return a.low < b.low ? -1 : 1;
	return 0;
}

/* a + 1 == b, without the step over the end. */
static bool
wide_follows(struct wide a, struct wide b)
{
	if (a.low == UINT64_MAX)
		return a.high != UINT64_MAX && b.high == a.high + 1 && b.low == 0;
	return b.high == a.high && b.low == a.low + 1;
}

/* The host part of a 64-bit half of which `bits` belong to the network. */
static uint64_t
half_mask(int bits)
{
	if (bits <= 0)
		return UINT64_MAX;
	return bits >= 64 ? 0 : UINT64_MAX >> bits;
}

static int
add4(struct cidr_set *s, const struct ip *ip, int bits)
{
	uint32_t host = (uint32_t)half_mask(bits + 32), at = be32_get(ip->b);
	void *mem = s->four;
	int r;

	r = grow(&mem, &s->cap4, s->n4, sizeof(*s->four));
	s->four = mem;
	if (r < 0)
		return r;
	s->four[s->n4++] = (struct range4){ at & ~host, at | host };
	return 0;
}

static int
add6(struct cidr_set *s, const struct ip *ip, int bits)
{
	uint64_t high = half_mask(bits), low = half_mask(bits - 64);
	struct wide at = wide_of(ip);
	void *mem = s->six;
	int r;

	r = grow(&mem, &s->cap6, s->n6, sizeof(*s->six));
	s->six = mem;
	if (r < 0)
		return r;
	s->six[s->n6++] = (struct range6){ { at.high & ~high, at.low & ~low },
		{ at.high | high, at.low | low } };
	return 0;
}

int
cidr_set_add(struct cidr_set *s, const struct cidr *c)
{
	struct ip plain = ip_unmapped(c->ip);

	if (c->ip.family == 4)
		return c->bits <= 32 ? add4(s, &c->ip, c->bits) : -EINVAL;
	if (c->ip.family != 6 || c->bits > 128)
		return -EINVAL;
	if (plain.family == 4 && c->bits >= 96)
		return add4(s, &plain, c->bits - 96);
	return add6(s, &c->ip, c->bits);
}

static int
order4(const void *a, const void *b)
{
	const struct range4 *x = a, *y = b;

	return x->from < y->from ? -1 : x->from > y->from;
}

static int
order6(const void *a, const void *b)
{
	const struct range6 *x = a, *y = b;

	return wide_compare(x->from, y->from);
}

static void
join4(struct cidr_set *s)
{
	struct range4 *last, *next;
	size_t i, n = 0;

	for (i = 0; i < s->n4; i++) {
		next = &s->four[i];
		last = n ? &s->four[n - 1] : NULL;
		if (last && (last->to == UINT32_MAX || next->from <= last->to + 1)) {
			if (next->to > last->to)
				last->to = next->to;
			continue;
		}
		s->four[n++] = *next;
	}
	s->n4 = n;
}

static void
join6(struct cidr_set *s)
{
	struct range6 *last, *next;
	size_t i, n = 0;

	for (i = 0; i < s->n6; i++) {
		next = &s->six[i];
		last = n ? &s->six[n - 1] : NULL;
		if (last &&
			(wide_compare(next->from, last->to) <= 0 ||
				wide_follows(last->to, next->from))) {
			if (wide_compare(next->to, last->to) > 0)
				last->to = next->to;
			continue;
		}
		s->six[n++] = *next;
	}
	s->n6 = n;
}

void
cidr_set_seal(struct cidr_set *s)
{
	if (s->n4)
		qsort(s->four, s->n4, sizeof(*s->four), order4);
	if (s->n6)
		qsort(s->six, s->n6, sizeof(*s->six), order6);
	join4(s);
	join6(s);
}

/* Both searches look for the last range that begins at or before the address. */
static bool
has4(const struct cidr_set *s, uint32_t at)
{
	size_t low = 0, high = s->n4, mid;

	while (low < high) {
		mid = low + (high - low) / 2;
		if (s->four[mid].from <= at)
			low = mid + 1;
		else
			high = mid;
	}
	return low > 0 && at <= s->four[low - 1].to;
}

static bool
has6(const struct cidr_set *s, struct wide at)
{
	size_t low = 0, high = s->n6, mid;

	while (low < high) {
		mid = low + (high - low) / 2;
		if (wide_compare(s->six[mid].from, at) <= 0)
			low = mid + 1;
		else
			high = mid;
	}
	return low > 0 && wide_compare(at, s->six[low - 1].to) <= 0;
}

bool
cidr_set_has(const struct cidr_set *s, const struct ip *ip)
{
	if (ip->family == 4)
		return has4(s, be32_get(ip->b));
	if (ip->family == 6)
		return has6(s, wide_of(ip));
	return false;
}

bool
cidr_set_knows(const struct cidr_set *s, int family)
{
	return family == 4 ? s->n4 > 0 : s->n6 > 0;
}
