/* SPDX-License-Identifier: MIT */
#include "keeper/serve.h"

#include "base/log.h"
#include "keeper/check.h"
#include "keeper/files.h"
#include "keeper/serve_direct.h"
#include "keeper/serve_ends.h"
#include "keeper/serve_misled.h"
#include "keeper/serve_resolver.h"
#include "keeper/serve_routes.h"
#include "platform/claim.h"
#include "platform/sock.h"
#include "platform/sys.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Lines of serve_again, in so many ms. */
enum { SAID_MOST = 8, SAID_WITHIN = 1000 };

/* What a handler gives back beside success. */
struct reply {
	struct answer answer;
	int fd;      /* to pass on, -1: none */
	bool passes; /* fd is the engine's from now on; otherwise it gets a copy */
};

void
serve_init(struct serve *s, const struct keeper_config *c, struct journal *j)
{
	memset(s, 0, sizeof *s);
	s->config = c;
	s->journal = j;
	s->tun = -1;
	s->rules = -1;
	s->losses = -1;
	s->settings = -1;
	s->marks = s->changes = s->policy = s->misled = -1;
	s->raw4 = s->raw6 = s->resolver = -1;
}

static void
descriptor_end(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

void
serve_renew(struct serve *s)
{
	s->ready = s->asked4 = s->asked6 = false;
	descriptor_end(&s->raw4);
	descriptor_end(&s->raw6);
}

void
serve_fini(struct serve *s)
{
	descriptor_end(&s->tun);
	descriptor_end(&s->rules);
	descriptor_end(&s->losses);
	descriptor_end(&s->settings);
	descriptor_end(&s->marks);
	descriptor_end(&s->changes);
	descriptor_end(&s->policy);
	descriptor_end(&s->misled);
	descriptor_end(&s->resolver);
	descriptor_end(&s->raw4);
	descriptor_end(&s->raw6);
}

static int
address_add(struct serve *s, const struct cidr *c, struct err *e)
{
	struct change change = { .until = CHANGE_SESSION, .kind = CHANGE_ADDRESS };

	memcpy(change.u.address.dev, s->tun_name, TUN_NAME);
	change.u.address.cidr = *c;
	if (journal_add(s->journal, &change, e) < 0)
		return -1;
	if (net_address_add(s->tun_name, c, e) == 0)
		return 0;
	journal_drop(s->journal);
	return -1;
}

/* First of all it says whose it is. Addresses before it is up: nobody sees it without
 * them. */
static int
tun_set_up(struct serve *s, const struct tun_config *c, struct err *e)
{
	int i, from = s->journal->n;

	if (net_claim_make(s->tun_name, OUR_TABLE, e) < 0)
		return -1;
	for (i = 0; i < c->naddrs; i++) {
		if (address_add(s, &c->addrs[i], e) < 0)
			goto fail;
	}
	if (net_link_up(s->tun_name, c, e) == 0)
		return 0;
fail:
	(void)journal_undo(s->journal, from);
	return -1;
}

static bool
is_same_tun(const struct tun_config *a, const struct tun_config *b)
{
	int i;

	if (a->mtu != b->mtu || a->naddrs != b->naddrs || strcmp(a->name, b->name) != 0)
		return false;
	for (i = 0; i < a->naddrs; i++) {
		if (a->addrs[i].bits != b->addrs[i].bits ||
			!ip_equal(&a->addrs[i].ip, &b->addrs[i].ip))
			return false;
	}
	return true;
}

static int
tun_serve(struct serve *s, const struct request *q, struct reply *r, struct err *e)
{
	const struct tun_config *c = &q->u.tun;

	if (check_tun(c, e) < 0)
		return -1;
	if (s->tun >= 0 && !is_same_tun(c, &s->tun_config))
		return err_set(e,
			"TUN %s: name, MTU and addresses cannot change while it is in use; "
			"end sluice and start it again",
			s->tun_name);
	if (s->tun < 0) {
		s->tun = tun_open(c, s->tun_name, e);
		if (s->tun < 0)
			return -1;
		serve_routes_watch(s);
		if (tun_set_up(s, c, e) < 0) {
			serve_fini(s);
			return -1;
		}
		s->tun_config = *c;
	}
	memcpy(r->answer.u.name, s->tun_name, TUN_NAME);
	r->fd = s->tun;
	return 0;
}

int
serve_sysctl(struct serve *s, const char *name, const char *value, struct err *e)
{
	struct change c = { .until = CHANGE_SESSION, .kind = CHANGE_SYSCTL };

	snprintf(c.u.sysctl.name, sizeof c.u.sysctl.name, "%s", name);
	snprintf(c.u.sysctl.ours, sizeof c.u.sysctl.ours, "%s", value);
	if (net_sysctl_get(name, c.u.sysctl.old, sizeof c.u.sysctl.old, e) < 0)
		return -1;
	if (strcmp(c.u.sysctl.old, value) == 0)
		return 0;
	if (journal_add(s->journal, &c, e) < 0)
		return -1;
	if (net_sysctl_set(name, value, e) == 0)
		return 0;
	journal_drop(s->journal);
	return -1;
}

void
serve_sysctl_wish(struct serve *s, const char *name, const char *value, const char *loss)
{
	struct err e;

	if (serve_sysctl(s, name, value, &e) < 0)
		log_warn("%s: %s", e.text, loss);
}

/* Of what the journal has already only the value is put back. */
bool
serve_sysctl_again(struct serve *s, const char *name, const char *value, const char *loss)
{
	const struct change *c = s->journal->change;
	int r, i = s->journal->n;
	struct err e;

	while (--i >= 0 &&
		!(c[i].kind == CHANGE_SYSCTL && strcmp(c[i].u.sysctl.name, name) == 0))
		;
	r = i < 0 ? serve_sysctl(s, name, value, &e) : net_sysctl_set(name, value, &e);
	if (r < 0)
		log_warn("%s: %s", e.text, loss);
	return r == 0;
}

const char *
serve_again(struct serve *s)
{
	uint64_t now = sys_boottime();

	if (now - s->said >= SAID_WITHIN) {
		s->said = now;
		s->sayings = 0;
	}
	if (s->sayings == SAID_MOST)
		return NULL;
	return ++s->sayings == SAID_MOST ? " (again and again)" : "";
}

bool
serve_has_address(const struct serve *s, int family)
{
	int i;

	for (i = 0; i < s->tun_config.naddrs; i++)
		if (s->tun_config.addrs[i].ip.family == family)
			return true;
	return false;
}

void
serve_firewall(const struct serve *s, struct net_firewall *f)
{
	*f = (struct net_firewall){ .uid = s->uid, .mark = OUR_MARK, .kept = OUR_KEPT };
	memcpy(f->dev, s->tun_name, TUN_NAME);
	memcpy(f->addrs, s->tun_config.addrs, sizeof f->addrs);
	f->naddrs = s->tun_config.naddrs;
}

static int
firewall_make(struct serve *s, struct err *e)
{
	struct change c = { .until = CHANGE_SESSION, .kind = CHANGE_FIREWALL };
	struct net_firewall f;

	serve_firewall(s, &f);
	if (journal_add(s->journal, &c, e) < 0)
		return -1;
	if (net_firewall_add(&f, e) == 0)
		return 0;
	/* One transaction: there is nothing of ours, but maybe somebody else's. */
	journal_drop(s->journal);
	return -1;
}

static int
routes_make(struct serve *s, const struct net_routes *r, struct err *e)
{
	struct change c = { .until = CHANGE_SESSION, .kind = CHANGE_ROUTES };

	c.u.routes = *r;
	if (journal_add(s->journal, &c, e) < 0)
		return -1;
	if (net_routes_add(r, e) == 0)
		return 0;
	journal_drop(s->journal);
	return -1;
}

static int
routes_serve(struct serve *s, const struct request *q, struct reply *r, struct err *e)
{
	struct net_routes routes = {
		.uid = s->uid,
		.mark = OUR_MARK,
		.table = OUR_TABLE,
		.pref = OUR_RULES,
		.has4 = serve_has_address(s, 4),
		.has6 = serve_has_address(s, 6),
	};
	int from = s->journal->n;

	(void)r;
	if (check_routes(&q->u.routes, e) < 0)
		return -1;
	memcpy(routes.dev, s->tun_name, TUN_NAME);
	routes.v4 = q->u.routes.v4 == 1;
	routes.v6 = q->u.routes.v6 == 1;
	if (s->routed && routes.v4 == s->routes.v4 && routes.v6 == s->routes.v6)
		return 0;
	if (s->routed)
		return err_set(e,
			"routes: the families cannot change while they are set; "
			"end sluice and start it again");
	serve_routes_settle(s);
	if (firewall_make(s, e) < 0 || routes_make(s, &routes, e) < 0) {
		/* Else what is undone here would pass for somebody else's doing. */
		descriptor_end(&s->marks);
		(void)journal_undo(s->journal, from);
		return -1;
	}
	s->routed = true;
	s->routes = routes;
	serve_rules_watch(s);
	serve_misled_watch(s);
	serve_ends_find(s);
	return 0;
}

static void
resolvers_note(struct serve *s)
{
	int r;

	if (s->noted)
		return;
	s->noted = true;
	r = net_resolver_read(&s->before);
	if (r < 0)
		log_warn("the machine's resolvers cannot be read: %s", strerror(-r));
}

static bool
is_taken_by(const struct serve *s, const struct request_resolver *q)
{
	int i;

	if (!s->taken || s->nservers != q->n)
		return false;
	for (i = 0; i < q->n; i++) {
		if (!ip_equal(&s->servers[i], &q->server[i]))
			return false;
	}
	return true;
}

static int
resolver_serve(struct serve *s, const struct request *q, struct reply *r, struct err *e)
{
	const struct request_resolver *want = &q->u.resolver;

	(void)r;
	if (check_resolver(want, e) < 0)
		return -1;
	if (is_taken_by(s, want))
		return 0;
	resolvers_note(s);
	s->nservers = want->n;
	memcpy(s->servers, want->server, sizeof s->servers);
	return serve_resolver_take(s, e);
}

static int
resolvers_serve(struct serve *s, const struct request *q, struct reply *r, struct err *e)
{
	(void)q;
	(void)e;
	resolvers_note(s);
	r->answer.u.resolvers = s->before;
	return 0;
}

/*
 * Whether a process may have such a socket is asked only when it is made, and
 * by default the answer is no, even for root.  So root's group is let in for
 * that moment.
 */
static int
ping_open(struct serve *s, int family)
{
	int fd, from = s->journal->n;
	struct err e;

	fd = sock_ping_open(family, OUR_MARK);
	if (fd != -EACCES)
		return fd;
	if (serve_sysctl(s, "net.ipv4.ping_group_range", "0\t0", &e) == 0)
		fd = sock_ping_open(family, OUR_MARK);
	(void)journal_undo(s->journal, from);
	return fd;
}

static int
ping_serve(struct serve *s, const struct request *q, struct reply *r, struct err *e)
{
	if (check_ping(&q->u.ping, e) < 0)
		return -1;
	r->fd = ping_open(s, q->u.ping.family);
	r->passes = true;
	if (r->fd >= 0)
		return 0;
	return err_set(e, "IPv%d echo requests cannot be sent: %s", (int)q->u.ping.family,
		strerror(-r->fd));
}

static int
direct_serve(struct serve *s, const struct request *q, struct reply *r, struct err *e)
{
	if (check_direct(&q->u.direct, e) < 0)
		return -1;
	r->fd = serve_direct(s, q->u.direct.family, e);
	return r->fd < 0 ? -1 : 0;
}

static int
endings_serve(struct serve *s, const struct request *q, struct reply *r, struct err *e)
{
	(void)q;
	r->fd = serve_endings(s, e);
	r->passes = true;
	return r->fd < 0 ? -1 : 0;
}

static int
file_serve(struct serve *s, const struct request *q, struct reply *r, struct err *e)
{
	if (check_file(&q->u.file, e) < 0)
		return -1;
	r->fd = files_open(s->config, s->uid, s->gid, q->u.file.name, e);
	r->passes = true;
	return r->fd < 0 ? -1 : 0;
}

static int
ready_serve(struct serve *s, const struct request *q, struct reply *r, struct err *e)
{
	(void)q;
	(void)r;
	(void)e;
	serve_direct_settle(s);
	s->ready = true;
	return 0;
}

static bool
always(const struct serve *s)
{
	(void)s;
	return true;
}

static bool
has_tun(const struct serve *s)
{
	return s->tun >= 0;
}

static bool
is_starting(const struct serve *s)
{
	return !s->ready;
}

static bool
is_routed(const struct serve *s)
{
	return s->routed;
}

static const struct duty {
	const char *name;
	size_t size;                        /* of its part of struct request */
	bool (*may)(const struct serve *s); /* whether it may be asked now */
	int (*serve)(
		struct serve *, const struct request *, struct reply *, struct err *);
} duties[REQUEST_CODES] = {
	[REQUEST_TUN] = { "TUN", sizeof(struct tun_config), is_starting, tun_serve },
	[REQUEST_ROUTES] = { "routes", sizeof(struct request_routes), has_tun,
		routes_serve },
	[REQUEST_RESOLVER] = { "resolver", sizeof(struct request_resolver), has_tun,
		resolver_serve },
	[REQUEST_RESOLVERS] = { "resolvers", 0, always, resolvers_serve },
	[REQUEST_PING] = { "ping", sizeof(struct request_ping), always, ping_serve },
	[REQUEST_FILE] = { "file", sizeof(struct request_file), always, file_serve },
	[REQUEST_DIRECT] = { "direct", sizeof(struct request_direct), is_routed,
		direct_serve },
	[REQUEST_ENDINGS] = { "endings", 0, is_routed, endings_serve },
	[REQUEST_READY] = { "ready", 0, is_starting, ready_serve },
};

static int
duty_do(struct serve *s, const struct request *q, size_t len, struct reply *r,
	struct err *e)
{
	const struct duty *d;

	if (len < REQUEST_SIZE(0) || q->code == 0 || q->code >= REQUEST_CODES)
		return err_set(e, "the keeper knows no such request");
	d = &duties[q->code];
	if (len != REQUEST_SIZE(d->size))
		return err_set(e, "%s: a request of a wrong size", d->name);
	if (!d->may(s))
		return err_set(e, "%s: not now", d->name);
	return d->serve(s, q, r, e);
}

int
serve_next(struct serve *s, int sock)
{
	struct reply r = { .fd = -1 };
	struct request q;
	struct err e;
	ssize_t n;

	memset(&q, 0, sizeof q);
	n = sys_message_recv(sock, &q, sizeof q, NULL, NULL);
	if (n == 0)
		return -EPIPE;
	if (n < 0)
		return (int)n;
	if (duty_do(s, &q, (size_t)n, &r, &e) < 0) {
		r.answer.result = -1;
		snprintf(r.answer.text, sizeof r.answer.text, "%s", e.text);
		r.fd = -1;
	}
	/* An engine that does not read its answers is not one to wait for. */
	n = sys_message_send(sock, &r.answer, sizeof r.answer, &r.fd, r.fd >= 0);
	if (r.fd >= 0 && r.passes)
		close(r.fd);
	return n < 0 ? -EPIPE : 0;
}
