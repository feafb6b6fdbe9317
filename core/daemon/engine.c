/* SPDX-License-Identifier: MIT */
#include "daemon/engine.h"

#include "base/list.h"
#include "base/log.h"
#include "daemon/build.h"
#include "daemon/config.h"
#include "daemon/engine_status.h"
#include "daemon/keeper_files.h"
#include "daemon/rules_gate.h"
#include "keeper/request.h"
#include "loop/loop.h"
#include "platform/sock.h"
#include "platform/sys.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { FLOW_BYTES = 1200, ASSOC_BYTES = 768 }; /* of what is direct and rests */
enum { OWN_DESCRIPTORS = 64 };   /* for what is no flow: devices, files, lookups */
enum { LEAST_DESCRIPTORS = 64 }; /* of which half are such */
enum { WARM_DESCRIPTORS = 512 }; /* for all warm connections together, at most */

struct engine {
	struct config *config;
	struct loop *loop;
	struct tcp_memory *memory;
	struct names *names;
	struct dns *dns;
	struct setup *setup;
	struct times *times;
	struct rules_gate gate; /* of times */
	struct flows *flows;

	int keeper, tun, ping4, ping6;
	int direct4, direct6, endings; /* -1: none */
	unsigned long descriptors;     /* the limit */
	size_t warm, warm_all; /* kept ready: of each VMess outbound, and in all */
	char device[TUN_NAME];
	struct net_resolvers machine;
	struct engine_status status;
	struct watch keeper_watch; /* readable once the keeper asks, or has gone */
	struct task keeper_task;
};

static void
warn_line(struct config_say *say, const char *line)
{
	(void)say;
	log_warn("%s", line);
}

static int
config_load(struct engine *g, const struct engine_options *o, struct err *e)
{
	struct config_say say = { .warn = warn_line };
	size_t len;
	char *text = keeper_config_read(g->keeper, &len, e);

	if (!text)
		return -1;
	g->config = config_read(o->config_path, text, len, &say, e);
	keeper_config_free(text);
	if (!g->config)
		return -1;
	if (g->config->for_server)
		return err_set(e,
			"%s: inbounds: this is a server's configuration, and sluice "
			"serves no clients yet; a client's has a tun, socks or http "
			"inbound, or none",
			o->config_path);
	log_open(STDERR_FILENO,
		o->level >= 0 ? (enum log_level)o->level : g->config->log_level,
		"engine");
	return 0;
}

static int
setup_load(struct engine *g, struct err *e)
{
	struct outbound_env env = { .loop = g->loop,
		.names = g->names,
		.memory = g->memory,
		.unix_time = sys_unix_time,
		.warm = (unsigned)g->warm };
	struct config_say say = { .warn = warn_line };
	struct keeper_files files;
	struct rules *rules;
	int r;

	if (build_times(g->config, &env) < 0)
		return err_set(e, "no memory to start with");
	g->times = env.times;
	keeper_files_init(&files, g->keeper, g->config->geoip_file);
	r = config_rules(g->config, &files.files, &say, &rules, e);
	if (r < 0)
		keeper_files_reword(&files, e);
	keeper_files_fini(&files);
	if (r < 0)
		return -1;
	g->setup = build_setup(g->config, rules, &env, e);
	if (!g->setup)
		return -1;
	rules_gate_init(&g->gate, g->setup);
	times_open(g->times, &g->gate.gate);
	return 0;
}

/* As many as are asked for, but not so many that flows would miss their descriptors. */
static void
warm_limit(struct engine *g)
{
	size_t i, n = 0, most = g->descriptors / 8;

	for (i = 0; i < g->config->noutbound; i++)
		n += g->config->outbound[i].kind == OUTBOUND_VMESS;
	if (most > WARM_DESCRIPTORS)
		most = WARM_DESCRIPTORS;
	g->warm = g->config->warm;
	if (g->warm * n > most)
		g->warm = most / n;
	g->warm_all = g->warm * n;
}

