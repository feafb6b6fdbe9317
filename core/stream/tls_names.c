/* SPDX-License-Identifier: MIT */
/* The names in certificates: compared, and written for people. */
#include "base/text.h"
#include "stream/tls_certificate.h"

#include <stdio.h>
#include <string.h>

/* What a GeneralName may be (RFC 5280, 4.2.1.6); other kinds are passed over. */
enum { NAME_DNS = 0x82, NAME_IP = 0x87 };

/* Certificates with thousands of names exist; people read the first few. */
enum { NAMES_SHOWN = 6 };

struct alt_name {
	uint8_t kind;
	struct span is;
};

/*
 * The next name; false at the end.  Lengths are shortest forms: certificate_read has
 * only looked at the list as a whole, so what does not fit ends the list here.
 */
static bool
alt_name_next(struct reader *r, struct alt_name *n)
{
	size_t len;

	if (r->bad || !r->len)
		return false;
	n->kind = reader_u8(r);
	len = reader_u8(r);
	if (len == 0x81)
		len = reader_u8(r);
	else if (len == 0x82)
		len = reader_be16(r);
	else if (len >= 0x80)
		return false;
	n->is.p = reader_bytes(r, len);
	n->is.len = len;
	return !r->bad;
}

static void
alt_names_begin(const struct certificate *c, struct reader *r)
{
	reader_init(r, c->alt_names.p, c->alt_names.len);
}

static bool
same_letters(const uint8_t *a, const char *b, size_t len)
{
	size_t i;
	uint8_t c;

	for (i = 0; i < len; i++) {
		c = a[i] >= 'A' && a[i] <= 'Z' ? (uint8_t)(a[i] - 'A' + 'a') : a[i];
		if (c != (uint8_t)b[i])
			return false;
	}
	return true;
}

/* "*." and at least two labels stand for one label and the same labels. */
static bool
wildcard_matches(struct span pattern, const char *name)
{
	const char *rest = strchr(name, '.');

	if (pattern.len < 3 || pattern.p[0] != '*' || pattern.p[1] != '.' || !rest ||
		rest == name)
		return false;
	if (strlen(rest) != pattern.len - 1 || !strchr(rest + 1, '.'))
		return false;
	return same_letters(pattern.p + 1, rest, pattern.len - 1);
}

static bool
dns_matches(struct span pattern, const char *name)
{
	if (pattern.len && pattern.p[pattern.len - 1] == '.')
		pattern.len--;
	if (pattern.len == strlen(name) && pattern.len &&
		same_letters(pattern.p, name, pattern.len))
		return true;
	return wildcard_matches(pattern, name);
}

bool
certificate_has_name(const struct certificate *c, const char *name)
{
	struct alt_name n;
	struct reader r;

	alt_names_begin(c, &r);
	while (alt_name_next(&r, &n))
		if (n.kind == NAME_DNS && dns_matches(n.is, name))
			return true;
	return false;
}

bool
certificate_has_ip(const struct certificate *c, const struct ip *ip)
{
	size_t len = ip->family == 4 ? 4 : 16;
	struct alt_name n;
	struct reader r;

	if (!ip->family)
		return false;
	alt_names_begin(c, &r);
	while (alt_name_next(&r, &n))
		if (n.kind == NAME_IP && n.is.len == len && !memcmp(n.is.p, ip->b, len))
			return true;
	return false;
}

/* False when it is of a kind that is not shown. */
static bool
alt_name_text(const struct alt_name *n, char out[static NAME_MAX_LEN + 1])
{
	struct ip ip;

	if (n->kind == NAME_IP && (n->is.len == 4 || n->is.len == 16)) {
		ip = ip_make(n->is.len == 4 ? 4 : 6, n->is.p);
		ip_format(&ip, out);
		return true;
	}
	if (n->kind != NAME_DNS || !n->is.len || n->is.len > NAME_MAX_LEN)
		return false;
	memcpy(out, n->is.p, n->is.len);
	out[n->is.len] = '\0';
	text_clean(out);
	return true;
}

