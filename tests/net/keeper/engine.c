/* SPDX-License-Identifier: MIT */
#include "base/addr.h"
#include "base/err.h"
#include "base/log.h"
#include "keeper/keeper.h"
#include "keeper/request.h"
#include "platform/sock.h"
#include "platform/sys.h"
#include "platform/tun.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/*
 * An engine for tests of the keeper.  Its configuration is a list of commands,
 * one a line, which it reads through the keeper and obeys from the top; then it
 * takes packets from the device and drops them.
 *
 *   usage: engine run CONFIG STATE_DIR [DATA_DIR] | engine recover STATE_DIR
 */
struct engine {
	int keeper, tun;
	struct tun_config config;
	bool stubborn; /* does not end when the keeper asks */
	bool ill;      /* ends with a status that says so */
};

enum { CONFIG_MAX = 65536, PATIENCE = 3000 /* ms */ };

__attribute__((format(printf, 1, 2))) static void
say(const char *fmt, ...)
{
	char line[1024];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(line, sizeof line - 1, fmt, ap);
	va_end(ap);
	line[n] = '\n';
	(void)!write(2, line, (size_t)n + 1);
}

static bool
wait_for(int fd, short events)
{
	struct pollfd p = { .fd = fd, .events = events };

	return poll(&p, 1, PATIENCE) == 1;
}

static int
complain(const struct err *e)
{
	say("engine: error: %s", e->text);
	return -1;
}

static int
try_tun(struct engine *g)
{
	char name[TUN_NAME];
	struct err e;

	g->tun = request_tun(g->keeper, &g->config, name, &e);
	if (g->tun < 0)
		return complain(&e);
	say("engine: tun %s", name);
	return 0;
}

static int
try_routes(struct engine *g, const char *families)
{
	struct err e;

	if (request_routes(g->keeper, strchr(families, '4'), strchr(families, '6'), &e) <
		0)
		return complain(&e);
	say("engine: routes %s", families);
	return 0;
}

static int
try_resolver(struct engine *g, const char *server)
{
	struct err e;
	struct ip ip;

	if (!ip_parse(&ip, server))
		return -1;
	if (request_resolver(g->keeper, &ip, 1, &e) < 0)
		return complain(&e);
	say("engine: resolver %s", server);
	return 0;
}

static int
try_resolvers(struct engine *g)
{
	struct net_resolvers r;
	char text[ENDPOINT_TEXT];
	struct err e;
	int i;

	if (request_resolvers(g->keeper, &r, &e) < 0)
		return complain(&e);
	for (i = 0; i < r.n; i++)
		say("engine: before %s search '%s'", endpoint_format(&r.at[i], text),
			r.search);
	return 0;
}

static int
try_file(struct engine *g, const char *name)
{
	char bytes[4096];
	struct err e;
	ssize_t n;
	int fd;

	fd = request_file(g->keeper, name, &e);
	if (fd < 0) {
		say("engine: file %s: refused: %s", name, e.text);
		return 0;
	}
	n = read(fd, bytes, sizeof bytes);
	say("engine: file %s: %zd bytes", name, n);
	close(fd);
	return 0;
}

static int
try_connect(const char *where)
{
	char text[ENDPOINT_TEXT];
	struct endpoint to, local;
	int fd, r = -EAGAIN;

	if (!endpoint_parse(&to, where))
		return -1;
	fd = sock_tcp_connect(&to, NULL);
	if (fd >= 0 && wait_for(fd, POLLOUT))
		r = sock_tcp_connected(fd);
	if (fd < 0)
		r = fd;
	if (r == 0 && sock_local(fd, &local) == 0)
		say("engine: connect %s: from %s", where, endpoint_format(&local, text));
	else
		say("engine: connect %s: %s", where, strerror(-r));
	sock_close(fd);
	return 0;
}

