/* SPDX-License-Identifier: MIT */
#include "stack/output.h"

#include "base/bytes.h"
#include "stack/hooks.h"
#include "stack/stamps.h"

#include <errno.h>

#include "lwip/ip.h"
#include "lwip/priv/tcp_priv.h"
#include "lwip/tcp.h"

/* What lwIP sends, on its way to the device. */

static struct stack *owner;
static const struct tcp_pcb *sending; /* whose segment lwIP is sending */
static bool holding;                  /* acknowledgements wait */

void
output_begin(struct stack *s)
{
	owner = s;
	sending = NULL;
}

void
output_rest(void)
{
	sending = NULL;
}

/* A segment that was sent whole before.  One byte more or less is a probe of a closed
 * window, which asks on purpose; a SYN-ACK answers a SYN that was repeated. */
static bool
is_repeated(const struct tcp_hdr *h, const struct pbuf *p, const struct tcp_pcb *pcb)
{
	uint32_t seq = lwip_ntohl(h->seqno);
	uint32_t len = p->tot_len - (uint32_t)TCPH_HDRLEN_BYTES(h);

	if (TCPH_FLAGS(h) & TCP_SYN || p->tot_len < TCPH_HDRLEN_BYTES(h) || len < 2)
		return false;
	return TCP_SEQ_LEQ(seq + len, pcb->snd_nxt);
}

uint32_t *
port_segment(
	struct pbuf *p, struct tcp_hdr *h, const struct tcp_pcb *pcb, uint32_t *options)
{
	sending = pcb && pcb->state != LISTEN ? pcb : NULL;
	if (!sending)
		return options;
	if (is_repeated(h, p, pcb))
		owner->n.retransmitted++;
	return stamps_write(p, h, pcb, options);
}

static bool
is_reset(const struct pbuf *p, size_t header)
{
	return p->len >= header + TCP_HEADER &&
		((const uint8_t *)p->payload)[header + 13] & SEGMENT_RST;
}

void
output_hold(bool holds)
{
	holding = holds;
}

/* lwIP acknowledges every second segment and every credit at once.  One acknowledgement a
 * turn says the same, and each costs the application a wake-up. */
static bool
is_held(const struct pbuf *p, size_t header)
{
	const uint8_t *tcp = (const uint8_t *)p->payload + header;

	return holding && sending && sending->callback_arg &&
		!(tcp[13] & (SEGMENT_SYN | SEGMENT_FIN | SEGMENT_RST)) &&
		p->tot_len == header + (tcp[12] >> 4) * 4u;
}

enum { PIECES = 16 };

/* The pieces of a segment: a header, and the ring's memory, which lwIP joins where it is
 * contiguous.  So there are three at most; PIECES is for what a later lwIP may do. */
static int
pieces_of(const struct pbuf *p, struct iovec *v)
{
	int n;

	for (n = 0; p && n < PIECES; p = p->next)
		if (p->len)
			v[n++] = (struct iovec){ p->payload, p->len };
	return p ? -EMSGSIZE : n;
}

static uint8_t *
sum_field(uint8_t *tcp)
{
	return tcp + 16;
}

/* The device numbers the packets that it makes of one from its id on; lwIP counts one, so
 * that packets behind it would have the ids of these. */
static void
number(uint8_t *ip, size_t packets)
{
	be16_put(ip + 4, (uint16_t)reply_id(owner, packets));
	be16_put(ip + 10, 0);
	be16_put(ip + 10, checksum_fold(checksum_add(0, ip, IP4_HEADER)));
}

/* Leaves the checksum to the device, and the cutting where there is more than one segment
 * in p.  The field holds the sum of the pseudo header until then. */
static void
leave_to_device(const struct pbuf *p, size_t header, struct offload *o)
{
	uint8_t *ip = p->payload, *tcp = ip + header;
	struct conn *c = sending ? sending->callback_arg : NULL;
	size_t addresses = header == IP4_HEADER ? 8 : 32, len = p->tot_len - header;
	uint8_t tail[4] = { 0, PROTO_TCP };
	size_t packets = 1;
	uint32_t sum;

	be16_put(tail + 2, (uint16_t)len);
	sum = checksum_add(0, ip + header - addresses, addresses);
	sum = checksum_add(sum, tail, sizeof(tail));
	be16_put(sum_field(tcp), (uint16_t)~checksum_fold(sum));
	o->partial = true;
	o->csum_start = (uint16_t)header;
	o->hdr_len = (uint16_t)(header + (tcp[12] >> 4) * 4u);
	if (c && len > c->mss + (o->hdr_len - header)) {
		o->gso = OFFLOAD_TCP;
		o->segment = c->mss;
		packets = (p->tot_len - o->hdr_len + c->mss - 1u) / c->mss;
	}
	if (header == IP4_HEADER)
		number(ip, packets);
}

/* ERR_MEM makes lwIP keep the segment; port_resume sends it.  A RST is kept here, since
 * lwIP forgets it. */
static err_t
send_out(const struct pbuf *p, size_t header)
{
	struct iovec v[PIECES];
	struct offload o = { 0 };
	struct conn *c;
	int n = pieces_of(p, v), r;

	if (n < 0 || p->len < header + TCP_HEADER)
		return ERR_IF;
	if (is_held(p, header)) {
		stack_work(sending->callback_arg);
		return ERR_MEM;
	}
	if (owner->config.offload)
		leave_to_device(p, header, &o);
	if (is_reset(p, header)) {
		device_send_sure(owner, v, n, &o);
		return ERR_OK;
	}
	r = device_send(owner, v, n, &o);
	c = sending ? sending->callback_arg : NULL;
	if (r == 0 && c)
		c->acked = sending->rcv_nxt;
	if (r == 0)
		return ERR_OK;
	if (r == -EAGAIN && c) {
		list_remove(&c->stuck);
		list_append(&owner->stuck, &c->stuck);
	}
	return r == -EAGAIN ? ERR_MEM : ERR_IF;
}

err_t
output_ip4(struct netif *n, struct pbuf *p, const ip4_addr_t *to)
{
	(void)n;
	(void)to;
	return send_out(p, IP4_HEADER);
}

err_t
output_ip6(struct netif *n, struct pbuf *p, const ip6_addr_t *to)
{
	(void)n;
	(void)to;
	return send_out(p, IP6_HEADER);
}
