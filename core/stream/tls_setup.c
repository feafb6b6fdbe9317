/* SPDX-License-Identifier: MIT */
#include "base/text.h"
#include "stream/tls_inside.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct tls_library_ops *
library_of(enum tls_library l)
{
	switch (l) {
	case TLS_ANY:
		return tls_openssl ? tls_openssl : &tls_bearssl;
	case TLS_BEARSSL:
		return &tls_bearssl;
	case TLS_OPENSSL:
		return tls_openssl;
	}
	return NULL;
}

bool
tls_library_built(enum tls_library l)
{
	return library_of(l) != NULL;
}

struct tls_stock *
tls_stock_new(const char *trust_file, size_t max)
{
	struct tls_stock *k = calloc(1, sizeof(*k));

	if (!k)
		return NULL;
	k->count = 1;
	if (trust_file && !(k->trust_file = strdup(trust_file))) {
		free(k);
		return NULL;
	}
	blocks_init(&k->bearssl, "TLS connections (BearSSL)", tls_bearssl.connection, max,
		TLS_CONNECTIONS_KEEP);
	blocks_init(&k->openssl, "TLS connections (OpenSSL)",
		tls_openssl ? tls_openssl->connection : 1, max, 0);
	pool_init(&k->chains, "TLS chains", sizeof(struct tls_chain), TLS_CHAINS_MAX,
		TLS_CHAINS_KEEP);
	blocks_init(&k->windows, "TLS windows", TLS_PAYLOAD_MAX, TLS_WINDOWS_MAX,
		TLS_WINDOWS_KEEP);
	return k;
}

void
tls_stock_share(struct tls_stock *k, struct budget *g)
{
	k->budget = g;
	blocks_share(&k->windows, g, TLS_WINDOW_COST, false);
}

void
tls_stock_drop(struct tls_stock *k)
{
	if (!k || --k->count)
		return;
	tls_bearssl.stock_fini(k);
	if (tls_openssl)
		tls_openssl->stock_fini(k);
	blocks_fini(&k->bearssl);
	blocks_fini(&k->openssl);
	pool_fini(&k->chains);
	blocks_fini(&k->windows);
	tls_roots_fini(&k->roots);
	free(k->trust_file);
	free(k);
}

static void
texts_fini(char **text, size_t n)
{
	while (n)
		free(text[--n]);
	free(text);
}

static void
setup_free(struct tls_setup *t)
{
	if (t->library)
		t->library->setup_fini(t);
	texts_fini(t->alpn, t->nalpn);
	texts_fini(t->verify_names, t->nverify);
	free(t->chain_pins);
	free(t->pins);
	tls_roots_fini(&t->trusted);
	tls_stock_drop(t->stock);
	free(t);
}

struct tls_setup *
tls_setup_hold(struct tls_setup *t)
{
	t->count++;
	return t;
}

void
tls_setup_drop(struct tls_setup *t)
{
	if (t && --t->count == 0)
		setup_free(t);
}

const char *
tls_setup_library(const struct tls_setup *t)
{
	return t->library->name;
}

static int
copy_texts(char ***to, size_t *n, const struct tls_text_list *from)
{
	*to = calloc(from->n + 1, sizeof(**to));
	if (!*to)
		return -1;
	for (*n = 0; *n < from->n; ++*n) {
		(*to)[*n] = strdup(from->text[*n]);
		if (!(*to)[*n])
			return -1;
	}
	return 0;
}

static int
copy_pins(struct tls_pin **to, size_t *n, const struct tls_pin_list *from)
{
	*to = calloc(from->n + 1, sizeof(**to));
	if (!*to)
		return -1;
	if (from->n)
		memcpy(*to, from->pin, from->n * sizeof(**to));
	*n = from->n;
	return 0;
}

static int
copy_lists(struct tls_setup *t, const struct tls_spec *spec, struct err *e)
{
	if (spec->alpn.n > TLS_ALPN_MAX || spec->verify_names.n > TLS_LIST_MAX ||
		spec->pins.n > TLS_LIST_MAX || spec->chain_pins.n > TLS_LIST_MAX ||
		spec->trusted.n > TLS_LIST_MAX)
		return err_set(e,
			"more than %d ALPN names or %d names, pins or certificates",
			TLS_ALPN_MAX, TLS_LIST_MAX);
	if (copy_texts(&t->alpn, &t->nalpn, &spec->alpn) < 0 ||
		copy_texts(&t->verify_names, &t->nverify, &spec->verify_names) < 0 ||
		copy_pins(&t->chain_pins, &t->nchain_pins, &spec->chain_pins) < 0 ||
		copy_pins(&t->pins, &t->npins, &spec->pins) < 0)
		return err_set(e, "no memory left");
	return 0;
}

