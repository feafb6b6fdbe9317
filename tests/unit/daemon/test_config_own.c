/* SPDX-License-Identifier: MIT */
/* What the configuration says in `sluice`, which Xray does not have. */
#include "unit/daemon/read.h"

/* A configuration whose `sluice` is this. */
static struct config *
read_own(const char *own)
{
	return read_filled("{" DIRECT ",\"sluice\":%s}", own);
}

static void
offload_is_taken(void **state)
{
	static const struct {
		const char *own;
		bool plain;
	} cases[] = {
		{ "{}", false },
		{ "{\"offload\":true}", false },
		{ "{\"offload\":false}", true },
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct config *c = read_own(cases[i].own);

		assert_int_equal(c->tun_plain, cases[i].plain);
		config_free(c);
	}
}

static void
memory_is_taken(void **state)
{
	static const struct {
		const char *own;
		size_t bytes;
		int queue; /* of the device */
	} cases[] = {
		{ "{}", (size_t)256 << 20, TUN_QUEUE_MAX },
		{ "{\"memory\":\"64 MB\"}", (size_t)64 << 20, 2500 },
		{ "{\"memory\":\"1gb\"}", (size_t)1 << 30, TUN_QUEUE_MAX },
		{ "{\"memory\":\"20000000\"}", 20000000, 745 },
		{ "{\"memory\":20000000}", 20000000, 745 },
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct config *c = read_own(cases[i].own);

		assert_int_equal(c->budget, cases[i].bytes);
		assert_int_equal(c->tun.queue, cases[i].queue);
		config_free(c);
	}
}

static void
time_servers_are_taken(void **state)
{
	struct config *c = read_text(
		"{" DIRECT ",\"sluice\":{\"clock\":\"Auto\",\"sntp\":["
		"\"192.0.2.1\",\"192.0.2.2:1123\",\"[2001:db8::1]:99\","
		"\"Time.Example.COM.:1124\"]}}");

	(void)state;
	assert_true(c->clock_auto);
	assert_int_equal(c->nsntp, 4);
	assert_int_equal(c->sntp[0].at.port, 123);
	assert_int_equal(c->sntp[0].at.ip.b[3], 1);
	assert_int_equal(c->sntp[1].at.port, 1123);
	assert_int_equal(c->sntp[2].at.ip.family, 6);
	assert_int_equal(c->sntp[2].at.port, 99);
	assert_string_equal(c->sntp[3].at.name, "time.example.com");
	assert_int_equal(c->sntp[3].at.port, 1124);
	assert_string_equal(c->sntp[3].path, "c.json: sluice.sntp[3]");
	config_free(c);
	c = read_text("{" DIRECT ",\"sluice\":{\"sntp\":\"2001:db8::1\"}}");
	assert_false(c->clock_auto);
	assert_int_equal(c->nsntp, 1);
	assert_int_equal(c->sntp[0].at.ip.family, 6);
	config_free(c);
}

static void
direct_is_taken(void **state)
{
	static const struct {
		const char *own;
		enum direct_way way;
	} cases[] = {
		{ "{}", DIRECT_AUTO },
		{ "{\"direct\":\"stack\"}", DIRECT_STACK },
		{ "{\"direct\":\"Auto\"}", DIRECT_AUTO },
		{ "{\"direct\":\"kernel\"}", DIRECT_KERNEL },
	};
	char *printed;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct config *c = read_own(cases[i].own);

		assert_int_equal(c->direct, cases[i].way);
		assert_int_equal(config_print(c, &printed), 0);
		config_free(c);
		c = read_text(printed);
		assert_int_equal(c->direct, cases[i].way);
		config_free(c);
		config_print_free(printed);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(offload_is_taken),
		cmocka_unit_test(memory_is_taken),
		cmocka_unit_test(time_servers_are_taken),
		cmocka_unit_test(direct_is_taken),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
