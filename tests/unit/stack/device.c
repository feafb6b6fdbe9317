/* SPDX-License-Identifier: MIT */
#include "host.h"

#include "base/bytes.h"

#include <stdlib.h>
#include <string.h>

/*
 * What the kernel does with a packet of which the stack left work to the
 * device: it completes the checksum, and cuts what stands for several.
 */

static void
queue_put(const uint8_t *p, size_t len)
{
	assert_true(host.last - host.first < HOST_QUEUE);
	host.queue_len[host.last % HOST_QUEUE] = len;
	host.queue[host.last % HOST_QUEUE] = malloc(len);
	memcpy(host.queue[host.last % HOST_QUEUE], p, len);
	host.last++;
}

static uint32_t
pseudo_of(const uint8_t *ip, size_t header, size_t len)
{
	size_t n = header == 20 ? 8 : 32;
	uint8_t tail[4] = { 0, ip[header == 20 ? 9 : 6], (uint8_t)(len >> 8),
		(uint8_t)len };

	return checksum_add(checksum_add(0, ip + header - n, n), tail, 4);
}

/* Packets of the stack's own have headers of one size. */
static size_t
header_of(const uint8_t *p)
{
	return p[0] >> 4 == 4 ? 20 : 40;
}

static void
length_put(uint8_t *p, size_t header, size_t len)
{
	if (header == 40) {
		be16_put(p + 4, (uint16_t)(len - 40));
		return;
	}
	be16_put(p + 2, (uint16_t)len);
	be16_put(p + 10, 0);
	be16_put(p + 10, checksum_fold(checksum_add(0, p, 20)));
}

static bool
is_udp(const uint8_t *p, size_t header)
{
	return p[header == 20 ? 9 : 6] == 17;
}

static void
sum_put(uint8_t *p, size_t header, size_t len)
{
	uint8_t *field = p + header + (is_udp(p, header) ? 6 : 16);
	uint32_t sum = pseudo_of(p, header, len - header);

	be16_put(field, 0);
	be16_put(field, checksum_fold(checksum_add(sum, p + header, len - header)));
}

/* The segment of n bytes at `at` of the payload behind `head` bytes, `i` segments behind
 * the first: IPv4's ids go on from the first one's. */
static void
segment_put(const uint8_t *p, size_t len, size_t head, size_t at, size_t n, uint16_t i)
{
	static uint8_t mem[PACKET_MAX];
	size_t header = header_of(p);

	memcpy(mem, p, head);
	if (header == 20)
		be16_put(mem + 4, (uint16_t)(be16_get(mem + 4) + i));
	memcpy(mem + head, p + head + at, n);
	if (is_udp(p, header))
		be16_put(mem + header + 4, (uint16_t)(8 + n));
	else
		be32_put(mem + header + 4, be32_get(p + header + 4) + (uint32_t)at);
	if (!is_udp(p, header) && head + at + n < len)
		mem[header + 13] &= (uint8_t) ~(FIN | PSH);
	length_put(mem, header, head + n);
	sum_put(mem, header, head + n);
	queue_put(mem, head + n);
}

static void
cut(const uint8_t *p, size_t len, const struct offload *o)
{
	size_t at, n, whole = len - o->hdr_len;
	uint16_t i = 0;

	assert_true(o->partial && o->segment > 0 && whole > o->segment);
	for (at = 0; at < whole; at += n) {
		n = whole - at < o->segment ? whole - at : o->segment;
		segment_put(p, len, o->hdr_len, at, n, i++);
	}
}

void
host_device_take(uint8_t *p, size_t len, const struct offload *o)
{
	size_t header = header_of(p), head;

	if (!o->partial) {
		assert_int_equal(o->gso, OFFLOAD_NONE);
		queue_put(p, len);
		return;
	}
	assert_true(host.config.offload);
	assert_int_equal(o->csum_start, header);
	head = is_udp(p, header) ? 8 : (p[header + 12] >> 4) * 4u;
	assert_int_equal(o->hdr_len, header + head);
	assert_int_equal(be16_get(p + header + (is_udp(p, header) ? 6 : 16)),
		(uint16_t)~checksum_fold(pseudo_of(p, header, len - header)));
	if (o->gso != OFFLOAD_NONE) {
		assert_int_equal(o->gso, is_udp(p, header) ? OFFLOAD_UDP : OFFLOAD_TCP);
		assert_true(o->gso == OFFLOAD_TCP || host.config.datagrams);
		cut(p, len, o);
		return;
	}
	sum_put(p, header, len);
	queue_put(p, len);
}

void
host_input_large(const struct endpoint *from, const struct endpoint *to, uint8_t flags,
	uint32_t seq, uint32_t ack, uint16_t window, const uint8_t *options,
	size_t optlen, const void *p, size_t len)
{
	uint8_t *mem = stack_buffer(host.stack);
	struct offload o = { .partial = true };
	size_t n = tcp_build(
		mem, from, to, flags, seq, ack, window, options, optlen, p, len);

	o.csum_start = (uint16_t)header_of(mem);
	o.hdr_len = (uint16_t)(o.csum_start + 20 + optlen);
	be16_put(mem + o.csum_start + 16,
		(uint16_t)~checksum_fold(pseudo_of(mem, o.csum_start, n - o.csum_start)));
	if (len > 1460) {
		o.gso = OFFLOAD_TCP;
		o.segment = 1460;
	}
	stack_input(host.stack, mem, n, &o);
}
