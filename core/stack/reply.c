/* SPDX-License-Identifier: MIT */
#include "stack/room.h"

#include "base/bytes.h"

#include <errno.h>
#include <string.h>

enum { HOPS = 64, IP4_UNCUT = 0x4000, IP4_MORE = 0x2000, NEXT_FRAGMENT = 44 };

/* A packet in the making; the pieces are the payload of the whole packet. */
struct outgoing {
	const struct ip *source, *to;
	uint8_t proto;
	struct iovec v[2];
	size_t len;
	uint32_t id;
	bool uncut; /* it goes whole, and needs no id */
};

/*
 * RFC 6864 4.1: packets from one place to another that may be cut on their way are told
 * apart by their id, or the pieces of one become a part of the next.
 */
uint32_t
reply_id(struct stack *s, size_t packets)
{
	uint32_t id = s->fragment_id;

	s->fragment_id += (uint32_t)packets;
	return id;
}

static size_t
ip4_write(const struct outgoing *o, uint8_t *mem, size_t at, size_t len, bool part)
{
	uint16_t flags = part && at + len < o->len ? IP4_MORE : 0;
	struct writer w;

	if (o->uncut)
		flags = IP4_UNCUT;
	writer_init(&w, mem, IP4_HEADER);
	writer_be16(&w, 0x4500);
	writer_be16(&w, (uint16_t)(IP4_HEADER + len));
	writer_be16(&w, (uint16_t)o->id);
	writer_be16(&w, (uint16_t)(at / 8 | flags));
	writer_u8(&w, HOPS);
	writer_u8(&w, o->proto);
	writer_be16(&w, 0);
	writer_bytes(&w, o->source->b, 4);
	writer_bytes(&w, o->to->b, 4);
	be16_put(mem + 10, checksum_fold(checksum_add(0, mem, IP4_HEADER)));
	return w.len;
}

static size_t
ip6_write(const struct outgoing *o, uint8_t *mem, size_t at, size_t len, bool part)
{
	struct writer w;

	writer_init(&w, mem, IP6_HEADER + IP6_FRAGMENT);
	writer_be32(&w, 0x60000000);
	writer_be16(&w, (uint16_t)(len + (part ? IP6_FRAGMENT : 0)));
	writer_u8(&w, part ? NEXT_FRAGMENT : o->proto);
	writer_u8(&w, HOPS);
	writer_bytes(&w, o->source->b, 16);
	writer_bytes(&w, o->to->b, 16);
	if (part) {
		writer_u8(&w, o->proto);
		writer_u8(&w, 0);
		writer_be16(&w, (uint16_t)(at | (at + len < o->len)));
		writer_be32(&w, o->id);
	}
	return w.len;
}

static size_t
header_write(const struct outgoing *o, uint8_t *mem, size_t at, size_t len, bool part)
{
	if (o->source->family == 4)
		return ip4_write(o, mem, at, len, part);
	return ip6_write(o, mem, at, len, part);
}

size_t
reply_header(uint8_t *mem, const struct ip *source, const struct ip *to, uint8_t proto,
	size_t len, uint32_t id)
{
	const struct outgoing o = { source, to, proto, .len = len, .id = id };

	return header_write(&o, mem, 0, len, false);
}

/* The `len` bytes from `at` on, of both pieces, behind v[0]. Returns the count of all. */
static int
pieces_cut(const struct outgoing *o, size_t at, size_t len, struct iovec *v)
{
	size_t room;
	int i, n = 1;

	for (i = 0; i < 2 && len; i++) {
		if (at >= o->v[i].iov_len) {
			at -= o->v[i].iov_len;
			continue;
		}
		room = o->v[i].iov_len - at;
		v[n].iov_base = (uint8_t *)o->v[i].iov_base + at;
		v[n].iov_len = room < len ? room : len;
		len -= v[n++].iov_len;
		at = 0;
	}
	return n;
}

