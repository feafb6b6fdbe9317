/* SPDX-License-Identifier: MIT */
#include "daemon/test_steps.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <string.h>

static const struct clock_reading ahead = {
	.told = true,
	.ahead = 432,
	.who = "the server",
};
static const struct clock_reading bound = {
	.told = true,
	.bound = true,
	.ahead = 7200,
	.who = "the certificate",
};
static const struct clock_reading right = { .told = true, .who = "the server" };

static const struct {
	struct test_failure failure;
	const char *part;
} rows[] = {
	{ { .step = TEST_NAME, .error = -EDESTADDRREQ }, "is a place-holder" },
	{ { .step = TEST_NAME, .error = -ENOENT }, "check the name's spelling" },
	{ { .step = TEST_NAME, .error = -ETIMEDOUT }, "resolvers do not answer" },
	{ { .step = TEST_TCP, .error = -ECONNREFUSED }, "nothing listens on that port" },
	{ { .step = TEST_TCP, .error = -ETIMEDOUT }, "try from another network" },
	{ { .step = TEST_TCP, .error = -ENETUNREACH }, "no way from this machine" },
	{ { .step = TEST_TCP, .error = -EHOSTUNREACH }, "\"sudo sluice recover\"" },
	{ { .step = TEST_TCP, .error = -EIO }, "check address and port" },
	{ { .step = TEST_TLS, .fault = TLS_FAULT_VERSION }, "minVersion and maxVersion" },
	{ { .step = TEST_TLS, .fault = TLS_FAULT_DATES }, "must be renewed" },
	{ { .step = TEST_TLS, .fault = TLS_FAULT_NAME }, "check serverName: another" },
	{ { .step = TEST_TLS, .fault = TLS_FAULT_ISSUER },
		"[{\"usage\": \"verify\", \"certificateFile\": \"FILE\"}] as "
		"tlsSettings.certificates; or" },
	{ { .step = TEST_TLS, .fault = TLS_FAULT_PIN }, "put in the new pin" },
	{ { .step = TEST_TLS, .fault = TLS_FAULT_CLIENT }, "ask for another server" },
	{ { .step = TEST_TLS, .error = -EACCES }, "must mend that" },
	{ { .step = TEST_TLS, .error = -EPROTO, .late = true },
		"take security \"tls\" out" },
	{ { .step = TEST_TLS, .error = -EPROTO }, "check port and serverName" },
	{ { .step = TEST_UPGRADE, .status = 404 }, "check path (and host)" },
	{ { .step = TEST_UPGRADE, .status = 503 }, "a proxy that does not reach" },
	{ { .step = TEST_UPGRADE, .status = 401 }, "forbids this" },
	{ { .step = TEST_UPGRADE, .status = 403 }, "forbids this" },
	{ { .step = TEST_UPGRADE, .status = 302 }, "it sends elsewhere" },
	{ { .step = TEST_UPGRADE, .status = 400 }, "check whether the server wants TLS" },
	{ { .step = TEST_UPGRADE, .status = 200 }, "no server of this transport" },
	{ { .step = TEST_UPGRADE }, "whether it wants TLS" },
	{ { .step = TEST_VMESS, .error = -EBADMSG }, "another service answers" },
	{ { .step = TEST_VMESS }, "check the id and this machine's clock" },
	{ { .step = TEST_VMESS, .drained = true }, "like a stranger" },
	{ { .step = TEST_VMESS, .clock = &right }, "this clock agrees with the server" },
	{ { .step = TEST_VMESS, .clock = &ahead }, "or set sluice.clock to \"auto\"" },
	{ { .step = TEST_PROBE, .late = true }, "so the id is right" },
	{ { .step = TEST_PROBE }, "does not reach this target" },
};

static const char *
advice(const struct test_failure *f, struct outbound_spec *spec, bool clock_auto)
{
	static char text[1024];
	struct outbound_env env = { .clock_auto = clock_auto };
	struct test_way way = { .spec = spec, .env = &env };

	return test_advice(f, &way, text, sizeof(text));
}

static void
assert_part(const char *text, const char *part)
{
	if (!strstr(text, part))
		fail_msg("\"%s\" has no \"%s\"", text, part);
}

