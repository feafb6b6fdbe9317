/* SPDX-License-Identifier: MIT */
#include "base/bytes.h"
#include "fuzz/fuzz.h"
#include "sim/script/script.h"
#include "stack/packet.h"
#include "stack/stack.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/*
 * The stack between a hostile device and a fickle user.  The input is a
 * script of small orders: raw packets, segments of four connections whose
 * numbers follow the conversation (so that states behind the handshake are
 * reached), what the user does, and the passing of time.  Raw packets may come
 * behind the header in which a device tells of its offload; the first order's
 * bit OFFLOAD says whether the stack leaves work to the device.
 */

enum order { RAW, RAW_SUMMED, SEGMENT, SEGMENT_MORE, SEGMENT_NEXT, USER, DEVICE, TIME };

enum { CONNS = 64, HELDS = 64, PEERS = 4, MTU = 1500 };

/* Bits of an order; DEVICE and TIME have a number there instead. */
enum { HEADED = 8, OFFLOAD = 32 };

/* Bits of a segment's shape; the lowest four are the length of its options. */
enum { FAR_SEQ = 16, FAR_ACK = 32, LARGE = 64 };

/* A message keeps its borders in this, as a packet does in a device. */
static int pipes[2];

/* An application's side of a connection, as far as numbers go. */
struct peer {
	struct endpoint me, to;
	uint32_t snd, rcv;
};

static struct {
	struct loop *loop;
	struct stack *stack;
	struct stream *conn[CONNS];
	struct held *held[HELDS];
	size_t nconn, nheld;
	uint8_t answer;
	int room;
	struct peer peer[PEERS];
} f;

static enum stack_answer
on_syn(struct stack_user *u, const struct endpoint *source, const struct endpoint *target,
	struct held *held, void **cookie)
{
	enum stack_answer a = (enum stack_answer)(f.answer % (STACK_IGNORE + 1));

	(void)u;
	must(source->port && target->port && source->ip.family == target->ip.family);
	if (a == STACK_HOLD && f.nheld == HELDS)
		a = STACK_RESET;
	if (a == STACK_HOLD)
		f.held[f.nheld++] = held;
	if (a == STACK_ADMIT && f.nconn == CONNS)
		a = STACK_IGNORE;
	*cookie = a == STACK_HOLD ? (void *)held : NULL;
	return a;
}

static void
held_forget(const void *held)
{
	size_t i;

	for (i = 0; i < f.nheld; i++)
		if (f.held[i] == held)
			f.held[i] = f.held[--f.nheld];
}

static void
on_conn(struct stack_user *u, void *cookie, struct stream *conn)
{
	(void)u;
	(void)cookie;
	if (f.nconn == CONNS)
		stream_free(conn);
	else
		f.conn[f.nconn++] = conn;
}

static void
on_gone(struct stack_user *u, void *cookie, enum stack_gone why)
{
	(void)u;
	(void)why;
	held_forget(cookie);
}

/* Reads every byte: AddressSanitizer sees those that are not there. */
static void
touch(const uint8_t *p, size_t len)
{
	static volatile uint8_t last;
	size_t i;

	for (i = 0; i < len; i++)
		last = p[i];
	(void)last;
}

/* Cut as it was meant, there and back: as many leave, unless the device is full. */
static void
datagrams_return(const struct stack_datagram *d)
{
	struct iovec v = { (void *)(uintptr_t)d->p, d->len };
	size_t count = (d->len + d->segment - 1) / d->segment;
	int sent;

	must(d->len > d->segment && count <= 128);
	sent = stack_udp_send_many(f.stack, &d->target, &d->source, &v, 1, d->segment);
	must(f.room < 0 ? sent == (int)count : sent >= 0 && sent <= (int)count);
}

static void
on_datagram(struct stack_user *u, const struct stack_datagram *d)
{
	(void)u;
	touch(d->p, d->len);
	if (d->segment)
		datagrams_return(d);
	else if (f.answer & 1)
		stack_udp_send(f.stack, &d->target, &d->source, d->p, d->len);
	else if (f.answer & 16)
		stack_udp_too_big(f.stack, &d->source, &d->target, d->len, d->len / 2);
	else
		stack_udp_refuse(f.stack, &d->source, &d->target,
			(enum stack_answer)(f.answer % 7));
}

