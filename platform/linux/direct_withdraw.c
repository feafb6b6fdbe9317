/* SPDX-License-Identifier: MIT */
#include "base/bytes.h"
#include "platform/direct.h"

#include <errno.h>

/*
 * The order to the table is a packet that has no hops left, which a handed one
 * always has: it comes to the table as the handed ones do, behind those that
 * were sent before, and is dropped there (nft_direct.c).
 */
enum {
	PROTO_TCP = 6,
	PROTO_UDP = 17,
	TCP_HEADER = 20,
	UDP_HEADER = 8,
	FLAG_SYN = 2,
	ORDER = 40 + TCP_HEADER, /* bytes at most */
};

static void
order_ip(struct writer *w, uint8_t proto, size_t len, const struct ip *source,
	const struct ip *target)
{
	bool six = target->family == 6;

	writer_be16(w, six ? 0x6000 : 0x4500);
	writer_be16(w, six ? 0 : (uint16_t)(20 + len));
	if (six)
		writer_be16(w, (uint16_t)len);
	else
		writer_be32(w, 0);
	/* The hop limit is the zero. */
	writer_be16(w, six ? (uint16_t)(proto << 8) : proto);
	if (!six)
		writer_be16(w, 0);
	writer_bytes(w, source->b, six ? 16 : 4);
	writer_bytes(w, target->b, six ? 16 : 4);
}

/* A SYN, since conntrack finds no fault with its numbers, whatever it knows of a connection
 * with these ends.  Where somebody has taken the table away, nobody would answer this: it
 * has no checksum, or is shorter than its header. */
static void
order_write(struct writer *w, enum network network, const struct endpoint *source,
	const struct endpoint *target)
{
	bool tcp = network == NETWORK_TCP;
	static const uint8_t zeros[TCP_HEADER];
	size_t len = tcp ? TCP_HEADER : UDP_HEADER;

	order_ip(w, tcp ? PROTO_TCP : PROTO_UDP, len, &source->ip, &target->ip);
	writer_be16(w, source->port);
	writer_be16(w, target->port);
	if (!tcp) {
		writer_be32(w, 0);
		return;
	}
	writer_be64(w, 0);
	writer_be16(w, TCP_HEADER / 4 << 12 | FLAG_SYN);
	writer_bytes(w, zeros, 6);
}

/* It is addressed to its own source, so that it never leaves this machine. */
int
net_direct_withdraw(int fd, enum network network, const struct endpoint *source,
	const struct endpoint *target)
{
	uint8_t mem[ORDER];
	struct writer w;
	struct iovec v;
	int err;

	writer_init(&w, mem, sizeof(mem));
	order_write(&w, network, source, target);
	v = (struct iovec){ mem, w.len };
	err = net_direct_send(fd, &source->ip, &v, 1);
	/* It was dropped, as it should be; and without a table there is no set. */
	return err == -EPERM ? 0 : err;
}
