/* SPDX-License-Identifier: MIT */
#include "outbound/outbound_kinds.h"

#include "outbound/transport.h"
#include "stream/udp.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/*
 * The direct way out.  AsIs goes to the address that the application used, and
 * looks a name up only where there is no address; UseIP, UseIPv4 and UseIPv6
 * look the name up where there is one.  A redirect replaces the address, the
 * port, or both, before that.
 */
struct freedom {
	struct outbound o;
	struct sock_options sock;
	enum domain_strategy strategy;
	char *redirect;         /* owned; NULL: none, or it is an address */
	struct ip redirect_ip;  /* family 0: none, or it is a name */
	uint16_t redirect_port; /* 0: none */
	struct way_family family;
};

static const struct freedom *
freedom_of(const struct outbound *o)
{
	return container_of(o, const struct freedom, o);
}

static unsigned
families(enum domain_strategy strategy)
{
	switch (strategy) {
	case DOMAIN_AS_IS:
	case DOMAIN_USE_IP:
		return LOOKUP_V4 | LOOKUP_V6;
	case DOMAIN_USE_IP4:
		return LOOKUP_V4;
	case DOMAIN_USE_IP6:
		return LOOKUP_V6;
	}
	return 0;
}

/* Where `to` really goes. The name in *way is borrowed from `to` or from f. */
static void
steer(const struct freedom *f, const struct target *to, struct way *way)
{
	struct target t = *to;

	if (f->redirect || f->redirect_ip.family) {
		t.name = f->redirect;
		t.ip = f->redirect_ip;
	}
	if (f->redirect_port)
		t.port = f->redirect_port;
	*way = (struct way){ .sock = &f->sock, .families = families(f->strategy) };
	way->to.port = t.port;
	if (!t.name || (t.ip.family && f->strategy == DOMAIN_AS_IS)) {
		way->to.ip = t.ip;
		return;
	}
	way->name = t.name;
	way->otherwise = t.ip;
}

static struct stream *
freedom_dial(struct outbound *o, const struct target *to, struct task *owner)
{
	struct freedom *f = container_of(o, struct freedom, o);
	struct way way;

	steer(f, to, &way);
	/* Where nothing is to be looked up there is nothing to choose from. */
	if (way.to.ip.family)
		return tcp_dial(o->env.loop, o->env.memory, &way.to, &f->sock, owner);
	way.family = &f->family;
	return transport_new(o, &way, owner);
}

/*
 * Datagrams.  Without a redirect and a strategy one socket serves every target
 * that has an address, and there are thousands.  Otherwise, and for a target that
 * is only a name, it serves the one that it was bound with, and answers seem to
 * come from there.
 */
struct steered_packets {
	struct packets k;
	struct packets *udp; /* owned */
	struct lookup *lookup;
	struct ip otherwise;
	struct endpoint asked; /* what the flow calls its target; family 0: only a name */
	struct endpoint real;  /* where that is; family 0: not known yet */
	int error;             /* -errno: the lookup failed */
};

static struct steered_packets *
steered_of(struct packets *k)
{
	return container_of(k, struct steered_packets, k);
}

static int
steered_open(struct packets *k)
{
	struct steered_packets *f = steered_of(k);
	const struct ip *ip;
	int n;

	if (f->error)
		return f->error;
	if (f->real.ip.family)
		return packets_open(f->udp);
	if (!f->lookup)
		return f->error = -ENETUNREACH;
	n = lookup_answer(f->lookup, &ip);
	if (n == -EAGAIN)
		return STREAM_AGAIN;
	if (n > 0)
		f->real.ip = ip[0];
	else if (f->otherwise.family)
		f->real.ip = f->otherwise;
	else
		return f->error = n < 0 ? n : -ENOENT;
	return packets_open(f->udp);
}

static int
steered_send(struct packets *k, const struct target *to, const uint8_t *p, size_t len)
{
	struct steered_packets *f = steered_of(k);
	struct target real;
	int r;

	(void)to;
	r = steered_open(k);
	if (r != STREAM_OK)
		return r;
	real = (struct target){ .ip = f->real.ip, .port = f->real.port };
	return packets_send(f->udp, &real, p, len);
}

