/* SPDX-License-Identifier: MIT */
/*
 * A server's certificate, as it is read before anyone has vouched for it.  The first byte
 * says whether the rest is a certificate (DER), the inside of its names, or a PEM text.
 */
#include "base/err.h"
#include "fuzz/fuzz.h"
#include "stream/tls_certificate.h"
#include "stream/tls_pem.h"
#include "stream/tls_roots.h"

#include <stdlib.h>
#include <string.h>

/* Whether the span lies in the input, or is empty. */
static void
inside(struct span s, const uint8_t *p, size_t len)
{
	if (s.len && (s.p < p || s.p + s.len > p + len))
		abort();
}

static void
look(const struct certificate *c)
{
	static const char *const names[] = { "a.example", "x.w.example", "*.w.example",
		"b" };
	static const struct ip ip = { 4, { 192, 0, 2, 1 } };
	char text[64], who[CERTIFICATE_NAME_TEXT], date[UNIX_TIME_TEXT];
	size_t i;

	for (i = 0; i < 4; i++)
		certificate_has_name(c, names[i]);
	certificate_has_ip(c, &ip);
	if (strlen(certificate_names(c, text, sizeof(text))) >= sizeof(text))
		abort();
	if (strlen(certificate_name_text(c->subject, who)) >= sizeof(who) || !*who)
		abort();
	certificate_name_text(c->issuer, who);
	unix_time_text(c->not_before, date);
	unix_time_text(c->not_after, date);
	certificate_signs_itself(c);
}

static void
der(const uint8_t *p, size_t len)
{
	struct certificate c;

	if (certificate_read(&c, p, len) < 0)
		return;
	inside(c.issuer, p, len);
	inside(c.subject, p, len);
	inside(c.alt_names, p, len);
	inside(c.modulus, p, len);
	inside(c.exponent, p, len);
	inside(c.point, p, len);
	inside(c.key_id, p, len);
	inside(c.issuer_key_id, p, len);
	look(&c);
}

static void
pem(const char *p, size_t len)
{
	struct tls_roots r = { 0 };
	const struct certificate *c;
	struct err e;
	size_t i, n;

	if (tls_roots_add(&r, p, len, "input", &e) == 0)
		tls_roots_add(&r, p, len, "input again", &e);
	for (i = 0; i < r.n; i++) {
		n = tls_roots_find(&r, r.certificate[i].subject, &c);
		if (!n || c < r.certificate || c + n > r.certificate + r.n)
			abort();
		look(&r.certificate[i]);
	}
	tls_roots_fini(&r);
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t len)
{
	struct certificate c = { 0 };

	if (!len)
		return 0;
	switch (p[0] % 3) {
	case 0:
		der(p + 1, len - 1);
		break;
	case 1:
		c.alt_names = (struct span){ p + 1, len - 1 };
		c.subject = c.issuer = c.alt_names;
		look(&c);
		break;
	case 2:
		pem((const char *)p + 1, len - 1);
		break;
	}
	return 0;
}
