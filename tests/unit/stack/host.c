/* SPDX-License-Identifier: MIT */
#include "host.h"

#include "base/bytes.h"
#include "sim/script/script.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct host host;
bool host_offload;

const struct pair pairs[2] = {
	{ "198.18.0.2:40000", "203.0.113.7:443" },
	{ "[2001:db8::2]:40000", "[2001:db8:ffff::7]:443" },
};

static enum stack_answer
on_syn(struct stack_user *u, const struct endpoint *source, const struct endpoint *target,
	struct held *held, void **cookie)
{
	(void)u;
	host.nsyn++;
	host.source = *source;
	host.target = *target;
	host.held = held;
	*cookie = &host;
	return host.answer;
}

static void
on_conn(struct stack_user *u, void *cookie, struct stream *conn)
{
	(void)u;
	assert_ptr_equal(cookie, &host);
	assert_true(host.nconn < HOST_CONNS);
	host.conn[host.nconn++] = conn;
}

static void
on_gone(struct stack_user *u, void *cookie, enum stack_gone why)
{
	(void)u;
	assert_ptr_equal(cookie, &host);
	host.ngone++;
	host.nyielded += why == STACK_GAVE_WAY;
}

static void
on_datagram(struct stack_user *u, const struct stack_datagram *d)
{
	(void)u;
	host.ndatagram++;
	host.source = d->source;
	host.target = d->target;
	memcpy(host.datagram, d->p, d->len);
	host.datagram_len = d->len;
	host.segment = d->segment;
	host.uncut = d->uncut;
}

static void
on_echo(struct stack_user *u, const struct ip *source, const struct ip *target,
	uint16_t id, uint16_t seq, const uint8_t *p, size_t len)
{
	(void)u;
	host.necho++;
	host.source.ip = *source;
	host.target.ip = *target;
	host.echo_id = id;
	host.echo_seq = seq;
	memcpy(host.datagram, p, len);
	host.datagram_len = len;
}

static int
on_output(struct stack_user *u, const struct iovec *v, int n, const struct offload *o)
{
	static uint8_t mem[PACKET_MAX];
	size_t len = 0;
	int i;

	(void)u;
	if (host.room == 0)
		return -EAGAIN;
	if (host.room > 0)
		host.room--;
	for (i = 0; i < n; len += v[i++].iov_len) {
		assert_true(len + v[i].iov_len <= sizeof(mem));
		memcpy(mem + len, v[i].iov_base, v[i].iov_len);
	}
	host_device_take(mem, len, o);
	return 0;
}

static void
drain(void)
{
	free(host.taken);
	host.taken = NULL;
	while (host.first != host.last)
		free(host.queue[host.first++ % HOST_QUEUE]);
}

int
host_setup(void **state)
{
	(void)state;
	memset(&host, 0, sizeof(host));
	script_reset();
	host.loop = loop_new();
	host.config.mtu = 1500;
	host.config.offload = host_offload;
	host.config.datagrams = host_offload;
	host.user = (struct stack_user){
		.syn = on_syn,
		.conn = on_conn,
		.gone = on_gone,
		.datagram = on_datagram,
		.echo = on_echo,
		.output = on_output,
	};
	host.room = -1;
	host.stack = stack_new(host.loop, &host.config, &host.user);
	return host.loop && host.stack ? 0 : -1;
}

void
host_restart(void)
{
	assert_int_equal(stack_free(host.stack), 0);
	host.stack = stack_new(host.loop, &host.config, &host.user);
	assert_non_null(host.stack);
}

int
host_teardown(void **state)
{
	size_t i, lost;

	(void)state;
	for (i = 0; i < host.nconn; i++)
		stream_free(host.conn[i]);
	lost = stack_free(host.stack);
	drain();
	loop_free(host.loop);
	return lost ? -1 : 0;
}

int
host_setup_offload(void **state)
{
	host_offload = true;
	return host_setup(state);
}

int
host_teardown_offload(void **state)
{
	host_offload = false;
	return host_teardown(state);
}

void
host_settle(void)
{
	assert_true(script_settle(host.loop));
	if (host.first == host.last)
		assert_true(script_pass(host.loop, HOST_ACK_MS));
}