static int
try_udp(const char *where)
{
	struct endpoint to, from;
	char bytes[64], text[ENDPOINT_TEXT];
	ssize_t n = -EAGAIN;
	int fd, error;

	if (!endpoint_parse(&to, where))
		return -1;
	fd = sock_udp_open(to.ip.family, NULL);
	if (fd < 0 || sock_send_to(fd, &to, "hello", 5) < 0)
		return -1;
	if (wait_for(fd, POLLIN))
		n = sock_recv_from(fd, &from, bytes, sizeof bytes);
	if (n >= 0)
		say("engine: udp %s: %zd bytes from %s", where, n,
			endpoint_format(&from, text));
	else if (sock_next_error(fd, &from, &error) == 0)
		say("engine: udp %s: error about %s: %s", where,
			endpoint_format(&from, text), strerror(error));
	else
		say("engine: udp %s: nothing", where);
	sock_close(fd);
	return 0;
}

static int
try_ping(struct engine *g, const char *where)
{
	char text[IP_TEXT], bytes[64];
	struct endpoint about;
	struct ip to, from;
	struct err e;
	uint16_t seq = 0;
	ssize_t n = -EAGAIN;
	int fd, error;

	if (!ip_parse(&to, where))
		return -1;
	fd = request_ping(g->keeper, to.family, &e);
	if (fd < 0)
		return complain(&e);
	if (sock_ping_send(fd, &to, 77, "abcdefgh", 8) == 0 && wait_for(fd, POLLIN))
		n = sock_ping_recv(fd, &from, &seq, bytes, sizeof bytes);
	if (n >= 0)
		say("engine: ping %s: %zd bytes seq %u from %s", where, n, seq,
			ip_format(&from, text));
	else if (sock_next_error(fd, &about, &error) == 0)
		say("engine: ping %s: seq %u: %s", where, about.port, strerror(error));
	else
		say("engine: ping %s: nothing", where);
	sock_close(fd);
	return 0;
}

static int
try_wayout(const char *where)
{
	struct net_wayout w;
	char text[IP_TEXT];
	struct ip to;
	int r;

	if (!ip_parse(&to, where))
		return -1;
	r = net_wayout(&to, getuid(), &w);
	if (r < 0)
		say("engine: wayout %s: %s", where, strerror(-r));
	else
		say("engine: wayout %s: %s from %s", where, w.interface,
			ip_format(&w.source, text));
	return 0;
}

/* What the kernel says of this process. */
static int
try_status(void)
{
	static const char *const wanted[] = { "Uid:", "Gid:", "Groups:", "Cap",
		"NoNewPrivs" };
	char line[256], path[32];
	size_t i;
	FILE *f;
	int fd;

	f = fopen("/proc/self/status", "re");
	while (f && fgets(line, sizeof line, f)) {
		line[strcspn(line, "\n")] = '\0';
		for (i = 0; i < sizeof wanted / sizeof *wanted; i++) {
			if (strncmp(line, wanted[i], strlen(wanted[i])) == 0)
				say("engine: %s", line);
		}
	}
	if (f)
		fclose(f);
	for (fd = 3; fd < 64; fd++) {
		if (fcntl(fd, F_GETFD) != -1 && readlink("/proc/self/fd/0", line, 1) >= 0)
			say("engine: descriptor %d", fd);
	}
	fd = sys_memory_file("copy", "bytes", 5);
	i = fd >= 0 &&
		open(sys_fd_path(fd, path, sizeof path), O_RDONLY | O_CLOEXEC) >= 0;
	say("engine: memory file %s", i ? "opens again" : strerror(errno));
	return 0;
}

static int
try_ready(struct engine *g)
{
	struct err e;

	if (request_ready(g->keeper, &e) < 0)
		return complain(&e);
	say("engine: ready, process %d", (int)getpid());
	return 0;
}

