/* SPDX-License-Identifier: MIT */
#include "flow/flows.h"
#include "platform/sys.h"

/* Memory that a burst needed goes back to the system. */

/* A burst may go on: what it needs is not given away between two waves. */
enum { TRIM_MS = 2000, TRIM_LEAST = 512, TRIM_BYTES = 2 << 20 };

static void
trim(struct timer *timer)
{
	struct flow_table *t = container_of(timer, struct flow_table, trim);
	struct flows *fs = container_of(t, struct flows, tcp);

	t->peak = fs->count.tcp;
	t->peak_bytes = flows_memory(fs);
	pool_trim(&t->pool);
	pool_trim(&t->openings);
	sys_memory_trim();
}

static bool
has_shrunk(size_t *peak, size_t now, size_t least)
{
	if (*peak < now)
		*peak = now;
	return *peak - now >= least && now <= *peak / 2;
}

void
trim_look(struct flows *fs)
{
	struct flow_table *t = &fs->tcp;
	bool fewer = has_shrunk(&t->peak, fs->count.tcp, TRIM_LEAST);
	bool less = has_shrunk(&t->peak_bytes, flows_memory(fs), TRIM_BYTES);

	if ((fewer || less) && !t->trim.armed)
		timer_arm(&t->trim, TRIM_MS);
}

void
trim_init(struct flows *fs)
{
	timer_init(&fs->tcp.trim, fs->loop, trim);
}
