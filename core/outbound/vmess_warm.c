/* SPDX-License-Identifier: MIT */
#include "outbound/vmess_warm.h"

#include "outbound/vmess.h"

#include <errno.h>
#include <stdlib.h>

enum {
	/* V2Ray and Xray wait 60 s for a header where they are not told otherwise. */
	AGE_MS = 30000,
	AGE_MIN_MS = 500,   /* less is not worth a connection */
	LEARNT_MS = 600000, /* what a server has taught is believed so long */
	CLOCKS_APART_S = 2, /* how far two clocks may differ over the life of one */
};

struct kept {
	struct list node; /* in the warm ones */
	struct task task; /* its owner */
	struct vmess_warm *w;
	struct stream *s; /* of vmess_reach; owned; NULL: given away */
	uint64_t began;
	int64_t began_at; /* by the clock that goes on while the machine sleeps */
	bool up;
	struct deferred gone;
};

static struct loop *
loop_of(const struct vmess_warm *w)
{
	return w->v->o.env.loop;
}

static struct budget *
budget_of(const struct vmess_warm *w)
{
	return tcp_memory_budget(w->v->o.env.memory);
}

static struct kept *
kept_of(struct list *n)
{
	return container_of(n, struct kept, node);
}

static uint64_t
age_of(const struct kept *k)
{
	return loop_now(loop_of(k->w)) - k->began;
}

/* For the one that gets too old first. */
static void
arm(struct vmess_warm *w)
{
	uint64_t age;

	if (list_empty(&w->kept)) {
		timer_stop(&w->grown);
		return;
	}
	age = age_of(kept_of(w->kept.next));
	timer_arm(&w->grown, age < w->age ? w->age - age : 0);
}

static void
kept_delete(struct deferred *d)
{
	free(container_of(d, struct kept, gone));
}

/* Its connection goes, too, unless it was given away. */
static void
kept_drop(struct kept *k)
{
	struct loop *l = loop_of(k->w);

	list_remove(&k->node);
	k->w->n--;
	budget_give(budget_of(k->w), VMESS_CONNECTION);
	task_fini(&k->task);
	if (k->s)
		vmess_reach_hang_up(k->s);
	loop_defer(l, &k->gone, kept_delete);
}

static void
drop_grown(struct timer *t)
{
	struct vmess_warm *w = container_of(t, struct vmess_warm, grown);

	while (!list_empty(&w->kept) && age_of(kept_of(w->kept.next)) >= w->age)
		kept_drop(kept_of(w->kept.next));
	arm(w);
}

/* Where it leads, for people. */
static const char *
place(const struct kept *k, char *text, size_t cap)
{
	return vmess_server_text(k->w->v, vmess_reached(k->w->v, k->s).server, text, cap);
}

/* Its server has closed it. */
static void
learn(const struct kept *k)
{
	uint64_t age = age_of(k) - age_of(k) / 4;
	struct vmess_warm *w = k->w;
	char server[400];

	if (age >= w->age)
		return;
	w->age = age;
	w->until = loop_now(loop_of(w)) + LEARNT_MS;
	log_info("the server (%s) closes connections without a header early: they are "
		 "kept ready for %llu ms",
		place(k, server, sizeof(server)), (unsigned long long)age);
}

/* Carries it forward, and hears of its end. */
static void
kept_run(struct task *t)
{
	struct kept *k = container_of(t, struct kept, task);
	struct vmess_warm *w = k->w;
	int r = stream_open(k->s);
	char server[400];

	if (r == STREAM_OK && !k->up) {
		k->up = true;
		log_debug("a connection is ready (%s)", place(k, server, sizeof(server)));
	}
	if (r == STREAM_OK)
		r = vmess_reach_listen(k->s);
	stream_park(k->s);
	if (r == STREAM_AGAIN)
		return;
	if (k->up && (r == STREAM_END || r == -ECONNRESET))
		learn(k);
	kept_drop(k);
	arm(w);
}

void
vmess_warm_init(struct vmess_warm *w, struct vmess *v, unsigned most)
{
	*w = (struct vmess_warm){ .v = v, .most = most, .age = AGE_MS };
	list_init(&w->kept);
	timer_init(&w->grown, v->o.env.loop, drop_grown);
}

void
vmess_warm_close(struct vmess_warm *w)
{
	w->most = 0;
	while (!list_empty(&w->kept))
		kept_drop(kept_of(w->kept.next));
	arm(w);
}

/* The loop's clock may stand still while the machine sleeps; the other one may be set. */
static bool
is_young(const struct kept *k)
{
	int64_t passed = k->w->v->o.env.unix_time() - k->began_at;

	return age_of(k) < k->w->age && passed >= -CLOCKS_APART_S &&
		passed <= (int64_t)(k->w->age / 1000) + CLOCKS_APART_S;
}

/* The first that is open; those before it that are spoilt go. */
static struct kept *
choose(struct vmess_warm *w)
{
	struct list *n, *next;
	struct kept *k;

	for (n = w->kept.next; n != &w->kept; n = next) {
		next = n->next;
		k = kept_of(n);
		if (!is_young(k) || (k->up && !vmess_reach_is_fresh(k->s)))
			kept_drop(k);
		else if (k->up)
			return k;
	}
	return NULL;
}

struct stream *
vmess_warm_take(struct vmess_warm *w, struct task *owner)
{
	struct kept *k = choose(w);
	struct stream *s = NULL;

	if (k) {
		s = k->s;
		stream_own(s, owner);
		k->s = NULL;
		kept_drop(k);
	}
	arm(w);
	return s;
}

static struct kept *
kept_new(struct vmess_warm *w)
{
	struct kept *k = calloc(1, sizeof(*k));

	if (!k)
		return NULL;
	task_init(&k->task, kept_run);
	k->w = w;
	k->s = vmess_reach_new_early(w->v, &k->task);
	if (!k->s) {
		free(k);
		return NULL;
	}
	k->began = loop_now(loop_of(w));
	k->began_at = w->v->o.env.unix_time();
	return k;
}

/* None where memory is short: those who wait for it come first. */
static bool
begin(struct vmess_warm *w)
{
	struct kept *k;

	if (outbound_is_short(&w->v->o) || !budget_take(budget_of(w), VMESS_CONNECTION))
		return false;
	k = kept_new(w);
	if (!k) {
		budget_give(budget_of(w), VMESS_CONNECTION);
		return false;
	}
	list_append(&w->kept, &k->node);
	w->n++;
	loop_ready(loop_of(w), &k->task);
	return true;
}

static bool
all_away(const struct vmess *v)
{
	uint64_t now = loop_now(v->o.env.loop);
	size_t i;

	for (i = 0; i < v->nserver; i++)
		if (now >= v->server[i].resume)
			return false;
	return true;
}

void
vmess_warm_fill(struct vmess_warm *w)
{
	if (w->until && loop_now(loop_of(w)) >= w->until) {
		w->until = 0;
		w->age = AGE_MS;
	}
	if (w->n >= w->most || w->age < AGE_MIN_MS || all_away(w->v))
		return;
	while (w->n < w->most && begin(w))
		;
	arm(w);
}
