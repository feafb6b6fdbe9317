/* SPDX-License-Identifier: MIT */
#include "base/bytes.h"
#include "platform/sock.h"
#include "platform/tun.h"
#include "sim/flow/sides.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/*
 * The device, and the applications behind it: a TCP that acknowledges what
 * comes and repeats nothing, in IPv4 without options.
 */
enum { PACKETS = 1024, PACKET = 1600, APPS = 600, ICMP = 1, TCP = 6, UDP = 17 };
enum { FIN = 1, SYN = 2, RST = 4, PSH = 8, ACK = 16 };

static struct {
	uint8_t p[PACKET];
	size_t len;
} queue[PACKETS];
static size_t put, taken;
static struct app *apps[APPS];
static size_t napps;
static int refusal; /* 0: the device takes packets */

uint8_t sim_hops = 64;
struct pinged pinged;
static struct ip ping_from;
static uint16_t ping_seq;
static bool ping_waits;

bool
sides_have_packets(void)
{
	if (put != taken)
		script_ready(SIM_TUN, WATCH_READ);
	return put != taken;
}

/* A packet of an application on its way into the device. */
static void
packet_put(const struct ip *from, const struct ip *to, int proto, const void *body,
	size_t len)
{
	uint8_t *mem = queue[put % PACKETS].p;
	struct writer w;

	assert_true(put - taken < PACKETS);
	writer_init(&w, mem, PACKET);
	writer_be16(&w, 0x4500);
	writer_be16(&w, (uint16_t)(20 + len));
	writer_be32(&w, 0x00004000);
	writer_u8(&w, sim_hops);
	writer_u8(&w, (uint8_t)proto);
	writer_be16(&w, 0);
	writer_bytes(&w, from->b, 4);
	writer_bytes(&w, to->b, 4);
	be16_put(mem + 10, checksum_fold(checksum_add(0, mem, 20)));
	writer_bytes(&w, body, len);
	assert_false(w.bad);
	queue[put++ % PACKETS].len = w.len;
	script_ready(SIM_TUN, WATCH_READ);
}

unsigned
tun_offload(int fd, unsigned wanted)
{
	assert_int_equal(fd, SIM_TUN);
	(void)wanted;
	return 0;
}

bool
tun_is_bare(int fd)
{
	assert_int_equal(fd, SIM_TUN);
	return false;
}

ssize_t
tun_read(int fd, void *p, size_t cap, struct offload *o)
{
	size_t len = queue[taken % PACKETS].len;

	assert_int_equal(fd, SIM_TUN);
	if (taken == put) {
		script_unready(SIM_TUN, WATCH_READ);
		return -EAGAIN;
	}
	assert_true(len <= cap);
	memcpy(p, queue[taken++ % PACKETS].p, len);
	memset(o, 0, sizeof(*o));
	o->checked = true;
	return (ssize_t)len;
}

static void
segment_put(struct app *a, int flags, const void *p, size_t len)
{
	uint8_t mem[PACKET];
	struct writer w;
	bool syn = flags & SYN;

	writer_init(&w, mem, sizeof(mem));
	writer_be16(&w, a->source.port);
	writer_be16(&w, a->target.port);
	writer_be32(&w, a->seq);
	writer_be32(&w, flags & ACK ? a->ack : 0);
	writer_u8(&w, syn ? 0x60 : 0x50);
	writer_u8(&w, (uint8_t)flags);
	writer_be16(&w, 65000);
	writer_be32(&w, 0);
	if (syn)
		writer_be32(&w, 0x020405b4);
	writer_bytes(&w, p, len);
	assert_false(w.bad);
	packet_put(&a->source.ip, &a->target.ip, TCP, mem, w.len);
	a->seq += (uint32_t)len + (flags & (SYN | FIN) ? 1 : 0);
}

struct app *
app_new(const char *source, const char *target)
{
	struct app *a = calloc(1, sizeof(*a));

	assert_non_null(a);
	assert_true(napps < APPS);
	apps[napps++] = a;
	assert_true(endpoint_parse(&a->source, source));
	assert_true(endpoint_parse(&a->target, target));
	a->got = malloc(SIM_BYTES);
	a->seq = 1000;
	a->icmp = -1;
	return a;
}