/* What needs nothing of the system beyond memory and descriptors. */
static int
inside_build(struct engine *g, struct err *e)
{
	g->descriptors = sys_raise_descriptors(engine_descriptors());
	if (g->descriptors < LEAST_DESCRIPTORS)
		return err_set(e,
			"the limit of %lu descriptors (ulimit -n, or LimitNOFILE of the "
			"service) is too low to work with: it takes %d at least",
			g->descriptors, LEAST_DESCRIPTORS);
	warm_limit(g);
	if (request_resolvers(g->keeper, &g->machine, e) < 0)
		return -1;
	g->loop = loop_new();
	g->memory = tcp_memory_new();
	if (!g->loop || !g->memory)
		return err_set(e, "no memory to start with");
	g->names = build_names(g->config, g->loop, &g->machine);
	if (!g->names)
		return err_set(e, "no memory to start with");
	if (setup_load(g, e) < 0)
		return -1;
	g->dns = build_dns(g->config, g->loop, &g->machine, g->setup);
	return g->dns ? 0 : err_set(e, "no memory to start with");
}

/* What flows do not get; a few warm connections find room in it. */
static size_t
own_descriptors(const struct engine *g)
{
	return OWN_DESCRIPTORS + (g->warm_all > OWN_DESCRIPTORS / 2 ? g->warm_all : 0);
}

/* Who was asked to end while it starts: what fails then is no news. */
static bool
keeper_has_ended(const struct engine *g)
{
	struct pollfd one = { .fd = g->keeper };

	return poll(&one, 1, 0) == 1;
}

/* A kernel without ping sockets costs the answers to pings, and nothing else. */
static int
ping_open(struct engine *g, int family)
{
	struct err e;
	int fd = request_ping(g->keeper, family, &e);

	if (fd < 0 && !keeper_has_ended(g))
		log_warn("pings over IPv%d will not be answered: %s", family, e.text);
	return fd;
}

/*
 * Of the memory for traffic half is the stack's, five sixteenths are for what connections
 * through servers hold, and an eighth is for the structs of flows; the rest is for
 * datagrams: associations, and those that wait.
 */
static void
memory_limit(const struct engine *g, struct flows_config *c)
{
	size_t all = g->config->budget, flows = all / 8 / FLOW_BYTES;
	size_t assocs = all / 32 / ASSOC_BYTES;

	c->stack.memory = all / 2;
	tcp_memory_limit(g->memory, all / 16 * 5);
	c->queued_max = all / 32;
	c->assocs_max = c->assocs_max < assocs ? c->assocs_max : assocs;
	c->flows_max = c->flows_max < flows ? c->flows_max : flows;
}

/* A connection takes one descriptor, an association mostly one: of four that there are the
 * connections get three. */
unsigned long
engine_descriptors(void)
{
	return OWN_DESCRIPTORS + WARM_DESCRIPTORS + (FLOWS_MAX + 2ul) / 3 * 4;
}

/* Where they are few, there are fewer of both, so that one more waits instead of meeting
 * an error. */
static void
flows_limit(const struct engine *g, struct flows_config *c)
{
	size_t own = own_descriptors(g);
	size_t n = g->descriptors > 2 * own ? g->descriptors - own : g->descriptors / 2;

	c->flows_max = n / 4 * 3 < FLOWS_MAX ? n / 4 * 3 : FLOWS_MAX;
	c->assocs_max = n / 4 < ASSOCS_MAX ? n / 4 : ASSOCS_MAX;
}

static void
warm_limit_say(const struct engine *g)
{
	if (g->warm == g->config->warm)
		return;
	log_warn(
		"sluice.warm: %zu connections of each VMess outbound are kept ready, and "
		"not %u: all together may have an eighth of the limit of %lu "
		"descriptors, and %d at most",
		g->warm, g->config->warm, g->descriptors, WARM_DESCRIPTORS);
}

enum { HANDED_BYTES = 96 }; /* of a flow in the kernel, with its share of a table */

/* Of the part for structs of flows a quarter may be for what is known of those in the
 * kernel. */
static void
handed_limit(const struct engine *g, struct flows_config *c)
{
	size_t all = g->config->budget, n = all / 32 / HANDED_BYTES, flows;

	if (g->config->direct == DIRECT_STACK)
		return;
	c->handed_max = n < HANDED_MAX ? n : HANDED_MAX;
	flows = (all / 8 - c->handed_max * HANDED_BYTES) / FLOW_BYTES;
	c->flows_max = c->flows_max < flows ? c->flows_max : flows;
}

/* Fewer connections at a time than this are worth a warning. */
enum { FLOWS_FEW = 4096 };

static void
descriptors_limit_say(const struct engine *g, const struct flows_config *c)
{
	if (c->flows_max == FLOWS_MAX)
		return;
	(c->flows_max < FLOWS_FEW ? log_warn : log_info)(
		"the limit of %lu descriptors allows %zu connections and %zu UDP "
		"associations at a time: a higher one (ulimit -n, or LimitNOFILE of the "
		"service) allows more",
		g->descriptors, c->flows_max, c->assocs_max);
}

