/* SPDX-License-Identifier: MIT */
#include "stack/events.h"

#include "stack/sizes.h"

#include <errno.h>
#include <string.h>

/*
 * What lwIP calls while it works.  Nothing here talks to the user, and nothing
 * frees a connection.
 */

/* Received pieces up to the first size are gathered in blocks of the second; bytes. */
enum { GATHER_SMALL = 256, GATHER_ROOM = 4096 };

static int16_t
error_of(err_t err)
{
	switch (err) {
	case ERR_RST:
		return -ECONNRESET;
	case ERR_CLSD: /* both sides have ended */
		return 0;
	default:
		return -ETIMEDOUT;
	}
}

/* Both sides have ended, and the application has all but the word of it: nothing is lost
 * where lwIP forgets it now, and what the application has sent is still read to its end. */
static bool
is_complete(const struct conn *c)
{
	return c->ended && c->sent_fin && !conn_owes(c);
}

static void
on_error(struct conn *c, err_t err)
{
	if (!c->error && !is_complete(c))
		c->error = error_of(err);
}

static void
tell_later(struct conn *c)
{
	conn_age_end(c);
	list_append(&c->stack->news, &c->place);
}

/* Its user has gone. */
static bool
is_left(const struct conn *c)
{
	return c->state == CONN_LINGERING || c->state == CONN_DELIVERED;
}

/* lwIP frees the pcb of c. */
static void
on_destroy(uint8_t id, void *arg)
{
	struct conn *c = arg;

	(void)id;
	if (!c)
		return;
	c->pcb = NULL;
	credit_end(c);
	table_remove(&c->stack->conns, &c->node);
	list_remove(&c->stuck);
	if (c->state == CONN_OPEN) {
		conn_age_end(c);
		conn_wake(c);
		return;
	}
	tell_later(c);
	if (is_left(c))
		c->state = CONN_DEAD;
}

/* The user is gone.  What still comes is swallowed until the application has all that was
 * written; a RST before would take that from it. */
static err_t
swallow(struct tcp_pcb *pcb, struct pbuf *p)
{
	if (p && (pcb->state == FIN_WAIT_2 || pcb->state == TIME_WAIT)) {
		pbuf_free(p);
		tcp_abort(pcb);
		return ERR_ABRT;
	}
	if (p) {
		tcp_recved(pcb, p->tot_len);
		pbuf_free(p);
	}
	return ERR_OK;
}

static void
append(struct conn *c, struct pbuf *p)
{
	p->next = p;
	if (c->in) {
		p->next = c->in->next;
		c->in->next = p;
	}
	c->in = p;
}

/* Many small pieces would cost a hundred times what the window promises: from the second
 * on they are gathered. Whether p went into the last pbuf. */
static bool
gather(struct conn *c, struct pbuf *p)
{
	struct pbuf *g = c->in;

	if (!g || p->len > GATHER_SMALL)
		return false;
	if (c->in_room < p->len) {
		if (g == g->next || g->len > GATHER_SMALL)
			return false;
		g = pbuf_alloc(PBUF_RAW, GATHER_ROOM, PBUF_RAM);
		if (!g)
			return false;
		g->len = g->tot_len = 0;
		append(c, g);
		c->in_room = GATHER_ROOM;
	}
	memcpy((uint8_t *)g->payload + g->len, p->payload, p->len);
	g->tot_len = g->len += p->len;
	c->in_room = (uint16_t)(c->in_room - p->len);
	pbuf_free(p);
	return true;
}

/* Chains are taken apart, since lwIP counts a chain's length in 16 bits. */
static err_t
on_receive(struct conn *c, struct tcp_pcb *pcb, struct pbuf *p)
{
	struct pbuf *next;

	if (!p)
		c->ended = true;
	if (is_left(c))
		return swallow(pcb, p);
	for (; p; p = next) {
		next = p->next;
		p->next = NULL;
		p->tot_len = p->len;
		if (gather(c, p))
			continue;
		append(c, p);
		c->in_room = 0;
	}
	stack_work(c);
	conn_wake(c);
	return ERR_OK;
}

static void
on_sent(struct conn *c, size_t n)
{
	ring_done(c->ring, n);
	stack_work(c);
	conn_wake(c);
}

static void
on_accept(struct conn *c)
{
	tell_later(c);
	c->accepted = true;
}

/* Without a connection of ours: lwIP had no memory for one. */
err_t
lwip_tcp_event(void *arg, struct tcp_pcb *pcb, enum lwip_event event, struct pbuf *p,
	u16_t n, err_t err)
{
	struct conn *c = arg;

	if (!c)
		return ERR_VAL;
	switch (event) {
	case LWIP_EVENT_ACCEPT:
		on_accept(c);
		break;
	case LWIP_EVENT_RECV:
		return on_receive(c, pcb, p);
	case LWIP_EVENT_SENT:
		on_sent(c, n);
		break;
	case LWIP_EVENT_ERR:
		on_error(c, err);
		break;
	case LWIP_EVENT_CONNECTED: /* nothing is dialled here */
	case LWIP_EVENT_POLL:
		break;
	}
	return ERR_OK;
}

static const struct tcp_ext_arg_callbacks callbacks = { .destroy = on_destroy };

/* The window goes out with the SYN-ACK, so this is the place to choose it.  snd_wnd_max
 * is only what lwIP sizes segments by; were it to follow a peer that begins with a window
 * of nothing, a later and larger one would make segments that are longer than lwIP then
 * holds possible. */
void
events_begin(struct conn *c, struct tcp_pcb *pcb, uint8_t id)
{
	c->pcb = pcb;
	c->top = pcb->rcv_nxt;
	conn_age_begin(c);
	table_insert(&c->stack->conns, &c->node, c->node.hash);
	tcp_arg(pcb, c);
	tcp_ext_arg_set_callbacks(pcb, id, &callbacks);
	tcp_ext_arg_set(pcb, id, c);
	tcp_nagle_disable(pcb);
	credit_begin(c);
	pcb->rcv_wnd = pcb->rcv_ann_wnd = c->offered;
	pcb->snd_wnd_max = TCP_SND_BUF;
	sizes_begin(c, pcb);
}