static int
part_send(struct stack *s, const struct outgoing *o, size_t at, size_t len, bool part,
	bool sure)
{
	uint8_t head[IP6_HEADER + IP6_FRAGMENT];
	struct iovec v[3];
	int n;

	v[0].iov_base = head;
	v[0].iov_len = header_write(o, head, at, len, part);
	n = pieces_cut(o, at, len, v);
	if (!sure)
		return device_send(s, v, n, NULL);
	device_send_sure(s, v, n, NULL);
	return 0;
}

static void
outgoing_init(struct outgoing *o, const struct ip *source, const struct ip *to,
	uint8_t proto, const struct iovec v[2])
{
	o->source = source;
	o->to = to;
	o->proto = proto;
	memcpy(o->v, v, sizeof(o->v));
	o->len = v[0].iov_len + v[1].iov_len;
	o->id = 0;
	o->uncut = false;
}

size_t
reply_mtu(const struct stack *s, const struct ip *to)
{
	return paths_mtu(&s->paths, to, (size_t)s->config.mtu, loop_now(s->loop));
}

int
reply_send(struct stack *s, const struct ip *source, const struct ip *to, uint8_t proto,
	const struct iovec v[2])
{
	size_t head = source->family == 4 ? IP4_HEADER : IP6_HEADER;
	size_t mtu = reply_mtu(s, to), unit, at, len;
	struct outgoing o;
	int r = 0;

	outgoing_init(&o, source, to, proto, v);
	o.id = reply_id(s, 1);
	if (head + o.len <= mtu)
		return part_send(s, &o, 0, o.len, false, false);
	unit = (mtu - head - (source->family == 6 ? IP6_FRAGMENT : 0)) & ~(size_t)7;
	for (at = 0; at < o.len && r == 0; at += len) {
		len = o.len - at < unit ? o.len - at : unit;
		r = part_send(s, &o, at, len, true, false);
	}
	return r;
}

/* A header without a window, from the target; `r` has all else of it. */
static void
segment_send(struct stack *s, const struct segment *r)
{
	uint8_t h[TCP_HEADER];
	struct iovec v[2] = { { h, sizeof(h) }, { NULL, 0 } };
	struct outgoing o;
	struct writer w;

	writer_init(&w, h, sizeof(h));
	writer_be16(&w, r->target.port);
	writer_be16(&w, r->app.port);
	writer_be32(&w, r->seq);
	writer_be32(&w, r->ack);
	writer_u8(&w, TCP_HEADER / 4 << 4);
	writer_u8(&w, r->flags);
	writer_be16(&w, 0);
	writer_be32(&w, 0);
	be16_put(h + 16,
		checksum_fold(checksum_add(
			packet_pseudo(&r->target.ip, &r->app.ip, PROTO_TCP, sizeof(h)), h,
			sizeof(h))));
	outgoing_init(&o, &r->target.ip, &r->app.ip, PROTO_TCP, v);
	o.uncut = true; /* every link takes 68 bytes (RFC 791 3.2) */
	part_send(s, &o, 0, o.len, false, true);
}

/* RFC 9293 3.10.7.1: the answer to a segment that belongs to no connection. */
void
reply_reset(struct stack *s, const struct segment *g)
{
	bool ack = !(g->flags & SEGMENT_ACK);
	struct segment r = { .app = g->app, .target = g->target };

	if (g->flags & SEGMENT_RST)
		return;
	r.seq = ack ? 0 : g->ack;
	r.ack = ack ? g->seq + (uint32_t)segment_span(g) : 0;
	r.flags = SEGMENT_RST | (ack ? SEGMENT_ACK : 0);
	segment_send(s, &r);
}

void
reply_challenge(struct stack *s, const struct segment *g)
{
	struct segment r = *g;

	r.flags = SEGMENT_SYN | SEGMENT_ACK;
	segment_send(s, &r);
}

struct icmp_code {
	uint8_t type, code;
};