static void
on_echo(struct stack_user *u, const struct ip *source, const struct ip *target,
	uint16_t id, uint16_t seq, const uint8_t *p, size_t len)
{
	(void)u;
	stack_echo_reply(f.stack, target, source, id, seq, p, len);
}

/* The conversation's numbers, from what the stack sends; its packets are sound. */
static void
peers_follow(const uint8_t *p, size_t len, const struct offload *o)
{
	struct packet k;
	struct reader r;
	uint8_t flags, header;
	uint32_t seq;
	uint16_t port;
	size_t i;

	must(packet_read(&k, p, len, o) == 0);
	if (k.proto != PROTO_TCP)
		return;
	reader_init(&r, k.p, k.len);
	reader_skip(&r, 2);
	port = reader_be16(&r);
	seq = reader_be32(&r);
	reader_skip(&r, 4);
	header = (reader_u8(&r) >> 4) * 4;
	flags = reader_u8(&r);
	must(!r.bad && header >= TCP_HEADER && header <= k.len);
	for (i = 0; i < PEERS; i++)
		if (f.peer[i].me.port == port && !(flags & SEGMENT_RST))
			f.peer[i].rcv = seq + (uint32_t)(k.len - header) +
				!!(flags & (SEGMENT_SYN | SEGMENT_FIN));
}

static int
on_output(struct stack_user *u, const struct iovec *v, int n, const struct offload *o)
{
	static uint8_t flat[TUN_PACKET];
	size_t len = 0;
	int i;

	(void)u;
	if (f.room == 0)
		return -EAGAIN;
	if (f.room > 0)
		f.room--;
	for (i = 0; i < n; i++) {
		must(len + v[i].iov_len <= sizeof(flat));
		if (v[i].iov_len)
			memcpy(flat + len, v[i].iov_base, v[i].iov_len);
		len += v[i].iov_len;
	}
	/* What the device need not cut fits the link. */
	must(o->gso == OFFLOAD_NONE ? len <= MTU
				    : o->partial && o->segment && o->hdr_len < len &&
				len - o->hdr_len > o->segment &&
				(size_t)o->hdr_len + o->segment <= MTU);
	peers_follow(flat, len, o);
	return 0;
}

/* A copy of exactly its size, so that one byte too many is seen. */
static void
input(const uint8_t *p, size_t len, const struct offload *o)
{
	uint8_t *copy = malloc(len ? len : 1);

	must(copy != NULL);
	if (len)
		memcpy(copy, p, len);
	stack_input(f.stack, copy, len, o);
	free(copy);
}

/* The way that the engine reads: with the device's header, into the stack's memory. */
static void
input_headed(const uint8_t *p, size_t len)
{
	struct offload o = { 0 };
	void *mem = stack_buffer(f.stack);
	ssize_t n;

	if (len == 0 || send(pipes[1], p, len, 0) != (ssize_t)len)
		return;
	n = tun_read(pipes[0], mem, TUN_PACKET, &o);
	must(n >= 0);
	if (n > 0)
		stack_input(f.stack, mem, (size_t)n, &o);
}

static void
input_large(const uint8_t *p, size_t len, size_t head, uint16_t segment)
{
	struct offload o = { .gso = OFFLOAD_TCP,
		.segment = segment,
		.hdr_len = (uint16_t)(head + TCP_HEADER),
		.csum_start = (uint16_t)head,
		.partial = true };
	void *mem = stack_buffer(f.stack);

	memcpy(mem, p, len);
	stack_input(f.stack, mem, len, &o);
}

static void
raw(struct reader *r, bool summed)
{
	struct offload o = { .checked = summed };
	size_t len = reader_be16(r);
	const uint8_t *p = reader_bytes(r, len < r->len ? len : (len = r->len));
	static uint8_t mem[65536];
	size_t header;

	if (!p)
		return;
	memcpy(mem, p, len);
	header = len ? (mem[0] & 15) * 4u : 0;
	if (summed && len && mem[0] >> 4 == 4 && header <= len && header >= 20) {
		be16_put(mem + 10, 0);
		be16_put(mem + 10, checksum_fold(checksum_add(0, mem, header)));
	}
	input(mem, len, &o);
}

