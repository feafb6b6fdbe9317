/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "keeper/report.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct keeper_report
keeper_sample(void)
{
	return (struct keeper_report){
		.version = "1.2.3",
		.phase = REPORT_AGAIN,
		.asked = true,
		.keeper = 4000000000u,
		.engine = 7,
		.age = 1ull << 40,
		.engine_age = 12,
		.restarts = 3,
		.died = 99,
		.death = "was ended by signal 9",
		.device = "tun7",
		.mtu = 65535,
		.routed6 = true,
		.resolver = true,
		.exposed = true,
		.astray = true,
		.mends = 70000,
		.mended = 1ull << 33,
		.led_back = 3000000000u,
		.led = 1ull << 34,
		.led_mark = 0x80000099u,
		.beside4 = "eth0.100-abcdef",
		.held6 = "somebody changed our firewall rules",
	};
}

/* The longest that there can be. */
static void
engine_sample(struct engine_report *r)
{
	memset(r, 0, sizeof *r);
	for (int i = 0; i < REPORT_COUNTERS; i++)
		r->n[i] = UINT64_MAX - (uint64_t)i;
	r->offload = TUN_SUMS | TUN_UDP;
	r->direct[0].way = REPORT_WAY_SAFE;
	r->direct[1].way = REPORT_WAY_STACK;
	memset(r->direct[1].why, 'w', sizeof r->direct[1].why - 1);
	r->outbounds = 1000;
	r->noutbound = REPORT_OUTBOUNDS;
	for (int i = 0; i < REPORT_OUTBOUNDS; i++) {
		struct outbound_report *o = &r->outbound[i];

		memset(o->tag, 'a' + i % 26, sizeof o->tag - 1);
		memset(o->kind, 'k', sizeof o->kind - 1);
		memset(o->server, 's', sizeof o->server - 1);
		memset(o->why, 'y', sizeof o->why - 1);
		memset(o->kept, 'p', sizeof o->kept - 1);
		o->flows = (uint64_t)i;
		o->up = 1;
		o->down = 2;
		o->answered = REPORT_NEVER;
		o->failed = 3;
		o->failures = 4;
	}
}

static void
keeper_there_and_back(void **state)
{
	struct keeper_report want = keeper_sample(), got;
	uint8_t p[REPORT_MAX];
	size_t len = keeper_report_write(&want, p);

	(void)state;
	assert_int_equal(keeper_report_read(&got, p, len), 0);
	assert_string_equal(got.version, want.version);
	assert_int_equal(got.phase, want.phase);
	assert_true(got.asked);
	assert_int_equal(got.keeper, want.keeper);
	assert_int_equal(got.engine, want.engine);
	assert_true(got.age == want.age && got.engine_age == want.engine_age);
	assert_int_equal(got.restarts, want.restarts);
	assert_true(got.died == want.died);
	assert_string_equal(got.death, want.death);
	assert_string_equal(got.device, want.device);
	assert_int_equal(got.mtu, want.mtu);
	assert_true(!got.routed4 && got.routed6 && got.resolver && got.exposed);
	assert_true(got.astray);
	assert_string_equal(got.held4, "");
	assert_string_equal(got.held6, want.held6);
	assert_true(got.mends == want.mends && got.mended == want.mended);
	assert_true(got.led_back == want.led_back && got.led == want.led);
	assert_int_equal(got.led_mark, want.led_mark);
	assert_string_equal(got.beside4, want.beside4);
	assert_string_equal(got.beside6, "");
}

static void
engine_there_and_back(void **state)
{
	static struct engine_report want, got;
	static uint8_t p[REPORT_MAX];
	size_t len;

	(void)state;
	engine_sample(&want);
	len = engine_report_write(&want, p);
	assert_int_equal(engine_report_read(&got, p, len), 0);
	assert_memory_equal(&got, &want, sizeof got);
}

/* Each in memory of its size, so that the sanitizer sees a byte too many. */
static void
cut_short(void **state)
{
	static struct engine_report engine;
	struct keeper_report keeper = keeper_sample();
	static uint8_t p[REPORT_MAX];
	struct engine_report *e = malloc(sizeof *e);
	struct keeper_report k;
	size_t len, n;
	uint8_t *copy;

	(void)state;
	assert_non_null(e);
	engine_sample(&engine);
	engine.noutbound = 2;
	for (int which = 0; which < 2; which++) {
		len = which ? engine_report_write(&engine, p)
			    : keeper_report_write(&keeper, p);
		for (n = 0; n <= len + 1; n++) {
			copy = malloc(n + 1);
			assert_non_null(copy);
			memcpy(copy, p, n);
			assert_int_equal(which ? engine_report_read(e, copy, n)
					       : keeper_report_read(&k, copy, n),
				n == len ? 0 : -EBADMSG);
			free(copy);
		}
	}
	free(e);
}

enum { AT_FORM = 4, AT_WHOSE = 5, AT_VERSION = 6 };

static void
of_another_kind(void **state)
{
	struct keeper_report k = keeper_sample();
	static struct engine_report e;
	uint8_t p[REPORT_MAX];
	size_t len = keeper_report_write(&k, p);

	(void)state;
	assert_int_equal(engine_report_read(&e, p, len), -EBADMSG);
	p[AT_FORM]++;
	/* Whatever follows: it says which version it is. */
	memset(p + AT_VERSION + 6, 0xff, 40);
	memset(&k, 0, sizeof k);
	assert_int_equal(keeper_report_read(&k, p, len), -EPROTO);
	assert_string_equal(k.version, "1.2.3");
	p[0]++;
	assert_int_equal(keeper_report_read(&k, p, len), -EBADMSG);
}

static void
lies(void **state)
{
	struct keeper_report k = keeper_sample();
	uint8_t p[REPORT_MAX];
	size_t len = keeper_report_write(&k, p), phase = AT_VERSION + 1 + 5;

	(void)state;
	/* A phase that there is not, a claim that is neither true nor false. */
	p[phase] = REPORT_PHASES;
	assert_int_equal(keeper_report_read(&k, p, len), -EBADMSG);
	p[phase] = REPORT_RUNNING;
	p[phase + 1] = 2;
	assert_int_equal(keeper_report_read(&k, p, len), -EBADMSG);
	p[phase + 1] = 1;
	assert_int_equal(keeper_report_read(&k, p, len), 0);
	/* A text that is longer than it may be, and one that would steer a terminal. */
	p[AT_VERSION] = REPORT_WORD;
	assert_int_equal(keeper_report_read(&k, p, len), -EBADMSG);
	p[AT_VERSION] = 5;
	memcpy(p + AT_VERSION + 1, "\x1b[2J\n", 5);
	assert_int_equal(keeper_report_read(&k, p, len), 0);
	assert_string_equal(k.version, "?[2J?");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keeper_there_and_back),
		cmocka_unit_test(engine_there_and_back),
		cmocka_unit_test(cut_short),
		cmocka_unit_test(of_another_kind),
		cmocka_unit_test(lies),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
