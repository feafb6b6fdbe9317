/* SPDX-License-Identifier: MIT */
#include "stack/room.h"

#include "base/bytes.h"
#include "base/log.h"
#include "stack/ends.h"
#include "stack/events.h"
#include "stack/hooks.h"
#include "stack/memory.h"
#include "stack/output.h"
#include "stack/shard.h"
#include "stack/sizes.h"
#include "stack/stamps.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lwip/init.h"
#include "lwip/ip.h"
#include "lwip/netif.h"
#include "lwip/priv/tcp_priv.h"
#include "lwip/tcp.h"

/*
 * Everything that touches lwIP's globals.  The globals of this file are lwIP's
 * counterpart: it calls back without saying for whom.
 */

enum {
	EXT_ID = 0,
	TICK_MS = TCP_TMR_INTERVAL,
	/* Memory that lwIP may hold beside what was received: for each connection its
	 * structs, and the headers of what is on its way. */
	BYTES_CONN = 1024,
	BYTES_BASE = 256 * 1024,
	/* What may always be on its way where the device cuts segments.  The way leads
	 * through a queue of this machine; a smaller window of congestion would not let
	 * a large segment go. */
	FLYING_LEAST = 256 * 1024,
};

static struct stack *owner;
static struct netif device;
static struct tcp_pcb *listener;
static struct conn *opener;   /* whose SYN lwIP is taking */
static uint32_t opener_stamp; /* that this had */

uint32_t
port_isn(void)
{
	uint32_t v;

	rng_bytes(&owner->rng, &v, sizeof(v));
	return v;
}

/* lwIP has registered a connection. */
void
tcp_timer_needed(void)
{
	if (owner && !owner->tick.armed)
		timer_arm(&owner->tick, TICK_MS);
}

static err_t
device_init(struct netif *n)
{
	n->name[0] = 't';
	n->name[1] = 'n';
	n->output = output_ip4;
	n->output_ip6 = output_ip6;
	return ERR_OK;
}

static err_t
on_open(uint8_t id, struct tcp_pcb_listen *l, struct tcp_pcb *pcb)
{
	(void)l;
	if (!opener)
		return ERR_VAL;
	events_begin(opener, pcb, id);
	pcb->ts_recent = opener_stamp;
	return ERR_OK;
}

static const struct tcp_ext_arg_callbacks listener_callbacks = {
	.passive_open = on_open
};

static int
listen_start(void)
{
	struct tcp_pcb *pcb = tcp_new_ip_type(IPADDR_TYPE_ANY), *l;

	if (!pcb)
		return -ENOMEM;
	if (tcp_bind(pcb, IP_ANY_TYPE, 1) != ERR_OK) {
		tcp_close(pcb);
		return -ENOMEM;
	}
	tcp_bind_netif(pcb, &device);
	l = tcp_listen(pcb);
	if (!l) {
		tcp_close(pcb);
		return -ENOMEM;
	}
	tcp_ext_arg_set_callbacks(l, EXT_ID, &listener_callbacks);
	listener = l;
	return 0;
}

/* lwIP begins once a process; its one device stays. */
static void
lwip_begin(void)
{
	static bool begun;

	if (begun)
		return;
	begun = true;
	lwip_init();
	netif_add_noaddr(&device, NULL, device_init, NULL);
	netif_set_default(&device);
	netif_set_link_up(&device);
	netif_set_up(&device);
}

int
port_start(struct stack *s)
{
	int err;

	assert(!owner);
	memory_begin(BYTES_BASE + s->config.memory / 2 + s->config.conns_max * BYTES_CONN,
		&s->n.over_limit);
	lwip_begin();
	owner = s;
	output_begin(s);
	stamps_begin(s->loop);
	device.mtu = device.mtu6 = (uint16_t)s->config.mtu;
	NETIF_SET_CHECKSUM_CTRL(&device,
		NETIF_CHECKSUM_GEN_IP | (s->config.offload ? 0 : NETIF_CHECKSUM_GEN_TCP));
	err = listen_start();
	if (err < 0)
		owner = NULL;
	return err;
}

size_t
port_end(struct stack *s)
{
	assert(owner == s);
	s->full = true; /* nobody hears the last words */
	shard_abort();
	stack_tell(s); /* frees what the connections hold of lwIP's */
	tcp_close(listener);
	listener = NULL;
	timer_stop(&s->tick);
	timer_stop(&s->ack);
	owner = NULL;
	return memory_end();
}

struct tcp_pcb *
port_enter(struct conn *c)
{
	if (!c->stack->tick.armed)
		timer_arm(&c->stack->tick, TICK_MS);
	shard_choose(shard_of(c->node.hash));
	return c->pcb;
}