static void
headed(struct reader *r)
{
	size_t len = reader_be16(r);
	const uint8_t *p = reader_bytes(r, len < r->len ? len : (len = r->len));

	if (p)
		input_headed(p, len);
}

static size_t
ip_write(uint8_t *mem, const struct peer *p, size_t len)
{
	struct writer w;

	writer_init(&w, mem, 40);
	if (p->me.ip.family == 4) {
		writer_be16(&w, 0x4500);
		writer_be16(&w, (uint16_t)(20 + len));
		writer_be32(&w, 0);
		writer_be32(&w, 0x40060000);
		writer_bytes(&w, p->me.ip.b, 4);
		writer_bytes(&w, p->to.ip.b, 4);
		be16_put(mem + 10, checksum_fold(checksum_add(0, mem, 20)));
	} else {
		writer_be32(&w, 0x60000000);
		writer_be16(&w, (uint16_t)len);
		writer_be16(&w, 0x0640);
		writer_bytes(&w, p->me.ip.b, 16);
		writer_bytes(&w, p->to.ip.b, 16);
	}
	return w.len;
}

/* The common flags, and anything else. */
static uint8_t
flags_of(uint8_t v)
{
	static const uint8_t common[] = { SEGMENT_ACK, SEGMENT_SYN,
		SEGMENT_ACK | SEGMENT_PSH, SEGMENT_ACK | SEGMENT_FIN,
		SEGMENT_RST | SEGMENT_ACK, SEGMENT_RST };

	return v < sizeof(common) ? common[v] : v & 63;
}

static void
segment(struct reader *r, struct peer *p, enum order order)
{
	const struct offload o = { .checked = true };
	enum { LARGEST = 65535 - 40 - TCP_HEADER - 12 };
	static uint8_t mem[65536 + 40];
	uint8_t flags = flags_of(reader_u8(r)), optlen, shape = reader_u8(r);
	int8_t dseq = (int8_t)reader_u8(r), dack = (int8_t)reader_u8(r);
	uint16_t window = reader_be16(r), len = reader_be16(r);
	const uint8_t *options;
	struct writer w;
	size_t head;

	optlen = shape & 15 & ~3u;
	len = shape & LARGE ? LARGEST - len % (LARGEST / 2) : len & 0x3fff;
	options = reader_bytes(r, optlen);
	if (!options)
		return;
	writer_init(&w, mem + 40, 64);
	writer_be16(&w, p->me.port);
	writer_be16(&w, p->to.port);
	writer_be32(&w, p->snd + (uint32_t)(dseq * (shape & FAR_SEQ ? 700 : 1)));
	writer_be32(&w, p->rcv + (uint32_t)(dack * (shape & FAR_ACK ? 700 : 1)));
	writer_u8(&w, (uint8_t)((TCP_HEADER + optlen) / 4 << 4));
	writer_u8(&w, flags);
	writer_be16(&w, window);
	writer_be32(&w, 0);
	writer_bytes(&w, options, optlen);
	head = p->me.ip.family == 4 ? 20 : 40;
	memset(mem + 40 + w.len, shape, len);
	ip_write(mem + 40 - head, p, w.len + len);
	if (shape & LARGE)
		input_large(mem + 40 - head, head + w.len + len, head, 1400);
	else
		input(mem + 40 - head, head + w.len + len, &o);
	if (order != SEGMENT)
		p->snd += len + (uint32_t)dseq + !!(flags & (SEGMENT_SYN | SEGMENT_FIN));
}

