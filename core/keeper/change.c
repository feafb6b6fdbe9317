/* SPDX-License-Identifier: MIT */
#include "keeper/change.h"

#include "base/text.h"
#include "keeper/check.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static const char *const classes[] = {
	[CHANGE_SESSION] = "session",
	[CHANGE_GUARD] = "guard",
	[CHANGE_BOOT] = "boot",
};

static const char *const kinds[] = {
	[CHANGE_ADDRESS] = "address",
	[CHANGE_ROUTES] = "routes",
	[CHANGE_FIREWALL] = "firewall",
	[CHANGE_RESOLVER] = "resolver",
	[CHANGE_SYSCTL] = "sysctl",
	[CHANGE_DIRECT] = "direct",
};

enum { FIELDS = 10 };

static int
fields_format(const struct change *c, char *to, size_t cap)
{
	const struct net_routes *r = &c->u.routes;
	char cidr[CIDR_TEXT];

	switch (c->kind) {
	case CHANGE_ADDRESS:
		return snprintf(to, cap, " %s %s", c->u.address.dev,
			cidr_format(&c->u.address.cidr, cidr));
	case CHANGE_ROUTES:
		return snprintf(to, cap, " %s %u %u %u %u %d %d", r->dev,
			(unsigned)r->uid, r->mark, r->table, r->pref, r->v4, r->v6);
	case CHANGE_FIREWALL:
		to[0] = '\0';
		return 0;
	case CHANGE_RESOLVER:
		return snprintf(to, cap, " %s", c->u.plan);
	case CHANGE_SYSCTL:
		return snprintf(to, cap, " %s %s %s", c->u.sysctl.name, c->u.sysctl.ours,
			c->u.sysctl.old);
	case CHANGE_DIRECT:
		return snprintf(to, cap, " %d %u", c->u.direct.family, c->u.direct.kept);
	}
	return -1;
}

int
change_format(const struct change *c, char text[static CHANGE_TEXT])
{
	struct change back;
	int n, m;

	n = snprintf(text, CHANGE_TEXT, "%s %s", classes[c->until], kinds[c->kind]);
	m = fields_format(c, text + n, (size_t)(CHANGE_TEXT - n));
	if (m < 0 || m >= CHANGE_TEXT - n)
		return -EINVAL;
	/* What could not be read back must not be relied upon. */
	return change_parse(&back, text);
}

static int
word_find(const char *const *words, size_t n, const char *word)
{
	size_t i;

	for (i = 0; i < n; i++) {
		if (strcmp(words[i], word) == 0)
			return (int)i;
	}
	return -1;
}

/* Splits at single spaces, in place. How many there are, at most FIELDS; -1: none, too
 * many, or an empty one. */
static int
fields_split(char *text, char *field[FIELDS])
{
	int n = 0;

	for (;;) {
		if (n == FIELDS || *text == ' ' || *text == '\0')
			return -1;
		field[n++] = text;
		text += strcspn(text, " ");
		if (*text == '\0')
			return n;
		*text++ = '\0';
	}
}

static bool
unsigned_parse(unsigned *to, const char *s)
{
	uint64_t n;

	if (!number_parse(&n, s, UINT32_MAX))
		return false;
	*to = (unsigned)n;
	return true;
}

static bool
copy(char *to, size_t cap, const char *from)
{
	size_t len = strlen(from);

	if (len == 0 || len >= cap)
		return false;
	memcpy(to, from, len + 1);
	return true;
}

static bool
flag_parse(bool *to, const char *s)
{
	*to = s[0] == '1';
	return (s[0] == '0' || s[0] == '1') && s[1] == '\0';
}

static bool
routes_parse(struct net_routes *r, char **f, int n)
{
	unsigned uid;

	if (n != 7 || !check_device(f[0]) || !copy(r->dev, sizeof r->dev, f[0]) ||
		!unsigned_parse(&uid, f[1]) || !unsigned_parse(&r->mark, f[2]) ||
		!unsigned_parse(&r->table, f[3]) || !unsigned_parse(&r->pref, f[4]) ||
		!flag_parse(&r->v4, f[5]) || !flag_parse(&r->v6, f[6]))
		return false;
	r->uid = uid;
	/* Never one of the machine's own tables (253 to 255), nor its rules. */
	return uid != 0 && r->mark != 0 && r->table > 255 && r->pref > 0 &&
		r->pref < 32760;
}

