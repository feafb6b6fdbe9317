/* SPDX-License-Identifier: MIT */
#include "daemon/resolve.h"

#include <errno.h>
#include <string.h>

/* The owner of the question has nothing to do: the answer is asked for every turn. */
static void
woken(struct task *t)
{
	(void)t;
}

int
resolve_wait(struct loop *l, struct names *n, const char *name, struct ip *ip, int cap,
	struct err *e)
{
	const struct ip *found = NULL;
	struct lookup *k;
	struct task owner;
	int count;

	task_init(&owner, woken);
	k = names_lookup(n, name, LOOKUP_V4 | LOOKUP_V6, &owner);
	if (!k)
		return err_set(e, "no memory to look up %s", name);
	while ((count = lookup_answer(k, &found)) == -EAGAIN)
		loop_turn(l, -1);
	if (count > cap)
		count = cap;
	if (count > 0)
		memcpy(ip, found, (size_t)count * sizeof(*ip));
	else
		err_set(e, "%s", lookup_reason(k));
	lookup_free(k);
	task_fini(&owner);
	return count > 0 ? count : -1;
}
