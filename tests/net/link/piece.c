/* SPDX-License-Identifier: MIT */
#include "piece.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <string.h>

enum {
	GSO_UDP_L4 = 5, /* of the virtio specification; older headers lack it */
	UDP_HEADER = 8,
	TCP_SUM = 16, /* RFC 9293 section 3.1 */
	UDP_SUM = 6,  /* RFC 768 */
};

static uint32_t
be_get(const uint8_t *p, size_t n)
{
	uint32_t v = 0;

	while (n--)
		v = v << 8 | *p++;
	return v;
}

static void
be_put(uint8_t *p, size_t n, uint32_t v)
{
	while (n--) {
		p[n] = (uint8_t)v;
		v >>= 8;
	}
}

static bool
is_udp(const struct packet *p)
{
	return p->h.gso_type == GSO_UDP_L4;
}

/* The headers that each segment has. */
static size_t
head_of(const struct packet *p)
{
	size_t at = p->h.csum_start;

	return at + (is_udp(p) ? UDP_HEADER : (size_t)(p->b[at + 12] >> 4) * 4);
}

size_t
packet_segments(const struct packet *p, size_t len)
{
	size_t head;

	if (p->h.gso_type == VIRTIO_NET_HDR_GSO_NONE || p->h.gso_size == 0)
		return 1;
	head = head_of(p);
	if (len <= head)
		return 1;
	return (len - head + p->h.gso_size - 1) / p->h.gso_size;
}

/* The payload of the segments [from, end): where it begins, and where it ends. */
static size_t
payload(const struct packet *p, size_t len, size_t from, size_t end, size_t *till)
{
	size_t head = head_of(p);

	*till = head + end * p->h.gso_size;
	if (*till > len)
		*till = len;
	return head + from * p->h.gso_size;
}

size_t
packet_wire(const struct packet *p, size_t len, size_t from, size_t end)
{
	size_t begin, till;

	if (p->h.gso_type == VIRTIO_NET_HDR_GSO_NONE || p->h.gso_size == 0)
		return len;
	begin = payload(p, len, from, end, &till);
	return till - begin + (end - from) * head_of(p);
}

static uint32_t
sum_add(uint32_t sum, const uint8_t *p, size_t n)
{
	for (; n >= 2; n -= 2, p += 2)
		sum += be_get(p, 2);
	return sum;
}

static uint32_t
fold(uint32_t sum)
{
	sum = (sum & 0xffff) + (sum >> 16);
	return (sum & 0xffff) + (sum >> 16);
}

static void
ip_mend(uint8_t *b, size_t head, size_t len, size_t from)
{
	if (b[0] >> 4 == 6) {
		be_put(b + 4, 2, (uint32_t)len - 40);
		return;
	}
	be_put(b + 2, 2, (uint32_t)len);
	be_put(b + 4, 2, be_get(b + 4, 2) + (uint32_t)from);
	be_put(b + 10, 2, 0);
	be_put(b + 10, 2, ~fold(sum_add(0, b, head)));
}

/* Who completes the sum begins with that of the pseudo header. */
static void
sum_begin(uint8_t *b, size_t at, size_t len, bool udp)
{
	uint32_t sum = (uint32_t)(len - at) + (udp ? IPPROTO_UDP : IPPROTO_TCP);

	sum = b[0] >> 4 == 6 ? sum_add(sum, b + 8, 32) : sum_add(sum, b + 12, 8);
	be_put(b + at + (udp ? UDP_SUM : TCP_SUM), 2, fold(sum));
}

static void
tcp_mend(uint8_t *t, uint32_t skipped, bool is_first, bool is_last)
{
	be_put(t + 4, 4, be_get(t + 4, 4) + skipped);
	if (!is_last)
		t[13] &= (uint8_t) ~(TH_FIN | TH_PUSH);
	if (!is_first)
		t[13] &= 0x7f; /* CWR, RFC 3168 section 6.1.2 */
}

size_t
packet_cut(struct packet *to, const struct packet *p, size_t len, size_t from, size_t end)
{
	size_t at = p->h.csum_start, head = head_of(p), till, begin, n;

	begin = payload(p, len, from, end, &till);
	n = head + till - begin;
	to->h = p->h;
	if (end - from == 1) {
		to->h.gso_type = VIRTIO_NET_HDR_GSO_NONE;
		to->h.gso_size = 0;
	}
	memcpy(to->b, p->b, head);
	memcpy(to->b + head, p->b + begin, till - begin);
	ip_mend(to->b, at, n, from);
	if (is_udp(p))
		be_put(to->b + at + 4, 2, (uint32_t)(n - at));
	else
		tcp_mend(to->b + at, (uint32_t)(from * p->h.gso_size), from == 0,
			till == len);
	sum_begin(to->b, at, n, is_udp(p));
	return n;
}
