/* SPDX-License-Identifier: MIT */
#include "stack/packet.h"

#include "base/bytes.h"

#include <errno.h>

/* IPv4 fragment field (RFC 791 3.1). */
enum {
	IP4_RESERVED = 0x8000,
	IP4_UNCUT = 0x4000,
	IP4_MORE = 0x2000,
	IP4_OFFSET = 0x1fff
};

/* IPv6 next headers (RFC 8200 4). */
enum { NEXT_HOP_BY_HOP = 0, NEXT_FRAGMENT = 44, NEXT_OPTIONS = 60, NEXT_MAX = 8 };

/* The largest whole packet that its length fields can name. */
enum { IP4_MAX = 65535 - IP4_HEADER, IP6_MAX = 65535 };

static bool
source_sound(const struct ip *ip)
{
	return !ip_is_unspecified(ip) && !ip_is_multicast(ip) && !ip_is_loopback(ip) &&
		ip_unmapped(*ip).family == ip->family;
}

/* Group addresses belong to the link that the packet left behind: discovery, multicast
 * DNS.  A source equal to its target is the LAND attack. */
static int
addresses_check(const struct packet *k)
{
	if (ip_is_multicast(&k->target))
		return -EPROTONOSUPPORT;
	if (!source_sound(&k->source) || !source_sound(&k->target) ||
		ip_equal(&k->source, &k->target))
		return -EBADMSG;
	return 0;
}

/* What a fragment says of itself must be possible (RFC 8200 4.5). */
static int
part_check(const struct packet *k, size_t max)
{
	if (!k->part)
		return 0;
	if (k->len == 0 || (k->more && k->len % 8 != 0) || k->offset + k->len > max)
		return -EBADMSG;
	return 0;
}

static int
ip4_read(struct packet *k, const uint8_t *p, size_t len)
{
	struct reader r;
	uint16_t total, fragment;
	uint8_t header, ttl;

	reader_init(&r, p, len);
	header = (reader_u8(&r) & 15) * 4;
	reader_skip(&r, 1);
	total = reader_be16(&r);
	k->id = reader_be16(&r);
	fragment = reader_be16(&r);
	ttl = reader_u8(&r);
	k->proto = reader_u8(&r);
	reader_skip(&r, 2);
	k->source.family = k->target.family = 4;
	reader_copy(&r, k->source.b, 4);
	reader_copy(&r, k->target.b, 4);
	if (r.bad || header < IP4_HEADER || total < header || total > len || ttl == 0 ||
		fragment & IP4_RESERVED || checksum_fold(checksum_add(0, p, header)) != 0)
		return -EBADMSG;
	k->p = p + header;
	k->len = total - header;
	k->offset = (uint16_t)((fragment & IP4_OFFSET) * 8);
	k->more = fragment & IP4_MORE;
	k->part = k->more || k->offset;
	k->uncut = fragment & IP4_UNCUT && !k->part;
	if (part_check(k, IP4_MAX) < 0)
		return -EBADMSG;
	/* Options ask for things that we do not do, source routes among them. */
	return header > IP4_HEADER ? -EPROTONOSUPPORT : 0;
}

/* Hop-by-hop and destination options pass as long as each may be skipped by whoever does
 * not know it (RFC 8200 4.2). */
static int
ip6_options_check(struct reader *r)
{
	uint8_t type;

	while (r->len && !r->bad) {
		type = reader_u8(r);
		if (type == 0) /* Pad1 */
			continue;
		if (type >> 6)
			return -EPROTONOSUPPORT;
		reader_skip(r, reader_u8(r));
	}
	return r->bad ? -EBADMSG : 0;
}

static int
ip6_options_read(struct reader *r, uint8_t *next)
{
	struct reader options;
	size_t len;

	*next = reader_u8(r);
	len = reader_u8(r) * 8u + 6;
	reader_part(r, len, &options);
	return ip6_options_check(&options);
}

static void
ip6_fragment_read(struct packet *k, struct reader *r, uint8_t *next)
{
	uint16_t fragment;

	*next = reader_u8(r);
	reader_skip(r, 1);
	fragment = reader_be16(r);
	k->id = reader_be32(r);
	k->offset = fragment & 0xfff8;
	k->more = fragment & 1;
	/* One that is alone is whole (RFC 6946). */
	k->part = k->more || k->offset;
}

/* Walks the chain of extension headers; what is after a fragment header is not looked at
 * before the packet is whole. */
static int
ip6_chain_read(struct packet *k, struct reader *r, uint8_t next)
{
	int i, err;

	for (i = 0; i < NEXT_MAX && !k->part; i++) {
		if (next == NEXT_FRAGMENT) {
			ip6_fragment_read(k, r, &next);
		} else if (next == NEXT_OPTIONS || (next == NEXT_HOP_BY_HOP && i == 0)) {
			err = ip6_options_read(r, &next);
			if (err < 0)
				return err;
		} else {
			break;
		}
	}
	k->proto = next;
	return r->bad ? -EBADMSG : 0;
}

