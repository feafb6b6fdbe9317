/* SPDX-License-Identifier: MIT */
#include "keeper/report.h"

#include "base/bytes.h"
#include "base/text.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

/* The head of both: what it is, its form, whose it is.  The version of the program comes
 * next, in every form, so that each can say what the other one is. */
enum { MAGIC = 0x534c5354, FORM = 6, OF_KEEPER = 1, OF_ENGINE = 2 };

static void
text_write(struct writer *w, const char *s, size_t cap)
{
	size_t n = strnlen(s, cap - 1);

	writer_u8(w, (uint8_t)n);
	writer_bytes(w, s, n);
}

static void
text_read(struct reader *r, char *s, size_t cap)
{
	size_t n = reader_u8(r);

	memset(s, 0, cap);
	if (n < cap)
		reader_copy(r, s, n);
	r->bad |= n >= cap || memchr(s, '\0', n);
	text_clean(s);
}

static bool
flag_read(struct reader *r)
{
	uint8_t v = reader_u8(r);

	r->bad |= v > 1;
	return v == 1;
}

/* A number below `n`. */
static unsigned
choice_read(struct reader *r, unsigned n)
{
	uint8_t v = reader_u8(r);

	r->bad |= v >= n;
	return v < n ? v : 0;
}

static void
head_write(struct writer *w, void *p, uint8_t whose)
{
	writer_init(w, p, REPORT_MAX);
	writer_be32(w, MAGIC);
	writer_u8(w, FORM);
	writer_u8(w, whose);
}

/* 0, -EBADMSG, or -EPROTO: another form. */
static int
head_read(struct reader *r, const void *p, size_t len, uint8_t whose)
{
	uint8_t form;

	reader_init(r, p, len);
	if (reader_be32(r) != MAGIC)
		return -EBADMSG;
	form = reader_u8(r);
	if (reader_u8(r) != whose || r->bad)
		return -EBADMSG;
	return form == FORM ? 0 : -EPROTO;
}

/* All was there, and nothing else. */
static int
end_read(const struct reader *r)
{
	return r->bad || r->len > 0 ? -EBADMSG : 0;
}

size_t
keeper_report_write(const struct keeper_report *r, uint8_t p[static REPORT_MAX])
{
	struct writer w;

	head_write(&w, p, OF_KEEPER);
	text_write(&w, r->version, sizeof(r->version));
	writer_u8(&w, (uint8_t)r->phase);
	writer_u8(&w, r->asked);
	writer_be32(&w, r->keeper);
	writer_be32(&w, r->engine);
	writer_be64(&w, r->age);
	writer_be64(&w, r->engine_age);
	writer_be32(&w, r->restarts);
	writer_be64(&w, r->died);
	text_write(&w, r->death, sizeof(r->death));
	text_write(&w, r->device, sizeof(r->device));
	writer_be32(&w, r->mtu);
	writer_u8(&w, r->routed4);
	writer_u8(&w, r->routed6);
	writer_u8(&w, r->resolver);
	writer_u8(&w, r->exposed);
	writer_u8(&w, r->astray);
	writer_be32(&w, r->mends);
	writer_be64(&w, r->mended);
	writer_be32(&w, r->led_back);
	writer_be64(&w, r->led);
	writer_be32(&w, r->led_mark);
	text_write(&w, r->beside4, sizeof(r->beside4));
	text_write(&w, r->beside6, sizeof(r->beside6));
	text_write(&w, r->held4, sizeof(r->held4));
	text_write(&w, r->held6, sizeof(r->held6));
	assert(!w.bad);
	return w.len;
}