void
host_pass(uint64_t ms)
{
	assert_true(script_pass(host.loop, ms));
}

struct endpoint
at(const char *text)
{
	struct endpoint e;

	assert_true(endpoint_parse(&e, text));
	return e;
}

static uint32_t
pseudo(const struct ip *a, const struct ip *b, uint8_t proto, size_t len)
{
	uint8_t tail[4] = { 0, proto, (uint8_t)(len >> 8), (uint8_t)len };
	size_t n = a->family == 4 ? 4 : 16;

	return checksum_add(checksum_add(checksum_add(0, a->b, n), b->b, n), tail, 4);
}

size_t
ip_build(uint8_t *mem, const struct shape *s, const uint8_t *p, size_t len)
{
	struct writer w;

	writer_init(&w, mem, PACKET_MAX);
	if (s->from->ip.family == 4) {
		writer_be16(&w, 0x4500);
		writer_be16(&w, (uint16_t)(20 + len));
		writer_be16(&w, (uint16_t)s->id);
		writer_be16(&w, (uint16_t)(s->offset / 8 | (s->more ? 0x2000 : 0)));
		writer_be16(&w, (uint16_t)(0x4000 | s->proto));
		writer_be16(&w, 0);
		writer_bytes(&w, s->from->ip.b, 4);
		writer_bytes(&w, s->to->ip.b, 4);
		be16_put(mem + 10, checksum_fold(checksum_add(0, mem, 20)));
	} else {
		writer_be32(&w, 0x60000000);
		writer_be16(&w, (uint16_t)(len + (s->part ? 8 : 0)));
		writer_u8(&w, s->part ? 44 : s->proto);
		writer_u8(&w, 64);
		writer_bytes(&w, s->from->ip.b, 16);
		writer_bytes(&w, s->to->ip.b, 16);
		if (s->part) {
			writer_be16(&w, (uint16_t)(s->proto << 8));
			writer_be16(&w, (uint16_t)(s->offset | s->more));
			writer_be32(&w, s->id);
		}
	}
	writer_bytes(&w, p, len);
	assert_false(w.bad);
	return w.len;
}

size_t
tcp_build(uint8_t *mem, const struct endpoint *from, const struct endpoint *to,
	uint8_t flags, uint32_t seq, uint32_t ack, uint16_t window,
	const uint8_t *options, size_t optlen, const void *p, size_t len)
{
	struct shape s = { .from = from, .to = to, .proto = 6 };
	static uint8_t t[PACKET_MAX];
	struct writer w;

	writer_init(&w, t, sizeof(t));
	writer_be16(&w, from->port);
	writer_be16(&w, to->port);
	writer_be32(&w, seq);
	writer_be32(&w, ack);
	writer_u8(&w, (uint8_t)((20 + optlen) / 4 << 4));
	writer_u8(&w, flags);
	writer_be16(&w, window);
	writer_be32(&w, 0);
	if (optlen)
		writer_bytes(&w, options, optlen);
	if (len)
		writer_bytes(&w, p, len);
	be16_put(t + 16,
		checksum_fold(
			checksum_add(pseudo(&from->ip, &to->ip, 6, w.len), t, w.len)));
	return ip_build(mem, &s, t, w.len);
}

void
host_input_tcp(const struct endpoint *from, const struct endpoint *to, uint8_t flags,
	uint32_t seq, uint32_t ack, uint16_t window, const uint8_t *options,
	size_t optlen, const void *p, size_t len)
{
	static uint8_t mem[PACKET_MAX];
	size_t n = tcp_build(
		mem, from, to, flags, seq, ack, window, options, optlen, p, len);

	stack_input(host.stack, mem, n, NULL);
}

static size_t
udp_payload(uint8_t *t, const struct endpoint *from, const struct endpoint *to,
	const void *p, size_t len)
{
	uint16_t sum;

	be16_put(t, from->port);
	be16_put(t + 2, to->port);
	be16_put(t + 4, (uint16_t)(8 + len));
	be16_put(t + 6, 0);
	if (len)
		memcpy(t + 8, p, len);
	sum = checksum_fold(
		checksum_add(pseudo(&from->ip, &to->ip, 17, 8 + len), t, 8 + len));
	be16_put(t + 6, sum ? sum : 0xffff);
	return 8 + len;
}

