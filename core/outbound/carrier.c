/* SPDX-License-Identifier: MIT */
#include "outbound/carrier.h"

#include "stream/httphead.h"
#include "stream/httpupgrade.h"
#include "stream/ws.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int
tls_make(struct carrier *c, const struct carrier_spec *spec,
	const struct carrier_place *at, const struct outbound_env *env, struct err *e)
{
	struct tls_spec tls = spec->tls;

	if (tls.name && at->like) {
		c->tls = tls_setup_hold(at->like->tls);
		return 0;
	}
	if (!env->tls)
		return err_set(e, "streamSettings.security: there is no memory for TLS");
	if (!tls.name && at->name)
		tls.name = at->name;
	else if (!tls.name)
		tls.ip = *at->ip;
	c->tls = tls_setup_new(env->tls, env->tls_library, &tls, e);
	return c->tls ? 0 : err_prefix(e, "streamSettings.tlsSettings");
}

/* What is asked for where the configuration does not say. NULL without memory. */
static char *
host_of(const struct carrier_spec *spec, const struct carrier_place *at)
{
	char text[IP_TEXT + 2], ip[IP_TEXT];

	if (spec->request.host && *spec->request.host)
		return strdup(spec->request.host);
	if (spec->secured && spec->tls.name && *spec->tls.name)
		return strdup(spec->tls.name);
	if (at->name)
		return strdup(at->name);
	snprintf(text, sizeof(text), at->ip->family == 6 ? "[%s]" : "%s",
		ip_format(at->ip, ip));
	return strdup(text);
}

static int
request_make(struct carrier *c, const struct carrier_spec *spec,
	const struct carrier_place *at, struct err *e)
{
	c->host = host_of(spec, at);
	if (!c->host)
		return err_set(e, "no memory left");
	c->request = spec->request;
	c->request.host = c->host;
	if (http_request_check(&c->request, e) < 0)
		return err_prefix(e, "streamSettings");
	return 0;
}

int
carrier_init(struct carrier *c, const struct carrier_spec *spec,
	const struct carrier_place *at, const struct outbound_env *env, struct err *e)
{
	memset(c, 0, sizeof(*c));
	c->kind = spec->kind;
	if (spec->secured && tls_make(c, spec, at, env, e) < 0)
		return -1;
	switch (spec->kind) {
	case CARRIER_RAW:
		return 0;
	case CARRIER_HTTP_HEAD:
		c->head = spec->head;
		return httphead_check(&c->head, e) < 0 ? err_prefix(e, "streamSettings")
						       : 0;
	case CARRIER_WEBSOCKET:
	case CARRIER_HTTPUPGRADE:
		return request_make(c, spec, at, e);
	}
	return -1;
}

void
carrier_fini(struct carrier *c)
{
	tls_setup_drop(c->tls);
	free(c->host);
}

bool
carrier_is_early(const struct carrier *c)
{
	return c->request.early_max > 0;
}

struct stream *
carrier_spoken(const struct carrier *c, struct stream *top)
{
	return carrier_is_early(c) ? top->lower : top;
}

static const struct http_facts *
http_facts(const struct carrier *c, const struct stream *top)
{
	switch (c->kind) {
	case CARRIER_RAW:
		return NULL;
	case CARRIER_HTTP_HEAD:
		return httphead_facts(top);
	case CARRIER_WEBSOCKET:
		return ws_facts(top);
	case CARRIER_HTTPUPGRADE:
		return httpupgrade_facts(top);
	}
	return NULL;
}

void
carrier_told(const struct carrier *c, const struct stream *top, struct carrier_told *told)
{
	const struct http_facts *h = http_facts(c, top);
	struct tls_facts t;

	memset(told, 0, sizeof(*told));
	if (h) {
		told->date = h->date;
		told->date_at = h->date_at;
	}
	if (!c->tls)
		return;
	tls_facts_get(h ? top->lower : top, &t);
	told->not_before = t.not_before;
	told->not_after = t.not_after;
}

struct stream *
carrier_new(const struct carrier *c, struct stream *lower, struct rng *rng,
	const struct outbound_env *env, struct task *owner)
{
	if (lower && c->tls)
		lower = tls_new(c->tls, lower, env->loop, owner, env->unix_time);
	if (!lower)
		return NULL;
	switch (c->kind) {
	case CARRIER_RAW:
		return lower;
	case CARRIER_HTTP_HEAD:
		return httphead_new(&c->head, lower, rng, env->unix_time);
	case CARRIER_WEBSOCKET:
		return ws_new(&c->request, lower, rng, env->unix_time);
	case CARRIER_HTTPUPGRADE:
		return httpupgrade_new(&c->request, lower, env->unix_time);
	}
	return lower;
}
