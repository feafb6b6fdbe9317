/* SPDX-License-Identifier: MIT */
/* Both list files: find lists, read all of them as domains and as networks, and put what
 * they hold into sets, as loading does. */
#include "fuzz/fuzz.h"
#include "rules/cidr.h"
#include "rules/domain.h"
#include "rules/geodat.h"

#include <stdlib.h>
#include <string.h>

/* Unlike assert, it is there in every build. */
enum { DOMAINS_MAX = 64, REGEXP_BYTES = 64 }; /* or one input takes too long */

static void
domains_add(struct reader list, const char *attrs)
{
	static const enum domain_kind kinds[] = { DOMAIN_KEYWORD, DOMAIN_REGEXP,
		DOMAIN_SUFFIX, DOMAIN_FULL };
	struct domain_set *s = domain_set_new();
	struct geosite_domain d;
	struct domain_hit hit;
	struct err e;
	int i;

	if (!s)
		return;
	for (i = 0; i < DOMAINS_MAX && geosite_next(&list, attrs, &d) > 0; i++)
		if (d.type != GEOSITE_REGEXP || d.len <= REGEXP_BYTES)
			domain_set_add(s, kinds[d.type], d.value, d.len, &e);
	if (domain_set_has(s, "www.tracker.example.com", &hit))
		must(hit.pattern != NULL);
	domain_set_has(s, "a", &hit);
	domain_set_free(s);
}

static void
networks_add(struct reader list)
{
	struct ip ip = { 4, { 192, 0, 2, 1 } };
	struct cidr_set s = { 0 };
	struct cidr c;
	int added = 0;

	while (geoipdat_next(&list, &c) > 0)
		added += cidr_set_add(&s, &c) == 0;
	cidr_set_seal(&s);
	must(cidr_set_knows(&s, 4) + cidr_set_knows(&s, 6) <= added);
	cidr_set_has(&s, &ip);
	cidr_set_free(&s);
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t len)
{
	static const char *const names[] = { "test", "A", "gone" };
	char near[GEODAT_NAME];
	struct reader list;
	size_t i;

	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (geodat_find(p, len, names[i], &list) < 0)
			continue;
		domains_add(list, "");
		domains_add(list, "ads@cn");
		networks_add(list);
	}
	geodat_nearest(p, len, "tset", near);
	must(strlen(near) < sizeof(near));
	return 0;
}
