/* SPDX-License-Identifier: MIT */
#include "stack/room.h"

#include "base/bytes.h"

#include <errno.h>
#include <string.h>

/* UDP towards the application. */

enum { PIECES = 32 };

/* Datagrams on their way from one place to another. */
struct run {
	const struct endpoint *source, *to;
	struct iovec v[1 + PIECES]; /* the first is for the headers */
	int n;
	size_t len, segment; /* bytes in all; of each but the last */
	uint8_t head[IP6_HEADER + UDP_HEADER];
};

static void
header_write(uint8_t *h, const struct run *r)
{
	be16_put(h, r->source->port);
	be16_put(h + 2, r->to->port);
	be16_put(h + 4, (uint16_t)(UDP_HEADER + r->len));
	be16_put(h + 6, 0);
}

static size_t
ip_header(const struct run *r)
{
	return r->source->ip.family == 4 ? IP4_HEADER : IP6_HEADER;
}

/* Whether the device sums it, and cuts it where it stands for several. */
static bool
is_device_work(const struct stack *s, const struct run *r)
{
	size_t header = ip_header(r) + UDP_HEADER;
	bool several = r->len > r->segment;

	return s->config.offload && (!several || s->config.datagrams) &&
		header + (several ? r->segment : r->len) <= reply_mtu(s, &r->to->ip) &&
		header + r->len <= TUN_PACKET;
}

static int
count_of(size_t len, size_t segment)
{
	return len > segment ? (int)((len + segment - 1) / segment) : 1;
}

/* One packet whose checksum, and whose cutting, is left to the device. The field of the
 * checksum holds the sum of the pseudo header until then. */
static int
leave_to_device(struct stack *s, struct run *r)
{
	uint8_t *mem = r->head;
	size_t ip, len = UDP_HEADER + r->len;
	struct offload o = { .partial = true };
	uint32_t sum;

	/* The device numbers what it makes of one from its id on. */
	ip = reply_header(mem, &r->source->ip, &r->to->ip, PROTO_UDP, len,
		reply_id(s, (size_t)count_of(r->len, r->segment)));
	header_write(mem + ip, r);
	sum = packet_pseudo(&r->source->ip, &r->to->ip, PROTO_UDP, len);
	be16_put(mem + ip + 6, (uint16_t)~checksum_fold(sum));
	r->v[0] = (struct iovec){ mem, ip + UDP_HEADER };
	o.csum_start = (uint16_t)ip;
	o.hdr_len = (uint16_t)(ip + UDP_HEADER);
	if (r->len > r->segment) {
		o.gso = OFFLOAD_UDP;
		o.segment = (uint16_t)r->segment;
	}
	return device_send(s, r->v, 1 + r->n, &o);
}

/* One datagram of one piece, summed here, and in fragments where it must be. */
static int
send_whole(struct stack *s, struct run *r)
{
	uint8_t *h = r->head;
	uint32_t sum;
	uint16_t field;

	header_write(h, r);
	sum = packet_pseudo(&r->source->ip, &r->to->ip, PROTO_UDP, UDP_HEADER + r->len);
	sum = checksum_add(sum, h, UDP_HEADER);
	field = checksum_fold(checksum_add(sum, r->v[1].iov_base, r->len));
	be16_put(h + 6, field ? field : 0xffff); /* zero would mean none (RFC 768) */
	r->v[0] = (struct iovec){ h, UDP_HEADER };
	return reply_send(s, &r->source->ip, &r->to->ip, PROTO_UDP, r->v);
}

int
stack_udp_send(struct stack *s, const struct endpoint *source, const struct endpoint *to,
	const uint8_t *p, size_t len)
{
	struct run r = { source, to, .n = 1, .len = len, .segment = len };

	if (source->ip.family != to->ip.family)
		return -EAFNOSUPPORT;
	if (len > 65535 - UDP_HEADER - (source->ip.family == 4 ? IP4_HEADER : 0u))
		return -EMSGSIZE;
	r.v[1] = (struct iovec){ (void *)(uintptr_t)p, len };
	return is_device_work(s, &r) ? leave_to_device(s, &r) : send_whole(s, &r);
}

/* What has been gathered, as one packet or one by one. How many went. */
static int
run_send(struct stack *s, struct run *r)
{
	int i, sent = 0;
	size_t at, n;

	if (r->n == 0)
		return 0;
	if (is_device_work(s, r)) {
		n = (size_t)count_of(r->len, r->segment);
		return leave_to_device(s, r) == 0 ? (int)n : 0;
	}
	for (i = 1; i <= r->n; i++) {
		at = 0;
		do {
			n = r->v[i].iov_len - at;
			n = n < r->segment ? n : r->segment;
			sent += stack_udp_send(s, r->source, r->to,
					(uint8_t *)r->v[i].iov_base + at, n) == 0;
			at += n;
		} while (at < r->v[i].iov_len);
	}
	return sent;
}

/* Whether one more piece still makes a packet that the device takes. */
static bool
has_room(const struct run *r, const struct iovec *v)
{
	size_t len = r->len + v->iov_len;

	return ip_header(r) + UDP_HEADER + len <= TUN_PACKET &&
		count_of(len, r->segment) <= DATAGRAMS_MAX;
}

int
stack_udp_send_many(struct stack *s, const struct endpoint *source,
	const struct endpoint *to, const struct iovec *v, int n, size_t segment)
{
	struct run r = { source, to, .segment = segment };
	int i, sent = 0;

	if (source->ip.family != to->ip.family)
		return -EAFNOSUPPORT;
	if (n > PIECES)
		return -EMSGSIZE;
	for (i = 0; i < n; i++) {
		if (r.n > 0 && !has_room(&r, &v[i])) {
			sent += run_send(s, &r);
			r.n = 0;
			r.len = 0;
		}
		r.v[++r.n] = v[i];
		r.len += v[i].iov_len;
	}
	return sent + run_send(s, &r);
}

/* The ports and the length are all that an error about a datagram quotes of it. */
static void
quote(uint8_t h[static UDP_HEADER], struct quoted *q, size_t len)
{
	be16_put(h, q->app->port);
	be16_put(h + 2, q->target->port);
	be16_put(h + 4, (uint16_t)(UDP_HEADER + len));
	q->head = h;
	q->len = UDP_HEADER;
	q->whole = UDP_HEADER + len;
	q->proto = PROTO_UDP;
}

void
stack_udp_refuse(struct stack *s, const struct endpoint *app,
	const struct endpoint *target, enum stack_answer why)
{
	struct quoted q = { app, target };
	uint8_t h[UDP_HEADER] = { 0 };

	if (app->ip.family != target->ip.family)
		return;
	quote(h, &q, 0);
	reply_refuse(s, &q, why);
}

void
stack_udp_too_big(struct stack *s, const struct endpoint *app,
	const struct endpoint *target, size_t len, size_t most)
{
	size_t ip = app->ip.family == 4 ? IP4_HEADER : IP6_HEADER;
	struct quoted q = { app, target };
	uint8_t h[UDP_HEADER] = { 0 };

	if (app->ip.family != target->ip.family || len > TUN_PACKET - ip - UDP_HEADER)
		return;
	quote(h, &q, len);
	reply_too_big(s, &q, ip + UDP_HEADER + most);
}