size_t
udp_build(uint8_t *mem, const struct endpoint *from, const struct endpoint *to,
	const void *p, size_t len)
{
	struct shape s = { .from = from, .to = to, .proto = 17 };
	static uint8_t t[PACKET_MAX + 8];

	return ip_build(mem, &s, t, udp_payload(t, from, to, p, len));
}

void
host_input_udp(
	const struct endpoint *from, const struct endpoint *to, const void *p, size_t len)
{
	static uint8_t mem[PACKET_MAX];

	stack_input(host.stack, mem, udp_build(mem, from, to, p, len), NULL);
}

void
host_input_udp_parts(const struct endpoint *from, const struct endpoint *to,
	const void *p, size_t len, size_t unit)
{
	static uint8_t mem[PACKET_MAX], t[PACKET_MAX + 8];
	struct shape s = { .from = from, .to = to, .proto = 17, .part = true, .id = 7 };
	size_t n = udp_payload(t, from, to, p, len), at, k;

	for (at = (n - 1) / unit * unit + unit; at > 0;) {
		at -= unit;
		k = n - at < unit ? n - at : unit;
		s.offset = (uint16_t)at;
		s.more = at + k < n;
		stack_input(host.stack, mem, ip_build(mem, &s, t + at, k), NULL);
	}
}

size_t
echo_build(uint8_t *mem, const struct endpoint *from, const struct endpoint *to,
	uint16_t id, uint16_t seq, const void *p, size_t len)
{
	struct shape s = { .from = from, .to = to };
	static uint8_t t[PACKET_MAX];
	bool six = from->ip.family == 6;
	uint32_t sum;

	s.proto = six ? 58 : 1;
	be32_put(t, six ? 0x80000000 : 0x08000000);
	be16_put(t + 4, id);
	be16_put(t + 6, seq);
	memcpy(t + 8, p, len);
	sum = six ? pseudo(&from->ip, &to->ip, 58, 8 + len) : 0;
	be16_put(t + 2, checksum_fold(checksum_add(sum, t, 8 + len)));
	return ip_build(mem, &s, t, 8 + len);
}

void
host_input_echo(const struct endpoint *from, const struct endpoint *to, uint16_t id,
	uint16_t seq, const void *p, size_t len)
{
	static uint8_t mem[PACKET_MAX];

	stack_input(host.stack, mem, echo_build(mem, from, to, id, seq, p, len), NULL);
}

static void
stamp_see(struct seen *k, struct reader *o)
{
	k->stamped = true;
	k->stamp = reader_be32(o);
	k->echo = reader_be32(o);
}

void
host_input_too_big(const struct endpoint *from, const struct endpoint *to, uint8_t proto,
	const uint8_t head[static 8], uint32_t mtu)
{
	struct endpoint router = at("[2001:db8::1]:0");
	uint8_t icmp[8 + 48] = { 2 }, mem[128];
	struct shape quoted = { from, to, proto }, s = { &router, from, 58 };

	be32_put(icmp + 4, mtu);
	(void)ip_build(mem, &quoted, head, 8);
	memcpy(icmp + 8, mem, 48);
	be16_put(icmp + 2,
		checksum_fold(
			checksum_add(pseudo(&router.ip, &from->ip, 58, sizeof(icmp)),
				icmp, sizeof(icmp))));
	stack_input(host.stack, mem, ip_build(mem, &s, icmp, sizeof(icmp)), NULL);
}

static void
tcp_see(struct seen *k, struct reader *r)
{
	uint8_t header, kind, n;
	struct reader o;

	k->from.port = reader_be16(r);
	k->to.port = reader_be16(r);
	k->seq = reader_be32(r);
	k->ack = reader_be32(r);
	header = reader_u8(r) >> 4;
	k->flags = reader_u8(r);
	k->window = reader_be16(r);
	reader_skip(r, 4);
	reader_part(r, header * 4u - 20, &o);
	while (o.len && (kind = reader_u8(&o))) {
		if (kind == 1)
			continue;
		n = reader_u8(&o);
		if (kind == 2)
			k->mss = reader_be16(&o);
		else if (kind == 3)
			k->scale = reader_u8(&o);
		else if (kind == 8)
			stamp_see(k, &o);
		else
			reader_skip(&o, n - 2u);
		k->sack = k->sack || kind == 4;
	}
	assert_false(o.bad);
}

