/* SPDX-License-Identifier: MIT */
/* Whether a server's certificates are good enough; the same for both libraries. */
#include "base/digest.h"
#include "base/text.h"
#include "stream/tls_inside.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static bool
pinned(const struct tls_pin *pins, size_t n, const uint8_t hash[static TLS_PIN])
{
	size_t i;

	for (i = 0; i < n; i++)
		if (memcmp(pins[i].hash, hash, TLS_PIN) == 0)
			return true;
	return false;
}

static const char *
hex_text(const uint8_t hash[static TLS_PIN], char out[static TLS_PIN_TEXT])
{
	size_t i;

	for (i = 0; i < TLS_PIN; i++)
		snprintf(out + 2 * i, 3, "%02x", hash[i]);
	return out;
}

/* As the configuration writes the pin of a chain. */
static const char *
base64_text(const uint8_t hash[static TLS_PIN], char out[static 45])
{
	static const char digit[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	uint32_t bits;
	size_t i;
	int k;

	for (i = 0; i < 33; i += 3) {
		bits = (uint32_t)hash[i] << 16 | (uint32_t)hash[i + 1] << 8 |
			(i + 2 < TLS_PIN ? hash[i + 2] : 0);
		for (k = 0; k < 4; k++)
			out[i / 3 * 4 + (size_t)k] = digit[bits >> (18 - 6 * k) & 63];
	}
	out[43] = '=';
	out[44] = '\0';
	return out;
}

/* The hash of one certificate. */
static void
hash_one(const struct tls_chain *h, size_t i, uint8_t hash[static TLS_PIN])
{
	sha256(h->certificate[i].der.p, h->certificate[i].der.len, hash);
}

const char *
tls_server_pin(const struct tls_stream *t, char out[static TLS_PIN_TEXT])
{
	uint8_t hash[TLS_PIN];

	hash_one(t->chain, 0, hash);
	return hex_text(hash, out);
}

/* As V2Ray counts it: the hash of the first, and then of what there is and the next. */
static void
hash_chain(const struct tls_chain *h, uint8_t hash[static TLS_PIN])
{
	uint8_t both[2 * TLS_PIN];
	size_t i;

	hash_one(h, 0, hash);
	for (i = 1; i < h->n; i++) {
		memcpy(both, hash, TLS_PIN);
		hash_one(h, i, both + TLS_PIN);
		sha256(both, sizeof(both), hash);
	}
}

static int
check_chain_pins(struct tls_stream *t)
{
	uint8_t hash[TLS_PIN];
	char text[45];

	if (!t->setup->nchain_pins)
		return 0;
	hash_chain(t->chain, hash);
	if (pinned(t->setup->chain_pins, t->setup->nchain_pins, hash))
		return 0;
	t->facts.fault = TLS_FAULT_PIN;
	return tls_fail(t, -EACCES,
		"the certificates are not the pinned ones: their "
		"pinnedPeerCertificateChainSha256 is %s",
		base64_text(hash, text));
}

/* 1: the server's own certificate is pinned, and nothing else counts; 0: *anchor is, or
 * there are no pins. */
static int
check_pins(struct tls_stream *t, const struct certificate **anchor)
{
	uint8_t hash[TLS_PIN];
	char text[TLS_PIN_TEXT];
	size_t i;

	*anchor = NULL;
	if (!t->setup->npins)
		return 0;
	for (i = 0; i < t->chain->n; i++) {
		hash_one(t->chain, i, hash);
		if (!pinned(t->setup->pins, t->setup->npins, hash))
			continue;
		*anchor = &t->chain->certificate[i];
		if (i == 0)
			return 1;
		if (t->chain->readable[i] && (*anchor)->authority)
			return 0;
	}
	t->facts.fault = TLS_FAULT_PIN;
	return tls_fail(t, -EACCES,
		"the certificate is not the pinned one: its pinnedPeerCertSha256 is %s",
		tls_server_pin(t, text));
}

static bool
has_right_name(const struct tls_setup *t, const struct certificate *c)
{
	struct ip ip;
	size_t i;

	for (i = 0; i < t->nverify; i++)
		if (certificate_has_name(c, t->verify_names[i]) ||
			(ip_parse(&ip, t->verify_names[i]) && certificate_has_ip(c, &ip)))
			return true;
	if (t->nverify)
		return false;
	return *t->name ? certificate_has_name(c, t->name)
			: certificate_has_ip(c, &t->ip);
}

static int
check_name(struct tls_stream *t, const struct certificate *c)
{
	char names[256], subject[CERTIFICATE_NAME_TEXT], address[IP_TEXT];
	const char *wanted;

	if (has_right_name(t->setup, c))
		return 0;
	t->facts.fault = TLS_FAULT_NAME;
	wanted = t->setup->nverify ? t->setup->verify_names[0]
				   : tls_server_text(t->setup, address);
	certificate_names(c, names, sizeof(names));
	if (*names)
		return tls_fail(t, -EACCES, "the certificate is for %s, not for %s",
			names, wanted);
	return tls_fail(t, -EACCES,
		"the certificate (of %s) has no names that count, so it is not for %s",
		certificate_name_text(c->subject, subject), wanted);
}

static void
note_facts(struct tls_stream *t, const struct certificate *c)
{
	t->facts.not_before = c->not_before;
	t->facts.not_after = c->not_after;
	certificate_names(c, t->facts.names, sizeof(t->facts.names));
}

int
tls_judge(struct tls_stream *t,
	int (*trusts)(struct tls_stream *, const struct certificate *anchor, int64_t now))
{
	const struct certificate *c, *anchor;
	int64_t now = t->unix_time();
	int r;

	if (t->error)
		return t->error;
	if (t->chain && t->chain->too_long)
		return tls_fail(t, -EACCES,
			"the server sends more certificates than anyone needs (at most %d, "
			"of %d kB together)",
			TLS_CHAIN_MAX, TLS_CHAIN_BYTES / 1024);
	if (!t->chain || !t->chain->n || !t->chain->readable[0])
		return tls_fail_unreadable(t);
	c = &t->chain->certificate[0];
	note_facts(t, c);
	r = check_pins(t, &anchor);
	if (r < 0)
		return r;
	if (r == 0 && !(t->setup->allow_insecure && !anchor)) {
		if (now < c->not_before || now > c->not_after)
			return tls_fail_dates(t, c, now);
		r = trusts(t, anchor, now);
		if (r < 0)
			return r;
		if (!c->for_servers)
			return tls_fail(t, -EACCES,
				"the certificate is not one for servers (extended key usage)");
		r = check_name(t, c);
		if (r < 0)
			return r;
	}
	return check_chain_pins(t);
}