void
app_syn(struct app *a)
{
	segment_put(a, SYN, "", 0);
}

void
app_says(struct app *a, const void *p, size_t len)
{
	const uint8_t *bytes = p;

	for (size_t n; len > 0; bytes += n, len -= n) {
		n = len < 1460 ? len : 1460;
		segment_put(a, ACK | PSH, bytes, n);
	}
}

void
app_ends(struct app *a)
{
	segment_put(a, ACK | FIN, "", 0);
}

void
app_resets(struct app *a)
{
	segment_put(a, ACK | RST, "", 0);
}

void
app_sends(struct app *a, const void *p, size_t len)
{
	uint8_t mem[PACKET];
	struct writer w;

	writer_init(&w, mem, sizeof(mem));
	writer_be16(&w, a->source.port);
	writer_be16(&w, a->target.port);
	writer_be16(&w, (uint16_t)(8 + len));
	writer_be16(&w, 0);
	writer_bytes(&w, p, len);
	assert_false(w.bad);
	packet_put(&a->source.ip, &a->target.ip, UDP, mem, w.len);
}

void
app_pings(struct app *a, uint16_t id, uint16_t seq)
{
	uint8_t mem[16];
	struct writer w;

	writer_init(&w, mem, sizeof(mem));
	writer_be32(&w, 0x08000000);
	writer_be16(&w, id);
	writer_be16(&w, seq);
	writer_bytes(&w, "abcdefgh", 8);
	be16_put(mem + 2, checksum_fold(checksum_add(0, mem, sizeof(mem))));
	packet_put(&a->source.ip, &a->target.ip, ICMP, mem, sizeof(mem));
}

/* What the applications receive. */

static struct app *
app_find(const struct ip *ip, uint16_t port, const struct endpoint *target)
{
	for (size_t i = napps; i-- > 0;) {
		struct app *a = apps[i];

		if (ip_equal(&a->source.ip, ip) && a->source.port == port &&
			(target == NULL || endpoint_equal(&a->target, target)))
			return a;
	}
	return NULL;
}

static void
segment_take(struct app *a, struct reader *r)
{
	uint32_t seq = reader_be32(r);
	int offset, flags;

	reader_skip(r, 4);
	offset = reader_u8(r) >> 4;
	flags = reader_u8(r);
	reader_skip(r, 6 + (size_t)(offset - 5) * 4);
	assert_false(r->bad);
	if (flags & RST) {
		a->rst = true;
		return;
	}
	if (flags & SYN && a->connected) {
		a->challenged = true;
		segment_put(a, a->closed ? RST : ACK, "", 0);
		return;
	}
	if (flags & SYN) {
		a->connected = true;
		a->ack = seq + 1;
		segment_put(a, ACK, "", 0);
		return;
	}
	/* Keep-alives are answered. */
	if (r->len == 0 && seq + 1 == a->ack)
		segment_put(a, a->closed ? RST : ACK, "", 0);
	if (a->closed && r->len > 0)
		segment_put(a, RST, "", 0);
	if (a->deaf || a->closed || seq != a->ack)
		return;
	assert_true(a->got_len + r->len <= SIM_BYTES);
	memcpy(a->got + a->got_len, r->p, r->len);
	a->got_len += r->len;
	a->ack += (uint32_t)r->len + (flags & FIN ? 1 : 0);
	a->fin |= (flags & FIN) != 0;
	if (r->len > 0 || flags & FIN)
		segment_put(a, ACK, "", 0);
}

static void
datagram_take(struct app *a, struct reader *r, const struct endpoint *from)
{
	reader_skip(r, 4);
	a->datagrams++;
	a->from = *from;
	memcpy(a->got, r->p, r->len);
	a->got_len = r->len;
}

