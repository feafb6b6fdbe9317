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
 * Datagrams.  Without a redirect and a strategy one of these serves every target
 * that has an address, and there are thousands.  Otherwise, and for a target that
 * is only a name, it serves the one that it was bound with, and answers seem to
 * come from there.
 */
struct freedom_packets {
	struct packets k;
	struct packets *udp; /* owned */
	struct outbound *o;  /* held */
};

struct steered_packets {
	struct freedom_packets plain;
	struct lookup *lookup;
	struct ip otherwise;
	struct endpoint asked; /* what the flow calls its target; family 0: only a name */
	struct endpoint real;  /* where that is; family 0: not known yet */
	int error;             /* -errno: the lookup failed */
};

static struct packets *
udp_of(const struct packets *k)
{
	return container_of(k, const struct freedom_packets, k)->udp;
}

static int
plain_open(struct packets *k)
{
	return packets_open(udp_of(k));
}

/* A name other than one it was bound with: lost, as datagrams may be. */
static int
plain_send(struct packets *k, const struct target *to, const uint8_t *p, size_t len)
{
	return to->ip.family ? packets_send(udp_of(k), to, p, len) : STREAM_OK;
}

static int
plain_recv(struct packets *k, struct endpoint *from, uint8_t *p, size_t cap, size_t *n)
{
	return packets_recv(udp_of(k), from, p, cap, n);
}

static int
plain_send_many(struct packets *k, const struct dgram_out *d, int n)
{
	return packets_send_many(udp_of(k), d, n);
}

static int
plain_recv_many(struct packets *k, struct dgram_in *d, int cap, int *n)
{
	return packets_recv_many(udp_of(k), d, cap, n);
}

static const char *
plain_reason(const struct packets *k)
{
	return packets_reason(udp_of(k));
}

static void
plain_free(struct packets *k)
{
	struct freedom_packets *f = container_of(k, struct freedom_packets, k);

	packets_free(f->udp);
	outbound_drop(f->o);
	free(f);
}

static const struct packets_ops plain_ops = {
	.name = "freedom",
	.open = plain_open,
	.send = plain_send,
	.recv = plain_recv,
	.send_many = plain_send_many,
	.recv_many = plain_recv_many,
	.reason = plain_reason,
	.free = plain_free,
};

static struct steered_packets *
steered_of(struct packets *k)
{
	return container_of(k, struct steered_packets, plain.k);
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
		return packets_open(f->plain.udp);
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
	return packets_open(f->plain.udp);
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
	return packets_send(f->plain.udp, &real, p, len);
}

static int
steered_recv(struct packets *k, struct endpoint *from, uint8_t *p, size_t cap, size_t *n)
{
	struct steered_packets *f = steered_of(k);
	int r;

	r = steered_open(k);
	if (r != STREAM_OK)
		return r;
	r = packets_recv(f->plain.udp, from, p, cap, n);
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
		k, const struct steered_packets, plain.k);

	if (!f->error)
		return packets_reason(f->plain.udp);
	return f->lookup ? lookup_reason(f->lookup) : stream_error_text(f->error);
}

static void
steered_free(struct packets *k)
{
	lookup_free(steered_of(k)->lookup);
	plain_free(k);
}

static const struct packets_ops steered_packets_ops = {
	.name = "freedom",
	.open = steered_open,
	.send = steered_send,
	.recv = steered_recv,
	.reason = steered_reason,
	.free = steered_free,
};

/* All that goes through it goes where the way of its target leads. */
static struct freedom_packets *
steered_new(struct outbound *o, const struct way *way, const struct target *to,
	struct task *owner)
{
	struct steered_packets *f = calloc(1, sizeof(*f));

	if (!f)
		return NULL;
	f->plain.k.ops = &steered_packets_ops;
	f->asked.ip = to->ip;
	f->asked.port = to->port;
	f->real = way->to;
	f->otherwise = way->otherwise;
	if (!way->to.ip.family && way->name && o->env.names)
		f->lookup = names_lookup(o->env.names, way->name, way->families, owner);
	return &f->plain;
}

static struct freedom_packets *
plain_new(void)
{
	struct freedom_packets *f = calloc(1, sizeof(*f));

	if (f)
		f->k.ops = &plain_ops;
	return f;
}

static struct packets *
freedom_bind(struct outbound *o, const struct target *to, struct task *owner)
{
	struct freedom_packets *f;
	struct packets *udp;
	struct way way;

	udp = udp_open(o->env.loop, &freedom_of(o)->sock, owner);
	if (!udp)
		return NULL;
	steer(freedom_of(o), to, &way);
	if (o->ops->per_target || !way.to.ip.family)
		f = steered_new(o, &way, to, owner);
	else
		f = plain_new();
	if (!f) {
		packets_free(udp);
		return NULL;
	}
	f->udp = udp;
	f->o = outbound_hold(o);
	return &f->k;
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
