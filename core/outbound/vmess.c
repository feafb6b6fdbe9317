/* SPDX-License-Identifier: MIT */
#include "outbound/vmess.h"

#include "outbound/outbound_kinds.h"

#include <errno.h>
#include <stdlib.h>

static struct vmess *
vmess_of(struct outbound *o)
{
	return container_of(o, struct vmess, o);
}

/* A connection to a server, and others for those who come after. */
static struct stream *
reach(struct vmess *v, struct task *owner)
{
	struct stream *s = vmess_warm_take(&v->warm, owner);

	if (!s)
		s = vmess_reach_new(v, owner);
	vmess_warm_fill(&v->warm);
	return s;
}

static struct stream *
vmess_dial(struct outbound *o, const struct target *to, struct task *owner)
{
	struct stream *lower = reach(vmess_of(o), owner);

	return lower ? vmess_stream_new(vmess_of(o), lower, to, owner) : NULL;
}

static struct packets *
vmess_bind(struct outbound *o, const struct target *to, struct task *owner)
{
	struct stream *lower = reach(vmess_of(o), owner);

	return lower ? vmess_packets_new(vmess_of(o), lower, to, owner) : NULL;
}

static void
vmess_retire(struct outbound *o)
{
	vmess_warm_close(&vmess_of(o)->warm);
}

static void
vmess_free(struct outbound *o)
{
	struct vmess *v = vmess_of(o);

	rng_fini(&v->rng);
	vmess_servers_fini(v);
	free(v);
}

static const struct outbound_ops vmess_ops = {
	.kind = "vmess",
	.per_target = true,
	.heavy = true,
	.dial = vmess_dial,
	.bind = vmess_bind,
	.retire = vmess_retire,
	.free = vmess_free,
};

const char *
vmess_dead(const struct outbound *o)
{
	if (o->ops != &vmess_ops)
		return NULL;
	return container_of(o, const struct vmess, o)->server[0].dead;
}

/* Where the system has it not, connections open in the ordinary way. */
static void
fast_check(struct vmess *v, const char *path)
{
	int r = sock_fast_check();

	if (r == 0)
		return;
	v->sock.fast = SOCK_FAST_NEVER;
	log_warn("%s: tcpFastOpen has no effect: %s", path ? path : "",
		r == -EOPNOTSUPP
			? "the system forbids it to clients (net.ipv4.tcp_fastopen)"
			: stream_error_text(r));
}

struct outbound *
vmess_new(const struct outbound_spec *spec, const struct outbound_env *env, struct err *e)
{
	struct vmess *v = calloc(1, sizeof(*v));

	if (!v) {
		err_set(e, "no memory left");
		return NULL;
	}
	v->o.ops = &vmess_ops;
	v->sock = spec->sock;
	v->sock.nodelay = true; /* what is small was gathered before it is sent */
	if (v->sock.fast != SOCK_FAST_NEVER)
		fast_check(v, spec->path);
	v->o.env = *env; /* the caller sets it, too, but servers want it now */
	rng_init(&v->rng);
	vmess_warm_init(&v->warm, v, env->warm);
	if (vmess_servers_init(v, &spec->u.vmess, e) < 0) {
		vmess_free(&v->o);
		return NULL;
	}
	return &v->o;
}
