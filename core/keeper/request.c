/* SPDX-License-Identifier: MIT */
#include "keeper/request.h"

#include "keeper/message.h"
#include "platform/sys.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* Sends a request whose part of the union has `size` bytes, and reads the answer.  The
 * descriptor that came with it, or 0 when none is wanted; -1 and why. */
static int
ask(int keeper, struct request *q, size_t size, bool wants_fd, struct answer *a,
	struct err *e)
{
	int fd = -1, nfd = 1;
	ssize_t n;

	n = sys_message_send(keeper, q, REQUEST_SIZE(size), NULL, 0);
	if (n < 0)
		return err_set(e, "the keeper cannot be asked: %s", strerror((int)-n));
	n = sys_message_recv(keeper, a, sizeof *a, &fd, &nfd);
	if (n != (ssize_t)sizeof *a || a->result < 0 || (nfd == 1) != wants_fd) {
		if (nfd == 1)
			close(fd);
		if (n != (ssize_t)sizeof *a)
			return err_set(e, "the keeper has ended");
		a->text[sizeof a->text - 1] = '\0';
		return err_set(e, "%s", a->result < 0 ? a->text : "a wrong answer");
	}
	return wants_fd ? fd : 0;
}

int
request_tun(
	int keeper, const struct tun_config *c, char name[static TUN_NAME], struct err *e)
{
	struct request q = { .code = REQUEST_TUN };
	struct answer a;
	int fd;

	q.u.tun = *c;
	fd = ask(keeper, &q, sizeof q.u.tun, true, &a, e);
	if (fd >= 0)
		memcpy(name, a.u.name, TUN_NAME);
	return fd;
}

int
request_routes(int keeper, bool v4, bool v6, struct err *e)
{
	struct request q = { .code = REQUEST_ROUTES };
	struct answer a;

	q.u.routes.v4 = v4;
	q.u.routes.v6 = v6;
	return ask(keeper, &q, sizeof q.u.routes, false, &a, e);
}

int
request_resolver(int keeper, const struct ip *server, int n, struct err *e)
{
	struct request q = { .code = REQUEST_RESOLVER };
	struct answer a;

	if (n < 1 || n > NET_RESOLVERS)
		return err_set(e, "%d servers are not 1 to %d", n, NET_RESOLVERS);
	q.u.resolver.n = n;
	memcpy(q.u.resolver.server, server, (size_t)n * sizeof *server);
	return ask(keeper, &q, sizeof q.u.resolver, false, &a, e);
}

int
request_resolvers(int keeper, struct net_resolvers *r, struct err *e)
{
	struct request q = { .code = REQUEST_RESOLVERS };
	struct answer a;

	if (ask(keeper, &q, 0, false, &a, e) < 0)
		return -1;
	*r = a.u.resolvers;
	return 0;
}

int
request_ping(int keeper, int family, struct err *e)
{
	struct request q = { .code = REQUEST_PING };
	struct answer a;

	q.u.ping.family = family;
	return ask(keeper, &q, sizeof q.u.ping, true, &a, e);
}

int
request_direct(int keeper, int family, struct err *e)
{
	struct request q = { .code = REQUEST_DIRECT };
	struct answer a;

	q.u.direct.family = family;
	return ask(keeper, &q, sizeof q.u.direct, true, &a, e);
}

int
request_endings(int keeper, struct err *e)
{
	struct request q = { .code = REQUEST_ENDINGS };
	struct answer a;

	return ask(keeper, &q, 0, true, &a, e);
}

int
request_file(int keeper, const char *name, struct err *e)
{
	struct request q = { .code = REQUEST_FILE };
	struct answer a;
	size_t len = name ? strlen(name) : 0;

	if (len >= sizeof q.u.file.name)
		return err_set(e, "%.80s...: the name is too long", name);
	if (name)
		memcpy(q.u.file.name, name, len + 1);
	return ask(keeper, &q, sizeof q.u.file, true, &a, e);
}

int
request_ready(int keeper, struct err *e)
{
	struct request q = { .code = REQUEST_READY };
	struct answer a;

	return ask(keeper, &q, 0, false, &a, e);
}

int
request_next_question(int keeper, int *list)
{
	int fd[2] = { -1, -1 }, nfd = 2;
	uint8_t word;
	ssize_t n = sys_message_recv(keeper, &word, sizeof word, fd, &nfd);

	*list = nfd == 2 ? fd[1] : -1;
	if (nfd > 0)
		return fd[0];
	/* Without a descriptor to spare it cannot be taken over: who asked sees the end. */
	return n > 0 || n == -EAGAIN || n == -EMSGSIZE ? -EAGAIN : -EPIPE;
}

bool
request_is_over(int keeper)
{
	uint8_t word;

	return recv(keeper, &word, sizeof word, MSG_PEEK | MSG_DONTWAIT) == 0;
}
