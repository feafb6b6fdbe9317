/* SPDX-License-Identifier: MIT */
#include "rules/load.h"

#include "base/addr.h"
#include "base/text.h"
#include "rules/geodat.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

enum { DATA_PATH = 4096, LIST_NAME = 256 };

static const struct {
	const char *prefix;
	enum domain_kind kind;
} forms[] = {
	{ "domain:", DOMAIN_SUFFIX },
	{ "full:", DOMAIN_FULL },
	{ "keyword:", DOMAIN_KEYWORD },
	{ "regexp:", DOMAIN_REGEXP },
	{ "dotless:", DOMAIN_DOTLESS },
};

static const char *const list_forms[] = { "ext:", "ext-domain:", "ext-site:" };

static const char *
prefix_cut(const char *s, const char *prefix)
{
	size_t len = strlen(prefix);

	return strncasecmp(s, prefix, len) == 0 ? s + len : NULL;
}

static enum domain_kind
kind_of(enum geosite_type type)
{
	switch (type) {
	case GEOSITE_KEYWORD:
		return DOMAIN_KEYWORD;
	case GEOSITE_REGEXP:
		return DOMAIN_REGEXP;
	case GEOSITE_SUFFIX:
		return DOMAIN_SUFFIX;
	case GEOSITE_FULL:
		return DOMAIN_FULL;
	}
	return DOMAIN_KEYWORD;
}

/* A bad value of somebody else's list is left out, as in Xray, and said once. */
static int
list_add(struct loader *l, const char *value, struct reader *fields, const char *attrs,
	struct domain_set *s)
{
	struct geosite_domain d;
	size_t left_out = 0;
	struct err first;
	int r, got;

	while ((got = geosite_next(fields, attrs, &d)) > 0) {
		r = domain_set_add(s, kind_of(d.type), d.value, d.len, l->e);
		if (r == -ENOMEM || r == -E2BIG)
			return err_prefix(l->e, "%s", value);
		if (r < 0 && left_out++ == 0)
			first = *l->e;
	}
	if (got < 0)
		return err_set(
			l->e, "%s: the list is damaged, or is not one of domains", value);
	if (left_out)
		loader_warn(l, "%s: %zu domains are left out; the first: %s", value,
			left_out, first.text);
	return 0;
}

/* LIST or LIST@attr or LIST@attr@attr: domains that have all of the attributes. */
static int
list_load(struct loader *l, const char *value, const char *file, const char *text,
	struct domain_set *s)
{
	size_t len = strcspn(text, "@"), all = strlen(text);
	struct reader fields;
	char list[LIST_NAME];

	if (len == 0 || len >= sizeof(list) || text[all - 1] == '@' || strstr(text, "@@"))
		return err_set(l->e,
			"%s: a list is needed, as in geosite:LIST or "
			"geosite:LIST@ATTRIBUTE",
			value);
	memcpy(list, text, len);
	list[len] = '\0';
	if (data_list_find(l, value, file, list, &fields) < 0)
		return -1;
	return list_add(l, value, &fields, text + len + (text[len] == '@'), s);
}

static int
ext_load(struct loader *l, const char *value, const char *rest, struct domain_set *s)
{
	char file[DATA_PATH];
	const char *list;

	if (!ext_split(rest, file, sizeof(file), &list))
		return err_set(l->e, "%s: ext:FILE:LIST is right", value);
	return list_load(l, value, file, list, s);
}

/* No name has a colon in it, so this value could never match anything. */
static int
form_unknown(struct loader *l, const char *value, const char *colon)
{
	static const char *const words[] = { "domain", "full", "keyword", "regexp",
		"dotless", "geosite", "ext", "ext-domain", NULL };
	char word[32] = "";
	const char *near;

	if ((size_t)(colon - value) < sizeof(word))
		memcpy(word, value, (size_t)(colon - value));
	if (strcasecmp(word, "geoip") == 0)
		return err_set(
			l->e, "%s: countries belong into \"ip\"; here are names", value);
	near = text_nearest(word, words);
	if (near)
		return err_set(l->e, "%s: no such form; did you mean %s:?", value, near);
	return err_set(l->e,
		"%s: no such form; there are domain:, full:, keyword:, regexp:, dotless:, "
		"geosite: and ext:",
		value);
}

static bool
is_ascii(const char *s)
{
	while (*s && !((unsigned char)*s & 0x80))
		s++;
	return !*s;
}

/* Why a value that is right in form matches nothing; NULL: it may. */
static const char *
doubt(enum domain_kind kind, const char *text)
{
	struct cidr c;

	if (strchr(text, '*'))
		return "no name has a * in it, so this matches nothing; "
		       "domain:example.com takes all that is under example.com";
	if (!is_ascii(text))
		return "names travel in ASCII, so this matches nothing; write it in its "
		       "xn-- form";
	if (strpbrk(text, " \t\r\n"))
		return "no name has a space in it, so this matches nothing; take it out";
	if (cidr_parse(&c, text) && (kind != DOMAIN_KEYWORD || strchr(text, '/')))
		return "is of addresses, and matches no name: it belongs into \"ip\"";
	if (strchr(text, '/'))
		return "no name has a / in it, so this matches nothing; write the name "
		       "alone";
	return NULL;
}

static int
pattern_load(struct loader *l, const char *value, enum domain_kind kind, const char *text,
	struct domain_set *s)
{
	const char *why = kind == DOMAIN_REGEXP ? NULL : doubt(kind, text);

	if (why)
		loader_warn(l, "\"%.120s\": %s", value, why);
	if (domain_set_add(s, kind, text, strlen(text), l->e) < 0)
		return err_prefix(l->e, "%s", value);
	return 0;
}

int
domain_value_load(struct loader *l, const char *value, struct domain_set *s)
{
	const char *rest, *colon;
	size_t i;

	for (i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
		rest = prefix_cut(value, forms[i].prefix);
		if (rest)
			return pattern_load(l, value, forms[i].kind, rest, s);
	}
	rest = prefix_cut(value, "geosite:");
	if (rest)
		return list_load(l, value, "geosite.dat", rest, s);
	for (i = 0; i < sizeof(list_forms) / sizeof(list_forms[0]); i++) {
		rest = prefix_cut(value, list_forms[i]);
		if (rest)
			return ext_load(l, value, rest, s);
	}
	colon = strchr(value, ':');
	if (colon)
		return form_unknown(l, value, colon);
	return pattern_load(l, value, DOMAIN_KEYWORD, value, s);
}