static int
ip6_read(struct packet *k, const uint8_t *p, size_t len)
{
	struct reader r, rest;
	uint8_t next, hops;
	uint16_t payload;
	int err;

	reader_init(&r, p, len);
	reader_skip(&r, 4);
	payload = reader_be16(&r);
	next = reader_u8(&r);
	hops = reader_u8(&r);
	k->source.family = k->target.family = 6;
	reader_copy(&r, k->source.b, 16);
	reader_copy(&r, k->target.b, 16);
	reader_part(&r, payload, &rest);
	if (r.bad || hops == 0)
		return -EBADMSG;
	err = ip6_chain_read(k, &rest, next);
	if (err < 0)
		return err;
	k->p = rest.p;
	k->len = rest.len;
	k->uncut = !k->part;
	return part_check(k, IP6_MAX);
}

/* Only a whole segment or datagram can have work left to do, and that begins where its
 * header does.  `hdr_len` is a hint that Linux gives wrongly, and is not needed. */
static int
offload_check(const struct packet *k, const uint8_t *p, const struct offload *o)
{
	bool tcp = k->proto == PROTO_TCP, udp = k->proto == PROTO_UDP;

	if (!o->partial && o->gso == OFFLOAD_NONE)
		return 0;
	if (k->part || (o->partial && o->csum_start != k->p - p))
		return -EBADMSG;
	switch (o->gso) {
	case OFFLOAD_NONE:
		return tcp || udp ? 0 : -EBADMSG;
	case OFFLOAD_TCP:
		return tcp && o->segment ? 0 : -EBADMSG;
	case OFFLOAD_UDP:
		return udp && o->segment ? 0 : -EBADMSG;
	}
	return -EBADMSG;
}

int
packet_read(struct packet *k, const uint8_t *p, size_t len, const struct offload *o)
{
	int err;

	*k = (struct packet){ .verified = o && (o->partial || o->checked) };
	if (len == 0)
		return -EBADMSG;
	if (p[0] >> 4 == 4)
		err = ip4_read(k, p, len);
	else if (p[0] >> 4 == 6)
		err = ip6_read(k, p, len);
	else
		err = -EBADMSG;
	if (err == 0)
		err = addresses_check(k);
	return err == 0 && o ? offload_check(k, p, o) : err;
}

uint32_t
packet_pseudo(const struct ip *source, const struct ip *target, uint8_t proto, size_t len)
{
	size_t n = source->family == 4 ? 4 : 16;
	uint8_t tail[8] = { 0 };
	uint32_t sum;

	be32_put(tail, (uint32_t)len);
	tail[7] = proto;
	sum = checksum_add(0, source->b, n);
	sum = checksum_add(sum, target->b, n);
	return checksum_add(sum, tail, sizeof(tail));
}

static bool
sum_holds(const struct packet *k, size_t len)
{
	uint32_t sum = packet_pseudo(&k->source, &k->target, k->proto, len);

	return k->verified || checksum_fold(checksum_add(sum, k->p, len)) == 0;
}

/* A SYN comes alone; RST and SYN do not mix; everything that is neither has an ACK.
 * This takes out the scans called null, FIN and Xmas.  A SYN with ACK answers a SYN, and
 * this side never sends one. */
static bool
flags_sound(uint8_t flags)
{
	uint8_t kind = flags & (SEGMENT_SYN | SEGMENT_RST | SEGMENT_FIN | SEGMENT_ACK);

	switch (kind) {
	case SEGMENT_SYN:
	case SEGMENT_RST:
	case SEGMENT_RST | SEGMENT_ACK:
	case SEGMENT_ACK:
	case SEGMENT_FIN | SEGMENT_ACK:
		return true;
	default:
		return false;
	}
}

int
segment_read(struct segment *g, const struct packet *k)
{
	struct reader r;
	uint8_t header;

	reader_init(&r, k->p, k->len);
	g->app = (struct endpoint){ k->source, reader_be16(&r) };
	g->target = (struct endpoint){ k->target, reader_be16(&r) };
	g->seq = reader_be32(&r);
	g->ack = reader_be32(&r);
	header = (reader_u8(&r) >> 4) * 4;
	g->flags = reader_u8(&r) & 63;
	g->window = reader_be16(&r);
	reader_skip(&r, 4);
	if (r.bad || header < TCP_HEADER)
		return -EBADMSG;
	g->optlen = header - TCP_HEADER;
	g->options = reader_bytes(&r, g->optlen);
	g->p = r.p;
	g->len = r.len;
	if (r.bad || !g->app.port || !g->target.port || !flags_sound(g->flags) ||
		!sum_holds(k, k->len))
		return -EBADMSG;
	return 0;
}