static const char *
version_text(enum tls_version v)
{
	static const char *const text[] = { "1.0", "1.1", "1.2", "1.3" };

	return text[v - TLS_1_0];
}

static int
take_versions(struct tls_setup *t, const struct tls_spec *spec, struct err *e)
{
	t->min = spec->min ? spec->min : TLS_1_2;
	t->max = spec->max ? spec->max : t->library->newest;
	if (!spec->min && t->max < t->min)
		t->min = t->max;
	if (t->min > t->library->newest)
		return err_set(e,
			"TLS %s at least is asked for, and %s, the only TLS library of this "
			"setup, ends with %s (%s has 1.3)",
			version_text(t->min), t->library->name,
			version_text(t->library->newest),
			tls_openssl ? "sluice.tls \"auto\"" : "a build with OpenSSL");
	if (t->max > t->library->newest)
		t->max = t->library->newest;
	if (t->min > t->max)
		return err_set(e, "TLS at least %s and at most %s is no version at all",
			version_text(t->min), version_text(t->max));
	return 0;
}

static int
take_names(struct tls_setup *t, const struct tls_spec *spec, struct err *e)
{
	size_t i;

	t->ip = spec->ip;
	if (spec->name && !ip_parse(&t->ip, spec->name) &&
		!name_normal(t->name, sizeof(t->name), spec->name, strlen(spec->name)))
		return err_set(e, "\"%.80s\" is no name of a server", spec->name);
	for (i = 0; i < t->nalpn; i++)
		if (!*t->alpn[i] || strlen(t->alpn[i]) > 255)
			return err_set(e, "an ALPN name has 1 to 255 bytes");
	for (i = 0; i < t->nverify; i++)
		if (strlen(t->verify_names[i]) > NAME_MAX_LEN ||
			!name_normal(t->verify_names[i], NAME_MAX_LEN + 1,
				t->verify_names[i], strlen(t->verify_names[i])))
			return err_set(e, "\"%.80s\" is no name of a server",
				t->verify_names[i]);
	if (!*t->name && !t->ip.family && !t->nverify && !t->npins && !t->allow_insecure)
		return err_set(e,
			"there is no name that the certificate could be checked "
			"against: set serverName");
	return 0;
}

static int
take_trusted(struct tls_setup *t, const struct tls_spec *spec, struct err *e)
{
	struct tls_stock *k = t->stock;
	size_t i;

	for (i = 0; i < spec->trusted.n; i++)
		if (tls_roots_add(&t->trusted, spec->trusted.text[i],
			    strlen(spec->trusted.text[i]), "certificates", e) < 0)
			return -1;
	t->system_roots = !spec->disable_system_root && !t->allow_insecure && !t->npins;
	if (!t->system_roots || k->roots.n)
		return 0;
	if (k->trust_file)
		return tls_roots_read(&k->roots, k->trust_file, e);
	return tls_roots_read_system(&k->roots, "", e);
}

struct tls_setup *
tls_setup_new(struct tls_stock *k, enum tls_library l, const struct tls_spec *spec,
	struct err *e)
{
	const struct tls_library_ops *library = library_of(l);
	struct tls_setup *t;

	if (!library) {
		err_set(e, "this sluice was built without OpenSSL");
		return NULL;
	}
	t = calloc(1, sizeof(*t));
	if (!t) {
		err_set(e, "no memory left");
		return NULL;
	}
	t->count = 1;
	t->stock = k;
	k->count++;
	t->library = library;
	t->allow_insecure = spec->allow_insecure;
	t->resumes = !spec->no_resumption;
	if (copy_lists(t, spec, e) < 0 || take_versions(t, spec, e) < 0 ||
		take_names(t, spec, e) < 0 || take_trusted(t, spec, e) < 0 ||
		library->setup_init(t, e) < 0) {
		setup_free(t);
		return NULL;
	}
	return t;
}

const char *
tls_server_text(const struct tls_setup *t, char out[static IP_TEXT])
{
	if (*t->name)
		return t->name;
	if (t->ip.family)
		return ip_format(&t->ip, out);
	return t->nverify ? t->verify_names[0] : "the server";
}
