/* SPDX-License-Identifier: MIT */
#include "flow/life.h"
#include "flow/sniff.h"

#include <errno.h>
#include <string.h>

enum { DIAL_MAX_MS = 30000 }; /* for the way to a server of ours */

/* Dialing. */

/*
 * The way out did not open.  One that speaks for the target is quoted to the
 * application: refused, unreachable, or the silence that it met.  One that
 * cannot is simply not there.  Where it is we who have no more of something,
 * silence makes the application's kernel try again.
 */
static void
dial_failed(struct flow *f, int error, const char *reason)
{
	enum stack_answer a = STACK_RESET;

	flows_note_failure(f->flows, f->outbound, error, reason, NULL);
	if (flows_are_short(error)) {
		a = STACK_IGNORE;
	} else if (f->outbound->ops->truthful) {
		if (error == -EHOSTUNREACH)
			a = STACK_NO_HOST;
		else if (error == -ENETUNREACH)
			a = STACK_NO_NET;
		else if (error == -EACCES || error == -EPERM)
			a = STACK_PROHIBITED;
		else if (error == -ETIMEDOUT)
			a = STACK_IGNORE;
	}
	flow_end(f, a, "not opened: %s",
		reason != NULL && reason[0] != '\0' ? reason : stream_error_text(error));
}

/* An application that has reset a connection does not wait for its way out. */
static bool
near_failed(struct flow *f)
{
	struct window w;

	if (f->near != NEAR_HERE)
		return false;
	f->relay.error = (int16_t)stream_recv_buf(f->relay.near, &w);
	return f->relay.error < 0;
}

/* Lets the application in, where its SYN is still held. */
static void
near_admit(struct flow *f)
{
	struct held *held = f->held;

	if (f->near != NEAR_HELD)
		return;
	f->near = NEAR_AWAITED;
	f->held = NULL;
	stack_answer_held(f->flows->stack, held, STACK_ADMIT);
}

static void
far_opened(struct flow *f)
{
	timer_stop(&f->timer);
	flow_used(f);
	if (f->near == NEAR_HERE) {
		flow_opened(f);
		flow_open_step(f);
		return;
	}
	flow_become(f, FLOW_ADMITTING);
	near_admit(f);
}

void
flow_dialing_step(struct flow *f)
{
	int err = stream_open(f->relay.far);

	if (err == STREAM_OK)
		far_opened(f);
	else if (err < 0)
		dial_failed(f, err, stream_reason(f->relay.far));
	else if (f->late)
		dial_failed(f, -ETIMEDOUT, "no answer in time");
	else if (near_failed(f))
		flow_near_failed(f);
}

/* False: the flow has no way out, and must end. */
bool
flow_dial(struct flow *f)
{
	bool truthful = f->outbound->ops->truthful;

	if (!flows_let_out(f->flows, f->outbound))
		return false;
	f->relay.far = outbound_dial(f->outbound, &f->opening->to, &f->task);
	if (f->relay.far == NULL)
		return false;
	f->outbound->tally.flows++;
	f->relay.keep_fin = !truthful;
	flow_opening_drop(f);
	flow_become(f, FLOW_DIALING);
	timer_stop(&f->timer);
	f->late = false;
	/* A connection to the target itself is limited by the kernel, as it would be
	 * without us. */
	if (!truthful)
		timer_arm(&f->timer, DIAL_MAX_MS);
	return true;
}

/* Routing. */

enum route
flow_route(struct flow *f)
{
	struct opening *o = f->opening;

	switch (inquiry_decide(&o->inquiry, &o->verdict, &f->task)) {
	case INQUIRY_WAITS:
		return ROUTE_WAITS;
	case INQUIRY_BYTES:
		return ROUTE_BYTES;
	case INQUIRY_DECIDED:
		break;
	}
	f->decided = true;
	f->rule = o->verdict.rule;
	f->outbound = inquiry_outbound(&o->inquiry, &o->verdict);
	if (f->outbound == NULL)
		return ROUTE_NONE;
	if (f->outbound->ops->direct && flows_lead_back(f->flows, &o->to.ip))
		return ROUTE_BACK;
	return inquiry_wants_name(&o->inquiry, f->outbound) ? ROUTE_BYTES : ROUTE_CHOSEN;
}

/* Keeps what has come so far, so that the rest can come. False: there is no room. */
static bool
early_keep(struct flow *f, const struct window *w)
{
	struct relay *r = &f->relay;
	size_t n = SNIFF_MAX - (size_t)r->early_len;

	if (r->early == NULL)
		r->early = pool_get(&f->flows->tcp.early);
	if (r->early == NULL || n == 0)
		return false;
	if (n > w->len)
		n = w->len;
	memcpy(r->early + r->early_len, w->p, n);
	r->early_len = (uint16_t)(r->early_len + n);
	stream_recv_ack(r->near, n);
	return true;
}

/*
 * Looks at what the application sent.  OK: settled.  AGAIN: more is needed.
 * Bytes that settle it at once stay where they are; a hello that comes in
 * pieces is gathered.
 */
static int
payload_look(struct flow *f, struct sniffed *s)
{
	struct relay *r = &f->relay;
	struct window w;
	int err;

	memset(s, 0, sizeof(*s));
	for (;;) {
		if (r->early_len > 0 && sniff(s, r->early, r->early_len))
			return STREAM_OK;
		err = stream_recv_buf(r->near, &w);
		if (err == STREAM_AGAIN && !f->late)
			return STREAM_AGAIN;
		if (err != STREAM_OK)
			return err < 0 ? err : STREAM_OK;
		if (r->early_len == 0 && sniff(s, w.p, w.len))
			return STREAM_OK;
		if (!early_keep(f, &w))
			return STREAM_OK;
	}
}

/* True: the bytes are known now, and the rules are to be asked again. */
static bool
payload_get(struct flow *f)
{
	struct sniffed s;
	int err;

	if (f->near != NEAR_HERE)
		return false;
	err = payload_look(f, &s);
	if (err < 0) {
		f->relay.error = (int16_t)err;
		flow_near_failed(f);
		return false;
	}
	if (err == STREAM_AGAIN)
		return false;
	if (inquiry_sniffed(&f->opening->inquiry, &s))
		f->opening->to.name = f->opening->inquiry.facts.name;
	return true;
}

static void
chosen(struct flow *f)
{
	/* One that goes to the target itself keeps to the application's address. */
	if (f->outbound->ops->truthful && f->opening->to.ip.family != 0)
		f->opening->to.name = NULL;
	if (flow_dial(f))
		flow_dialing_step(f);
	else
		flow_end(f, STACK_IGNORE, "not opened: no memory");
}

enum stack_answer
flow_no_way(struct flow *f, enum route r)
{
	if (r == ROUTE_BACK) {
		flow_end(f, STACK_NO_HOST, "not opened: it leads back into the device");
		return STACK_NO_HOST;
	}
	flow_end(f, STACK_RESET, "not opened: there is no outbound \"%s\"",
		f->opening->verdict.outbound);
	return STACK_RESET;
}

void
flow_routing_step(struct flow *f)
{
	for (;;) {
		enum route r = flow_route(f);

		switch (r) {
		case ROUTE_CHOSEN:
			chosen(f);
			return;
		case ROUTE_BYTES:
			near_admit(f);
			if (!payload_get(f))
				return;
			break;
		case ROUTE_WAITS:
			return;
		case ROUTE_NONE:
		case ROUTE_BACK:
			flow_no_way(f, r);
			return;
		}
	}
}
