/* SPDX-License-Identifier: MIT */
#include "base/bytes.h"
#include "flow/life.h"

#include <errno.h>
#include <string.h>

enum {
	CONN_IDLE = 300,  /* seconds, for the way by a server of ours */
	LINGER_MS = 5000, /* for an application to take the rest, or to end */
	/* An application that has ended is asked after such a silence, twice as long a one
	 * and so on, whether it still reads. */
	ASK_MS = 5000,
	/* Bytes in one step, from which on the others do not wait for the next. */
	BULK_LEAST = 64 * 1024,
};

static void
end_idle(struct flow *f)
{
	flow_end(f, STACK_RESET, "idle for %llu s",
		(unsigned long long)(flow_now(f) - f->used) / 1000);
}

/* The shorter one of two limits, of which 0 is none. */
static unsigned
shorter(unsigned a, unsigned b)
{
	return a == 0 || (b != 0 && b < a) ? b : a;
}

/*
 * Milliseconds without a byte after which the flow ends; 0: never.  The limits of the
 * inbound's level and those of the outbound's user hold both, as in V2Ray.
 */
static uint64_t
idle_limit(const struct flow *f)
{
	const struct flow_policy *p = &f->setup->policy;
	const struct outbound_policy *o = &f->outbound->policy;
	unsigned up = shorter(p->uplink_only, o->uplink_only);
	unsigned down = shorter(p->downlink_only, o->downlink_only);
	const struct relay *r = &f->relay;
	bool truthful = f->outbound->ops->truthful;

	if (r->near_shut && up != 0)
		return (uint64_t)up * 1000;
	if (r->near_ended && down != 0)
		return (uint64_t)down * 1000;
	if (p->conn_idle_set || o->conn_idle != 0)
		return (uint64_t)shorter(
			       p->conn_idle_set ? p->conn_idle : 0, o->conn_idle) *
			1000;
	if (truthful)
		return 0;
	return (uint64_t)(p->conn_idle != 0 ? p->conn_idle : CONN_IDLE) * 1000;
}

/*
 * An application that has closed looks like one that has no more to say, which
 * the far side may still tell something, for as long as it likes: after so long
 * a silence it is asked.  Milliseconds until it should be again.
 */
static uint64_t
near_ask(struct flow *f, uint64_t quiet)
{
	if (quiet < ASK_MS)
		return ASK_MS - quiet;
	conn_ask(f->relay.near, f->own);
	return quiet;
}

/* Ends a flow whose limit is reached; else the timer is armed for what comes next. */
static void
limits_look(struct flow *f)
{
	uint64_t limit = idle_limit(f), quiet = flow_now(f) - f->used;
	uint64_t next = UINT64_MAX, ask;

	if (limit != 0 && quiet >= limit) {
		end_idle(f);
		return;
	}
	if (limit != 0)
		next = limit - quiet;
	if (f->relay.near_ended && !f->relay.near_shut) {
		ask = near_ask(f, quiet);
		next = ask < next ? ask : next;
	}
	if (next != UINT64_MAX)
		timer_arm(&f->timer, next);
	else
		timer_stop(&f->timer);
}

void
flow_linger_step(struct flow *f)
{
	bool over = relay_linger(&f->relay);

	if (over || f->late)
		flow_end(f, STACK_RESET, "ended by the far side");
}

/* The first message, without its length, where it is there as a whole. */
static bool
message_look(struct stream *s, struct window *w)
{
	if (stream_recv_buf(s, w) != STREAM_OK || w->len < 2 ||
		w->len - 2 < be16_get(w->p))
		return false;
	w->len = be16_get(w->p);
	w->p += 2;
	return true;
}

/*
 * Queries over TCP and their answers are looked at where the first one came
 * whole in one piece, which is how they come (RFC 7766, 8); others teach no
 * name.
 */
