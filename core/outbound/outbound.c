/* SPDX-License-Identifier: MIT */
#include "outbound/outbound.h"

#include "outbound/outbound_kinds.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

static struct outbound *
kind_new(const struct outbound_spec *spec, const struct outbound_env *env, struct err *e)
{
	switch (spec->kind) {
	case OUTBOUND_FREEDOM:
		return freedom_new(spec, e);
	case OUTBOUND_BLACKHOLE:
		return blackhole_new(spec, e);
	case OUTBOUND_VMESS:
		return vmess_new(spec, env, e);
	}
	err_set(e, "an outbound of an unknown kind");
	return NULL;
}

bool
outbound_is_plain(const struct outbound_spec *spec)
{
	const struct freedom_spec *f = &spec->u.freedom;

	return spec->kind == OUTBOUND_FREEDOM && f->strategy == DOMAIN_AS_IS &&
		!f->redirect_address && f->redirect_port == 0 &&
		!spec->sock.interface[0] && spec->sock.source.family == 0 &&
		spec->sock.mark == 0;
}

struct outbound *
outbound_new(
	const struct outbound_spec *spec, const struct outbound_env *env, struct err *e)
{
	const char *path = spec->path ? spec->path : "";
	struct outbound *o;

	if (spec->tag && strlen(spec->tag) >= sizeof(o->tag)) {
		err_set(e, "%s.tag: longer than %zu bytes", path, sizeof(o->tag) - 1);
		return NULL;
	}
	o = kind_new(spec, env, e);
	if (!o) {
		err_prefix(e, "%s", path);
		return NULL;
	}
	o->env = *env;
	o->policy = spec->policy;
	o->plain = outbound_is_plain(spec);
	o->count = 1;
	snprintf(o->tag, sizeof(o->tag), "%s", spec->tag ? spec->tag : "");
	snprintf(o->path, sizeof(o->path), "%s", path);
	return o;
}

struct outbound *
outbound_hold(struct outbound *o)
{
	o->count++;
	return o;
}

void
outbound_retire(struct outbound *o)
{
	if (o && o->ops->retire)
		o->ops->retire(o);
}

void
outbound_drop(struct outbound *o)
{
	if (!o)
		return;
	assert(o->count > 0);
	if (--o->count == 0)
		o->ops->free(o);
}

/* Bytes for a connection with a handshake of TLS. */
enum { ROOM_LEAST = 72 * 1024 };

bool
outbound_is_short(const struct outbound *o)
{
	return o->ops->heavy &&
		budget_is_short(tcp_memory_budget(o->env.memory), ROOM_LEAST);
}

bool
outbound_is_starved(const struct outbound *o)
{
	return o->ops->heavy && budget_is_wanted(tcp_memory_budget(o->env.memory));
}

struct stream *
outbound_dial(struct outbound *o, const struct target *to, struct task *owner)
{
	return o->ops->dial(o, to, owner);
}

struct packets *
outbound_bind(struct outbound *o, const struct target *to, struct task *owner)
{
	return o->ops->bind(o, to, owner);
}
