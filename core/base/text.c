/* SPDX-License-Identifier: MIT */
#include "base/text.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

bool
number_parse(uint64_t *n, const char *s, uint64_t max)
{
	uint64_t v = 0, digit;

	if (!*s)
		return false;
	for (; *s; s++) {
		if (*s < '0' || *s > '9')
			return false;
		digit = (uint64_t)(*s - '0');
		if (digit > max || v > (max - digit) / 10)
			return false;
		v = v * 10 + digit;
	}
	*n = v;
	return true;
}

static char
lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

bool
name_normal(char *out, size_t cap, const char *name, size_t len)
{
	unsigned char c;
	size_t i;

	if (len && name[len - 1] == '.')
		len--;
	if (len == 0 || len >= cap)
		return false;
	for (i = 0; i < len; i++) {
		c = (unsigned char)name[i];
		if (c <= ' ' || c == 0x7f)
			return false;
		if (c == '.' && (i == 0 || i + 1 == len || name[i - 1] == '.'))
			return false;
		out[i] = lower(name[i]);
	}
	out[len] = '\0';
	return true;
}

bool
host_normal(char *out, size_t cap, const char *name, size_t len)
{
	return name_normal(out, cap, name, len) && !strpbrk(out, "/:[]{}<>@?");
}

const char *
size_format(uint64_t bytes, char buf[static 16])
{
	static const char prefix[] = "kMGTPE";
	uint64_t unit = 1000;
	size_t i = 0;

	if (bytes < 1000) {
		snprintf(buf, 16, "%u B", (unsigned)bytes);
		return buf;
	}
	for (; bytes / unit >= 1000; i++)
		unit *= 1000;
	snprintf(buf, 16, "%u.%u %cB", (unsigned)(bytes / unit),
		(unsigned)(bytes % unit / (unit / 10)), prefix[i]);
	return buf;
}

const char *
span_format(uint64_t seconds, char buf[static 32])
{
	static const struct {
		uint64_t len;
		const char *name;
	} units[] = { { 86400, "d" }, { 3600, "h" }, { 60, "min" }, { 1, "s" } };
	size_t i = 0;

	while (units[i].len > 1 && seconds < units[i].len)
		i++;
	if (units[i].len == 1)
		snprintf(buf, 32, "%u s", (unsigned)seconds);
	else
		snprintf(buf, 32, "%llu %s %u %s",
			(unsigned long long)(seconds / units[i].len), units[i].name,
			(unsigned)(seconds % units[i].len / units[i + 1].len),
			units[i + 1].name);
	return buf;
}

static int
hex_digit(char c)
{
	c = lower(c);
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return -1;
}

bool
hex_parse(uint8_t *out, size_t n, const char *s)
{
	int high, low;
	size_t i;

	if (strlen(s) != n * 2)
		return false;
	for (i = 0; i < n; i++) {
		high = hex_digit(s[2 * i]);
		low = hex_digit(s[2 * i + 1]);
		if (high < 0 || low < 0)
			return false;
		out[i] = (uint8_t)(high << 4 | low);
	}
	return true;
}

int
text_find(const char *const *words, const char *s)
{
	int i;

	for (i = 0; words[i]; i++)
		if (strcasecmp(words[i], s) == 0)
			return i;
	return -1;
}

/* Nobody means a longer word by accident. */
enum { WORD_MAX = 64, NEAR_MAX = 2 };

static size_t
least(size_t a, size_t b, size_t c)
{
	if (b < a)
		a = b;
	return c < a ? c : a;
}

/* Insertions, deletions and changes of a letter that make b of a, each up to WORD_MAX. */
static size_t
distance(const char *a, const char *b)
{
	size_t row[WORD_MAX + 1], i, j, diagonal, above, n = strlen(b);

	for (j = 0; j <= n; j++)
		row[j] = j;
	for (i = 1; *a; a++, i++) {
		diagonal = row[0];
		row[0] = i;
		for (j = 1; j <= n; j++) {
			above = row[j];
			row[j] = least(above + 1, row[j - 1] + 1,
				diagonal + (lower(*a) != lower(b[j - 1])));
			diagonal = above;
		}
	}
	return row[n];
}

const char *
text_nearest(const char *s, const char *const *words)
{
	size_t len = strlen(s), d, best = len < NEAR_MAX + 1 ? len : NEAR_MAX + 1;
	const char *nearest = NULL;

	if (len > WORD_MAX)
		return NULL;
	for (; *words; words++) {
		if (strlen(*words) > WORD_MAX)
			continue;
		d = distance(s, *words);
		if (d < best) {
			best = d;
			nearest = *words;
		}
	}
	return nearest;
}

static bool
continues(unsigned char c)
{
	return c >> 6 == 2;
}

/* How many bytes the character at s has, or 0 where it must not be shown. Overlong
 * forms, surrogates and what lies above U+10FFFF are not UTF-8 (RFC 3629, 4). */
static size_t
shown(const unsigned char *s)
{
	unsigned char c = s[0];

	if (c < 0x80)
		return c >= ' ' && c != 0x7f;
	if (!continues(s[1]))
		return 0;
	if (c < 0xe0)
		return c > 0xc2 || (c == 0xc2 && s[1] >= 0xa0) ? 2 : 0;
	if (!continues(s[2]))
		return 0;
	if (c < 0xf0)
		return (c == 0xe0 && s[1] < 0xa0) || (c == 0xed && s[1] >= 0xa0) ? 0 : 3;
	if (!continues(s[3]) || c > 0xf4)
		return 0;
	return (c == 0xf0 && s[1] < 0x90) || (c == 0xf4 && s[1] >= 0x90) ? 0 : 4;
}

void
text_clean(char *s)
{
	size_t n;

	while (*s) {
		n = shown((const unsigned char *)s);
		if (n == 0)
			*s = '?';
		s += n ? n : 1;
	}
}
