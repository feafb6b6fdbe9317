/* SPDX-License-Identifier: MIT */
#include "outbound/vmess_session.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/*
 * v2ray reads and answers in buffers of 2,048 bytes: a larger datagram would be cut
 * into several on its way out, and its answer dropped without a word where chunk
 * and padding exceed the buffer.  This much passes both ways whatever the padding
 * (vmess.md 11.1); nobody can know which server it is, so it holds for all.
 */
enum { DATAGRAM_MAX = 1966 };

/* Datagrams to one target: one connection, one chunk a datagram. */
struct vmess_packets {
	struct packets k;
	union {
		struct vmess_session session;
		struct deferred gone; /* from its free on */
	};
	struct endpoint from; /* whom answers come from; family 0: known by name only */
	bool early;           /* answers were asked for before anything was sent */
};

static struct vmess_packets *
packets_of(struct packets *k)
{
	return container_of(k, struct vmess_packets, k);
}

static int
vmess_packets_open(struct packets *k)
{
	return vmess_session_open(&packets_of(k)->session);
}

/* The target is the one that it was bound with. An empty datagram would be the end mark:
 * it is lost, as datagrams may be. */
static int
vmess_packets_send(
	struct packets *k, const struct target *to, const uint8_t *p, size_t len)
{
	struct vmess_packets *m = packets_of(k);
	int r;

	(void)to;
	r = vmess_session_open(&m->session);
	if (r != STREAM_OK)
		return r;
	if (len > DATAGRAM_MAX)
		return -EMSGSIZE;
	if (len == 0)
		return STREAM_OK;
	r = vmess_session_datagram(&m->session, p, len);
	vmess_session_park(&m->session);
	/* Nothing waits for the server yet: recv begins to, once there is a question. */
	if (m->early && m->session.greeted) {
		m->early = false;
		loop_ready(m->session.wait.loop, m->session.wait.owner);
	}
	return r;
}

/* One datagram; *n is 0 when it was larger than the caller's memory, and is dropped. */
static int
take(struct vmess_packets *m, uint8_t *p, size_t cap, size_t *n)
{
	struct window w;
	int r;

	r = vmess_session_recv(&m->session, &w);
	if (r == STREAM_END)
		return vmess_session_fail(&m->session, -ECONNRESET,
			"the VMess server ended the association");
	if (r != STREAM_OK)
		return r;
	*n = w.len <= cap ? w.len : 0;
	memcpy(p, w.p, *n);
	vmess_session_recv_ack(&m->session, w.len);
	return STREAM_OK;
}

static int
vmess_packets_recv(
	struct packets *k, struct endpoint *from, uint8_t *p, size_t cap, size_t *n)
{
	struct vmess_packets *m = packets_of(k);
	int r;

	r = vmess_session_open(&m->session);
	if (r == STREAM_OK && !m->session.greeted) {
		m->early = true;
		return STREAM_AGAIN;
	}
	/* What could not be written at once goes on here, when the task is made ready. */
	if (r == STREAM_OK)
		r = vmess_session_flush(&m->session);
	if (r < 0 || !m->session.greeted)
		return r;
	*n = 0;
	do {
		r = take(m, p, cap, n);
	} while (r == STREAM_OK && *n == 0);
	*from = m->from;
	vmess_session_park(&m->session);
	return r;
}

static const char *
vmess_packets_reason(const struct packets *k)
{
	return vmess_session_reason(&container_of(k, struct vmess_packets, k)->session);
}

static void
vmess_packets_delete(struct deferred *d)
{
	free(container_of(d, struct vmess_packets, gone));
}

static void
vmess_packets_free(struct packets *k)
{
	struct vmess_packets *m = packets_of(k);
	struct loop *l = m->session.wait.loop;

	vmess_session_fini(&m->session);
	loop_defer(l, &m->gone, vmess_packets_delete);
}

static const struct packets_ops vmess_packets_ops = {
	.name = "vmess",
	.most = DATAGRAM_MAX,
	.open = vmess_packets_open,
	.send = vmess_packets_send,
	.recv = vmess_packets_recv,
	.reason = vmess_packets_reason,
	.free = vmess_packets_free,
};

struct packets *
vmess_packets_new(struct vmess *v, struct stream *lower, const struct target *to,
	struct task *owner)
{
	struct vmess_packets *m = calloc(1, sizeof(*m));

	if (!m) {
		stream_free(lower);
		return NULL;
	}
	m->k.ops = &vmess_packets_ops;
	m->from.ip = to->ip;
	m->from.port = to->port;
	if (vmess_session_init(&m->session, v, lower, VMESS_UDP, to, owner) < 0) {
		vmess_session_fini(&m->session);
		free(m);
		return NULL;
	}
	return &m->k;
}