static void
icmp_take(const struct ip *to, struct reader *r)
{
	uint8_t type = reader_u8(r), code = reader_u8(r);
	struct endpoint inner;
	uint16_t mtu;
	struct app *a;

	reader_skip(r, 2);
	if (type == 0) {
		a = app_find(to, 0, NULL);
		assert_non_null(a);
		a->echoes++;
		a->echo_id = reader_be16(r);
		a->echo_seq = reader_be16(r);
		return;
	}
	assert_int_equal(type, 3);
	reader_skip(r, 2);
	mtu = reader_be16(r);
	reader_skip(r, 16);
	inner.ip = ip_make(4, reader_bytes(r, 4));
	inner.port = reader_be16(r);
	a = app_find(to, inner.port, NULL);
	assert_non_null(a);
	a->icmp = code;
	a->icmp_mtu = mtu;
}

static void
packet_take(struct reader *r)
{
	struct endpoint from;
	uint16_t port;
	struct ip to;
	struct app *a;
	uint8_t proto;

	reader_skip(r, 9);
	proto = reader_u8(r);
	reader_skip(r, 2);
	from.ip = ip_make(4, reader_bytes(r, 4));
	to = ip_make(4, reader_bytes(r, 4));
	if (proto == ICMP) {
		icmp_take(&to, r);
		return;
	}
	from.port = reader_be16(r);
	port = reader_be16(r);
	a = app_find(&to, port, proto == TCP ? &from : NULL);
	assert_non_null(a);
	if (proto == TCP)
		segment_take(a, r);
	else
		datagram_take(a, r, &from);
}

int
tun_write(int fd, const struct iovec *v, int n, const struct offload *o)
{
	uint8_t mem[65536];
	struct writer w;
	struct reader r;

	(void)o;
	assert_int_equal(fd, SIM_TUN);
	if (refusal)
		return refusal;
	writer_init(&w, mem, sizeof(mem));
	for (int i = 0; i < n; i++)
		writer_bytes(&w, v[i].iov_base, v[i].iov_len);
	reader_init(&r, mem, w.len);
	packet_take(&r);
	return 0;
}

void
sim_device_full(bool is_full)
{
	refusal = is_full ? -EAGAIN : 0;
	if (is_full)
		script_unready(SIM_TUN, WATCH_WRITE);
	else
		script_ready(SIM_TUN, WATCH_WRITE);
}

void
sim_device_short(bool is_short)
{
	refusal = is_short ? -ENOBUFS : 0;
}

/* Pings that leave. */

int
sock_ping_send(int fd, const struct ip *to, uint16_t seq, const void *p, size_t len)
{
	assert_int_equal(fd, SIM_PING4);
	assert_int_equal(len, 8);
	assert_memory_equal(p, "abcdefgh", 8);
	pinged.to = *to;
	pinged.seq = seq;
	pinged.n++;
	return 0;
}

void
ping_answers(const char *from, uint16_t seq)
{
	assert_true(ip_parse(&ping_from, from));
	ping_seq = seq;
	ping_waits = true;
	script_ready(SIM_PING4, WATCH_READ);
}

ssize_t
sock_ping_recv(int fd, struct ip *from, uint16_t *seq, void *p, size_t cap)
{
	assert_int_equal(fd, SIM_PING4);
	assert_true(cap >= 8);
	if (!ping_waits) {
		script_unready(SIM_PING4, WATCH_READ);
		return -EAGAIN;
	}
	ping_waits = false;
	*from = ping_from;
	*seq = ping_seq;
	memcpy(p, "abcdefgh", 8);
	return 8;
}

void
sides_begin(void)
{
	put = taken = 0;
	ping_waits = false;
	pinged = (struct pinged){ 0 };
	sim_device_full(false);
	kernel_begin();
	fars_begin();
}

void
sides_end(void)
{
	for (size_t i = 0; i < napps; i++) {
		free(apps[i]->got);
		free(apps[i]);
	}
	napps = 0;
	fars_end();
}

void
app_sends_to(struct app *a, const char *target, const void *p, size_t len)
{
	assert_true(endpoint_parse(&a->target, target));
	app_sends(a, p, len);
	sim_settle();
}

bool
endpoint_is(const struct endpoint *e, const char *text)
{
	struct endpoint want;

	assert_true(endpoint_parse(&want, text));
	return endpoint_equal(e, &want);
}
