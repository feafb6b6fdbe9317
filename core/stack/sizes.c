/* SPDX-License-Identifier: MIT */
#include "stack/sizes.h"

#include "stack/ends.h"
#include "stack/stamps.h"

#include "lwip/priv/tcp_priv.h"

/* Whoever offers a window of less by less does not have segments cut for each. */
enum { FIT_LEAST = 64 };

/* The largest MSS that the way to the application has room for. */
static uint16_t
mss_max(const struct conn *c)
{
	struct endpoint app, target;
	size_t header;

	ends_get(c->pcb, &app, &target);
	header = app.ip.family == 4 ? IP4_HEADER : IP6_HEADER;
	return (uint16_t)(reply_mtu(c->stack, &app.ip) - header - TCP_HEADER);
}

/* By lwIP's MSS. */
static void
sizes_set(struct conn *c, const struct tcp_pcb *pcb)
{
	uint16_t options = stamps_len(pcb);
	uint16_t most = (uint16_t)(SEGMENT_MAX - options);

	c->mss = c->large = (uint16_t)(pcb->mss - options);
	if (c->stack->config.offload && c->mss < most)
		c->large = (uint16_t)(most / c->mss * c->mss);
}

void
sizes_begin(struct conn *c, struct tcp_pcb *pcb)
{
	if (pcb->mss > mss_max(c))
		pcb->mss = mss_max(c);
	sizes_set(c, pcb);
}

void
sizes_choose(const struct conn *c, struct tcp_pcb *pcb, bool large)
{
	pcb->mss = (u16_t)((large ? c->large : c->mss) + stamps_len(pcb));
}

/* Nothing is on its way whose acknowledgement would open the window for what waits first. */
static bool
is_too_long(const struct tcp_pcb *pcb)
{
	return pcb->unsent && !pcb->unacked && pcb->unsent->len > pcb->snd_wnd;
}

void
sizes_fit(const struct conn *c, struct tcp_pcb *pcb)
{
	if (!is_too_long(pcb) || pcb->snd_wnd < FIT_LEAST ||
		pcb->snd_wnd < pcb->snd_wnd_max / 2)
		return;
	sizes_choose(c, pcb, true);
	(void)tcp_split_unsent_seg(pcb, (u16_t)pcb->snd_wnd);
	sizes_choose(c, pcb, false);
	tcp_output(pcb);
}

/* lwIP has waited for a tick at least for the window to open, and would wait longer with
 * each segment.  What is offered now is believed to be all that there is; what is sent from
 * now on is cut by it (lwIP sends halves of the largest window). */
static void
window_believe(struct tcp_pcb *pcb)
{
	if (!pcb->persist_backoff || !pcb->persist_cnt || !pcb->snd_wnd ||
		!is_too_long(pcb))
		return;
	pcb->snd_wnd_max = pcb->snd_wnd;
	stack_work(pcb->callback_arg);
}

void
sizes_tick(bool before)
{
	struct tcp_pcb *pcb;

	for (pcb = tcp_active_pcbs; pcb; pcb = pcb->next) {
		if (!pcb->callback_arg)
			continue;
		sizes_choose(pcb->callback_arg, pcb, before);
		if (before)
			window_believe(pcb);
	}
}

/* Cuts what waits to be sent.  lwIP cuts the first segment of a queue, into two, of which
 * the second is a copy: so each is cut from its end.  False without memory. */
static bool
queue_cut(const struct conn *c, struct tcp_pcb *pcb)
{
	struct tcp_seg *first = pcb->unsent, *g;
	err_t err = ERR_OK;

	pcb->mss = UINT16_MAX; /* it cuts nothing behind that */
	for (g = first; g && err == ERR_OK; g = g->next) {
		pcb->unsent = g;
		while (g->len > c->large && err == ERR_OK)
			err = tcp_split_unsent_seg(
				pcb, (u16_t)((g->len - 1) / c->large * c->large));
	}
	pcb->unsent = first;
	sizes_choose(c, pcb, false);
	return err == ERR_OK;
}

/* What was told before, and of longer segments, tells nothing new. */
static void
shorten(struct conn *c)
{
	struct tcp_pcb *pcb = port_enter(c);

	if (pcb->mss <= mss_max(c))
		return;
	pcb->mss = mss_max(c);
	sizes_set(c, pcb);
	(void)tcp_rexmit_rto_prepare(pcb); /* it all waits to be sent once more */
	if (queue_cut(c, pcb))
		stack_work(c);
	else
		conn_drop(c, true);
}

/* RFC 5927 4.1: who can tell where the connection stands has seen its segments. */
static bool
is_flying(const struct tcp_pcb *pcb, uint32_t seq)
{
	return pcb && seq - pcb->lastack < pcb->snd_nxt - pcb->lastack;
}

void
sizes_narrow(struct stack *s, const struct too_big *t)
{
	struct conn *c = NULL;

	if (t->proto == PROTO_TCP) {
		c = conn_find(s, &t->to, &t->from);
		if (!c || !is_flying(c->pcb, t->seq))
			return;
	}
	paths_learn(&s->paths, &t->to.ip, t->mtu, loop_now(s->loop));
	if (c)
		shorten(c);
}
