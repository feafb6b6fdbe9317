/* SPDX-License-Identifier: MIT */
#include "names/names.h"

#include "base/text.h"
#include "names/cache.h"
#include "names/hosts.h"
#include "names/message.h"
#include "names/stub.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* How long, in ms, an answer of one family waits for that of the other: servers that
 * never answer one of the types exist, and nobody shall wait eight seconds for them. */
enum { LAG = 300 };

struct names {
	struct loop *loop;
	struct hosts *hosts;
	struct cache *cache;
	struct stub *stub;
};

/* One family of a lookup, which has its addresses or waits for them. */
struct half {
	struct question_wait wait;
	bool done;
	int n; /* addresses, or why there are none */
	struct ip ip[NAMES_ADDRS];
};

enum { HALF_V6, HALF_V4, HALVES };

struct lookup {
	struct names *names;
	struct task *owner;
	struct task task;   /* made ready by the questions */
	struct timer timer; /* the lag */
	struct deferred deferred;
	struct half half[HALVES];
	int answer; /* -EAGAIN while under way */
	struct ip ip[NAMES_ADDRS];
	char name[NAME_MAX_LEN + 1];
	char reason[NAME_MAX_LEN + STUB_REASON + 8];
};

struct names *
names_new(struct loop *l, const struct names_config *c)
{
	struct names *n = calloc(1, sizeof(*n));

	if (!n)
		return NULL;
	n->loop = l;
	n->hosts = hosts_new(c->host, c->nhost, c->hosts_file);
	n->cache = cache_new(c->cache_max);
	n->stub = n->cache ? stub_new(l, n->cache) : NULL;
	if (!n->hosts || !n->stub) {
		names_free(n);
		return NULL;
	}
	stub_servers(n->stub, c->server, c->nserver);
	return n;
}

void
names_free(struct names *n)
{
	if (!n)
		return;
	stub_free(n->stub);
	cache_free(n->cache);
	hosts_free(n->hosts);
	free(n);
}

void
names_changed(struct names *n, const struct endpoint *server, int nserver)
{
	cache_flush(n->cache);
	stub_servers(n->stub, server, nserver);
}

/* v6 and v4 in turn (RFC 8305 4), v6 first, each in the order in which it came. */
static int
interleave(struct ip *to, const struct half half[static HALVES])
{
	int i, h, n = 0;

	for (i = 0; i < NAMES_ADDRS; i++)
		for (h = 0; h < HALVES; h++)
			if (half[h].done && i < half[h].n && n < NAMES_ADDRS)
				to[n++] = half[h].ip[i];
	return n;
}

/* The final answer. The error of a family counts only where no family has an address. */
static void
lookup_settle(struct lookup *k)
{
	int h;

	timer_stop(&k->timer);
	k->answer = interleave(k->ip, k->half);
	for (h = 0; h < HALVES && k->answer <= 0; h++)
		if (k->half[h].done && k->half[h].n < 0 &&
			(k->answer == 0 || k->answer == -ENOENT))
			k->answer = k->half[h].n;
	if (k->answer == 0)
		k->answer = -ENOENT;
	if (k->owner)
		loop_ready(k->names->loop, k->owner);
}

static void
lookup_refuse(struct lookup *k, int error, const char *why)
{
	snprintf(k->reason, sizeof(k->reason), "%s: %s", k->name, why);
	k->half[HALF_V6].done = k->half[HALF_V4].done = true;
	k->half[HALF_V6].n = k->half[HALF_V4].n = error;
	lookup_settle(k);
}

/* Sorts addresses that are known at once into their families. */
static void
lookup_know(struct lookup *k, const struct ip *ip, int n)
{
	struct half *h;
	int i;

	for (i = 0; i < n; i++) {
		h = &k->half[ip[i].family == 6 ? HALF_V6 : HALF_V4];
		if (h->n < NAMES_ADDRS)
			h->ip[h->n++] = ip[i];
	}
	k->half[HALF_V6].done = k->half[HALF_V4].done = true;
	lookup_settle(k);
}

static void
half_collect(struct lookup *k, struct half *h)
{
	const struct question_answer *a;

	if (h->done)
		return;
	a = question_answer(h->wait.question);
	if (!a)
		return;
	h->done = true;
	h->n = a->status < 0 ? a->status : (int)a->n;
	if (a->status == 0)
		memcpy(h->ip, a->ip, sizeof(h->ip));
	else if (a->status != -ENOENT || !k->reason[0])
		snprintf(k->reason, sizeof(k->reason), "%s: %s", k->name, a->reason);
}

