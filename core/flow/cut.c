/* SPDX-License-Identifier: MIT */
#include "flow/cut.h"

#include "base/bytes.h"

#include <string.h>

enum {
	PROTO_TCP = 6,
	PROTO_UDP = 17,
	TCP_HEADER = 20,
	UDP_HEADER = 8,
	TCP_SUM = 16, /* where the checksum is, RFC 9293 3.1 */
	UDP_SUM = 6,  /* RFC 768 */
	FLAG_FIN = 1,
	FLAG_SYN = 2,
	FLAG_RST = 4,
	FLAG_PSH = 8,
	FLAG_CWR = 128,
	UNCUT = 0x4000, /* of the third word, RFC 791 3.1 */
	MORE = 0x2000,
};

static size_t
header_len(const struct stack_packet *k, enum network network)
{
	switch (network) {
	case NETWORK_TCP:
		return k->at + (size_t)(k->p[k->at + 12] >> 4) * 4;
	case NETWORK_UDP:
		return k->at + UDP_HEADER;
	case NETWORK_ICMP:
		break;
	}
	return k->at;
}

bool
cut_begin(struct cut *c, const struct stack_packet *k, enum network network)
{
	c->whole = k;
	c->network = network;
	c->header = header_len(k, network);
	c->segment = k->offload.gso == OFFLOAD_NONE ? 0 : k->offload.segment;
	c->done = 0;
	c->n = 0;
	return c->header <= sizeof(c->mem) && c->header <= k->len;
}

/* The lengths and numbers of one packet of several with `n` bytes of payload. */
static void
header_write(struct cut *c, size_t n, bool last)
{
	size_t at = c->whole->at, total = c->header + n;
	uint8_t *h = c->mem;

	if (h[0] >> 4 == 4) {
		be16_put(h + 2, (uint16_t)total);
		be16_put(h + 4, (uint16_t)(be16_get(h + 4) + c->n));
		be16_put(h + 10, 0);
		be16_put(h + 10, checksum_fold(checksum_add(0, h, at)));
	} else {
		be16_put(h + 4, (uint16_t)(total - 40));
	}
	if (c->network == NETWORK_UDP) {
		be16_put(h + at + 4, (uint16_t)(UDP_HEADER + n));
		return;
	}
	be32_put(h + at + 4, be32_get(h + at + 4) + (uint32_t)c->done);
	if (!last)
		h[at + 13] &= (uint8_t) ~(FLAG_FIN | FLAG_PSH);
	if (c->n > 0)
		h[at + 13] &= (uint8_t)~FLAG_CWR;
}

/* Over the pseudo header (RFC 9293 3.1, RFC 8200 8.1), the header and the payload. */
static void
sum_write(struct cut *c)
{
	size_t at = c->whole->at, len = c->header - at + c->v[1].iov_len;
	bool tcp = c->network == NETWORK_TCP, six = c->mem[0] >> 4 == 6;
	uint8_t *field = c->mem + at + (tcp ? TCP_SUM : UDP_SUM);
	uint8_t tail[4] = { 0, tcp ? PROTO_TCP : PROTO_UDP };
	uint32_t sum;

	be16_put(tail + 2, (uint16_t)len);
	be16_put(field, 0);
	sum = checksum_add(0, c->mem + (six ? 8 : 12), six ? 32 : 8);
	sum = checksum_add(sum, tail, sizeof(tail));
	/* A header has a whole number of words. */
	sum = checksum_add(sum, c->mem + at, c->header - at);
	sum = checksum_add(sum, c->v[1].iov_base, c->v[1].iov_len);
	be16_put(field, checksum_fold(sum));
	/* RFC 768: no sum is a zero; a zero is written as all ones. */
	if (!tcp && be16_get(field) == 0)
		be16_put(field, 0xffff);
}

bool
cut_next(struct cut *c)
{
	const struct stack_packet *k = c->whole;
	size_t left = k->len - c->header - c->done, n = left;

	if (c->n > 0 && left == 0)
		return false;
	if (c->segment > 0 && n > c->segment)
		n = c->segment;
	memcpy(c->mem, k->p, c->header);
	c->v[0] = (struct iovec){ c->mem, c->header };
	c->v[1] = (struct iovec){ (void *)(k->p + c->header + c->done), n };
	if (n < k->len - c->header)
		header_write(c, n, n == left);
	if (k->offload.partial || n < k->len - c->header)
		sum_write(c);
	c->len = c->left = n;
	c->done += n;
	c->n++;
	return true;
}

/* A connection's bytes have no borders, but a SYN would be one more in each piece. */
bool
cut_again(struct cut *c, size_t max)
{
	size_t n = c->v[1].iov_len;

	if (c->network != NETWORK_TCP || c->mem[c->whole->at + 13] & FLAG_SYN ||
		max <= c->header || max - c->header >= n)
		return false;
	c->segment = max - c->header;
	c->done -= n;
	c->n--;
	return true;
}

static bool
may_fragment(const struct cut *c)
{
	return c->network == NETWORK_UDP && c->mem[0] >> 4 == 4 &&
		(be16_get(c->mem + 6) & UNCUT) == 0;
}

/*
 * All fragments have the number of the datagram.  A zero stands for none: the system would
 * choose one for each.  What is of several has counted on from that zero.
 */
static void
number_give(struct cut *c, uint16_t *id)
{
	if (be16_get(c->whole->p + 4) != 0 && be16_get(c->mem + 4) != 0)
		return;
	if (++*id == 0)
		++*id;
	be16_put(c->mem + 4, *id);
}

bool
cut_fragment(struct cut *c, size_t max, uint16_t *id)
{
	size_t at = c->whole->at, from = c->len - c->left, n = c->left;
	/* Offsets are counted in eights, from the UDP header on. */
	size_t offset = from > 0 ? from + UDP_HEADER : 0, room;

	if (!may_fragment(c) || n == 0 || max < at + 2 * UDP_HEADER)
		return false;
	room = ((max - at) & ~(size_t)7) - (offset > 0 ? 0 : UDP_HEADER);
	if (n > room)
		n = room;
	if (from == 0)
		number_give(c, id);
	c->left -= n;
	be16_put(c->mem + 6, (uint16_t)((c->left > 0 ? MORE : 0) | offset / 8));
	c->v[0].iov_len = offset > 0 ? at : c->header;
	c->v[1].iov_base = (void *)(c->whole->p + c->header + c->done - c->len + from);
	c->v[1].iov_len = n;
	return true;
}

void
cut_reset(struct cut *c)
{
	size_t at = c->whole->at;
	uint8_t *tcp = c->mem + at;

	c->header = at + TCP_HEADER;
	memcpy(c->mem, c->whole->p, c->header);
	memset(tcp + 8, 0, TCP_HEADER - 8);
	tcp[12] = TCP_HEADER / 4 << 4;
	tcp[13] = FLAG_RST;
	c->v[0] = (struct iovec){ c->mem, c->header };
	c->v[1] = (struct iovec){ tcp, 0 };
	header_write(c, 0, true);
	sum_write(c);
}