static void
query_note(struct flow *f)
{
	struct dns *dns = f->flows->dns;
	struct window w;

	if (dns == NULL || f->asked.port != 53)
		return;
	if (f->relay.up == 0 && message_look(f->relay.near, &w))
		dns_asked(dns, &f->source, &f->asked, w.p, w.len);
	if (f->relay.down == 0 && message_look(f->relay.far, &w))
		dns_note(dns, &f->source, &f->asked, w.p, w.len);
}

static const char *
reason_of(const struct flow *f, const struct stream *s)
{
	const char *reason = stream_reason(s);

	return reason != NULL && reason[0] != '\0' ? reason
						   : stream_error_text(f->relay.error);
}

void
flow_near_failed(struct flow *f)
{
	const struct relay *r = &f->relay;

	/* Whoever has ended before, and resets now, has done both by one close. */
	flow_end(f, STACK_RESET, "%s",
		r->near_ended && r->error == -ECONNRESET ? "closed by the application"
							 : reason_of(f, r->near));
}

static void
far_failed(struct flow *f)
{
	const char *reason = reason_of(f, f->relay.far);

	flows_note_failure(f->flows, f->outbound, f->relay.error, reason, &f->asked);
	flow_end(f, STACK_RESET, "far side: %s", reason);
}

static void
linger_begin(struct flow *f)
{
	flow_become(f, FLOW_LINGERING);
	stream_free(f->relay.far);
	f->relay.far = NULL;
	f->late = false;
	timer_arm(&f->timer, LINGER_MS);
	flow_linger_step(f);
}

/* The application is slow to take what the far side said before it failed. */
static void
failure_wait(struct flow *f)
{
	if (!f->failing) {
		f->failing = true;
		f->late = false;
		timer_arm(&f->timer, LINGER_MS);
	} else if (f->late) {
		far_failed(f);
	}
}

/* Where one side has ended, other limits hold, from then on. */
static void
halves_look(struct flow *f)
{
	const struct relay *r = &f->relay;

	if (r->far_failed) {
		failure_wait(f);
		return;
	}
	if (f->state == FLOW_OPEN && (r->near_ended || r->far_ended)) {
		flow_become(f, FLOW_HALF);
		flow_used(f);
		f->late = true;
	}
	if (f->late) {
		f->late = false;
		limits_look(f);
	}
}

static void
bytes_count(struct flow *f, uint64_t up, uint64_t down)
{
	up = f->relay.up - up;
	down = f->relay.down - down;
	f->bulk = up + down >= BULK_LEAST;
	flows_note_bytes(f->flows, f->outbound, up, down);
	if (up + down > 0) {
		flow_used(f);
		/* The next look at a half is a short silence away again. */
		f->late = f->late || f->state == FLOW_HALF;
	}
	if (f->relay.early != NULL && f->relay.early_at == f->relay.early_len)
		flow_early_drop(f);
}

void
flow_open_step(struct flow *f)
{
	uint64_t up = f->relay.up, down = f->relay.down;
	struct loop *l = f->flows->loop;
	enum relay_news news;

	if (f->bulk && !loop_is_late(l)) {
		loop_later(l, &f->task);
		return;
	}
	query_note(f);
	news = relay_run(&f->relay);
	bytes_count(f, up, down);
	switch (news) {
	case RELAY_WAITS:
		halves_look(f);
		return;
	case RELAY_MORE:
		halves_look(f);
		if (!flow_has_ended(f))
			loop_later(l, &f->task);
		return;
	case RELAY_DONE:
		flow_end(f, STACK_RESET, "ended");
		return;
	case RELAY_LINGERS:
		linger_begin(f);
		return;
	case RELAY_NEAR_FAILED:
		flow_near_failed(f);
		return;
	case RELAY_FAR_FAILED:
		far_failed(f);
		return;
	}
}

void
flow_opened(struct flow *f)
{
	flow_become(f, FLOW_OPEN);
	flow_used(f);
	f->late = false;
	limits_look(f);
}