/* RFC 792 and RFC 1812 5.2.7.1; RFC 4443 3.1. */
static struct icmp_code
icmp_code(enum stack_answer why, bool six)
{
	switch (why) {
	case STACK_RESET:
		return six ? (struct icmp_code){ 1, 4 } : (struct icmp_code){ 3, 3 };
	case STACK_NO_HOST:
		return six ? (struct icmp_code){ 1, 3 } : (struct icmp_code){ 3, 1 };
	case STACK_NO_NET:
		return six ? (struct icmp_code){ 1, 0 } : (struct icmp_code){ 3, 0 };
	case STACK_PROHIBITED:
		return six ? (struct icmp_code){ 1, 1 } : (struct icmp_code){ 3, 13 };
	case STACK_ADMIT:
	case STACK_HOLD:
	case STACK_IGNORE:
		break;
	}
	return (struct icmp_code){ 0, 0 };
}

/* An ICMP message to `app` about a packet of `whole` bytes behind its IP header, which
 * began with the `len` at `head`. */
static void
icmp_send(struct stack *s, const struct quoted *q, struct icmp_code c, uint32_t rest)
{
	bool six = q->app->ip.family == 6;
	uint8_t icmp = six ? PROTO_ICMP6 : PROTO_ICMP;
	uint8_t mem[ICMP_HEADER + IP6_HEADER + TCP_HEADER_MAX] = { 0 };
	struct iovec v[2] = { { mem, 0 }, { NULL, 0 } };
	struct outgoing o;
	uint32_t sum = 0;
	size_t n;

	if (!c.type || q->len > TCP_HEADER_MAX)
		return;
	mem[0] = c.type;
	mem[1] = c.code;
	be32_put(mem + 4, rest);
	n = ICMP_HEADER +
		reply_header(mem + ICMP_HEADER, &q->app->ip, &q->target->ip, q->proto,
			q->whole, 0);
	memcpy(mem + n, q->head, q->len);
	n += q->len;
	if (six)
		sum = packet_pseudo(&q->target->ip, &q->app->ip, icmp, n);
	be16_put(mem + 2, checksum_fold(checksum_add(sum, mem, n)));
	v[0].iov_len = n;
	outgoing_init(&o, &q->target->ip, &q->app->ip, icmp, v);
	o.id = reply_id(s, 1);
	part_send(s, &o, 0, n, false, true);
}

void
reply_refuse(struct stack *s, const struct quoted *q, enum stack_answer why)
{
	icmp_send(s, q, icmp_code(why, q->app->ip.family == 6), 0);
}

/* RFC 792 and RFC 1191 4; RFC 4443 3.2. */
void
reply_too_big(struct stack *s, const struct quoted *q, size_t mtu)
{
	static const struct icmp_code four = { 3, 4 }, six = { 2, 0 };

	icmp_send(s, q, q->app->ip.family == 6 ? six : four, (uint32_t)mtu);
}

static uint16_t
sum_of(const struct ip *source, const struct ip *to, uint8_t proto,
	const struct iovec v[2])
{
	size_t len = v[0].iov_len + v[1].iov_len;
	uint32_t sum = 0;

	if (proto != PROTO_ICMP)
		sum = packet_pseudo(source, to, proto, len);
	sum = checksum_add(sum, v[0].iov_base, v[0].iov_len);
	return checksum_fold(checksum_add(sum, v[1].iov_base, v[1].iov_len));
}

/* The longest payload behind `header` bytes of transport header. */
static size_t
payload_max(const struct ip *source, size_t header)
{
	return 65535 - header - (source->family == 4 ? IP4_HEADER : 0);
}

int
stack_echo_reply(struct stack *s, const struct ip *source, const struct ip *to,
	uint16_t id, uint16_t seq, const uint8_t *p, size_t len)
{
	uint8_t proto = source->family == 4 ? PROTO_ICMP : PROTO_ICMP6;
	struct iovec v[2] = { { NULL, ICMP_HEADER }, { (void *)(uintptr_t)p, len } };
	uint8_t h[ICMP_HEADER] = { source->family == 4 ? 0 : 129 };

	if (source->family != to->family)
		return -EAFNOSUPPORT;
	if (len > payload_max(source, ICMP_HEADER))
		return -EMSGSIZE;
	be16_put(h + 4, id);
	be16_put(h + 6, seq);
	v[0].iov_base = h;
	be16_put(h + 2, sum_of(source, to, proto, v));
	return reply_send(s, source, to, proto, v);
}