/* A probe of a closed window carries a byte, or a FIN.  Where that was all and the peer
 * acknowledges it, lwIP lets its persist timer run on, and finds it impossible when it
 * fires. */
static void
persist_mend(struct conn *c)
{
	struct tcp_pcb *pcb = c->pcb;

	if (pcb && pcb->persist_backoff && (!pcb->unsent || pcb->unacked))
		pcb->persist_backoff = 0;
}

/* Leaves of g what begins before `right`. */
static void
segment_cut(struct segment *g, uint32_t right)
{
	int32_t room = (int32_t)(right - g->seq);

	if (room < 0)
		room = 0;
	if (segment_span(g) <= (uint32_t)room)
		return;
	if (g->len > (size_t)room)
		g->len = (size_t)room;
	g->flags &= (uint8_t)~SEGMENT_FIN;
}

/*
 * Where memory is nearly used up, each connection may still have a little that is unread,
 * so that the words of others pass; and what acknowledges passes in any case, without what
 * it came with.
 */
static void
segment_spare(struct conn *c, struct segment *g)
{
	uint32_t next = c->pcb->rcv_nxt;
	bool in_order = (int32_t)(g->seq - next) <= 0;

	if (!memory_is_beyond(MEMORY_TIGHT) || (in_order && g->len == 0))
		return;
	if (in_order && !c->in && !memory_is_beyond(MEMORY_LAST)) {
		segment_cut(g, next + WINDOW_LEAST);
		return;
	}
	c->stack->n.over_limit++;
	segment_cut(g, g->seq);
}

/* Only what a sound stream can hold comes to lwIP, which asserts otherwise: nothing beyond
 * the window (it cuts that itself, but not from the first segment that it queues out of
 * order), one FIN, and nothing behind it. */
static void
segment_fit(struct conn *c, struct segment *g)
{
	uint32_t end;

	if (g->flags & (SEGMENT_SYN | SEGMENT_RST)) {
		g->len = 0;
		return;
	}
	segment_cut(g, c->pcb->rcv_nxt + c->pcb->rcv_wnd);
	segment_spare(c, g);
	end = g->seq + (uint32_t)g->len;
	if (c->fin_known ? end != c->fin : (int32_t)(end - c->top) < 0)
		g->flags &= (uint8_t)~SEGMENT_FIN;
	if (c->fin_known && !(g->flags & SEGMENT_FIN))
		segment_cut(g, c->fin);
	end = g->seq + (uint32_t)g->len;
	if (g->flags & SEGMENT_FIN) {
		c->fin_known = true;
		c->fin = end;
	}
	/* Bytes count, and not where an acknowledgement stands: it may stand behind a FIN
	 * that was lost and is on its way again. */
	if (g->len > 0 && (int32_t)(end - c->top) > 0)
		c->top = end;
}

/* Congestion is not what a queue of this machine knows. */
static void
flying_raise(struct tcp_pcb *pcb, const struct conn *c)
{
	if (c->large > c->mss && pcb->cwnd < FLYING_LEAST)
		pcb->cwnd = FLYING_LEAST;
}

/* The segment may have opened the window, which nothing else tells. */
static void
window_opened(struct conn *c)
{
	uint8_t *p;

	if (!c->pcb)
		return;
	flying_raise(c->pcb, c);
	if (c->pcb->unsent || (c->ring && ring_unsent(c->ring, &p)))
		stack_work(c);
}

/* lwIP would take the packet through its IP layer, which wants its device to have the
 * target's address.  All that layer does for a TCP segment is to fill in ip_data. */
void
port_input(struct conn *c, const struct segment *g, const struct syn_options *o)
{
	struct segment t = *g;
	struct pbuf *p;

	if (port_enter(c)) {
		segment_fit(c, &t);
		stamps_take(c->pcb, g);
	}
	p = lent_segment(c->stack, &t, o);
	if (!p)
		return;
	opener = o ? c : NULL;
	opener_stamp = o ? o->stamp : 0;
	((struct tcp_pcb_listen *)listener)->local_port = o ? g->target.port : 0;
	ip_data.current_netif = ip_data.current_input_netif = &device;
	ends_address_set(&ip_data.current_iphdr_src, &g->app.ip);
	ends_address_set(&ip_data.current_iphdr_dest, &g->target.ip);
	output_hold(true);
	tcp_input(p, &device);
	output_hold(false);
	persist_mend(c);
	window_opened(c);
	conn_settle(c);
	ip_data.current_netif = ip_data.current_input_netif = NULL;
	opener = NULL;
	output_rest();
}

