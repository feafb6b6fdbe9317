/* SPDX-License-Identifier: MIT */
#include "daemon/explain_names.h"

#include "platform/net.h"

#include <errno.h>
#include <string.h>

static struct names *
names_open(const struct config *c, struct loop *l)
{
	struct names_config nc = {
		.host = c->host, .nhost = c->nhost, .hosts_file = "/etc/hosts"
	};
	struct net_resolvers machine = { .n = 0 };

	if (net_resolver_read(&machine) < 0)
		machine.n = 0;
	for (; nc.nserver < machine.n && nc.nserver < NAMES_SERVERS; nc.nserver++)
		nc.server[nc.nserver] = machine.at[nc.nserver];
	return names_new(l, &nc);
}

/* The owner of the question has nothing to do: the answer is asked for every turn. */
static void
woken(struct task *t)
{
	(void)t;
}

static int
lookup_wait(struct loop *l, struct lookup *k, struct ip *ip, int cap, struct err *e)
{
	const struct ip *found = NULL;
	int n;

	while ((n = lookup_answer(k, &found)) == -EAGAIN)
		loop_turn(l, -1);
	if (n < 0)
		return err_set(e, "%s", lookup_reason(k));
	if (n > cap)
		n = cap;
	memcpy(ip, found, (size_t)n * sizeof(*ip));
	return n;
}

int
explain_resolve(
	const struct config *c, const char *name, struct ip *ip, int cap, struct err *e)
{
	struct loop *l = loop_new();
	struct names *names = l ? names_open(c, l) : NULL;
	struct lookup *k = NULL;
	struct task owner;
	int n;

	task_init(&owner, woken);
	if (names)
		k = names_lookup(names, name, LOOKUP_V4 | LOOKUP_V6, &owner);
	n = k ? lookup_wait(l, k, ip, cap, e) : err_set(e, "no memory");
	lookup_free(k);
	task_fini(&owner);
	names_free(names);
	if (l) {
		loop_turn(l, 0);
		loop_free(l);
	}
	return n;
}
