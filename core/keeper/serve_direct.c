/* SPDX-License-Identifier: MIT */
#include "keeper/serve_direct.h"

#include "base/log.h"
#include "keeper/serve_ends.h"
#include "platform/direct.h"
#include "platform/sys.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const char unseen_why[] =
	"answers to them are kept from connection tracking (notrack) "
	"by a rule of somebody else's";

enum { MENDS = 8 }; /* at once, where somebody goes on taking our rules away */

void
serve_direct_of(const struct serve *s, int family, struct net_direct *d)
{
	*d = (struct net_direct){
		.family = family, .mark = OUR_MARK, .kept = OUR_KEPT, .gid = s->gid
	};
	memcpy(d->dev, s->tun_name, TUN_NAME);
	memcpy(d->addrs, s->tun_config.addrs, sizeof d->addrs);
	d->naddrs = s->tun_config.naddrs;
}

static unsigned
bit_of(int family)
{
	return family == 6 ? NET_RULES_DIRECT6 : NET_RULES_DIRECT4;
}

static int
direct_make(struct serve *s, int family, struct err *e)
{
	struct change c = { .until = CHANGE_SESSION, .kind = CHANGE_DIRECT };
	struct net_direct d;
	int r;

	c.u.direct.family = family;
	c.u.direct.kept = OUR_KEPT;
	serve_direct_of(s, family, &d);
	if (journal_add(s->journal, &c, e) < 0)
		return -1;
	s->strict = net_direct_is_strict();
	r = net_direct_add(&d, e);
	if (r < 0)
		journal_drop(s->journal);
	else if (s->rules >= 0)
		s->lost |= net_rules_lost(s->rules, bit_of(family), 0);
	return r;
}

static int
direct_mend(const struct serve *s, int family, struct err *e)
{
	struct net_direct d;

	serve_direct_of(s, family, &d);
	net_direct_ease(family, d.kept);
	return net_direct_add(&d, e);
}

/* What the kernel carries comes by the device again, and is asked for by the rules. */
static int
direct_forget(struct serve *s, int family, struct err *e)
{
	struct net_direct d;

	serve_direct_of(s, family, &d);
	/* What was changed before is not taken for this. */
	if (s->rules >= 0)
		s->lost |= net_rules_lost(s->rules, 0, 0);
	if (net_direct_forget(&d, e) < 0)
		return direct_mend(s, family, e);
	if (s->rules >= 0)
		s->lost |= net_rules_lost(s->rules, 0, bit_of(family));
	return 0;
}

#define TRACKING "net.netfilter.nf_conntrack_"

static bool
is_tracking(const struct change *c)
{
	return c->kind == CHANGE_SYSCTL &&
		strncmp(c->u.sysctl.name, TRACKING, strlen(TRACKING)) == 0;
}

static const struct {
	const char *name, *loss;
} news[] = {
	{ TRACKING "acct", "the bytes of flows in the kernel are not counted" },
	{ TRACKING "events", "nobody hears of the ends of flows in the kernel" },
};

/* They are there only once connections are tracked. 2, of newer kernels: where somebody
 * listens, as the engine does. */
static bool
is_off(const char *name)
{
	char value[16];
	struct err e;

	return net_sysctl_get(name, value, sizeof value, &e) == 0 &&
		strcmp(value, "0") == 0;
}

/* Whether any was off and no longer is. */
static bool
news_wish(struct serve *s)
{
	bool is_back = false;
	size_t i;

	for (i = 0; i < sizeof news / sizeof *news; i++) {
		if (!is_off(news[i].name))
			continue;
		is_back = serve_sysctl_again(s, news[i].name, "1", news[i].loss) ||
			is_back;
	}
	return is_back;
}

static void
settings_watch(struct serve *s)
{
	static const char *const names[] = { TRACKING "acct", TRACKING "events",
		TRACKING "tcp_loose" };

	if (s->settings < 0)
		s->settings = net_sysctl_watch(names, sizeof names / sizeof *names);
	if (s->settings < 0)
		log_warn("the settings of connection tracking cannot be watched: %s",
			strerror(-s->settings));
}

static void
news_release(struct serve *s)
{
	const struct change *c = s->journal->change;

	if (s->settings >= 0)
		close(s->settings);
	s->settings = -1;
	for (int i = s->journal->n - 1; i >= 0; i--)
		if (is_tracking(&c[i]))
			(void)journal_undo_one(s->journal, i);
}

static const char *
by_user_of(const struct serve *s, int family)
{
	return family == 6 ? s->by_user6 : s->by_user4;
}

static bool
is_unseen(const struct serve *s, int family)
{
	return family == 6 ? s->unseen6 : s->unseen4;
}

/* As long as a table is not whole, the machine routes by user, or answers cannot be
 * translated, the engine hands nothing back to the kernel. */