static int
steered_recv(struct packets *k, struct endpoint *from, uint8_t *p, size_t cap, size_t *n)
{
	struct steered_packets *f = steered_of(k);
	int r;

	r = steered_open(k);
	if (r != STREAM_OK)
		return r;
	r = packets_recv(f->udp, from, p, cap, n);
	if (r < 0 || r == STREAM_AGAIN)
		return r;
	if (f->asked.ip.family && endpoint_equal(from, &f->real))
		*from = f->asked;
	return r;
}

static const char *
steered_reason(const struct packets *k)
{
	const struct steered_packets *f = container_of(
		k, const struct steered_packets, k);

	if (!f->error)
		return packets_reason(f->udp);
	return f->lookup ? lookup_reason(f->lookup) : stream_error_text(f->error);
}

static void
steered_free(struct packets *k)
{
	struct steered_packets *f = steered_of(k);

	lookup_free(f->lookup);
	packets_free(f->udp);
	free(f);
}

static const struct packets_ops steered_packets_ops = {
	.name = "freedom",
	.open = steered_open,
	.send = steered_send,
	.recv = steered_recv,
	.reason = steered_reason,
	.free = steered_free,
};

/* All that goes through it goes where the way of its target leads. Takes `udp`; NULL
 * without memory. */
static struct packets *
steered_new(struct outbound *o, struct packets *udp, const struct way *way,
	const struct target *to, struct task *owner)
{
	struct steered_packets *f = calloc(1, sizeof(*f));

	if (!f) {
		packets_free(udp);
		return NULL;
	}
	f->k.ops = &steered_packets_ops;
	f->udp = udp;
	f->asked.ip = to->ip;
	f->asked.port = to->port;
	f->real = way->to;
	f->otherwise = way->otherwise;
	if (!way->to.ip.family && way->name && o->env.names)
		f->lookup = names_lookup(o->env.names, way->name, way->families, owner);
	return &f->k;
}

static struct packets *
freedom_bind(struct outbound *o, const struct target *to, struct task *owner)
{
	struct packets *udp = udp_open(o->env.loop, tcp_memory_packets(o->env.memory),
		&freedom_of(o)->sock, owner);
	struct way way;

	steer(freedom_of(o), to, &way);
	if (!udp || (!o->ops->per_target && way.to.ip.family))
		return udp;
	return steered_new(o, udp, &way, to, owner);
}

static void
freedom_free(struct outbound *o)
{
	struct freedom *f = container_of(o, struct freedom, o);

	free(f->redirect);
	free(f);
}

static const struct outbound_ops freedom_ops = {
	.kind = "freedom",
	.truthful = true,
	.direct = true,
	.dial = freedom_dial,
	.bind = freedom_bind,
	.free = freedom_free,
};

/* With a redirect or a strategy, answers can be told apart only by their socket; and
 * ping does not follow a redirect. */
static const struct outbound_ops steered_ops = {
	.kind = "freedom",
	.truthful = true,
	.per_target = true,
	.direct = true,
	.dial = freedom_dial,
	.bind = freedom_bind,
	.free = freedom_free,
};

static const struct outbound_ops redirect_ops = {
	.kind = "freedom",
	.truthful = true,
	.per_target = true,
	.dial = freedom_dial,
	.bind = freedom_bind,
	.free = freedom_free,
};

/* 0, or -ENOMEM. */
static int
redirect_set(struct freedom *f, const struct freedom_spec *spec)
{
	f->redirect_port = spec->redirect_port;
	if (!spec->redirect_address || !*spec->redirect_address)
		return 0;
	if (ip_parse(&f->redirect_ip, spec->redirect_address))
		return 0;
	f->redirect = strdup(spec->redirect_address);
	return f->redirect ? 0 : -ENOMEM;
}

static const struct outbound_ops *
ops_for(const struct freedom *f)
{
	if (f->redirect || f->redirect_ip.family)
		return &redirect_ops;
	if (f->redirect_port || f->strategy != DOMAIN_AS_IS)
		return &steered_ops;
	return &freedom_ops;
}

struct outbound *
freedom_new(const struct outbound_spec *spec, struct err *e)
{
	struct freedom *f = calloc(1, sizeof(*f));

	if (!f || redirect_set(f, &spec->u.freedom) < 0) {
		free(f);
		err_set(e, "no memory left");
		return NULL;
	}
	f->sock = spec->sock;
	f->sock.nodelay = true; /* what is small was gathered before it is sent */
	f->strategy = spec->u.freedom.strategy;
	f->o.ops = ops_for(f);
	return &f->o;
}