uint32_t
segment_span(const struct segment *g)
{
	return (uint32_t)g->len + !!(g->flags & SEGMENT_SYN) + !!(g->flags & SEGMENT_FIN);
}

static void
syn_option_read(struct syn_options *o, uint8_t kind, struct reader *r)
{
	if (kind == 2 && r->len == 2) {
		o->mss = reader_be16(r);
	} else if (kind == 3 && r->len == 1) {
		o->scale = reader_u8(r);
		if (o->scale > 14) /* RFC 7323 2.3 */
			o->scale = 14;
	} else if (kind == 4 && r->len == 0) {
		o->sack = true;
	} else if (kind == 8 && r->len == 8) {
		o->stamped = true;
		o->stamp = reader_be32(r);
	}
}

void
syn_options_read(struct syn_options *o, const uint8_t *p, size_t len)
{
	struct reader r, value;
	uint8_t kind, n;

	*o = (struct syn_options){ .scale = -1 };
	reader_init(&r, p, len);
	while (r.len) {
		kind = reader_u8(&r);
		if (kind == 0) /* end of options */
			return;
		if (kind == 1) /* nothing, for alignment */
			continue;
		n = reader_u8(&r);
		if (n < 2)
			return;
		reader_part(&r, n - 2u, &value);
		if (value.bad)
			return;
		syn_option_read(o, kind, &value);
	}
}

bool
segment_stamp(const struct segment *g, uint32_t *stamp)
{
	struct syn_options o;

	/* As all systems write it. */
	if (g->optlen == TCP_STAMP && be32_get(g->options) == 0x0101080a) {
		*stamp = be32_get(g->options + 4);
		return true;
	}
	syn_options_read(&o, g->options, g->optlen);
	*stamp = o.stamp;
	return o.stamped;
}

int
datagram_read(struct datagram *d, const struct packet *k)
{
	struct reader r;
	uint16_t len, sum;

	reader_init(&r, k->p, k->len);
	d->app = (struct endpoint){ k->source, reader_be16(&r) };
	d->target = (struct endpoint){ k->target, reader_be16(&r) };
	len = reader_be16(&r);
	sum = reader_be16(&r);
	if (r.bad || len < UDP_HEADER || len > k->len || !d->app.port || !d->target.port)
		return -EBADMSG;
	/* Only IPv4 may do without (RFC 768, RFC 8200 8.1). */
	if (sum == 0 ? !k->verified && k->source.family == 6 : !sum_holds(k, len))
		return -EBADMSG;
	d->p = r.p;
	d->len = len - (size_t)UDP_HEADER;
	return 0;
}

int
ping_read(struct ping *g, const struct packet *k)
{
	bool six = k->source.family == 6;
	uint8_t type, code;
	struct reader r;
	uint32_t sum;

	reader_init(&r, k->p, k->len);
	type = reader_u8(&r);
	code = reader_u8(&r);
	reader_skip(&r, 2);
	g->id = reader_be16(&r);
	g->seq = reader_be16(&r);
	g->p = r.p;
	g->len = r.len;
	if (r.bad)
		return -EBADMSG;
	sum = six ? packet_pseudo(&k->source, &k->target, PROTO_ICMP6, k->len) : 0;
	if (!k->verified && checksum_fold(checksum_add(sum, k->p, k->len)) != 0)
		return -EBADMSG;
	return type == (six ? 128 : 8) && code == 0 ? 0 : -EPROTONOSUPPORT;
}

int
too_big_read(struct too_big *t, const struct packet *k)
{
	struct reader r;
	uint8_t type;

	*t = (struct too_big){ { { .family = 6 } }, { { .family = 6 } } };
	reader_init(&r, k->p, k->len);
	type = reader_u8(&r);
	if (!r.bad && type != 2)
		return -EPROTONOSUPPORT;
	reader_skip(&r, 3);
	t->mtu = reader_be32(&r);
	reader_skip(&r, 6); /* of the header that is quoted */
	t->proto = reader_u8(&r);
	reader_skip(&r, 1);
	reader_copy(&r, t->from.ip.b, 16);
	reader_copy(&r, t->to.ip.b, 16);
	if (t->proto == PROTO_TCP) {
		t->from.port = reader_be16(&r);
		t->to.port = reader_be16(&r);
		t->seq = reader_be32(&r);
	}
	if (r.bad || !sum_holds(k, k->len) || !ip_equal(&t->from.ip, &k->target))
		return -EBADMSG;
	return 0;
}