static void
each_failure_has_its_advice(void **state)
{
	struct outbound_spec spec = { .kind = OUTBOUND_VMESS };
	struct vmess_user_spec user = { .security = 0 };
	struct vmess_server_spec server = { .user = &user, .nuser = 1 };
	size_t i;

	(void)state;
	spec.u.vmess.server = &server;
	spec.u.vmess.nserver = 1;
	for (i = 0; i < sizeof(rows) / sizeof(*rows); i++)
		assert_part(advice(&rows[i].failure, &spec, false), rows[i].part);
}

/* Where the clock is already corrected, or known within a bound alone, "auto" is no
 * advice. */
static void
auto_is_advised_where_it_helps(void **state)
{
	struct outbound_spec spec = { .kind = OUTBOUND_VMESS };
	struct vmess_user_spec user = { .alter_ids = 4 };
	struct vmess_server_spec server = { .user = &user, .nuser = 1 };
	struct test_failure f = { .step = TEST_VMESS, .clock = &ahead };

	(void)state;
	spec.u.vmess.server = &server;
	spec.u.vmess.nserver = 1;
	assert_part(advice(&f, &spec, true), "a header with that time is refused, too");
	assert_part(advice(&f, &spec, true), "7 min 12 s ahead of the server");
	f.clock = &bound;
	assert_part(advice(&f, &spec, true), "set this machine's clock: ");
	assert_null(strstr(advice(&f, &spec, true), "auto"));
	assert_null(strstr(advice(&f, &spec, false), "auto"));
	f.clock = &right;
	assert_part(advice(&f, &spec, false), "takes an alterId above 0");
}

static const struct test_failure closed = { .step = TEST_VMESS, .error = -ECONNRESET };

/* A server that drains, or has answered an upgrade, is what the port should have. */
static void
the_port_is_doubted_where_all_ends_at_once(void **state)
{
	struct outbound_spec spec = { .kind = OUTBOUND_VMESS };
	struct vmess_user_spec user = { .security = 0 };
	struct vmess_server_spec server = { .user = &user, .nuser = 1 };
	struct test_failure f = closed;

	(void)state;
	spec.u.vmess.server = &server;
	spec.u.vmess.nserver = 1;
	assert_part(advice(&f, &spec, false), "right port, and wants TLS or WebSocket");
	f.drained = true;
	assert_null(strstr(advice(&f, &spec, false), "port"));
	f.drained = false;
	spec.u.vmess.carrier.secured = true;
	assert_part(advice(&f, &spec, false), "right port, and wants WebSocket");
	spec.u.vmess.carrier.kind = CARRIER_WEBSOCKET;
	assert_null(strstr(advice(&f, &spec, false), "port"));
}

static void
tls_is_no_advice_to_who_has_it(void **state)
{
	struct outbound_spec spec = { .kind = OUTBOUND_VMESS };
	struct test_failure f = { .step = TEST_UPGRADE, .status = 400 };

	(void)state;
	spec.u.vmess.carrier.secured = true;
	assert_part(advice(&f, &spec, false), "check path and host");
	assert_null(strstr(advice(&f, &spec, false), "TLS"));
}

static void
silent_time_servers_are_told(void **state)
{
	struct outbound_spec spec = { .kind = OUTBOUND_VMESS };
	struct vmess_user_spec user = { .security = 0 };
	struct vmess_server_spec server = { .user = &user, .nuser = 1 };
	struct outbound_env env = { .clock_auto = false };
	struct test_way way = { .spec = &spec, .env = &env, .has_sntp = true };
	char text[1024];

	(void)state;
	spec.u.vmess.server = &server;
	spec.u.vmess.nserver = 1;
	test_advice(&closed, &way, text, sizeof(text));
	assert_part(text, "no time server of sluice.sntp has told");
	assert_null(strstr(text, "names time servers"));
	way.has_sntp = false;
	test_advice(&closed, &way, text, sizeof(text));
	assert_part(text, "sluice.sntp names time servers to ask");
}

static void
freedom_has_no_id(void **state)
{
	struct outbound_spec spec = { .kind = OUTBOUND_FREEDOM };
	struct test_failure f = { .step = TEST_PROBE };

	(void)state;
	assert_part(advice(&f, &spec, false), "its other side says nothing");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_failure_has_its_advice),
		cmocka_unit_test(auto_is_advised_where_it_helps),
		cmocka_unit_test(the_port_is_doubted_where_all_ends_at_once),
		cmocka_unit_test(tls_is_no_advice_to_who_has_it),
		cmocka_unit_test(silent_time_servers_are_told),
		cmocka_unit_test(freedom_has_no_id),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