static void
direct_hold(const struct serve *s, int family)
{
	int r, fd = family == 6 ? s->raw6 : s->raw4;
	struct net_direct d;

	if (fd < 0)
		return;
	serve_direct_of(s, family, &d);
	r = net_direct_hold(fd, &d,
		(s->lost & bit_of(family)) != 0 || *by_user_of(s, family) != '\0' ||
			is_unseen(s, family));
	if (r < 0)
		log_error("direct IPv%d packets leave as they do: %s", family,
			strerror(-r));
}

static void
all_hold(const struct serve *s)
{
	direct_hold(s, 4);
	direct_hold(s, 6);
}

/* Kept: only so can it be held. */
static int
socket_make(struct serve *s, int family, int *raw, struct err *e)
{
	struct net_direct d;
	int fd;

	serve_direct_of(s, family, &d);
	fd = net_direct_open(&d);
	if (fd < 0)
		return err_set(
			e, "packets cannot be handed to the kernel: %s", strerror(-fd));
	*raw = fd;
	direct_hold(s, family);
	return fd;
}

void
serve_direct_held(const struct serve *s, int family, char why[static REPORT_WHY])
{
	const char *is = by_user_of(s, family);

	if ((s->lost & bit_of(family)) != 0)
		is = "somebody changed our firewall rules, and they cannot be put back";
	else if (!*is && is_unseen(s, family))
		is = unseen_why;
	snprintf(why, REPORT_WHY, "%s", is);
}

/* What the kernel has ends, and what knows no end is forgotten where it is looked up: all
 * of it is asked for again, and carried by the stack, as the packets are held. */
static void
direct_take(struct serve *s, int family)
{
	struct err e;

	if (direct_forget(s, family, &e) < 0)
		log_warn("%s", e.text);
	serve_ends_all(s, family);
}

void
serve_direct_unseen(struct serve *s, int family)
{
	bool *is = family == 6 ? &s->unseen6 : &s->unseen4;

	if (*is)
		return;
	*is = true;
	direct_hold(s, family);
	log_warn(
		"direct IPv%d flows are carried by sluice itself from now on: %s; once that is "
		"gone, start sluice again",
		family, unseen_why);
	direct_take(s, family);
}

/* While the rules cannot be read, what was known of them holds. */
static void
by_user_find(struct serve *s, int family)
{
	const struct net_policy ours = { .engine = s->uid, .first = OUR_RULES };
	char *why = family == 6 ? s->by_user6 : s->by_user4;
	uint32_t priority;
	int r = net_policy_by_user(family, &ours, &priority);

	if (r > 0)
		snprintf(why, REPORT_WHY, "the machine routes by user (ip -%d rule %u)",
			family, (unsigned)priority);
	else if (r == 0)
		*why = '\0';
}

static int
by_user_refuse(struct serve *s, int family, struct err *e)
{
	if (s->policy < 0)
		s->policy = net_policy_watch();
	if (s->policy < 0)
		log_warn("routing rules cannot be watched: %s", strerror(-s->policy));
	by_user_find(s, family);
	return *by_user_of(s, family) ? err_set(e, "%s", by_user_of(s, family)) : 0;
}

static void
by_user_follow(struct serve *s, int family)
{
	const char *why = by_user_of(s, family);
	bool was = *why != '\0';

	by_user_find(s, family);
	direct_hold(s, family);
	if (was && !*why && !is_unseen(s, family))
		log_news("direct IPv%d flows are carried by the kernel again", family);
	if (was || !*why)
		return;
	log_warn("direct IPv%d flows are carried by sluice itself from now on: %s",
		family, why);
	direct_take(s, family);
}

void
serve_policy_follow(struct serve *s)
{
	net_policy_seen(s->policy);
	if (s->direct4)
		by_user_follow(s, 4);
	if (s->direct6)
		by_user_follow(s, 6);
}

int
serve_direct(struct serve *s, int family, struct err *e)
{
	bool *made = family == 6 ? &s->direct6 : &s->direct4;
	bool *asked = family == 6 ? &s->asked6 : &s->asked4;
	int fd, *raw = family == 6 ? &s->raw6 : &s->raw4;

	if (*raw >= 0)
		return err_set(e, "this engine has its IPv%d socket already", family);
	if (!serve_has_address(s, family))
		return err_set(e, "%s has no IPv%d address", s->tun_name, family);
	/* One that had them before goes on, though with its packets held. */
	if (!*made && by_user_refuse(s, family, e) < 0)
		return -1;
	/* Another engine may have other rules. */
	if (*made && direct_forget(s, family, e) < 0)
		return -1;
	if (!*made && direct_make(s, family, e) < 0)
		return -1;
	if (!s->direct4 && !s->direct6) {
		(void)news_wish(s);
		settings_watch(s);
		serve_ends_watch(s);
	}
	*made = true;
	fd = socket_make(s, family, raw, e);
	*asked = fd >= 0;
	return fd;
}