int
keeper_report_read(struct keeper_report *r, const void *p, size_t len)
{
	struct reader from;
	int err = head_read(&from, p, len, OF_KEEPER);

	memset(r, 0, sizeof(*r));
	if (err == -EBADMSG)
		return err;
	text_read(&from, r->version, sizeof(r->version));
	if (err < 0)
		return err;
	r->phase = choice_read(&from, REPORT_PHASES);
	r->asked = flag_read(&from);
	r->keeper = reader_be32(&from);
	r->engine = reader_be32(&from);
	r->age = reader_be64(&from);
	r->engine_age = reader_be64(&from);
	r->restarts = reader_be32(&from);
	r->died = reader_be64(&from);
	text_read(&from, r->death, sizeof(r->death));
	text_read(&from, r->device, sizeof(r->device));
	r->mtu = reader_be32(&from);
	r->routed4 = flag_read(&from);
	r->routed6 = flag_read(&from);
	r->resolver = flag_read(&from);
	r->exposed = flag_read(&from);
	r->astray = flag_read(&from);
	r->mends = reader_be32(&from);
	r->mended = reader_be64(&from);
	r->led_back = reader_be32(&from);
	r->led = reader_be64(&from);
	r->led_mark = reader_be32(&from);
	text_read(&from, r->beside4, sizeof(r->beside4));
	text_read(&from, r->beside6, sizeof(r->beside6));
	text_read(&from, r->held4, sizeof(r->held4));
	text_read(&from, r->held6, sizeof(r->held6));
	return end_read(&from);
}

static void
outbound_write(struct writer *w, const struct outbound_report *o)
{
	text_write(w, o->tag, sizeof(o->tag));
	text_write(w, o->kind, sizeof(o->kind));
	text_write(w, o->server, sizeof(o->server));
	writer_be64(w, o->flows);
	writer_be64(w, o->up);
	writer_be64(w, o->down);
	writer_be64(w, o->answered);
	writer_be64(w, o->failed);
	writer_be64(w, o->failures);
	text_write(w, o->why, sizeof(o->why));
	text_write(w, o->kept, sizeof(o->kept));
}

static void
outbound_read(struct reader *r, struct outbound_report *o)
{
	text_read(r, o->tag, sizeof(o->tag));
	text_read(r, o->kind, sizeof(o->kind));
	text_read(r, o->server, sizeof(o->server));
	o->flows = reader_be64(r);
	o->up = reader_be64(r);
	o->down = reader_be64(r);
	o->answered = reader_be64(r);
	o->failed = reader_be64(r);
	o->failures = reader_be64(r);
	text_read(r, o->why, sizeof(o->why));
	text_read(r, o->kept, sizeof(o->kept));
}

/* The longest of all fits: nothing that an outbound is called can make it silent. */
_Static_assert(sizeof(struct engine_report) < REPORT_MAX, "a report has to fit");

size_t
engine_report_write(const struct engine_report *r, uint8_t p[static REPORT_MAX])
{
	struct writer w;
	uint32_t i;

	head_write(&w, p, OF_ENGINE);
	for (i = 0; i < REPORT_COUNTERS; i++)
		writer_be64(&w, r->n[i]);
	writer_u8(&w, (uint8_t)r->offload);
	for (i = 0; i < 2; i++) {
		writer_u8(&w, (uint8_t)r->direct[i].way);
		text_write(&w, r->direct[i].why, sizeof(r->direct[i].why));
	}
	writer_be32(&w, r->outbounds);
	writer_u8(&w, (uint8_t)r->noutbound);
	for (i = 0; i < r->noutbound; i++)
		outbound_write(&w, &r->outbound[i]);
	assert(!w.bad);
	return w.len;
}

int
engine_report_read(struct engine_report *r, const void *p, size_t len)
{
	struct reader from;
	int err = head_read(&from, p, len, OF_ENGINE);
	uint32_t i;

	memset(r, 0, sizeof(*r));
	if (err < 0)
		return err;
	for (i = 0; i < REPORT_COUNTERS; i++)
		r->n[i] = reader_be64(&from);
	r->offload = choice_read(&from, (TUN_SUMS | TUN_TCP | TUN_UDP) + 1);
	for (i = 0; i < 2; i++) {
		r->direct[i].way = choice_read(&from, REPORT_WAYS);
		text_read(&from, r->direct[i].why, sizeof(r->direct[i].why));
	}
	r->outbounds = reader_be32(&from);
	r->noutbound = choice_read(&from, REPORT_OUTBOUNDS + 1);
	for (i = 0; i < r->noutbound; i++)
		outbound_read(&from, &r->outbound[i]);
	return end_read(&from);
}
