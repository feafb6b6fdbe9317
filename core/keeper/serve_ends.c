/* SPDX-License-Identifier: MIT */
#include "keeper/serve_ends.h"

#include "base/log.h"
#include "keeper/serve_direct.h"
#include "platform/direct.h"

#include <errno.h>
#include <string.h>

void
serve_ends_find(struct serve *s)
{
	int r = net_direct_can_end();

	s->can_end = r == 0;
	if (r == -EOPNOTSUPP)
		log_warn(
			"this kernel ends no connection of others "
			"(CONFIG_INET_DIAG_DESTROY): where sluice or its engine ends, or "
			"the network of one that the kernel carries is lost, the "
			"application learns of it only when it sends");
	else if (r < 0)
		log_warn("connections will end without a word: %s", strerror(-r));
}

void
serve_ends_watch(struct serve *s)
{
	if (s->losses >= 0 || !s->can_end)
		return;
	s->losses = net_direct_losses(OUR_KEPT);
	if (s->losses < 0)
		log_warn("flows in the kernel will end without a word: %s",
			strerror(-s->losses));
}

void
serve_ends_lost(const struct serve *s)
{
	struct net_direct d;
	int r;

	serve_direct_of(s, 4, &d);
	r = net_direct_end_lost(s->losses, &d);
	if (r > 0)
		log_info("connections that lost their way outside: %d, ended", r);
}

void
serve_ends_orphans(const struct serve *s)
{
	struct net_direct d;
	int r;

	serve_direct_of(s, 4, &d);
	if (!s->direct4 && !s->direct6)
		d.kept = 0;
	r = net_direct_end_orphans(&d);
	if (r > 0)
		log_info("connections that the engine carried: %d, ended", r);
}

static void
all_end(const struct serve *s, int family, bool asked)
{
	struct net_direct d;
	int r;

	if (!s->direct4 && !s->direct6)
		return;
	serve_direct_of(s, 4, &d);
	r = net_direct_end_all(&d, family, asked);
	if (r > 0)
		log_info("connections that the kernel carried: %d, ended", r);
}

void
serve_ends_all(const struct serve *s, int family)
{
	all_end(s, family, false);
}

void
serve_ends_last(const struct serve *s)
{
	all_end(s, 0, true);
}
