/* SPDX-License-Identifier: MIT */
/*
 * What a server may answer to the request of ws, httpupgrade or httphead.  The first
 * byte says which of them asks, and how the bytes come; the rest are the answer.
 */
#include "base/random.h"
#include "fuzz/fuzz.h"
#include "stream/httphead.h"
#include "stream/httpupgrade.h"
#include "stream/ws.h"
#include "unit/stream/memory.h"

#include <stdlib.h>
#include <string.h>

static int64_t
fixed_time(void)
{
	return 1700000000;
}

static struct stream *
layer(unsigned how, const struct http_request *q, struct memory *m, struct rng *rng)
{
	if (how % 3 == 0)
		return ws_new(q, &m->s, rng, fixed_time);
	if (how % 3 == 1)
		return httpupgrade_new(q, &m->s, fixed_time);
	return httphead_new(&httphead_default, &m->s, rng, fixed_time);
}

static const struct http_facts *
facts(unsigned how, const struct stream *s)
{
	if (how % 3 == 0)
		return ws_facts(s);
	return how % 3 == 1 ? httpupgrade_facts(s) : httphead_facts(s);
}

static int
carry(struct stream *s, int (*call)(struct stream *))
{
	int i, r = STREAM_AGAIN;

	for (i = 0; i < 1000000 && r == STREAM_AGAIN; i++)
		r = call(s);
	return r;
}

/* What a sentence may have in it: one line that steers nothing. */
static void
judge_reason(const char *why)
{
	must(*why != '\0' && strlen(why) < 512);
	for (; *why; why++)
		must((unsigned char)*why >= ' ' && *why != 0x7f);
}

/* Without regard to windows: what comes out is the end of what went in. */
static void
drain(struct stream *s, unsigned how, const uint8_t *p, size_t len)
{
	struct window w;
	uint8_t one[7];
	size_t got = 0, n, i;
	uint8_t *all = malloc(len + 1);
	int r = STREAM_AGAIN;

	must(all != NULL);
	for (i = 0; i < 1000000 && (r == STREAM_OK || r == STREAM_AGAIN); i++) {
		if (how & 64 && i % 2) {
			r = stream_read(s, one, sizeof(one), &n);
			w.p = one;
		} else {
			r = stream_recv_buf(s, &w);
			n = w.len;
		}
		if (r != STREAM_OK)
			continue;
		must(n > 0 && got + n <= len);
		memcpy(all + got, w.p, n);
		got += n;
		if (w.p != one)
			stream_recv_ack(s, n);
	}
	must(r == STREAM_END || r < 0);
	if (how % 3 && r == STREAM_END)
		must(memcmp(all, p + len - got, got) == 0);
	if (r < 0)
		judge_reason(stream_reason(s));
	/* What ends beneath is said again beneath, at every other call where that stutters. */
	if (r < 0 || !(how & 128))
		must(stream_recv_buf(s, &w) == r);
	free(all);
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t len)
{
	struct http_request q = { .host = "a.example", .path = "/", .early_name = "" };
	const struct http_facts *f;
	struct memory m = { 0 };
	struct rng rng = { 0 };
	struct stream *s;
	unsigned how;
	int r;

	if (len < 1 || len > 1 << 20)
		return 0;
	how = p[0];
	q.early_max = how & 8 ? 100 : 0;
	m.windows = how & 16;
	memory_init(&m);
	m.grain = how & 32 ? 5 : 0;
	m.stutters = how & 128;
	s = layer(how, &q, &m, &rng);
	must(s != NULL);
	memory_feed(&m, p + 1, len - 1);
	m.in_ends = true;
	r = carry(s, stream_open);
	must(r == STREAM_OK || r < 0);
	if (r < 0)
		judge_reason(stream_reason(s));
	else
		drain(s, how, p + 1, len - 1);
	f = facts(how, s);
	must(f->status >= 0 && f->status <= 999 && f->date >= 0);
	stream_free(s);
	must(m.freed);
	memory_fini(&m);
	return 0;
}