uint32_t
port_window_max(const struct conn *c)
{
	return TCP_WND_MAX(c->pcb);
}

bool
port_is_over(const struct conn *c)
{
	return c->pcb && c->pcb->state == TIME_WAIT;
}

bool
port_has_delivered(const struct conn *c)
{
	return c->pcb && (c->pcb->state == FIN_WAIT_2 || c->pcb->state == TIME_WAIT);
}

bool
port_syn_again(const struct conn *c, const struct segment *g)
{
	return c->pcb && c->pcb->state == SYN_RCVD && g->seq == c->pcb->rcv_nxt - 1;
}

/* Nothing of an idle connection depends on time. */
static bool
is_busy(const struct tcp_pcb *pcb)
{
	if (pcb->state != ESTABLISHED && pcb->state != CLOSE_WAIT &&
		pcb->state != FIN_WAIT_2)
		return true;
	return pcb->unsent || pcb->unacked || pcb->ooseq || pcb->refused_data ||
		pcb->flags & (TF_ACK_DELAY | TF_ACK_NOW | TF_CLOSEPEND);
}

static bool
ticks_needed(const struct stack *s)
{
	return !list_empty(&s->opening) || !list_empty(&s->lingering) ||
		!list_empty(&s->delivered) || !list_empty(&s->stuck) ||
		shard_any(is_busy);
}

/* Those that are first in their list are oldest. */
static void
expire(struct stack *s, struct list *l, uint64_t ms, bool reset)
{
	struct conn *c;

	while (!list_empty(l)) {
		c = container_of(l->next, struct conn, place);
		if (loop_now(s->loop) - c->since < ms)
			return;
		conn_drop(c, reset);
	}
}

void
port_tick(struct timer *t)
{
	struct stack *s = container_of(t, struct stack, tick);

	s->slow = !s->slow;
	shard_tick(s->slow, sizes_tick);
	output_rest();
	expire(s, &s->opening, OPENING_MS, false);
	expire(s, &s->lingering, list_empty(&s->hungry) ? LINGER_MS : LINGER_HUNGRY_MS,
		true);
	expire(s, &s->delivered, LINGER_MS, true);
	stack_unstick(s);
	if (ticks_needed(s))
		timer_arm(&s->tick, TICK_MS);
	stack_tell(s);
}

/* An acknowledgement that could not be sent is asked for again. */
void
port_resume(struct conn *c)
{
	struct tcp_pcb *pcb = port_enter(c);

	if (pcb->flags & TF_ACK_DELAY)
		tcp_ack_now(pcb);
	tcp_output(pcb);
	output_rest();
}

void
port_ask(struct conn *c, bool local)
{
	struct tcp_pcb *pcb = port_enter(c);
	struct segment g = { .seq = pcb->snd_nxt, .ack = pcb->rcv_nxt };

	ends_get(pcb, &g.app, &g.target);
	if (local)
		reply_challenge(c->stack, &g);
	else
		tcp_keepalive(pcb);
	output_rest();
}

void
port_abandon(struct conn *c, bool reset)
{
	if (c->pcb)
		tcp_abandon(port_enter(c), reset);
	output_rest();
}

static void
credit_push(struct conn *c, struct tcp_pcb *pcb)
{
	size_t n;

	output_hold(true);
	for (; c->credit; c->credit -= n) {
		n = c->credit < 0xffff ? c->credit : 0xffff;
		tcp_recved(pcb, (u16_t)n);
	}
	output_hold(false);
}

/* Whether the window has opened by something that is worth telling: a segment, or half of
 * a small window (RFC 9293, 3.8.6.2.2). */
static bool
window_is_news(const struct conn *c, const struct tcp_pcb *pcb)
{
	uint32_t more = pcb->rcv_nxt + pcb->rcv_wnd - pcb->rcv_ann_right_edge;

	return more >= LWIP_MIN((uint32_t)c->mss, c->offered / 2);
}

/* An application that may not send a whole segment waits for this.  lwIP tells it when the
 * window has opened by TCP_WND_UPDATE_THRESHOLD, or by a segment when it says anything else,
 * and so of a small window never. */
static void
window_tell(const struct conn *c, struct tcp_pcb *pcb)
{
	uint32_t told = pcb->rcv_ann_right_edge - pcb->rcv_nxt;

	if (c->ended || told >= (uint32_t)c->mss + WINDOW_UNIT || !window_is_news(c, pcb))
		return;
	pcb->rcv_ann_wnd = pcb->rcv_wnd;
	tcp_ack_now(pcb);
}