/* net.ipv4.name and the like: one that this program changes lies there. */
static bool
is_sysctl_name(const char *s)
{
	return strncmp(s, "net.", 4) == 0 && !strstr(s, "..") &&
		s[strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789_.")] == '\0';
}

/* Values of two numbers are one field with a tab; the kernel takes it like a space. */
static bool
is_sysctl_value(const char *s)
{
	return s[strspn(s, "0123456789-\t")] == '\0';
}

static bool
sysctl_parse(struct change *c, char **f, int n)
{
	return n == 3 && is_sysctl_name(f[0]) && is_sysctl_value(f[1]) &&
		is_sysctl_value(f[2]) &&
		copy(c->u.sysctl.name, sizeof c->u.sysctl.name, f[0]) &&
		copy(c->u.sysctl.ours, sizeof c->u.sysctl.ours, f[1]) &&
		copy(c->u.sysctl.old, sizeof c->u.sysctl.old, f[2]);
}

static bool
direct_parse(struct change *c, char **f, int n)
{
	unsigned family;

	if (n != 2 || !unsigned_parse(&family, f[0]) ||
		!unsigned_parse(&c->u.direct.kept, f[1]))
		return false;
	c->u.direct.family = (int)family;
	return (family == 4 || family == 6) && c->u.direct.kept != 0;
}

/* `resolved DEV`, `moved PATH`, `absent PATH` or `copied PATH SAVED`. */
static bool
plan_parse(char plan[static NET_PLAN], char **f, int n)
{
	int i, len;

	if (n == 2 && strcmp(f[0], "resolved") == 0) {
		if (!check_device(f[1]))
			return false;
	} else if (n == 2 ? strcmp(f[0], "moved") != 0 && strcmp(f[0], "absent") != 0
			  : n != 3 || strcmp(f[0], "copied") != 0) {
		return false;
	} else {
		for (i = 1; i < n; i++) {
			if (f[i][0] != '/' || strstr(f[i], "/../"))
				return false;
		}
	}
	len = snprintf(plan, NET_PLAN, "%s %s%s%s", f[0], f[1], n == 3 ? " " : "",
		n == 3 ? f[2] : "");
	return len > 0 && len < NET_PLAN;
}

static bool
fields_parse(struct change *c, char **f, int n)
{
	switch (c->kind) {
	case CHANGE_ADDRESS:
		return n == 2 && check_device(f[0]) &&
			copy(c->u.address.dev, sizeof c->u.address.dev, f[0]) &&
			strchr(f[1], '/') && cidr_parse(&c->u.address.cidr, f[1]);
	case CHANGE_ROUTES:
		return routes_parse(&c->u.routes, f, n);
	case CHANGE_FIREWALL:
		return n == 0;
	case CHANGE_RESOLVER:
		return plan_parse(c->u.plan, f, n);
	case CHANGE_SYSCTL:
		return sysctl_parse(c, f, n);
	case CHANGE_DIRECT:
		return direct_parse(c, f, n);
	}
	return false;
}

int
change_parse(struct change *c, const char *text)
{
	char line[CHANGE_TEXT], *field[FIELDS];
	int n, until, kind;
	const char *p;

	memset(c, 0, sizeof *c);
	for (p = text; *p; p++) {
		if (((unsigned char)*p < ' ' && *p != '\t') || (unsigned char)*p > '~')
			return -EINVAL;
	}
	if (!copy(line, sizeof line, text))
		return -EINVAL;
	n = fields_split(line, field);
	if (n < 2)
		return -EINVAL;
	until = word_find(classes, sizeof classes / sizeof *classes, field[0]);
	kind = word_find(kinds, sizeof kinds / sizeof *kinds, field[1]);
	if (until < 0 || kind < 0)
		return -EINVAL;
	c->until = (enum change_class)until;
	c->kind = (enum change_kind)kind;
	return fields_parse(c, field + 2, n - 2) ? 0 : -EINVAL;
}

/* Whoever changed it after us meant it. */
static int
sysctl_undo(const struct change *c, struct err *e)
{
	char now[SYSCTL_VALUE];

	if (net_sysctl_get(c->u.sysctl.name, now, sizeof now, e) < 0)
		return -1;
	if (strcmp(now, c->u.sysctl.ours) != 0)
		return 0;
	return net_sysctl_set(c->u.sysctl.name, c->u.sysctl.old, e);
}

int
change_undo(const struct change *c, struct err *e)
{
	switch (c->kind) {
	case CHANGE_ADDRESS:
		return net_address_del(c->u.address.dev, &c->u.address.cidr, e);
	case CHANGE_ROUTES:
		return net_routes_del(&c->u.routes, e);
	case CHANGE_FIREWALL:
		return net_firewall_del(e);
	case CHANGE_RESOLVER:
		return net_resolver_restore(c->u.plan, e);
	case CHANGE_SYSCTL:
		return sysctl_undo(c, e);
	case CHANGE_DIRECT:
		return net_direct_del(c->u.direct.family, c->u.direct.kept, e);
	}
	return err_set(e, "a change of an unknown kind");
}
