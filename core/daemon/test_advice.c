/* SPDX-License-Identifier: MIT */
#include "daemon/test_steps.h"

#include <errno.h>
#include <stdio.h>

/* VMess servers take a header whose time is so near to theirs (vmess.md 6). */
enum { CLOCK_MAX_S = 120 };

static const char *
advice_name(const struct test_failure *f)
{
	if (f->error == -ENOENT)
		return "check the name's spelling in the configuration; it exists in no DNS "
		       "that this machine asks";
	return "this machine's resolvers do not answer: check its network, or give the "
	       "address itself";
}

static const char *
advice_tcp(const struct test_failure *f)
{
	switch (-f->error) {
	case ECONNREFUSED:
		return "nothing listens on that port: check the port, and that the server runs";
	case ETIMEDOUT:
		return "the server is down, or something on the way drops the connection: "
		       "check address and port, and try from another network";
	case ENETUNREACH:
	case EHOSTUNREACH:
		return "there is no way from this machine to that address: check its network";
	}
	return "check address and port";
}

static const char *
advice_tls(const struct test_failure *f)
{
	if (f->error == -EACCES)
		return "the server answers, but shows a certificate that is not accepted: "
		       "check serverName and this machine's clock; where the server has an "
		       "authority of its own, name its file in tlsSettings.certificates";
	if (f->late)
		return "check that this port speaks TLS; where it does not, take security "
		       "\"tls\" out of streamSettings";
	return "check port and serverName, and that this port speaks TLS";
}

static const char *
advice_upgrade(const struct test_failure *f)
{
	if (f->status == 404)
		return "check path (and host): the server has nothing of this kind there";
	if (f->status >= 500)
		return "what answers is a proxy that does not reach the VMess server behind "
		       "it: that one is down, or wrongly entered there";
	if (f->status == 401 || f->status == 403)
		return "the server or its CDN forbids this: check host, path and headers";
	if (f->status >= 300 && f->status < 400)
		return "check host and path, and whether the server wants TLS: it sends "
		       "elsewhere";
	if (f->status == 400)
		return "check path and host, and that the server has this transport";
	if (f->status != 0)
		return "check host, path and network: what answers is no server of this "
		       "transport";
	return "check that this port has this transport, and whether it wants TLS";
}

static const char *
clock_advice(const struct test_failure *f, char *text, size_t cap)
{
	uint64_t off = (uint64_t)(f->ahead < 0 ? -f->ahead : f->ahead);

	snprintf(text, cap,
		"set this machine's clock: it is %llu min %llu s %s the server's, and VMess "
		"allows 2 min",
		(unsigned long long)(off / 60), (unsigned long long)(off % 60),
		f->ahead < 0 ? "behind" : "ahead of");
	return text;
}

static const char *
advice_vmess(
	const struct test_failure *f, const struct test_way *w, char *text, size_t cap)
{
	const struct vmess_user_spec *user = w->spec->u.vmess.server[0].user;

	if (f->error == -EBADMSG)
		return "another service answers there: check port, network and security (TLS)";
	if (f->clock_told && (f->ahead > CLOCK_MAX_S || f->ahead < -CLOCK_MAX_S))
		return clock_advice(f, text, cap);
	snprintf(text, cap, "check the id%s%s%s",
		f->clock_told
			? " (this clock agrees with the server's)"
			: " and this machine's clock, which may be 2 min off at most",
		user->alter_ids ? ", and that the server takes an alterId above 0" : "",
		f->drained ? ": the server cut this off like a stranger" : "");
	return text;
}

static const char *
advice_probe(const struct test_failure *f, const struct test_way *w)
{
	if (w->spec->kind != OUTBOUND_VMESS)
		return "the connection is there, but its other side says nothing: try "
		       "another --probe";
	if (f->late)
		return "the VMess server takes what is sent, so the id is right, but no answer "
		       "comes from this target: try another --probe, or a longer --timeout";
	return "the VMess server works, but does not reach this target: try another --probe; "
	       "where all fail, the server itself has no network";
}

const char *
test_advice(
	const struct test_failure *f, const struct test_way *w, char *text, size_t cap)
{
	const char *s = "";

	switch (f->step) {
	case TEST_NAME:
		s = advice_name(f);
		break;
	case TEST_TCP:
		s = advice_tcp(f);
		break;
	case TEST_TLS:
		s = advice_tls(f);
		break;
	case TEST_UPGRADE:
		s = advice_upgrade(f);
		break;
	case TEST_VMESS:
		s = advice_vmess(f, w, text, cap);
		break;
	case TEST_PROBE:
		s = advice_probe(f, w);
		break;
	case TEST_DONE:
		break;
	}
	if (s != text)
		snprintf(text, cap, "%s", s);
	return text;
}