static bool
device_set(struct tun_config *c, const char *word, const char *value)
{
	if (strcmp(word, "name") == 0)
		snprintf(c->name, sizeof c->name, "%s", value);
	else if (strcmp(word, "mtu") == 0)
		c->mtu = (int)strtol(value, NULL, 10);
	else if (strcmp(word, "addr") == 0 && c->naddrs < TUN_ADDRS)
		return cidr_parse(&c->addrs[c->naddrs++], value);
	else
		return false;
	return true;
}

/* One line; -1 ends the engine with status 1. */
static int
obey(struct engine *g, char *line)
{
	char *value = strchr(line, ' ');

	if (value)
		*value++ = '\0';
	else
		value = line + strlen(line);
	if (device_set(&g->config, line, value))
		return 0;
	if (strcmp(line, "tun") == 0)
		return try_tun(g);
	if (strcmp(line, "routes") == 0)
		return try_routes(g, value);
	if (strcmp(line, "resolver") == 0)
		return try_resolver(g, value);
	if (strcmp(line, "resolvers") == 0)
		return try_resolvers(g);
	if (strcmp(line, "ready") == 0)
		return try_ready(g);
	if (strcmp(line, "file") == 0)
		return try_file(g, value);
	if (strcmp(line, "connect") == 0)
		return try_connect(value);
	if (strcmp(line, "udp") == 0)
		return try_udp(value);
	if (strcmp(line, "ping") == 0)
		return try_ping(g, value);
	if (strcmp(line, "wayout") == 0)
		return try_wayout(value);
	if (strcmp(line, "status") == 0)
		return try_status();
	if (strcmp(line, "stubborn") == 0)
		g->stubborn = true;
	else if (strcmp(line, "ill") == 0)
		g->ill = true;
	else
		return -1;
	return 0;
}

static int
obey_all(struct engine *g)
{
	static char text[CONFIG_MAX];
	char *line, *end;
	struct err e;
	ssize_t n;
	int fd;

	fd = request_file(g->keeper, NULL, &e);
	if (fd < 0)
		return complain(&e);
	n = read(fd, text, sizeof text - 1);
	close(fd);
	for (line = text; n > 0 && *line; line = end) {
		end = line + strcspn(line, "\n");
		if (*end != '\0')
			*end++ = '\0';
		if (obey(g, line) < 0)
			return -1;
	}
	return 0;
}

/* Counts packets aloud at powers of two, so that a test can wait for one. */
static void
packets_take(struct engine *g)
{
	static uint8_t packet[TUN_PACKET];
	static unsigned long taken;
	struct offload o;

	while (tun_read(g->tun, packet, sizeof packet, &o) > 0) {
		taken++;
		if ((taken & (taken - 1)) == 0)
			say("engine: %lu packets", taken);
	}
}

static int
engine(int keeper, void *arg)
{
	struct engine g = {
		.keeper = keeper, .tun = -1, .config = { .mtu = 1500, .queue = 1000 }
	};

	(void)arg;
	if (obey_all(&g) < 0)
		return 7;
	for (;;) {
		struct pollfd p[2] = {
			{ .fd = g.stubborn ? -1 : keeper, .events = POLLIN },
			{ .fd = g.tun, .events = POLLIN },
		};

		if (poll(p, 2, -1) == -1 && errno != EINTR)
			return 8;
		if (p[0].revents)
			break;
		if (p[1].revents)
			packets_take(&g);
	}
	say("engine: goodbye");
	return g.ill ? 9 : 0;
}

int
main(int argc, char **argv)
{
	struct keeper_config c = { .engine = engine };
	struct err e;
	int n;

	log_open(2, LOG_DEBUG, "keeper");
	if (argc == 3 && strcmp(argv[1], "recover") == 0) {
		n = keeper_recover(argv[2], &e);
		if (n < 0)
			say("recover: error: %s", e.text);
		else
			say("recover: %d undone", n);
		return n < 0;
	}
	if (argc < 4 || strcmp(argv[1], "run") != 0)
		return 2;
	c.config_path = argv[2];
	c.state_dir = argv[3];
	c.data_dir = argc > 4 ? argv[4] : NULL;
	return keeper_run(&c);
}