/* Whichever limit is met first. */
static void
flows_limit_say(const struct engine *g)
{
	struct flows_config c = { 0 };
	size_t most;

	flows_limit(g, &c);
	most = c.flows_max;
	memory_limit(g, &c);
	handed_limit(g, &c);
	if (c.flows_max < most)
		log_info("sluice.memory of %zu MB allows %zu connections and %zu UDP "
			 "associations at a time: more of it allows more",
			g->config->budget >> 20, c.flows_max, c.assocs_max);
	else
		descriptors_limit_say(g, &c);
}

static int
flows_build(struct engine *g, struct err *e)
{
	struct flows_config c = { .stack.mtu = g->config->tun.mtu,
		.plain = g->config->tun_plain };

	flows_limit(g, &c);
	memory_limit(g, &c);
	handed_limit(g, &c);
	g->ping4 = ping_open(g, 4);
	g->ping6 = ping_open(g, 6);
	c.ping4 = g->ping4;
	c.ping6 = g->ping6;
	for (; c.ndevice < g->config->tun.naddrs; c.ndevice++)
		c.device[c.ndevice] = g->config->tun.addrs[c.ndevice];
	g->flows = flows_new(g->loop, g->tun, &c, g->setup, g->dns, g->names, e);
	return g->flows ? 0 : -1;
}

static bool
has_address(const struct config *c, int family)
{
	for (int i = 0; i < c->tun.naddrs; i++)
		if (c->tun.addrs[i].ip.family == family)
			return true;
	return false;
}

/* Direct flows of a family, by the kernel where it can. */
static int
direct_begin(struct engine *g, int family, int *fd, struct err *e)
{
	struct direct_report *told = &g->status.direct[family == 6];
	bool all = g->config->direct == DIRECT_KERNEL;

	if (!has_address(g->config, family))
		return 0;
	told->way = REPORT_WAY_STACK;
	if (g->config->direct == DIRECT_STACK)
		return 0;
	*fd = request_direct(g->keeper, family, e);
	if (*fd < 0 && keeper_has_ended(g))
		return -1;
	if (*fd < 0 && all)
		return err_prefix(e, "%s: sluice.direct: \"kernel\"", g->config->file);
	if (*fd < 0) {
		snprintf(told->why, sizeof(told->why), "%s", e->text);
		log_news("direct IPv%d flows are carried by sluice itself: %s", family,
			e->text);
		return 0;
	}
	told->way = all ? REPORT_WAY_KERNEL : REPORT_WAY_SAFE;
	flows_hand_back(
		g->flows, family, *fd, all ? FLOWS_HANDED_ALL : FLOWS_HANDED_SAFE);
	log_news("direct IPv%d flows are carried by the kernel", family);
	return 0;
}

static void
direct_except(const struct engine *g)
{
	const struct outbound *o;
	const char *why;

	for (size_t i = 0; i < g->setup->noutbound; i++) {
		o = g->setup->outbound[i];
		why = engine_status_kept(g->setup, o);
		if (why)
			log_news("%s: its flows are carried by sluice all the same: %s",
				o->path, why);
	}
}

static bool
keeper_is_over(void *arg)
{
	const struct engine *g = arg;

	return request_is_over(g->keeper);
}

static int
direct_take(struct engine *g, struct err *e)
{
	struct err why;

	if (direct_begin(g, 4, &g->direct4, e) < 0 ||
		direct_begin(g, 6, &g->direct6, e) < 0)
		return -1;
	if (g->direct4 < 0 && g->direct6 < 0)
		return 0;
	direct_except(g);
	g->endings = request_endings(g->keeper, &why);
	if (g->endings >= 0)
		flows_follow(g->flows, g->endings, keeper_is_over, g);
	else if (!keeper_has_ended(g))
		log_warn("flows in the kernel are not counted: %s", why.text);
	return 0;
}

static int
resolver_take(struct engine *g, struct err *e)
{
	struct ip server[2];
	int i, n = 0;

	for (i = 0; i < 2; i++)
		if (g->config->tun_dns[i].family)
			server[n++] = g->config->tun_dns[i];
	return n > 0 ? request_resolver(g->keeper, server, n, e) : 0;
}