const char *
certificate_names(const struct certificate *c, char *out, size_t cap)
{
	char text[NAME_MAX_LEN + 1], held[NAME_MAX_LEN + 1] = "";
	size_t at = 0, shown = 0, more = 0;
	struct alt_name n;
	struct reader r;

	out[0] = '\0';
	alt_names_begin(c, &r);
	/* One name is held back, since the last one has an "and" before it. */
	while (alt_name_next(&r, &n)) {
		if (!alt_name_text(&n, text))
			continue;
		if (shown == NAMES_SHOWN || (*held && at + strlen(held) + 64 > cap)) {
			more++;
			continue;
		}
		if (*held)
			at += (size_t)snprintf(
				out + at, cap - at, "%s%s", at ? ", " : "", held);
		memcpy(held, text, sizeof(held));
		shown++;
	}
	if (more)
		snprintf(out + at, cap - at, "%s%s and %zu more", at ? ", " : "", held,
			more);
	else if (*held)
		snprintf(out + at, cap - at, "%s%s", at ? " and " : "", held);
	return out;
}

/* Reads one header of an element; `inside` is what is in it. False: no more, or broken. */
static bool
element(struct reader *r, uint8_t *tag, struct span *inside)
{
	struct alt_name n;

	if (!alt_name_next(r, &n))
		return false;
	*tag = n.kind;
	*inside = n.is;
	return true;
}

/* The attribute 2.5.4.`number` of a name, as text; "" where it is absent. */
static void
attribute_text(struct span name, uint8_t number, char *out, size_t cap)
{
	struct span set, pair, id, value;
	struct reader all, in_set, in_pair;
	uint8_t tag;
	size_t n;

	out[0] = '\0';
	reader_init(&all, name.p, name.len);
	if (!element(&all, &tag, &set))
		return;
	reader_init(&all, set.p, set.len);
	while (element(&all, &tag, &set)) {
		reader_init(&in_set, set.p, set.len);
		if (!element(&in_set, &tag, &pair))
			return;
		reader_init(&in_pair, pair.p, pair.len);
		if (!element(&in_pair, &tag, &id) || !element(&in_pair, &tag, &value))
			return;
		if (id.len != 3 || id.p[0] != 0x55 || id.p[1] != 4 || id.p[2] != number)
			continue;
		n = value.len < cap - 1 ? value.len : cap - 1;
		if (n)
			memcpy(out, value.p, n);
		out[n] = '\0';
		text_clean(out);
		return;
	}
}

const char *
certificate_name_text(struct span name, char out[static CERTIFICATE_NAME_TEXT])
{
	enum { COMMON_NAME = 3, ORGANIZATION = 10, UNIT = 11 };
	char who[64], of[56];

	attribute_text(name, COMMON_NAME, who, sizeof(who));
	attribute_text(name, ORGANIZATION, of, sizeof(of));
	if (!*who)
		attribute_text(name, UNIT, who, sizeof(who));
	if (!*who && !*of)
		snprintf(who, sizeof(who), "somebody without a name");
	snprintf(
		out, CERTIFICATE_NAME_TEXT, "%s%s%s", who, *who && *of ? " of " : "", of);
	return out;
}

const char *
unix_time_text(int64_t t, char out[static UNIX_TIME_TEXT])
{
	int64_t days = t / 86400, rest = t % 86400, era, of_era, of_year, year, month;

	if (rest < 0) {
		rest += 86400;
		days--;
	}
	/* The calendar of days_from, backwards. */
	days += 719468;
	era = days / 146097;
	of_era = days % 146097;
	year = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
	of_year = of_era - (365 * year + year / 4 - year / 100);
	month = (5 * of_year + 2) / 153;
	snprintf(out, UNIX_TIME_TEXT, "%04d-%02d-%02d %02d:%02d:%02d UTC",
		(int)(year + era * 400 + (month >= 10)) % 10000,
		(int)(month < 10 ? month + 3 : month - 9),
		(int)(of_year - (153 * month + 2) / 5 + 1), (int)(rest / 3600),
		(int)(rest / 60 % 60), (int)(rest % 60));
	return out;
}