static void
payload_see(struct seen *k, struct reader *r)
{
	size_t len = r->len;
	const uint8_t *p = r->p;
	uint32_t sum = pseudo(&k->from.ip, &k->to.ip, k->proto, len);

	if (k->proto == 1)
		sum = 0;
	assert_int_equal(checksum_fold(checksum_add(sum, p, len)), 0);
	switch (k->proto) {
	case 6:
		tcp_see(k, r);
		break;
	case 17:
		k->from.port = reader_be16(r);
		k->to.port = reader_be16(r);
		assert_int_equal(reader_be16(r), len);
		reader_skip(r, 2);
		break;
	case 1:
	case 58:
		k->type = reader_u8(r);
		k->code = reader_u8(r);
		reader_skip(r, 2);
		k->id = reader_be16(r);
		k->no = reader_be16(r);
		break;
	default:
		fail_msg("protocol %d", k->proto);
	}
}

static void
ip4_see(struct seen *k, struct reader *r, size_t len)
{
	uint16_t fragment;

	assert_int_equal(checksum_fold(checksum_add(0, r->p, 20)), 0);
	assert_int_equal(reader_be16(r), 0x4500);
	assert_int_equal(reader_be16(r), len);
	k->number = reader_be16(r);
	fragment = reader_be16(r);
	k->uncut = fragment & 0x4000;
	assert_true(reader_u8(r) > 0);
	k->proto = reader_u8(r);
	reader_skip(r, 2);
	k->from.ip.family = k->to.ip.family = 4;
	reader_copy(r, k->from.ip.b, 4);
	reader_copy(r, k->to.ip.b, 4);
	k->offset = (uint16_t)(fragment << 3);
	k->more = fragment & 0x2000;
	k->part = k->more || k->offset;
}

static void
ip6_see(struct seen *k, struct reader *r, size_t len)
{
	uint16_t fragment;

	assert_int_equal(reader_be32(r) >> 28, 6);
	assert_int_equal(reader_be16(r), len - 40);
	k->proto = reader_u8(r);
	assert_true(reader_u8(r) > 0);
	k->from.ip.family = k->to.ip.family = 6;
	reader_copy(r, k->from.ip.b, 16);
	reader_copy(r, k->to.ip.b, 16);
	if (k->proto != 44)
		return;
	k->part = true;
	k->proto = reader_u8(r);
	reader_skip(r, 1);
	fragment = reader_be16(r);
	k->more = fragment & 1;
	k->offset = fragment & 0xfff8;
	reader_skip(r, 4);
}

bool
host_take(struct seen *k)
{
	struct reader r;
	size_t len;

	free(host.taken);
	host.taken = NULL;
	if (host.first == host.last)
		return false;
	len = host.queue_len[host.first % HOST_QUEUE];
	host.taken = host.queue[host.first++ % HOST_QUEUE];
	assert_true(len <= (size_t)host.config.mtu);
	*k = (struct seen){ .scale = -1 };
	reader_init(&r, host.taken, len);
	if (host.taken[0] >> 4 == 4)
		ip4_see(k, &r, len);
	else
		ip6_see(k, &r, len);
	if (!k->part)
		payload_see(k, &r);
	assert_false(r.bad);
	k->p = r.p;
	k->len = r.len;
	return true;
}

unsigned
host_flags(void)
{
	unsigned flags = 0;
	struct seen k;

	while (host_take(&k))
		flags |= k.flags;
	return flags;
}

void
host_quiet(void)
{
	struct seen k;

	if (host_take(&k))
		fail_msg("unexpected packet: protocol %d, flags %d, type %d, %zu bytes",
			k.proto, k.flags, k.type, k.len);
}

uint8_t *
pattern(size_t len)
{
	uint8_t *p = malloc(len);
	uint32_t x = 1;
	size_t i;

	for (i = 0; i < len; i++) {
		x = x * 1664525 + 1013904223;
		p[i] = (uint8_t)(x >> 24);
	}
	return p;
}