/* Settles when both families are there; with one, gives the other a little time. */
static void
lookup_look(struct lookup *k)
{
	struct half *six = &k->half[HALF_V6], *four = &k->half[HALF_V4];

	half_collect(k, six);
	half_collect(k, four);
	if (six->done && four->done)
		lookup_settle(k);
	else if (((six->done && six->n > 0) || (four->done && four->n > 0)) &&
		!k->timer.armed)
		timer_arm(&k->timer, LAG);
}

static void
lookup_run(struct task *t)
{
	struct lookup *k = container_of(t, struct lookup, task);

	if (k->answer == -EAGAIN)
		lookup_look(k);
}

static void
lookup_fire(struct timer *t)
{
	lookup_settle(container_of(t, struct lookup, timer));
}

/* One family of a name that has to be asked for. */
static void
half_begin(struct lookup *k, struct half *h, const char *name, uint16_t type)
{
	struct names *n = k->names;
	const struct ip *ip;
	int r;

	r = cache_find(n->cache, loop_now(n->loop), name, type, &ip);
	if (r == -EAGAIN)
		r = question_join(&h->wait, n->stub, name, type);
	else if (r > 0)
		memcpy(h->ip, ip, (size_t)r * sizeof(*ip));
	else
		r = -ENOENT;
	h->done = !h->wait.question;
	h->n = r;
	if (r == -ENOENT)
		snprintf(k->reason, sizeof(k->reason), "%s: no address (remembered)",
			k->name);
}

static void
lookup_ask(struct lookup *k, const char *name, unsigned families)
{
	struct half *six = &k->half[HALF_V6], *four = &k->half[HALF_V4];
	int bad = 0;

	six->done = four->done = true;
	if (families & LOOKUP_V6)
		half_begin(k, six, name, DNS_AAAA);
	if (families & LOOKUP_V4)
		half_begin(k, four, name, DNS_A);
	bad = six->done && six->n < 0 && six->n != -ENOENT ? six->n : bad;
	bad = four->done && four->n < 0 && four->n != -ENOENT ? four->n : bad;
	if (bad == -EINVAL)
		lookup_refuse(k, -ENOENT, "is not a name that can be asked for");
	else if (bad)
		lookup_refuse(k, -ETIMEDOUT, "too many names are being asked for");
	else
		lookup_look(k);
}

static void
lookup_begin(struct lookup *k, const char *given, unsigned families)
{
	const char *name = k->name;
	struct names *names = k->names;
	struct ip ip[NAMES_ADDRS];
	int n;

	if (ip_parse(&ip[0], given)) {
		snprintf(k->name, sizeof(k->name), "%s", given);
		n = families & (ip[0].family == 6 ? LOOKUP_V6 : LOOKUP_V4) ? 1 : -ENOENT;
	} else if (name_normal(k->name, sizeof(k->name), given, strlen(given))) {
		n = hosts_find(names->hosts, loop_now(names->loop), &name, families, ip,
			NAMES_ADDRS);
	} else {
		snprintf(k->name, sizeof(k->name), "the given name");
		n = -EINVAL;
	}
	if (n > 0)
		lookup_know(k, ip, n);
	else if (n == 0)
		lookup_ask(k, name, families);
	else
		lookup_refuse(k, -ENOENT,
			n == -EINVAL          ? "is not a name"
				: n == -ELOOP ? "its aliases do not end"
					      : "has no such address");
}

struct lookup *
names_lookup(struct names *n, const char *name, unsigned families, struct task *owner)
{
	struct lookup *k = calloc(1, sizeof(*k));
	int h;

	if (!k)
		return NULL;
	k->names = n;
	k->owner = owner;
	k->answer = -EAGAIN;
	task_init(&k->task, lookup_run);
	timer_init(&k->timer, n->loop, lookup_fire);
	for (h = 0; h < HALVES; h++) {
		list_init(&k->half[h].wait.node);
		k->half[h].wait.owner = &k->task;
	}
	lookup_begin(k, name, families);
	return k;
}

int
lookup_answer(struct lookup *k, const struct ip **ip)
{
	*ip = k->ip;
	return k->answer;
}

const char *
lookup_reason(const struct lookup *k)
{
	return k->reason;
}

static void
lookup_bury(struct deferred *d)
{
	free(container_of(d, struct lookup, deferred));
}

void
lookup_free(struct lookup *k)
{
	int h;

	if (!k)
		return;
	for (h = 0; h < HALVES; h++)
		question_leave(&k->half[h].wait);
	timer_stop(&k->timer);
	task_fini(&k->task);
	loop_defer(k->names->loop, &k->deferred, lookup_bury);
}
