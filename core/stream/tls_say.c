/* SPDX-License-Identifier: MIT */
/* How TLS fails, in sentences. */
#include "base/text.h"
#include "stream/tls_inside.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int
tls_fail(struct tls_stream *t, int error, const char *fmt, ...)
{
	char text[512], address[IP_TEXT];
	va_list args;
	size_t n;

	if (t->error)
		return t->error;
	t->error = error;
	n = (size_t)snprintf(text, sizeof(text),
		"TLS with %.120s: ", tls_server_text(t->setup, address));
	va_start(args, fmt);
	vsnprintf(text + n, sizeof(text) - n, fmt, args);
	va_end(args);
	t->why = strdup(text);
	return error;
}

int
tls_fail_older(struct tls_stream *t)
{
	t->facts.fault = TLS_FAULT_VERSION;
	return tls_fail(t, -EPROTO,
		"the server speaks an older TLS than the configuration allows (minVersion is "
		"1.%d)",
		t->setup->min - TLS_1_0);
}

int
tls_fail_ended(struct tls_stream *t)
{
	return tls_fail(t, -EPIPE, "the server has ended the connection");
}

void
tls_unsay(struct tls_stream *t)
{
	free(t->why);
	t->why = NULL;
}

int
tls_fail_beneath(struct tls_stream *t, int error)
{
	if (t->begun && !t->up && (error == -ECONNRESET || error == -EPIPE))
		return tls_fail(
			t, error, "the server reset the connection in the handshake");
	if (!t->error)
		t->error = error;
	return t->error;
}

static int
fail_version(struct tls_stream *t)
{
	t->facts.fault = TLS_FAULT_VERSION;
	if (t->setup->max >= TLS_1_3)
		return tls_fail(t, -EPROTO,
			"the server takes no version of TLS that the configuration allows "
			"(1.%d to 1.%d)",
			t->setup->min - TLS_1_0, t->setup->max - TLS_1_0);
	if (t->setup->library->newest >= TLS_1_3)
		return tls_fail(t, -EPROTO,
			"the server wants a newer TLS than the configuration allows "
			"(maxVersion is 1.%d)",
			t->setup->max - TLS_1_0);
	return tls_fail(t, -EPROTO,
		"the server wants TLS 1.3, and %s, with which this sluice speaks TLS here, ends "
		"with 1.2: %s",
		t->setup->library->name,
		tls_openssl ? "set sluice.tls to \"auto\"" : "use a build with OpenSSL");
}

int
tls_fail_alert(struct tls_stream *t, unsigned alert)
{
	const char *name = *t->setup->name ? t->setup->name : "no name";

	switch (alert) {
	case 20:
	case 51:
		return tls_fail(t, -EBADMSG,
			"the server could not decrypt what was sent: it was changed on the way");
	case 40:
	case 71:
		return tls_fail(t, -EPROTO,
			"the server refused the handshake: it and %s have no cipher in "
			"common, or it wants a certificate of the client or another name",
			t->setup->library->name);
	case 42:
	case 116:
		t->facts.fault = TLS_FAULT_CLIENT;
		return tls_fail(
			t, -EPROTO, "the server wants a certificate of the client");
	case 70:
		return fail_version(t);
	case 80:
		return tls_fail(
			t, -EPROTO, "the server has a fault of its own (internal_error)");
	case 112:
		t->facts.fault = TLS_FAULT_NAME;
		return tls_fail(t, -EPROTO,
			"the server does not know the name that was sent (%s): check serverName",
			name);
	case 120:
		return tls_fail(t, -EPROTO,
			"the server speaks none of the protocols that were offered: check alpn");
	}
	return tls_fail(
		t, -EPROTO, "the server ended the connection with alert %u", alert);
}

int
tls_lower_ended(struct tls_stream *t)
{
	if (!t->up && !t->records.seen)
		return tls_fail(t, -ECONNRESET,
			"the server closed in the handshake, without a word%s",
			*t->setup->name ? ": it may want another serverName" : "");
	if (!t->up)
		return tls_fail(t, -ECONNRESET,
			"the server closed in the middle of the handshake");
	if (t->records.have)
		return tls_fail(
			t, -EPROTO, "the connection was cut in the middle of a record");
	t->ended = true;
	return STREAM_END;
}

int
tls_fail_dates(struct tls_stream *t, const struct certificate *c, int64_t now)
{
	char clock[UNIX_TIME_TEXT], date[UNIX_TIME_TEXT], who[CERTIFICATE_NAME_TEXT] = "";
	char off[32];
	bool early = now < c->not_before;
	bool own = t->chain && c == &t->chain->certificate[0];

	unix_time_text(now, clock);
	unix_time_text(early ? c->not_before : c->not_after, date);
	if (!own)
		certificate_name_text(c->subject, who);
	t->facts.fault = TLS_FAULT_DATES;
	return tls_fail(t, -EACCES,
		"the certificate%s%s %s %s, and this machine's clock says %s: one of the two "
		"is wrong; if it is the clock, by at least %s",
		own ? "" : " of ", who, early ? "is valid only from" : "ended on", date,
		clock,
		span_format((uint64_t)(early ? c->not_before - now : now - c->not_after),
			off));
}

int
tls_fail_issuer(struct tls_stream *t, const struct certificate *last)
{
	char who[CERTIFICATE_NAME_TEXT], pin[TLS_PIN_TEXT];

	certificate_name_text(last->issuer, who);
	tls_server_pin(t, pin);
	t->facts.fault = TLS_FAULT_ISSUER;
	if (!certificate_signs_itself(last))
		return tls_fail(t, -EACCES,
			"the certificate was issued by %s, which this machine does not trust; "
			"the server's pinnedPeerCertSha256 is %s",
			who, pin);
	if (last == &t->chain->certificate[0])
		return tls_fail(t, -EACCES,
			"the server made its certificate itself (%s), so nobody vouches for it; "
			"its pinnedPeerCertSha256 is %s",
			who, pin);
	return tls_fail(t, -EACCES,
		"the certificate leads to %s, which this machine does not trust; the "
		"server's pinnedPeerCertSha256 is %s",
		who, pin);
}

int
tls_fail_unreadable(struct tls_stream *t)
{
	return tls_fail(t, -EACCES, "the server's certificate cannot be read");
}

int
tls_fail_chain(struct tls_stream *t, enum tls_chain_fault f, unsigned number)
{
	const char *library = t->setup->library->name;

	switch (f) {
	case TLS_CHAIN_FORGED:
		return tls_fail(t, -EACCES,
			"the signature in a certificate is wrong: somebody made it who "
			"only has the name of its issuer");
	case TLS_CHAIN_NO_SIGNER:
		return tls_fail(t, -EACCES,
			"a certificate in the chain may not sign others (no authority, not its "
			"key's use, or a longer chain than it allows)");
	case TLS_CHAIN_CONDITION:
		return tls_fail(t, -EACCES,
			"a certificate has a condition (critical extension) that %s does not "
			"know",
			library);
	case TLS_CHAIN_ALGORITHM:
		return tls_fail(t, -EACCES,
			"a certificate has a signature or a key of a kind that %s does not take "
			"(%s)",
			library,
			t->setup->library == &tls_bearssl
				? "SHA-1, RSA-PSS, Ed25519, or more than 4096 bits"
				: "such as SHA-1");
	case TLS_CHAIN_SHORT_KEY:
		return tls_fail(t, -EACCES, "a certificate has a key that is too short");
	case TLS_CHAIN_OTHER:
		break;
	}
	return tls_fail(t, -EACCES,
		"the chain of certificates does not hold (%s's error %u)", library,
		number);
}