/* What changes the system. The engine is able to take packets before any is led to it. */
static int
outside_build(struct engine *g, struct err *e)
{
	const struct config *c = g->config;

	g->tun = request_tun(g->keeper, &c->tun, g->device, e);
	if (g->tun < 0 || flows_build(g, e) < 0)
		return -1;
	/* Users route by hand, too, and the engine must not meet itself there. */
	if (request_routes(g->keeper, c->route_v4, c->route_v6, e) < 0 ||
		direct_take(g, e) < 0)
		return -1;
	return c->auto_routes ? resolver_take(g, e) : 0;
}

static void
keeper_heard(struct task *t)
{
	struct engine *g = container_of(t, struct engine, keeper_task);
	int list, client = request_next_question(g->keeper, &list);

	if (client == -EPIPE) {
		loop_stop(g->loop);
		return;
	}
	if (client >= 0)
		engine_status_tell(&g->status, client, list);
	g->keeper_watch.happened = 0;
	watch_want(&g->keeper_watch, WATCH_READ);
}

static void
status_init(struct engine *g)
{
	struct engine_status *s = &g->status;

	s->loop = g->loop;
	s->config = g->config;
	s->setup = g->setup;
	s->flows = g->flows;
	s->memory = g->memory;
}

static int
engine_build(struct engine *g, const struct engine_options *o, struct err *e)
{
	if (config_load(g, o, e) < 0 || inside_build(g, e) < 0 ||
		outside_build(g, e) < 0 || request_ready(g->keeper, e) < 0)
		return -1;
	flows_limit_say(g);
	warm_limit_say(g);
	status_init(g);
	/* A watch makes the socket non-blocking, so it comes after the last request. */
	task_init(&g->keeper_task, keeper_heard);
	watch_init(&g->keeper_watch, g->loop, g->keeper, &g->keeper_task);
	watch_want(&g->keeper_watch, WATCH_READ);
	return 0;
}

static void
descriptor_close(int fd)
{
	if (fd >= 0)
		close(fd);
}

/* In reverse order; takes whatever there is. The number of blocks that were lost. */
static size_t
engine_fini(struct engine *g)
{
	size_t lost = 0;

	if (g->keeper_watch.loop)
		watch_fini(&g->keeper_watch);
	times_shut(g->times);
	if (g->flows)
		lost += flows_free(g->flows);
	if (g->setup)
		setup_drop(g->setup);
	times_free(g->times);
	dns_free(g->dns);
	names_free(g->names);
	if (g->loop)
		loop_free(g->loop);
	tcp_memory_free(g->memory);
	config_free(g->config);
	descriptor_close(g->ping4);
	descriptor_close(g->ping6);
	descriptor_close(g->direct4);
	descriptor_close(g->direct6);
	descriptor_close(g->endings);
	descriptor_close(g->tun);
	return lost;
}

enum {
	LAST_WAIT = 2000
}; /* ms for the keeper to go on ending flows; it has 3000 for us */

/* The keeper ends what the kernel carries, and goes when that is done. */
static void
last_ends_read(struct engine *g)
{
	struct pollfd p[2] = { { .fd = g->keeper },
		{ .fd = g->endings, .events = POLLIN } };

	while (poll(p, 2, LAST_WAIT) > 0 && !p[0].revents)
		flows_read_ends(g->flows);
	flows_read_ends(g->flows);
}

int
engine_run(int keeper, void *options)
{
	const struct engine_options *o = options;
	struct engine g = { .keeper = keeper,
		.tun = -1,
		.ping4 = -1,
		.ping6 = -1,
		.direct4 = -1,
		.direct6 = -1,
		.endings = -1 };
	struct err e = { "" };
	bool built;

	/* The keeper decides when to stop: a Ctrl-C at the terminal reaches both. */
	signal(SIGINT, SIG_IGN);
	signal(SIGTERM, SIG_IGN);
	signal(SIGPIPE, SIG_IGN);
	log_open(STDERR_FILENO, o->level >= 0 ? (enum log_level)o->level : LOG_INFO,
		"engine");
	built = engine_build(&g, o, &e) == 0;
	if (built) {
		log_news("ready: device %s, outbounds: %zu, rules: %zu", g.device,
			g.setup->noutbound, g.config->nrule);
		flows_log_device(g.flows);
		if (g.config->clock_auto)
			times_ask(g.times);
		loop_run(g.loop);
		last_ends_read(&g);
		flows_log_counters(g.flows);
	} else if (keeper_has_ended(&g)) {
		log_debug("the keeper has ended before this engine was ready");
	} else {
		log_error("%s", e.text);
	}
	if (engine_fini(&g) > 0)
		return 1;
	return built ? 0 : 1;
}
