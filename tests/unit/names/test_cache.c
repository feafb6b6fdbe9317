/* SPDX-License-Identifier: MIT */
#include "names/cache.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

static void
ttls_have_bounds(void **state)
{
	(void)state;
	assert_int_equal(cache_ttl(0, 1), 1);
	assert_int_equal(cache_ttl(60, 1), 60);
	assert_int_equal(cache_ttl(UINT32_MAX, 1), 86400);
	assert_int_equal(cache_ttl(0, 0), 1);
	assert_int_equal(cache_ttl(86400, 0), 900);
}

static void
entries_live_until_their_time(void **state)
{
	struct cache *c = cache_new(0);
	const struct ip *found;
	struct ip ip[2];

	(void)state;
	ip_parse(&ip[0], "192.0.2.1");
	ip_parse(&ip[1], "192.0.2.2");
	assert_int_equal(cache_find(c, 0, "a", 1, &found), -EAGAIN);
	cache_put(c, 1000, "a", 1, ip, 2, 10);
	cache_put(c, 1000, "a", 28, NULL, 0, 5);
	assert_int_equal(cache_find(c, 10999, "a", 1, &found), 2);
	assert_true(ip_equal(&found[1], &ip[1]));
	assert_int_equal(cache_find(c, 5999, "a", 28, &found), 0);
	assert_int_equal(cache_find(c, 6000, "a", 28, &found), -EAGAIN);
	assert_int_equal(cache_find(c, 11000, "a", 1, &found), -EAGAIN);
	/* A new answer replaces the old one. */
	cache_put(c, 0, "a", 1, ip, 2, 10);
	cache_put(c, 0, "a", 1, ip, 1, 10);
	assert_int_equal(cache_find(c, 1, "a", 1, &found), 1);
	cache_flush(c);
	assert_int_equal(cache_find(c, 1, "a", 1, &found), -EAGAIN);
	cache_free(c);
	cache_free(NULL);
}

static void
the_oldest_goes(void **state)
{
	struct cache *c = cache_new(100);
	const struct ip *found;
	char name[16];
	int i;

	(void)state;
	for (i = 0; i < 1000; i++) {
		snprintf(name, sizeof(name), "n%d", i);
		cache_put(c, 0, name, 1, NULL, 0, 10);
	}
	assert_int_equal(cache_find(c, 1, "n899", 1, &found), -EAGAIN);
	assert_int_equal(cache_find(c, 1, "n900", 1, &found), 0);
	assert_int_equal(cache_find(c, 1, "n999", 1, &found), 0);
	cache_free(c);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ttls_have_bounds),
		cmocka_unit_test(entries_live_until_their_time),
		cmocka_unit_test(the_oldest_goes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
