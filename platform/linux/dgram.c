/* SPDX-License-Identifier: MIT */
#include "platform/dgram.h"

#include "platform/posix/dgram_each.h"
#include "platform/posix/sock_os.h"
#include "platform/sock.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* linux/udp.h; C libraries before glibc 2.30 lack them. */
enum { OPTION_SEGMENT = 103, OPTION_GRO = 104 };

enum {
	CUT_MAX = 64, /* datagrams that the kernel cuts one packet into, before 6.2 */
	CUT_BYTES =
		65000, /* of them together; an IP packet has no more with its headers */
};

/* What becomes of a batch: each message is one system's packet, and stands for `n` of the
 * caller's from `first` on. */
struct letter {
	struct sockaddr_storage to;
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int))];
	int first, n;
};

unsigned
dgram_abilities(void)
{
	int fd = sock_udp_open(4, NULL), zero = 0, one = 1;
	unsigned can = DGRAM_MANY;

	if (fd < 0)
		return can;
	if (setsockopt(fd, IPPROTO_UDP, OPTION_SEGMENT, &zero, sizeof zero) == 0)
		can |= DGRAM_CUT;
	if (setsockopt(fd, IPPROTO_UDP, OPTION_GRO, &one, sizeof one) == 0)
		can |= DGRAM_JOIN;
	close(fd);
	return can;
}

void
dgram_join(int fd)
{
	int one = 1;

	(void)setsockopt(fd, IPPROTO_UDP, OPTION_GRO, &one, sizeof one);
}

/* How many datagrams from d[0] on may leave as one packet: of one size but for the last,
 * which may be shorter, and to one place. */
static int
run_length(const struct dgram_out *d, int n, bool cuts)
{
	size_t bytes = d->len;
	int i;

	if (!cuts || d->segment > 0 || d->len == 0)
		return 1;
	for (i = 1; i < n && i < CUT_MAX; i++) {
		bytes += d[i].len;
		if (d[i].segment > 0 || d[i].len == 0 || d[i].len > d->len ||
			bytes > CUT_BYTES || !endpoint_equal(&d->to, &d[i].to))
			return i;
		if (d[i].len < d->len)
			return i + 1;
	}
	return i;
}

static void
cut_write(struct msghdr *m, char *control, size_t segment)
{
	uint16_t size = (uint16_t)segment;
	struct cmsghdr *c;

	memset(control, 0, CMSG_SPACE(sizeof size));
	m->msg_control = control;
	m->msg_controllen = CMSG_SPACE(sizeof size);
	c = CMSG_FIRSTHDR(m);
	c->cmsg_level = IPPROTO_UDP;
	c->cmsg_type = OPTION_SEGMENT;
	c->cmsg_len = CMSG_LEN(sizeof size);
	memcpy(CMSG_DATA(c), &size, sizeof size);
}

/* Whether the kernel cuts d, which stands for several, by itself. */
static bool
is_cuttable(const struct dgram_out *d)
{
	return d->len <= CUT_BYTES && (d->len + d->segment - 1) / d->segment <= CUT_MAX;
}

/* Puts as many of the batch as can be into messages. How many messages; none where the
 * first has to be cut here. */
static int
letters_write(struct letter *l, struct mmsghdr *m, struct iovec *v,
	const struct dgram_out *d, int n, bool cuts)
{
	int at = 0, k = 0, i;

	while (at < n && k < DGRAM_BATCH) {
		if (d[at].segment > 0 && (!cuts || !is_cuttable(&d[at])))
			return k;
		l[k].first = at;
		l[k].n = run_length(&d[at], n - at, cuts);
		for (i = at; i < at + l[k].n; i++)
			v[i] = (struct iovec){ (void *)(uintptr_t)d[i].p, d[i].len };
		memset(&m[k], 0, sizeof m[k]);
		m[k].msg_hdr.msg_name = &l[k].to;
		m[k].msg_hdr.msg_namelen = sock_address_put(&l[k].to, &d[at].to);
		m[k].msg_hdr.msg_iov = &v[at];
		m[k].msg_hdr.msg_iovlen = (size_t)l[k].n;
		if (d[at].segment > 0 || l[k].n > 1)
			cut_write(&m[k].msg_hdr, l[k].control,
				d[at].segment > 0 ? d[at].segment : d[at].len);
		at += l[k++].n;
	}
	return k;
}

