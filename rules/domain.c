/* SPDX-License-Identifier: MIT */
#include "rules/domain.h"

#include "rules/domain_regexp.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/*
 * All patterns stand in one block of text, each as a byte of flags, its bytes
 * in lower case, and a NUL; they are named by their place in it.  The tables
 * are open, at most half full, and hold places.  A hash runs from the last byte
 * to the first, so that one pass over a name yields the hash of every suffix.
 * The hash needs no seed: strangers choose the names that are looked up, never
 * the patterns.
 */
struct slot {
	uint32_t hash;
	uint32_t at; /* place + 1; 0: free */
};

struct index {
	struct slot *slot;
	size_t mask; /* slots - 1 */
	size_t n;
};

struct places {
	uint32_t *at;
	size_t n, cap;
};

struct keyword {
	uint32_t at;
	uint32_t next; /* number + 1 of another with the same first bytes; 0: none */
};

struct domain_set {
	char *text;
	size_t len, cap;       /* of text, in bytes */
	struct index names;    /* suffixes and full names */
	struct index keywords; /* by their first KEY bytes, to the first in `keyword` */
	struct keyword *keyword;
	size_t nkeyword, keyword_cap;
	struct places brief; /* keywords shorter than that */
	struct places dotless;
	struct regexps *regexps; /* NULL until there is one */
	size_t count;
};

enum {
	KEY = 3,       /* bytes of a keyword that the table goes by */
	IS_SUFFIX = 1, /* flags of a pattern in `names` */
	IS_FULL = 2,
	SLOTS_FIRST = 16
};

static const uint32_t hash_start = 2166136261u; /* FNV-1a */

static uint32_t
hash_step(uint32_t h, char c)
{
	return (h ^ (uint8_t)c) * 16777619u;
}

static uint32_t
hash_back(const char *p, size_t len)
{
	uint32_t h = hash_start;

	while (len > 0)
		h = hash_step(h, p[--len]);
	return h;
}

/* FNV's low bits alone are weak; the high ones are folded in. */
static size_t
first_slot(const struct index *x, uint32_t hash)
{
	return (hash ^ hash >> 15) & x->mask;
}

struct domain_set *
domain_set_new(void)
{
	return calloc(1, sizeof(struct domain_set));
}

void
domain_set_free(struct domain_set *s)
{
	if (!s)
		return;
	free(s->text);
	free(s->names.slot);
	free(s->keywords.slot);
	free(s->keyword);
	free(s->brief.at);
	free(s->dotless.at);
	regexps_free(s->regexps);
	free(s);
}

size_t
domain_set_count(const struct domain_set *s)
{
	return s->count;
}

static void
index_put(struct index *x, uint32_t hash, uint32_t at)
{
	size_t i = first_slot(x, hash);

	while (x->slot[i].at)
		i = (i + 1) & x->mask;
	x->slot[i] = (struct slot){ hash, at };
	x->n++;
}

static int
index_grow(struct index *x)
{
	size_t i, slots = x->slot ? (x->mask + 1) * 2 : SLOTS_FIRST;
	struct index to = { NULL, slots - 1, 0 };

	if (x->slot && x->n < (x->mask + 1) / 2)
		return 0;
	to.slot = calloc(slots, sizeof(*to.slot));
	if (!to.slot)
		return -ENOMEM;
	for (i = 0; x->slot && i <= x->mask; i++)
		if (x->slot[i].at)
			index_put(&to, x->slot[i].hash, x->slot[i].at);
	free(x->slot);
	*x = to;
	return 0;
}

static int
places_add(struct places *l, uint32_t at)
{
	size_t cap = l->cap ? l->cap * 2 : 8;
	uint32_t *mem;

	if (l->n == l->cap) {
		mem = realloc(l->at, cap * sizeof(*mem));
		if (!mem)
			return -ENOMEM;
		l->at = mem;
		l->cap = cap;
	}
	l->at[l->n++] = at;
	return 0;
}

static const char *
pattern_at(const struct domain_set *s, uint32_t place)
{
	return s->text + place + 1;
}

/* The place + 1 of the name with these bytes among suffixes and full names, or 0. */
static uint32_t
name_find(const struct domain_set *s, uint32_t hash, const char *p, size_t len)
{
	const struct index *x = &s->names;
	const char *it;
	size_t i;

	if (!x->slot)
		return 0;
	for (i = first_slot(x, hash); x->slot[i].at; i = (i + 1) & x->mask) {
		if (x->slot[i].hash != hash)
			continue;
		it = pattern_at(s, x->slot[i].at - 1);
		if (strncmp(it, p, len) == 0 && it[len] == '\0')
			return x->slot[i].at;
	}
	return 0;
}