/* How many of n bytes lwIP should have now.  No more than the peer takes, since a segment
 * that was built for a window that has closed is not cut again before a timer fires; and
 * nothing small where more follows.  With nothing on its way lwIP gets something in any
 * case: it is what asks whether a closed window has opened. */
static size_t
sendable(const struct conn *c, const struct tcp_pcb *pcb, size_t n)
{
	uint32_t flying = pcb->snd_lbb - pcb->lastack;
	uint32_t window = LWIP_MIN(pcb->snd_wnd, pcb->cwnd);
	size_t room = window > flying ? window - flying : 0;

	assert(c->mss > 0);
	if (n > pcb->snd_buf)
		n = pcb->snd_buf;
	if (n > room && room < c->mss)
		return flying ? 0 : LWIP_MIN(n, c->mss);
	if (n > room)
		n = room - room % c->mss;
	return n < c->large ? n : c->large;
}

/* One piece at a time, since the ring wraps and lwIP counts in 16 bits.  lwIP knows the
 * larger size only here: what it calculates windows of by it must stay what the link has. */
static err_t
ring_push(struct conn *c, struct tcp_pcb *pcb)
{
	err_t err = ERR_OK;
	uint8_t *p;
	size_t n;

	flying_raise(pcb, c);
	sizes_choose(c, pcb, true);
	while (err == ERR_OK && (n = ring_unsent(c->ring, &p)) &&
		(n = sendable(c, pcb, n))) {
		err = tcp_write(pcb, p, (u16_t)n, 0);
		if (err == ERR_OK)
			ring_sent(c->ring, n);
	}
	sizes_choose(c, pcb, false);
	return err;
}

/* A FIN follows the last byte.  When it is the second one of the two sides it waits until
 * that byte is acknowledged: from then on lwIP gives the connection two seconds. */
static bool
fin_may_go(const struct conn *c, const struct tcp_pcb *pcb)
{
	uint8_t *p;

	if (!c->shut || c->sent_fin || (c->ring && ring_unsent(c->ring, &p)))
		return false;
	return pcb->state != CLOSE_WAIT || (!pcb->unsent && !pcb->unacked);
}

/*
 * An answer is often a moment away, and the acknowledgement goes with it: of small
 * messages, and of a FIN.  So is the user who reads what has come, and opens the window by
 * that.  Not where the application may wait for it: more than a segment was taken, or
 * nothing new has come, the window has opened, or something is missing.
 */
static bool
ack_may_wait(const struct conn *c, const struct tcp_pcb *pcb)
{
	if (pcb->state != ESTABLISHED && pcb->state != CLOSE_WAIT)
		return false;
	return !c->ack_late && !pcb->ooseq && pcb->rcv_nxt != c->acked &&
		(c->in || pcb->rcv_nxt - c->acked < c->mss) && !window_is_news(c, pcb);
}

static void
ack_push(struct conn *c, struct tcp_pcb *pcb)
{
	if (!(pcb->flags & (TF_ACK_DELAY | TF_ACK_NOW)))
		return;
	if (ack_may_wait(c, pcb)) {
		tcp_clear_flags(pcb, TF_ACK_NOW);
		tcp_set_flags(pcb, TF_ACK_DELAY);
	} else {
		tcp_ack_now(pcb);
	}
}

void
port_push(struct conn *c)
{
	struct tcp_pcb *pcb = port_enter(c);
	err_t err;

	credit_push(c, pcb);
	window_tell(c, pcb);
	err = c->ring ? ring_push(c, pcb) : ERR_OK;
	if (fin_may_go(c, pcb))
		c->sent_fin = tcp_shutdown(pcb, 0, 1) == ERR_OK;
	ack_push(c, pcb);
	tcp_output(pcb);
	sizes_fit(c, pcb);
	stack_work_later(c, pcb->flags & TF_ACK_DELAY && !(pcb->flags & TF_ACK_NOW));
	c->ack_late = false;
	persist_mend(c);
	output_rest();
	/* Nothing is on its way whose acknowledgement would bring us here again. */
	if ((err != ERR_OK || c->shut != c->sent_fin) && !pcb->unacked && !pcb->unsent) {
		list_remove(&c->stuck);
		list_append(&c->stack->stuck, &c->stuck);
	}
}

void
port_pbuf_drop(struct pbuf **last)
{
	struct pbuf *p = (*last)->next;

	(*last)->next = p->next;
	if (p == *last)
		*last = NULL;
	p->next = NULL;
	pbuf_free(p);
}

struct pbuf *
port_pbuf_next(const struct pbuf *p)
{
	return p->next;
}

struct window
port_pbuf_window(const struct pbuf *p)
{
	return (struct window){ p->payload, p->len };
}