/* Why a packet that was to be cut did not go: the interface computes no checksums, the way
 * has a smaller MTU, or the kernel knows nothing of it. */
static bool
refuses_to_cut(int error)
{
	return error == EIO || error == EINVAL || error == EMSGSIZE ||
		error == EOPNOTSUPP || error == ENOPROTOOPT;
}

/* An ICMP error that was queued takes the place of the answer once; see sock.c. */
static int
send_messages(int fd, struct mmsghdr *m, int n)
{
	int sent = sendmmsg(fd, m, (unsigned)n, MSG_NOSIGNAL);

	if (sent == -1 && sock_may_be_stale(errno))
		sent = sendmmsg(fd, m, (unsigned)n, MSG_NOSIGNAL);
	return sent;
}

int
dgram_send(int fd, bool *cuts, struct dgram_out *d, int n)
{
	struct letter l[DGRAM_BATCH];
	struct mmsghdr m[DGRAM_BATCH];
	struct iovec v[DGRAM_BATCH];
	int k, sent;

	if (n == 1 && d->segment == 0)
		return dgram_send_each(fd, d, 1);
	if (n > DGRAM_BATCH)
		n = DGRAM_BATCH;
	k = letters_write(l, m, v, d, n, *cuts);
	if (k == 0)
		return dgram_send_each(fd, d, 1);
	sent = send_messages(fd, m, k);
	if (sent > 0)
		return l[sent - 1].first + l[sent - 1].n;
	if (m[0].msg_hdr.msg_control == NULL || !refuses_to_cut(errno))
		return -errno;
	if (errno == EIO)
		*cuts = false;
	return dgram_send_each(fd, d, l[0].n);
}

/* The size of the datagrams that m was joined from; 0: it is one. */
static size_t
segment_of(struct msghdr *m)
{
	struct cmsghdr *c;
	int size;

	for (c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c)) {
		if (c->cmsg_level != IPPROTO_UDP || c->cmsg_type != OPTION_GRO)
			continue;
		memcpy(&size, CMSG_DATA(c), sizeof size);
		return size > 0 ? (size_t)size : 0;
	}
	return 0;
}

static int
recv_messages(int fd, struct mmsghdr *m, int n)
{
	int got = recvmmsg(fd, m, (unsigned)n, MSG_DONTWAIT, NULL);

	if (got == -1 && sock_may_be_stale(errno))
		got = recvmmsg(fd, m, (unsigned)n, MSG_DONTWAIT, NULL);
	return got;
}

int
dgram_recv(int fd, struct dgram_in *d, int n)
{
	struct letter l[DGRAM_BATCH];
	struct mmsghdr m[DGRAM_BATCH];
	struct iovec v[DGRAM_BATCH];
	int i, got;

	if (n > DGRAM_BATCH)
		n = DGRAM_BATCH;
	for (i = 0; i < n; i++) {
		v[i] = (struct iovec){ d[i].p, d[i].cap };
		m[i].msg_hdr = (struct msghdr){
			.msg_name = &l[i].to,
			.msg_namelen = sizeof l[i].to,
			.msg_iov = &v[i],
			.msg_iovlen = 1,
			.msg_control = l[i].control,
			.msg_controllen = sizeof l[i].control,
		};
	}
	got = recv_messages(fd, m, n);
	if (got <= 0)
		return got == 0 ? -EAGAIN : -errno;
	for (i = 0; i < got; i++) {
		sock_address_get(&d[i].from, &l[i].to);
		d[i].len = m[i].msg_len;
		d[i].segment = segment_of(&m[i].msg_hdr);
		if (d[i].segment >= d[i].len)
			d[i].segment = 0;
	}
	return got;
}