static void
conn_use(struct reader *r, size_t i)
{
	struct stream *c = f.conn[i];
	uint8_t what = reader_u8(r), n = reader_u8(r);
	struct window w;
	size_t k;

	switch (what % 7) {
	case 0:
	case 1:
		while (n-- && stream_recv_buf(c, &w) == STREAM_OK) {
			must(w.len > 0);
			touch(w.p, w.len);
			stream_recv_ack(c, what & 8 ? (w.len + 1) / 2 : w.len);
		}
		return;
	case 2:
	case 3:
		while (n-- && stream_send_buf(c, &w) == STREAM_OK) {
			k = what & 8 ? n % w.len : w.len;
			memset(w.p, n, k);
			must(stream_send_ack(c, k) == STREAM_OK);
			/* AGAIN: bytes wait to be acknowledged. */
			if (what & 16)
				must(stream_flush(c) >= 0);
		}
		return;
	case 4:
		stream_shut(c);
		return;
	case 5:
		stream_park(c);
		must(stream_reason(c) != NULL);
		return;
	case 6:
		if (what & 8)
			stream_shut(c);
		stream_free(c);
		f.conn[i] = f.conn[--f.nconn];
		return;
	}
}

static void
held_answer(uint8_t how)
{
	enum stack_answer a = (enum stack_answer)(how % (STACK_IGNORE + 1));
	struct held *h = f.held[how % f.nheld];

	if (a == STACK_HOLD || (a == STACK_ADMIT && f.nconn == CONNS))
		return;
	held_forget(h);
	stack_answer_held(f.stack, h, a);
}

static void
user(struct reader *r, uint8_t order)
{
	uint8_t v = reader_u8(r);

	if (order & 8)
		f.answer = v;
	else if (order & 16 && f.nheld)
		held_answer(v);
	else if (f.nconn)
		conn_use(r, v % f.nconn);
}

static void
order_do(struct reader *r)
{
	uint8_t order = reader_u8(r);
	struct peer *p = &f.peer[order >> 3 & (PEERS - 1)];

	switch ((enum order)(order & 7)) {
	case RAW:
		if (order & HEADED)
			headed(r);
		else
			raw(r, false);
		break;
	case RAW_SUMMED:
		raw(r, true);
		break;
	case SEGMENT:
	case SEGMENT_MORE:
	case SEGMENT_NEXT:
		segment(r, p, (enum order)(order & 7));
		break;
	case USER:
		user(r, order);
		break;
	case DEVICE:
		f.room = order >> 3 == 31 ? -1 : order >> 3;
		stack_resume(f.stack);
		break;
	case TIME:
		must(script_pass(f.loop, (uint64_t)(order >> 3) * 97));
		break;
	}
	if (order & 128)
		must(script_settle(f.loop));
}

static void
begin(struct stack_user *u, bool offload)
{
	static const char *const me[] = { "198.18.0.2:1", "[2001:db8::2]:2",
		"198.18.0.2:3", "[2001:db8::2]:4" };
	static const char *const to[] = { "203.0.113.7:80", "[2001:db8::7]:443",
		"192.0.2.1:1", "[2001:db8::7]:443" };
	struct stack_config c = { .mtu = MTU,
		.conns_max = 32,
		.held_max = 16,
		.offload = offload,
		.datagrams = offload,
		.window = offload ? 200000 : 20000,
		.ring = 65536 };
	size_t i;

	memset(&f, 0, sizeof(f));
	script_reset();
	f.loop = loop_new();
	f.stack = stack_new(f.loop, &c, u);
	must(f.loop && f.stack);
	f.room = -1;
	for (i = 0; i < PEERS; i++) {
		must(endpoint_parse(&f.peer[i].me, me[i]));
		must(endpoint_parse(&f.peer[i].to, to[i]));
		f.peer[i].snd = (uint32_t)(i * 0x7fffff00);
	}
}

static void
finish(void)
{
	while (f.nconn)
		stream_free(f.conn[--f.nconn]);
	must(stack_free(f.stack) == 0);
	loop_free(f.loop);
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t len)
{
	struct stack_user u = {
		.syn = on_syn,
		.conn = on_conn,
		.gone = on_gone,
		.datagram = on_datagram,
		.echo = on_echo,
		.output = on_output,
	};
	struct reader r;

	reader_init(&r, p, len);
	if (pipes[1] == 0)
		must(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, pipes) == 0);
	begin(&u, len && p[0] & OFFLOAD);
	while (r.len && !r.bad)
		order_do(&r);
	finish();
	return 0;
}