/* Room in `text` for a pattern of len bytes. */
static int
text_grow(struct domain_set *s, size_t len)
{
	size_t cap = s->cap ? s->cap : 256;
	char *text;

	while (cap - s->len < len + 2)
		cap *= 2;
	if (cap > DOMAIN_TEXT_MAX)
		return -E2BIG;
	if (cap == s->cap)
		return 0;
	text = realloc(s->text, cap);
	if (!text)
		return -ENOMEM;
	s->text = text;
	s->cap = cap;
	return 0;
}

/* The pattern at the end of `text`, which is kept only by `s->len` being moved on. */
static void
text_write(struct domain_set *s, char flags, const char *value, size_t len, bool lower)
{
	char *to = s->text + s->len;
	size_t i;

	*to++ = flags;
	for (i = 0; i < len; i++)
		to[i] = lower && value[i] >= 'A' && value[i] <= 'Z'
			? (char)(value[i] + 'a' - 'A')
			: value[i];
	to[len] = '\0';
}

static int
name_add(struct domain_set *s, char flag, size_t len)
{
	const char *p = pattern_at(s, (uint32_t)s->len);
	uint32_t hash = hash_back(p, len), twin = name_find(s, hash, p, len);
	int r;

	if (twin) {
		s->text[twin - 1] |= flag;
		return 0;
	}
	r = index_grow(&s->names);
	if (r < 0)
		return r;
	index_put(&s->names, hash, (uint32_t)s->len + 1);
	s->len += len + 2;
	return 0;
}

/* The slot of the keywords that begin with these KEY bytes, or NULL. */
static struct slot *
keyword_slot(const struct domain_set *s, const char *p)
{
	const struct index *x = &s->keywords;
	uint32_t hash = hash_back(p, KEY);
	size_t i;

	if (!x->slot)
		return NULL;
	for (i = first_slot(x, hash); x->slot[i].at; i = (i + 1) & x->mask)
		if (x->slot[i].hash == hash)
			return &x->slot[i];
	return NULL;
}

static int
keyword_grow(struct domain_set *s)
{
	size_t cap = s->keyword_cap ? s->keyword_cap * 2 : 8;
	struct keyword *keyword;

	if (s->nkeyword < s->keyword_cap)
		return 0;
	keyword = realloc(s->keyword, cap * sizeof(*keyword));
	if (!keyword)
		return -ENOMEM;
	s->keyword = keyword;
	s->keyword_cap = cap;
	return 0;
}

/* Keywords whose first bytes only hash alike share a slot too; that costs a comparison
 * and nothing else. */
static int
keyword_index(struct domain_set *s)
{
	const char *p = pattern_at(s, (uint32_t)s->len);
	struct keyword *k;
	struct slot *slot;

	if (keyword_grow(s) < 0 || index_grow(&s->keywords) < 0)
		return -ENOMEM;
	k = &s->keyword[s->nkeyword++];
	*k = (struct keyword){ (uint32_t)s->len, 0 };
	slot = keyword_slot(s, p);
	if (!slot) {
		index_put(&s->keywords, hash_back(p, KEY), (uint32_t)s->nkeyword);
		return 0;
	}
	k->next = slot->at;
	slot->at = (uint32_t)s->nkeyword;
	return 0;
}

static int
keyword_add(struct domain_set *s, size_t len)
{
	int r = len < KEY ? places_add(&s->brief, (uint32_t)s->len) : keyword_index(s);

	if (r == 0)
		s->len += len + 2;
	return r;
}

static int
dotless_add(struct domain_set *s, size_t len)
{
	int r = places_add(&s->dotless, (uint32_t)s->len);

	if (r == 0)
		s->len += len + 2;
	return r;
}

static int
regexp_add(struct domain_set *s, const char *value, size_t len, struct err *e)
{
	int r;

	if (!s->regexps)
		s->regexps = regexps_new();
	if (!s->regexps) {
		err_set(e, "no memory for a regular expression");
		return -ENOMEM;
	}
	r = regexps_add(s->regexps, value, len, (uint32_t)s->len, e);
	if (r == 0)
		s->len += len + 2;
	return r;
}

/* What a value must look like; false with a sentence. The `value` of a suffix may begin
 * with a dot and that of a name end in one: both are cut off, as people mean it. */
static bool
value_trim(enum domain_kind kind, const char **value, size_t *len, struct err *e)
{
	if (kind == DOMAIN_SUFFIX && *len > 1 && (*value)[0] == '.') {
		++*value;
		--*len;
	}
	if ((kind == DOMAIN_SUFFIX || kind == DOMAIN_FULL) && *len > 1 &&
		(*value)[*len - 1] == '.')
		--*len;
	if (*len == 0 && kind != DOMAIN_DOTLESS) {
		err_set(e, "nothing stands here; a domain, or a part of one, is needed");
		return false;
	}
	if (memchr(*value, '\0', *len)) {
		err_set(e, "a NUL byte is in it");
		return false;
	}
	if (kind == DOMAIN_DOTLESS && memchr(*value, '.', *len)) {
		err_set(e, "dotless: is for names without a dot, and here is one");
		return false;
	}
	return true;
}

