/* SPDX-License-Identifier: MIT */
#include "outbound/http_clock.h"

#include "stream/httpupgrade.h"

enum { PATIENCE_MS = 5000 };

static void
end(struct http_clock *h)
{
	timer_stop(&h->timer);
	stream_free(h->stream);
	h->stream = NULL;
}

static void
http_clock_run(struct task *t)
{
	struct http_clock *h = container_of(t, struct http_clock, task);
	const struct http_facts *f;

	if (!h->stream || stream_open(h->stream) == STREAM_AGAIN)
		return;
	f = httpupgrade_facts(h->stream);
	if (f->date)
		clock_tell(h->to, f->date_at - f->date, CLOCK_HTTP_WHO);
	end(h);
}

static void
http_clock_late(struct timer *t)
{
	end(container_of(t, struct http_clock, timer));
}

void
http_clock_init(struct http_clock *h, struct loop *l)
{
	*h = (struct http_clock){ .loop = l };
	task_init(&h->task, http_clock_run);
	timer_init(&h->timer, l, http_clock_late);
}

void
http_clock_fini(struct http_clock *h)
{
	end(h);
	task_fini(&h->task);
}

bool
http_clock_busy(const struct http_clock *h)
{
	return h->stream;
}

/* An upgrade as HTTPUpgrade asks for it lacks what WebSocket must have: its key. */
void
http_clock_ask(struct http_clock *h, const struct http_clock_server *s)
{
	const struct outbound_env *env = &s->o->env;
	struct stream *lower;

	if (h->stream)
		return;
	h->to = s->to;
	h->request = s->carrier->request;
	h->request.early_max = 0;
	lower = transport_new(s->o, &s->way, &h->task);
	if (lower && s->carrier->tls)
		lower = tls_new(
			s->carrier->tls, lower, h->loop, &h->task, env->unix_time);
	if (lower)
		h->stream = httpupgrade_new(&h->request, lower, env->unix_time);
	if (!h->stream)
		return;
	timer_arm(&h->timer, PATIENCE_MS);
	loop_ready(h->loop, &h->task);
}