static void
direct_release(struct serve *s, int family)
{
	const struct change *c = s->journal->change;
	bool gone = true;

	for (int i = s->journal->n - 1; i >= 0; i--)
		if (c[i].kind == CHANGE_DIRECT && c[i].u.direct.family == family)
			gone = journal_undo_one(s->journal, i) && gone;
	if (family == 6)
		s->direct6 = !gone;
	else
		s->direct4 = !gone;
}

void
serve_direct_settle(struct serve *s)
{
	/* Before the tables go, so that the other ends hear of it, too. */
	if (!s->asked4 && !s->asked6)
		serve_ends_all(s, 0);
	if (s->direct4 && !s->asked4)
		direct_release(s, 4);
	if (s->direct6 && !s->asked6)
		direct_release(s, 6);
	if (!s->direct4 && !s->direct6)
		news_release(s);
}

int
serve_endings(const struct serve *s, struct err *e)
{
	int fd = net_direct_follow(OUR_KEPT);

	(void)s;
	if (fd >= 0)
		return fd;
	return err_set(
		e, "the kernel does not tell of flows that end: %s", strerror(-fd));
}

void
serve_rules_watch(struct serve *s)
{
	s->rules = net_rules_watch();
	if (s->rules < 0)
		log_warn("the firewall tables cannot be watched (%s): should somebody "
			 "take them away, nobody notices",
			strerror(-s->rules));
}

static int
firewall_mend(const struct serve *s, struct err *e)
{
	struct net_firewall f;

	serve_firewall(s, &f);
	return net_firewall_mend(&f, e);
}

/* All of them: a flush is told of table by table, and the others' turn comes next. First
 * those that transfers wait for. What could not be put back. */
static unsigned
all_mend(const struct serve *s, struct err *e)
{
	unsigned left = 0;

	if (s->direct4 && direct_mend(s, 4, e) < 0)
		left |= NET_RULES_DIRECT4;
	if (s->direct6 && direct_mend(s, 6, e) < 0)
		left |= NET_RULES_DIRECT6;
	if (firewall_mend(s, e) < 0)
		left |= NET_RULES_FIREWALL;
	return left;
}

/* What is not there by our own will cannot be lost. */
static unsigned
ours_of(const struct serve *s)
{
	return NET_RULES_FIREWALL | (s->direct4 ? NET_RULES_DIRECT4 : 0) |
		(s->direct6 ? NET_RULES_DIRECT6 : 0);
}

/* The tables are others where connection tracking is stricter, or no longer so strict. */
static void
strictness_follow(struct serve *s)
{
	bool strict = net_direct_is_strict();
	struct err e;

	if (strict == s->strict)
		return;
	s->strict = strict;
	if (s->direct4 && direct_mend(s, 4, &e) < 0)
		s->lost |= NET_RULES_DIRECT4;
	if (s->direct6 && direct_mend(s, 6, &e) < 0)
		s->lost |= NET_RULES_DIRECT6;
	if (s->rules >= 0)
		s->lost |= net_rules_lost(s->rules, ours_of(s) & ~NET_RULES_FIREWALL, 0);
}

void
serve_settings_mend(struct serve *s)
{
	const char *again;

	net_sysctl_seen(s->settings);
	again = news_wish(s) ? serve_again(s) : NULL;
	if (again)
		log_warn("somebody took the news and counters of connections away, by "
			 "nf_conntrack_events or nf_conntrack_acct; they are put back%s",
			again);
	strictness_follow(s);
}

/* What could not be put back this time, and was not missed before. The applications ask
 * again, and are carried by the stack. */
static void
give_up(const struct serve *s, unsigned left, const struct err *e)
{
	bool direct = (left & (NET_RULES_DIRECT4 | NET_RULES_DIRECT6)) != 0;

	log_error("somebody changed our firewall rules, or took them away, and they "
		  "cannot be put back: %s; sluice tries again each second%s",
		e->text,
		direct ? ", and carries direct flows itself until they are" : "");
	if ((left & NET_RULES_DIRECT4) != 0)
		serve_ends_all(s, 4);
	if ((left & NET_RULES_DIRECT6) != 0)
		serve_ends_all(s, 6);
}

static void
rules_mended(struct serve *s)
{
	s->mends++;
	s->mended = sys_boottime();
	log_warn("somebody changed our firewall rules, or took them away; they are put "
		 "back");
}

void
serve_rules_mend(struct serve *s)
{
	unsigned missed = s->missed, left = 0;
	struct err e;
	int i;

	s->lost = (s->lost | net_rules_lost(s->rules, 0, 0)) & ours_of(s);
	all_hold(s);
	for (i = 0; i < MENDS && s->lost != 0 && left == 0; i++) {
		left = all_mend(s, &e);
		s->lost = left | net_rules_lost(s->rules, NET_RULES_ALL & ~left, 0);
		s->lost &= ours_of(s);
		if (left == 0)
			rules_mended(s);
	}
	all_hold(s);
	s->missed = left;
	if ((left & ~missed) != 0)
		give_up(s, left & ~missed, &e);
}
