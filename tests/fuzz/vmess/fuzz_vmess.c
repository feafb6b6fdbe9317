/* SPDX-License-Identifier: MIT */
/*
 * What a VMess server may answer.  Random bytes would never get past the first
 * tag, so the harness seals for the server: the input says, piece by piece,
 * whether bytes come as they are, as an answer, or as a chunk.  The client's keys
 * differ in each run; what it does with the plaintext does not depend on them.
 */
#include "base/bytes.h"
#include "base/list.h"
#include "base/log.h"
#include "fuzz/fuzz.h"
#include "outbound/vmess.h"
#include "outbound/vmess_kdf.h"
#include "unit/outbound/server.h"
#include "unit/stream/memory.h"

#include <stdlib.h>
#include <string.h>

enum { PIECES_MAX = 64 };
/* What a piece of the input is. */
enum { RAW, ANSWER, CHUNK, END_MARK, HEADER, KINDS };

static int64_t
fixed_time(void)
{
	return 1700000000;
}

static void
idle(struct task *t)
{
	(void)t;
}

static void
feed(void *arg, const uint8_t *p, size_t len)
{
	memory_feed(arg, p, len);
}

static void
ignore(void *arg, const uint8_t *p, size_t len)
{
	(void)arg;
	(void)p;
	(void)len;
}

/* A response header; 0xab at its start stands for the tag that the client wants. */
static void
say_header(struct server *s, struct memory *m, const uint8_t *p, size_t len)
{
	uint8_t plain[1024];

	if (len > sizeof(plain))
		len = sizeof(plain);
	if (len)
		memcpy(plain, p, len);
	if (len && plain[0] == 0xab)
		plain[0] = s->tag;
	server_answer_plain(s, plain, len, feed, m);
}

static void
say_piece(struct server *s, struct memory *m, struct reader *r)
{
	uint8_t kind = reader_u8(r) % KINDS;
	size_t len = reader_be16(r);
	const uint8_t *p;

	if (len > r->len)
		len = r->len;
	p = reader_bytes(r, len);
	switch (kind) {
	case RAW:
		memory_feed(m, p, len);
		break;
	case ANSWER:
		s->answered = false;
		server_answer(s, feed, m);
		break;
	case HEADER:
		say_header(s, m, p, len);
		break;
	case CHUNK:
		if (len)
			server_say(s, p, len, feed, m);
		break;
	case END_MARK:
		server_say(s, NULL, 0, feed, m);
		break;
	}
}

static void
drain(struct stream *s)
{
	struct window w;
	size_t n = 0;
	int r;

	while ((r = stream_recv_buf(s, &w)) == STREAM_OK) {
		if (w.len == 0)
			abort();
		n += w.len;
		stream_recv_ack(s, n % 3 && w.len > 1 ? w.len / 2 : w.len);
		stream_park(s);
	}
	if (r == STREAM_AGAIN || stream_recv_buf(s, &w) != r)
		abort();
	if (r < 0 && !*stream_reason(s))
		abort();
}

/* One connection: the request goes out, the input comes back. */
static void
connection(struct vmess *v, struct server *server, struct task *owner, struct reader *r)
{
	static const struct target to = { .port = 80, .name = "a.example" };
	struct memory m = { 0 };
	struct window w;
	struct stream *s;
	size_t at = 0;
	int i;

	memory_init(&m);
	m.grain = reader_u8(r) * 7u;
	s = vmess_stream_new(v, &m.s, &to, owner);
	if (!s || stream_open(s) != STREAM_OK || stream_send_buf(s, &w) != STREAM_OK)
		abort();
	w.p[0] = 'x';
	if (stream_send_ack(s, 1) != STREAM_OK || stream_flush(s) != STREAM_OK)
		abort();
	if (server_hear(server, m.out, m.out_len, &at, ignore, NULL) < 0 ||
		!server->greeted)
		abort();
	for (i = 0; i < PIECES_MAX && r->len && !r->bad; i++)
		say_piece(server, &m, r);
	m.in_ends = true;
	drain(s);
	stream_free(s);
	if (!m.freed)
		abort();
	memory_fini(&m);
}

/* Beside the security, in the first byte. */
enum { KIND_SEALED = 0x20, KIND_OLD = 0x40, KIND_ZERO = 0x80 };

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t len)
{
	static const enum vmess_security security[] = { VMESS_AES128_GCM,
		VMESS_CHACHA20_POLY1305, VMESS_NONE };
	struct vmess_user_spec user = { 0 };
	const struct vmess_server_spec server_spec = {
		.address = "192.0.2.1", .port = 443, .user = &user, .nuser = 1
	};
	const struct outbound_spec spec = { .kind = OUTBOUND_VMESS,
		.u.vmess = { &server_spec, 1 } };
	struct outbound_env env = { .unix_time = fixed_time };
	struct server server;
	struct outbound *o;
	struct reader r;
	struct task owner;
	struct err e;
	uint8_t kind, alter[16];

	log_open(2, LOG_NONE, NULL);
	reader_init(&r, p, len);
	kind = reader_u8(&r);
	user.security = security[kind % 3];
	if (kind & KIND_ZERO)
		user.security = VMESS_ZERO;
	user.authenticated_length = kind & KIND_SEALED &&
		user.security <= VMESS_CHACHA20_POLY1305;
	user.alter_ids = kind & KIND_OLD ? 1 : 0;
	env.loop = loop_new();
	env.memory = tcp_memory_new();
	o = env.loop && env.memory ? outbound_new(&spec, &env, &e) : NULL;
	if (!o)
		abort();
	task_init(&owner, idle);
	server_init(&server, user.id);
	if (user.alter_ids) {
		vmess_alter_id(alter, user.id);
		server_init_old(&server, alter, fixed_time());
	}
	connection(container_of(o, struct vmess, o), &server, &owner, &r);
	outbound_drop(o);
	if (tcp_memory_blocks(env.memory)->pool.out ||
		tcp_memory_large(env.memory)->pool.out)
		abort();
	task_fini(&owner);
	loop_free(env.loop);
	tcp_memory_free(env.memory);
	return 0;
}
