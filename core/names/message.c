/* SPDX-License-Identifier: MIT */
#include "names/message.h"

#include "names/wire.h"

#include <errno.h>
#include <string.h>

enum {
	HEADER = 12,
	CHAIN_MAX = 16,    /* CNAMEs from the question to its addresses */
	RECORDS_MAX = 128, /* of a section that are looked at; the others are left out */
	CLASS_IN = 1,
	TTL_MAX = 0x7fffffff,
	SOA_NUMBERS = 20, /* bytes of a SOA's five numbers */
};

enum { FLAG_QR = 0x8000, FLAG_TC = 0x0200, FLAG_RD = 0x0100, FLAG_RA = 0x0080 };

struct record {
	struct wire owner;
	uint16_t type, class;
	uint32_t ttl;
	size_t at, len; /* of its data, from the start of the message */
};

struct header {
	uint16_t id, flags, questions, answers, authorities;
};

static bool
record_read(struct record *k, const struct reader *all, struct reader *r)
{
	if (!wire_read(&k->owner, all, r))
		return false;
	k->type = reader_be16(r);
	k->class = reader_be16(r);
	k->ttl = reader_be32(r);
	k->len = reader_be16(r);
	k->at = all->len - r->len;
	reader_skip(r, k->len);
	if (k->ttl > TTL_MAX) /* RFC 2181 8 */
		k->ttl = 0;
	return !r->bad;
}

/* Where the CNAME of `owner` leads among these records. */
static bool
chain_step(struct wire *owner, uint32_t *ttl, const struct reader *all,
	struct reader section, unsigned n)
{
	struct record k;
	struct reader r;

	while (n-- > 0 && record_read(&k, all, &section)) {
		if (k.type != DNS_CNAME || k.class != CLASS_IN ||
			!wire_same(&k.owner, owner))
			continue;
		r = wire_at(all, k.at);
		if (!wire_read(owner, all, &r))
			return false;
		if (k.ttl < *ttl)
			*ttl = k.ttl;
		return true;
	}
	return false;
}

static void
answer_add(struct dns_message *m, const struct record *k, const struct reader *all,
	uint32_t ttl)
{
	size_t size = k->type == DNS_A ? 4 : 16;
	struct reader r = wire_at(all, k->at);
	struct dns_answer *a = &m->answer[m->nanswer];
	const uint8_t *p;

	if (m->nanswer >= DNS_ANSWERS || k->len != size)
		return;
	p = reader_bytes(&r, size);
	if (!p)
		return;
	a->ip = ip_make(size == 4 ? 4 : 6, p);
	a->ttl = k->ttl < ttl ? k->ttl : ttl;
	m->nanswer++;
}

/* The addresses in the answer section `s`; its records may come in any order. */
static void
answers_collect(struct dns_message *m, const struct wire *asked, const struct reader *all,
	struct reader s, unsigned n)
{
	struct wire owner = *asked;
	uint32_t ttl = TTL_MAX;
	struct record k;
	int steps;

	if (m->question.type != DNS_A && m->question.type != DNS_AAAA)
		return;
	for (steps = 0; steps < CHAIN_MAX; steps++)
		if (!chain_step(&owner, &ttl, all, s, n))
			break;
	if (steps == CHAIN_MAX)
		return;
	while (n-- > 0 && record_read(&k, all, &s))
		if (k.type == m->question.type && k.class == CLASS_IN &&
			wire_same(&k.owner, &owner))
			answer_add(m, &k, all, ttl);
}

/* RFC 2308 5: the smaller of the SOA's own TTL and its last number. */
static void
negative_collect(struct dns_message *m, const struct record *k, const struct reader *all)
{
	struct reader r = wire_at(all, k->at);
	uint32_t minimum;

	if (k->type != DNS_SOA || k->class != CLASS_IN || k->len < SOA_NUMBERS + 2)
		return;
	reader_skip(&r, k->len - 4);
	minimum = reader_be32(&r);
	if (!r.bad)
		m->negative_ttl = k->ttl < minimum ? k->ttl : minimum;
}

static int
sections_read(struct dns_message *m, const struct header *h, const struct wire *asked,
	const struct reader *all, struct reader *r)
{
	unsigned n = h->answers < RECORDS_MAX ? h->answers : RECORDS_MAX;
	struct reader answers = *r;
	struct record k;
	unsigned i;

	for (i = 0; i < n; i++)
		if (!record_read(&k, all, r))
			break;
	/* An answer that was cut may end anywhere; it is asked for again over TCP. */
	if (i < n && !m->truncated)
		return -EBADMSG;
	answers_collect(m, asked, all, answers, i);
	if (i < h->answers || m->nanswer > 0)
		return 0;
	for (i = 0; i < h->authorities && i < RECORDS_MAX; i++) {
		if (!record_read(&k, all, r))
			return m->truncated ? 0 : -EBADMSG;
		negative_collect(m, &k, all);
	}
	return 0;
}

static bool
header_read(struct header *h, struct reader *r)
{
	h->id = reader_be16(r);
	h->flags = reader_be16(r);
	h->questions = reader_be16(r);
	h->answers = reader_be16(r);
	h->authorities = reader_be16(r);
	reader_skip(r, 2);
	return !r->bad;
}

