/* SPDX-License-Identifier: MIT */
#include "daemon/test_steps.h"

#include <errno.h>
#include <stdio.h>

static const char *
advice_name(const struct test_failure *f)
{
	if (f->error == -EDESTADDRREQ)
		return "put the server's own name in its place: what stands there is a "
		       "place-holder";
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
		return "there is no way from this machine to that address: check its network";
	case EHOSTUNREACH:
		return "there is no way from this machine to that address: check its network; "
		       "where sluice was killed, \"sudo sluice recover\" opens it again";
	}
	return "check address and port";
}

static const char *
advice_fault(enum tls_fault fault)
{
	switch (fault) {
	case TLS_FAULT_NONE:
		break;
	case TLS_FAULT_VERSION:
		return "check tlsSettings.minVersion and maxVersion, sluice.tls, and what the "
		       "server is set to";
	case TLS_FAULT_DATES:
		return "check this machine's clock; if it is right, the server's certificate "
		       "must be renewed";
	case TLS_FAULT_NAME:
		return "check serverName: another server answers to this one";
	case TLS_FAULT_ISSUER:
		return "check serverName; where the server has an authority of its own, add "
		       "[{\"usage\": \"verify\", \"certificateFile\": \"FILE\"}] as "
		       "tlsSettings.certificates; or, where whoever runs the server confirms "
		       "that hash, add it as tlsSettings.pinnedPeerCertSha256";
	case TLS_FAULT_PIN:
		return "ask whoever runs the server whether its certificate was changed: if "
		       "so, put in the new pin; if not, somebody stands between";
	case TLS_FAULT_CLIENT:
		return "this server is for clients that have a certificate, which sluice "
		       "does not support: ask for another server";
	}
	return NULL;
}

static const char *
advice_tls(const struct test_failure *f)
{
	const char *advice = advice_fault(f->fault);

	if (advice)
		return advice;
	if (f->error == -EACCES)
		return "the server answers, but shows a certificate that is not accepted: "
		       "whoever runs it must mend that";
	if (f->late)
		return "check that this port speaks TLS; where it does not, take security "
		       "\"tls\" out of streamSettings";
	return "check port and serverName, and that this port speaks TLS";
}

/* A TLS server, too, answers 400 to those who come without. */
static const char *
advice_bad_request(const struct test_way *w)
{
	if (w->spec->u.vmess.carrier.secured)
		return "check path and host, and that the server has this transport";
	return "check whether the server wants TLS (streamSettings.security \"tls\"); then "
	       "path and host, and that it has this transport";
}

static const char *
advice_upgrade(const struct test_failure *f, const struct test_way *w)
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
		return advice_bad_request(w);
	if (f->status != 0)
		return "check host, path and network: what answers is no server of this "
		       "transport";
	return "check that this port has this transport, and whether it wants TLS";
}

static const char *
advice_clock(
	const struct test_failure *f, const struct test_way *w, char *text, size_t cap)
{
	char how[CLOCK_WHO + 48];

	clock_text(f->clock, how, sizeof(how));
	if (w->env->clock_auto && !f->clock->bound)
		snprintf(text, cap,
			"check the id and the server's own clock: this one is %s, but a "
			"header with that time is refused, too",
			how);
	else
		snprintf(text, cap,
			"set this machine's clock: it is %s, and VMess allows 2 min%s",
			how, f->clock->bound ? "" : "; or set sluice.clock to \"auto\"");
	return text;
}

/* What stands behind the id, where nothing is known against this clock. */
static void
advice_right_clock(
	const struct test_failure *f, const struct test_way *w, char *text, size_t cap)
{
	if (f->clock)
		snprintf(text, cap, " (this clock agrees with %s)", f->clock->who);
	else
		snprintf(text, cap,
			" and this machine's clock, which may be 2 min off at most (%s)",
			w->has_sntp ? "no time server of sluice.sntp has told; they are "
				      "asked only where the rules send them directly"
				    : "sluice.sntp names time servers to ask");
}

/* Who closes at once may be no VMess server, or wait for another layer first. */
static const char *
advice_port(const struct test_failure *f, const struct carrier_spec *c)
{
	if (f->drained || f->late || c->kind != CARRIER_RAW)
		return "";
	if (c->secured)
		return "; and whether this is the right port, and wants WebSocket";
	return "; and whether this is the right port, and wants TLS or WebSocket";
}

static const char *
advice_vmess(
	const struct test_failure *f, const struct test_way *w, char *text, size_t cap)
{
	const struct vmess_user_spec *user = w->spec->u.vmess.server[0].user;
	char clock[CLOCK_WHO + 192];

	if (f->error == -EBADMSG)
		return "another service answers there: check port, network and security (TLS)";
	if (clock_is_wrong(f->clock))
		return advice_clock(f, w, text, cap);
	advice_right_clock(f, w, clock, sizeof(clock));
	snprintf(text, cap, "check the id%s%s%s%s", clock,
		user->alter_ids ? ", and that the server takes an alterId above 0" : "",
		f->drained ? ": the server cut this off like a stranger" : "",
		advice_port(f, &w->spec->u.vmess.carrier));
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
		s = advice_upgrade(f, w);
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
