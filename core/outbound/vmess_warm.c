/* SPDX-License-Identifier: MIT */
#include "outbound/vmess_warm.h"

#include "outbound/vmess.h"

#include <errno.h>
#include <stdlib.h>

enum {
	/* V2Ray and Xray wait 60 s for a header where they are not told otherwise. */
	AGE_MS = 30000,
	AGE_MIN_MS = 500,   /* less is not worth a connection */
	LEARNT_MS = 600000, /* what a server has taught is believed so long... */
	HASTY_MS = 60000,   /* ...and that it closes them at once */
	MOMENT_MS = 1000,   /* what ends within it has ended for one reason */
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

static struct vmess_server *
server_of(const struct kept *k)
{
	return vmess_reached(k->w->v, k->s).server;
}

/* How old they get at this server. */
static uint64_t
age_at(const struct vmess_warm *w, const struct vmess_server *s)
{
	return loop_now(loop_of(w)) < s->patience.until ? s->patience.age : AGE_MS;
}

/* How long it has; 0: it is too old. */
static uint64_t
rest_of(const struct kept *k)
{
	uint64_t age = age_of(k), most = age_at(k->w, server_of(k));

	return age < most ? most - age : 0;
}

/* For the one that gets too old first. */
static void
arm(struct vmess_warm *w)
{
	uint64_t least = AGE_MS, rest;
	struct list *n;

	if (list_empty(&w->kept)) {
		timer_stop(&w->grown);
		return;
	}
	for (n = w->kept.next; n != &w->kept; n = n->next) {
		rest = rest_of(kept_of(n));
		least = rest < least ? rest : least;
	}
	timer_arm(&w->grown, least);
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

/* Each within a quarter of the other; or both at once. */
static bool
are_similar(uint64_t a, uint64_t b)
{
	uint64_t less = a < b ? a : b, more = a < b ? b : a;

	return more < AGE_MIN_MS || more - less <= less / 4;
}

/* Its server does not close them all at that age. */
static void
outlive(const struct kept *k)
{
	struct vmess_patience *p = &server_of(k)->patience;

	if (!are_similar(age_of(k), p->closed) && age_of(k) > p->closed)
		p->closed_at = 0;
}

static void
drop_grown(struct timer *t)
{
	struct vmess_warm *w = container_of(t, struct vmess_warm, grown);
	struct list *n, *next;

	for (n = w->kept.next; n != &w->kept; n = next) {
		next = n->next;
		if (rest_of(kept_of(n)) > 0)
			continue;
		outlive(kept_of(n));
		kept_drop(kept_of(n));
	}
	arm(w);
}

/* Where it leads, for people. */
static const char *
place(const struct kept *k, char *text, size_t cap)
{
	return vmess_server_text(k->w->v, server_of(k), text, cap);
}

/* Its server closes them all at about this age. */
static void
learn(const struct kept *k, uint64_t closed)
{
	struct vmess_patience *p = &server_of(k)->patience;
	uint64_t age = closed - closed / 4;
	char server[400];

	if (age >= age_at(k->w, server_of(k)))
		return;
	p->age = age;
	p->until = loop_now(loop_of(k->w)) + (age < AGE_MIN_MS ? HASTY_MS : LEARNT_MS);
	if (age < AGE_MIN_MS)
		log_info("the server (%s) closes connections without a header at once: "
			 "none is kept ready for a minute",
			place(k, server, sizeof(server)));
	else
		log_info("the server (%s) closes connections without a header early: "
			 "they are kept ready for %llu ms",
			place(k, server, sizeof(server)), (unsigned long long)age);
}

/* Its server has closed it. One that restarts closes all at one moment, whatever their
 * age: only what it does twice is a habit. */
static void
hear_end(const struct kept *k)
{
	struct vmess_patience *p = &server_of(k)->patience;
	uint64_t now = loop_now(loop_of(k->w)), age = age_of(k);
	bool known = p->closed_at != 0;

	if (known && now - p->closed_at < MOMENT_MS)
		return;
	if (known && are_similar(age, p->closed))
		learn(k, age < p->closed ? age : p->closed);
	p->closed = age;
	p->closed_at = now;
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
	/* It waits for memory itself, or is in the way of those who do. */
	if (r == STREAM_AGAIN && !outbound_is_starved(&w->v->o))
		return;
	if (k->up && (r == STREAM_END || r == -ECONNRESET))
		hear_end(k);
	kept_drop(k);
	arm(w);
}

void
vmess_warm_init(struct vmess_warm *w, struct vmess *v, unsigned most)
{
	*w = (struct vmess_warm){ .v = v, .most = most };
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
	int64_t most = (int64_t)(age_at(k->w, server_of(k)) / 1000) + CLOCKS_APART_S;

	return rest_of(k) > 0 && passed >= -CLOCKS_APART_S && passed <= most;
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
		outlive(k);
		s = k->s;
		stream_own(s, owner);
		k->s = NULL;
		kept_drop(k);
	}
	arm(w);
	return s;
}

static struct kept *
kept_new(struct vmess_warm *w, uint64_t without)
{
	struct kept *k = calloc(1, sizeof(*k));

	if (!k)
		return NULL;
	task_init(&k->task, kept_run);
	k->w = w;
	k->s = vmess_reach_new_early(w->v, without, &k->task);
	if (!k->s) {
		free(k);
		return NULL;
	}
	k->began = loop_now(loop_of(w));
	k->began_at = w->v->o.env.unix_time();
	return k;
}

/* Those who wait for it come first. */
static bool
memory_is_short(const struct vmess_warm *w)
{
	return outbound_is_short(&w->v->o) || outbound_is_starved(&w->v->o);
}

static bool
begin(struct vmess_warm *w, uint64_t without)
{
	struct kept *k;

	if (memory_is_short(w) || !budget_take(budget_of(w), VMESS_CONNECTION))
		return false;
	k = kept_new(w, without);
	if (!k) {
		budget_give(budget_of(w), VMESS_CONNECTION);
		return false;
	}
	list_append(&w->kept, &k->node);
	w->n++;
	loop_ready(loop_of(w), &k->task);
	return true;
}

/* A bit for each server that closes them at once. */
static uint64_t
hasty_ones(const struct vmess_warm *w)
{
	uint64_t set = 0;
	size_t i;

	for (i = 0; i < w->v->nserver; i++)
		if (age_at(w, &w->v->server[i]) < AGE_MIN_MS)
			set |= 1ull << i;
	return set;
}

/* Whether any server is not away, but for those whose bits are set. */
static bool
any_is_there(const struct vmess *v, uint64_t without)
{
	uint64_t now = loop_now(v->o.env.loop);
	size_t i;

	for (i = 0; i < v->nserver; i++)
		if (!(without >> i & 1) && now >= v->server[i].resume)
			return true;
	return false;
}

void
vmess_warm_fill(struct vmess_warm *w)
{
	uint64_t without = hasty_ones(w);

	if (w->n >= w->most || !any_is_there(w->v, without))
		return;
	while (w->n < w->most && begin(w, without))
		;
	arm(w);
}