int
dns_read(struct dns_message *m, const void *p, size_t len)
{
	struct reader all, r;
	struct header h;
	struct wire asked;

	memset(m, 0, sizeof(*m));
	reader_init(&all, p, len);
	r = all;
	if (!header_read(&h, &r))
		return -EBADMSG;
	m->id = h.id;
	m->response = h.flags & FLAG_QR;
	m->opcode = h.flags >> 11 & 15;
	m->truncated = h.flags & FLAG_TC;
	m->recursion_desired = h.flags & FLAG_RD;
	m->rcode = h.flags & 15;
	if (h.questions != 1 || !wire_read(&asked, &all, &r) ||
		!wire_text(m->question.name, &asked))
		return -EBADMSG;
	m->question.type = reader_be16(&r);
	m->question.class = reader_be16(&r);
	if (r.bad)
		return -EBADMSG;
	return m->response ? sections_read(m, &h, &asked, &all, &r) : 0;
}

size_t
dns_question_len(const void *p, size_t len)
{
	struct reader all, r;
	struct header h;
	struct wire asked;

	reader_init(&all, p, len);
	r = all;
	if (!header_read(&h, &r) || h.questions != 1 || !wire_read(&asked, &all, &r))
		return 0;
	reader_skip(&r, 4);
	return r.bad ? 0 : all.len - r.len - HEADER;
}

bool
dns_question_same(const void *a, size_t alen, const void *b, size_t blen)
{
	size_t n = dns_question_len(a, alen);

	return n > 0 && n == dns_question_len(b, blen) &&
		memcmp((const uint8_t *)a + HEADER, (const uint8_t *)b + HEADER, n) == 0;
}

static void
header_write(struct writer *w, const uint16_t words[static 6])
{
	int i;

	for (i = 0; i < 6; i++)
		writer_be16(w, words[i]);
}

int
dns_write_query(void *p, size_t cap, uint16_t id, const char *name, uint16_t type)
{
	uint16_t words[6] = { id, FLAG_RD, 1, 0, 0, 1 };
	struct writer w;
	struct wire asked;

	if (!wire_from_text(&asked, name))
		return -EINVAL;
	writer_init(&w, p, cap);
	header_write(&w, words);
	writer_bytes(&w, asked.b, asked.len);
	writer_be16(&w, type);
	writer_be16(&w, CLASS_IN);
	writer_u8(&w, 0); /* EDNS (RFC 6891 6.1.2): the root, OPT, our size, no flags */
	writer_be16(&w, DNS_OPT);
	writer_be16(&w, DNS_UDP_MAX);
	writer_be32(&w, 0);
	writer_be16(&w, 0);
	return w.bad ? -EMSGSIZE : (int)w.len;
}

/* How many of the addresses have the type that was asked for and fit into `room`. */
static uint16_t
answers_fit(uint16_t type, const struct ip *ip, size_t n, size_t room)
{
	uint8_t family = type == DNS_A ? 4 : type == DNS_AAAA ? 6 : 0;
	size_t size = 12 + (family == 4 ? 4 : 16);
	uint16_t fit = 0;
	size_t i;

	for (i = 0; i < n; i++)
		if (family && ip[i].family == family && (fit + 1u) * size <= room &&
			fit < DNS_ANSWERS)
			fit++;
	return fit;
}

static void
answers_write(
	struct writer *w, uint16_t type, const struct ip *ip, uint16_t n, uint32_t ttl)
{
	uint16_t size = type == DNS_A ? 4 : 16;

	for (; n > 0; ip++) {
		if (ip->family != (size == 4 ? 4 : 6))
			continue;
		writer_be16(w, 0xc000 | HEADER); /* the name of the question */
		writer_be16(w, type);
		writer_be16(w, CLASS_IN);
		writer_be32(w, ttl);
		writer_be16(w, size);
		writer_bytes(w, ip->b, size);
		n--;
	}
}

int
dns_write_answer(void *p, size_t cap, const struct dns_message *q, int rcode,
	const struct ip *ip, size_t n, uint32_t ttl)
{
	bool asked = q->question.type != 0;
	size_t before = HEADER;
	uint16_t words[6] = { q->id };
	struct writer w;
	struct wire name;

	if (asked && !wire_from_text(&name, q->question.name))
		return -EINVAL;
	if (asked)
		before += name.len + 4;
	if (cap < before)
		return -EMSGSIZE;
	words[1] = (uint16_t)(FLAG_QR | (q->opcode & 15) << 11 | FLAG_RA | (rcode & 15));
	if (q->recursion_desired)
		words[1] |= FLAG_RD;
	words[2] = asked;
	words[3] = rcode == DNS_NOERROR && asked
		? answers_fit(q->question.type, ip, n, cap - before)
		: 0;
	writer_init(&w, p, cap);
	header_write(&w, words);
	if (asked) {
		writer_bytes(&w, name.b, name.len);
		writer_be16(&w, q->question.type);
		writer_be16(&w, q->question.class);
	}
	answers_write(&w, q->question.type, ip, words[3], ttl);
	return w.bad ? -EMSGSIZE : (int)w.len;
}