static int
add_failed(int r, struct err *e)
{
	if (r == -E2BIG)
		err_set(e, "one list has more than %d domains or %d bytes of them",
			DOMAIN_SET_MAX, DOMAIN_TEXT_MAX);
	else
		err_set(e, "no memory for this list of domains");
	return r;
}

/* Enters the pattern that stands at the end of `text`; regular expressions have their
 * own way. */
static int
pattern_add(struct domain_set *s, enum domain_kind kind, size_t len)
{
	switch (kind) {
	case DOMAIN_KEYWORD:
		return keyword_add(s, len);
	case DOMAIN_REGEXP:
		break;
	case DOMAIN_SUFFIX:
		return name_add(s, IS_SUFFIX, len);
	case DOMAIN_FULL:
		return name_add(s, IS_FULL, len);
	case DOMAIN_DOTLESS:
		return dotless_add(s, len);
	}
	return -EINVAL;
}

int
domain_set_add(struct domain_set *s, enum domain_kind kind, const char *value, size_t len,
	struct err *e)
{
	int r;

	if (!value_trim(kind, &value, &len, e))
		return -EINVAL;
	if (s->count >= DOMAIN_SET_MAX || len >= DOMAIN_TEXT_MAX)
		return add_failed(-E2BIG, e);
	r = text_grow(s, len);
	if (r < 0)
		return add_failed(r, e);
	text_write(s, kind == DOMAIN_FULL ? IS_FULL : IS_SUFFIX, value, len,
		kind != DOMAIN_REGEXP);
	if (kind == DOMAIN_REGEXP)
		r = regexp_add(s, value, len, e);
	else
		r = pattern_add(s, kind, len);
	if (r == 0)
		s->count++;
	return r < 0 && kind != DOMAIN_REGEXP ? add_failed(r, e) : r;
}

static bool
names_have(
	const struct domain_set *s, const char *name, size_t len, struct domain_hit *hit)
{
	uint32_t hash = hash_start, at;
	size_t i = len;
	char flags;

	while (i > 0) {
		hash = hash_step(hash, name[--i]);
		if (i > 0 && name[i - 1] != '.')
			continue;
		at = name_find(s, hash, name + i, len - i);
		flags = at ? s->text[at - 1] : 0;
		if (!(flags & IS_SUFFIX) && !(i == 0 && flags & IS_FULL))
			continue;
		hit->kind = flags & IS_SUFFIX ? DOMAIN_SUFFIX : DOMAIN_FULL;
		hit->pattern = pattern_at(s, at - 1);
		return true;
	}
	return false;
}

/* Whether a keyword stands at exactly this place of the name, which has KEY bytes more.
 */
static bool
keyword_here(const struct domain_set *s, const char *name, struct domain_hit *hit)
{
	const struct slot *slot = keyword_slot(s, name);
	const char *it;
	uint32_t k;

	for (k = slot ? slot->at : 0; k; k = s->keyword[k - 1].next) {
		it = pattern_at(s, s->keyword[k - 1].at);
		if (strncmp(it, name, strlen(it)) == 0) {
			*hit = (struct domain_hit){ DOMAIN_KEYWORD, it };
			return true;
		}
	}
	return false;
}

static bool
keywords_have(
	const struct domain_set *s, const char *name, size_t len, struct domain_hit *hit)
{
	size_t i;

	for (i = 0; i < s->brief.n; i++) {
		hit->pattern = pattern_at(s, s->brief.at[i]);
		hit->kind = DOMAIN_KEYWORD;
		if (strstr(name, hit->pattern))
			return true;
	}
	for (i = 0; s->keywords.slot && i + KEY <= len; i++)
		if (keyword_here(s, name + i, hit))
			return true;
	return false;
}

static bool
dotless_have(const struct domain_set *s, const char *name, struct domain_hit *hit)
{
	size_t i;

	if (s->dotless.n == 0 || strchr(name, '.'))
		return false;
	for (i = 0; i < s->dotless.n; i++) {
		hit->pattern = pattern_at(s, s->dotless.at[i]);
		hit->kind = DOMAIN_DOTLESS;
		if (strstr(name, hit->pattern))
			return true;
	}
	return false;
}

static bool
regexps_have(
	const struct domain_set *s, const char *name, size_t len, struct domain_hit *hit)
{
	uint32_t at;

	if (!s->regexps || !regexps_match(s->regexps, name, len, &at))
		return false;
	*hit = (struct domain_hit){ DOMAIN_REGEXP, pattern_at(s, at) };
	return true;
}

bool
domain_set_has(const struct domain_set *s, const char *name, struct domain_hit *hit)
{
	size_t len = strlen(name);

	return names_have(s, name, len, hit) || keywords_have(s, name, len, hit) ||
		dotless_have(s, name, hit) || regexps_have(s, name, len, hit);
}
