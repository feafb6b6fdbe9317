/* SPDX-License-Identifier: MIT */
#include "rules/load.h"

#include "rules/geodat.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

enum { DATA_PATH = 4096 };

/* Every `!` turns the meaning round, as in Xray. */
static const char *
negation_cut(const char *s, bool *negated)
{
	for (; *s == '!'; s++)
		*negated = !*negated;
	return s;
}

static const char *
prefix_cut(const char *s, const char *prefix)
{
	size_t len = strlen(prefix);

	return strncasecmp(s, prefix, len) == 0 ? s + len : NULL;
}

static int
geoip_need(struct loader *l, const char *value)
{
	char path[DATA_PATH];

	if (l->rules->geoip)
		return 0;
	if (!l->files)
		return err_set(l->e, "%s: there is no country database here", value);
	if (l->files->open(l->files, "geoip", path, sizeof(path), l->e) < 0)
		return err_prefix(l->e, "%s", value);
	l->rules->geoip = geoip_open(path, l->e);
	return l->rules->geoip ? 0 : err_prefix(l->e, "%s", value);
}

static int
too_much(struct loader *l, const char *value, int r)
{
	if (r == 0)
		return 0;
	return err_set(l->e, "%s: %s", value,
		r == -E2BIG ? "more networks than a list may have" : "no memory for it");
}

/* A list of a geoip.dat. */
static int
list_load(struct loader *l, const char *value, const char *file, const char *list,
	struct address_match *m, enum address_group g)
{
	struct reader fields;
	struct cidr c;
	int r = 0, added = 0;

	if (data_list_find(l, value, file, list, &fields) < 0)
		return -1;
	while (added == 0 && (r = geoipdat_next(&fields, &c)) > 0)
		added = address_match_net(m, g, &c);
	if (added < 0)
		return too_much(l, value, added);
	if (r == -ENOTSUP)
		return err_set(l->e,
			"%s: list %s of %s is an inverse one; name it with "
			"\"!\" instead",
			value, list, file);
	if (r < 0)
		return err_set(l->e,
			"%s: list %s of %s is damaged, or is not one of "
			"networks",
			value, list, file);
	return 0;
}

/* What people write for Great Britain is no code of a country. */
static void
country_doubt(struct loader *l, const char *value, const char *name)
{
	if (!geoip_has_country(l->rules->geoip, name))
		loader_warn(l,
			"%s: the country database has no address in this country%s",
			value,
			strcasecmp(name, "uk") == 0 ? "; did you mean geoip:gb?" : "");
}

/*
 * geoip:NAME.  "private" is built in; two letters are a country of the
 * database; other lists ("telegram", "cloudflare") are Xray's geoip.dat's, and
 * read from there where there is one.
 */
static int
geoip_load(struct loader *l, const char *value, const char *name, struct address_match *m,
	enum address_group g)
{
	if (name[0] == '\0')
		return err_set(l->e, "%s: a country is needed, as in geoip:xx", value);
	if (strcasecmp(name, "private") == 0)
		return too_much(l, value, address_match_private(m, g));
	if (address_match_country(m, g, name)) {
		if (geoip_need(l, value) < 0)
			return -1;
		country_doubt(l, value, name);
		return 0;
	}
	if (list_load(l, value, "geoip.dat", name, m, g) == 0)
		return 0;
	return err_prefix(l->e, "no country, so a list of geoip.dat");
}

static int
ext_load(struct loader *l, const char *value, const char *rest, bool negated,
	struct address_match *m)
{
	char file[DATA_PATH];
	const char *list;

	if (ext_split(rest, file, sizeof(file), &list))
		list = negation_cut(list, &negated);
	else
		list = "";
	if (list[0] == '\0')
		return err_set(l->e, "%s: ext:FILE:LIST is right", value);
	return list_load(l, value, file, list, m, negated ? GROUP_NOT_NAMED : GROUP_IN);
}

static int
network_load(struct loader *l, const char *value, const char *text, bool negated,
	struct address_match *m)
{
	struct cidr c;

	if (prefix_cut(text, "geosite:") || prefix_cut(text, "domain:"))
		return err_set(l->e,
			"%s: names belong into \"domain\"; here are addresses", value);
	if (!cidr_parse(&c, text))
		return err_set(l->e,
			"%s is not an address, a network (192.0.2.0/24), geoip:xx or "
			"ext:FILE:LIST",
			value);
	return too_much(l, value,
		address_match_net(m, negated ? GROUP_NOT_LITERAL : GROUP_IN, &c));
}

int
address_value_load(struct loader *l, const char *value, struct address_match *m)
{
	bool negated = false;
	const char *text = negation_cut(value, &negated), *rest;

	rest = prefix_cut(text, "geoip:");
	if (rest) {
		rest = negation_cut(rest, &negated);
		return geoip_load(
			l, value, rest, m, negated ? GROUP_NOT_NAMED : GROUP_IN);
	}
	rest = prefix_cut(text, "ext:");
	if (!rest)
		rest = prefix_cut(text, "ext-ip:");
	if (rest)
		return ext_load(l, value, rest, negated, m);
	return network_load(l, value, text, negated, m);
}
