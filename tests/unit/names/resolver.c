/* SPDX-License-Identifier: MIT */
#include "resolver.h"

#include "names/message.h"
#include "platform/sock.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static struct resolver *running[RESOLVERS];

static int
bound(int type, struct sockaddr_in *at)
{
	socklen_t len = sizeof(*at);
	int fd = socket(AF_INET, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), r;

	assert(fd >= 0);
	if (bind(fd, (struct sockaddr *)at, len) < 0) {
		close(fd);
		return -1;
	}
	r = getsockname(fd, (struct sockaddr *)at, &len);
	assert(r == 0);
	return fd;
}

void
resolver_start(struct resolver *r, int last, resolver_script *script)
{
	struct sockaddr_in at;
	int i;

	memset(r, 0, sizeof(*r));
	r->script = script;
	do {
		memset(&at, 0, sizeof(at));
		at.sin_family = AF_INET;
		at.sin_addr.s_addr = htonl(0x7f000000u | (unsigned)last);
		r->udp = bound(SOCK_DGRAM, &at);
		r->tcp = bound(SOCK_STREAM, &at);
		if (r->tcp < 0)
			close(r->udp);
	} while (r->tcp < 0);
	i = listen(r->tcp, 8);
	assert(i == 0);
	r->at.ip = ip_make(4, (const uint8_t *)&at.sin_addr);
	r->at.port = ntohs(at.sin_port);
	for (i = 0; running[i]; i++)
		assert(i < RESOLVERS - 1);
	running[i] = r;
}

void
resolver_stop(struct resolver *r)
{
	int i;

	close(r->udp);
	close(r->tcp);
	for (i = 0; i < RESOLVERS; i++)
		if (running[i] == r)
			running[i] = NULL;
}

static size_t
answer(struct resolver *r, struct asked_for *q, uint8_t *out, size_t cap)
{
	struct dns_message m;
	struct writer w;

	assert(dns_read(&m, q->p, q->len) == 0 && !m.response && m.recursion_desired);
	q->question = dns_question_len(q->p, q->len);
	q->type = m.question.type;
	q->nth = r->queries;
	if (r->queries < 16) {
		r->port[r->queries] = q->from.port;
		r->id[r->queries] = m.id;
	}
	r->queries++;
	r->tcp_queries += q->tcp;
	writer_init(&w, out, cap);
	r->script(r, q, &w);
	assert(!w.bad);
	return w.len;
}

static void
serve_udp(struct resolver *r)
{
	struct asked_for q = { 0 };
	uint8_t in[512], out[4096];
	ssize_t n;
	size_t len;

	while ((n = sock_recv_from(r->udp, &q.from, in, sizeof(in))) > 0) {
		q.p = in;
		q.len = (size_t)n;
		len = answer(r, &q, out, sizeof(out));
		if (len > 0)
			sock_send_to(r->udp, &q.from, out, len);
	}
}

/* The client writes at once when it is connected, so its query is there or comes with a
 * later turn; the test's loop goes on until then. */
static void
serve_tcp(struct resolver *r)
{
	static int fd = -1;
	struct asked_for q = { .tcp = true };
	uint8_t in[512], out[65535 + 2];
	ssize_t n;
	size_t len;

	if (fd < 0)
		fd = sock_accept(r->tcp, &q.from);
	if (fd < 0)
		return;
	n = sock_read(fd, in, sizeof(in));
	if (n == -EAGAIN)
		return;
	if (n > 2 && (size_t)n == 2u + be16_get(in)) {
		q.p = in + 2;
		q.len = (size_t)n - 2;
		len = answer(r, &q, out + 2, sizeof(out) - 2);
		be16_put(out, (uint16_t)len);
		/* In two pieces, the first of which cuts the length in two. */
		if (len > 0) {
			send(fd, out, 1, MSG_NOSIGNAL);
			send(fd, out + 1, len + 1, MSG_NOSIGNAL);
		}
	}
	close(fd);
	fd = -1;
}

void
resolvers_serve(void)
{
	int i;

	for (i = 0; i < RESOLVERS; i++) {
		if (!running[i])
			continue;
		serve_udp(running[i]);
		serve_tcp(running[i]);
	}
}

void
answer_begin(struct writer *w, const struct asked_for *q, uint16_t flags, int answers,
	int authorities)
{
	writer_bytes(w, q->p, 2);
	writer_be16(w, 0x8180 | flags);
	writer_be16(w, 1);
	writer_be16(w, (uint16_t)answers);
	writer_be16(w, (uint16_t)authorities);
	writer_be16(w, 0);
	writer_bytes(w, q->p + 12, q->question);
}

void
answer_record(struct writer *w, uint16_t type, uint32_t ttl, const void *p, size_t len)
{
	writer_be16(w, 0xc00c);
	writer_be16(w, type);
	writer_be16(w, 1);
	writer_be32(w, ttl);
	writer_be16(w, (uint16_t)len);
	writer_bytes(w, p, len);
}

void
answer_address(struct writer *w, const char *text, uint32_t ttl)
{
	struct ip ip;

	assert(ip_parse(&ip, text));
	answer_record(
		w, ip.family == 4 ? DNS_A : DNS_AAAA, ttl, ip.b, ip.family == 4 ? 4 : 16);
}

void
answer_soa(struct writer *w, uint32_t ttl, uint32_t minimum)
{
	int i;

	writer_u8(w, 0);
	writer_be16(w, DNS_SOA);
	writer_be16(w, 1);
	writer_be32(w, ttl);
	writer_be16(w, 22);
	writer_be16(w, 0); /* both names are the root */
	for (i = 0; i < 4; i++)
		writer_be32(w, 1);
	writer_be32(w, minimum);
}
