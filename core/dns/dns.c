/* SPDX-License-Identifier: MIT */
#include "dns/dns.h"

#include "base/bytes.h"
#include "base/list.h"
#include "base/log.h"
#include "base/table.h"
#include "dns/questions.h"
#include "dns/seen.h"
#include "names/hosts.h"
#include "names/message.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum {
	PORT = 53,
	REPEAT = 10000,   /* ms in which the same question again is a repetition */
	ASKED_MAX = 1024, /* questions that wait for an answer; the oldest is forgotten */
	SILENT_MAX = 4,   /* queries without any answer, and ... */
	SILENT_MS = 3000, /* ... for how long, before new ones go to the next server */
	HOST_TTL = 60,    /* of our own answers, since a reload may change them */
	REPLY_MAX = 512,  /* what every application takes over UDP (RFC 1035 4.2.1) */
	HEADER = 12,
	CLASS_IN = 1,
};

/* A question that went on, and has not been answered so far. */
struct asked {
	struct table_node node; /* in the table while `used` */
	struct list age;
	bool used;
	uint64_t at;
	struct ip source;
	uint64_t key; /* id, type and name, hashed */
	int server;
};

struct dns {
	struct loop *loop;
	struct hosts *hosts;
	struct seen *seen; /* NULL: switched off */
	struct questions *questions;
	struct table table;
	struct list ages; /* of all places, the oldest or unused first */
	struct endpoint server[NAMES_SERVERS];
	bool local[NAMES_SERVERS];
	int nserver;
	int current;           /* the one that answers */
	int silent;            /* queries to it since it was last heard of */
	uint64_t silent_since; /* the first of them */
	struct ip ours[2];
	struct asked asked[ASKED_MAX];
};

/* An alias that ends outside of the hosts would have to be asked for under another name
 * than the application's, which passing a query on cannot do. */
static void
complain_aliases(const struct dns_config *c, struct hosts *h)
{
	const char *name;
	struct ip ip;
	size_t i;
	int r;

	for (i = 0; i < c->nhost; i++) {
		name = c->host[i].name;
		if (!c->host[i].alias)
			continue;
		r = hosts_find(h, 0, &name, LOOKUP_V4 | LOOKUP_V6, &ip, 1);
		if (r == 0)
			log_warn("hosts: %s stands for %s, which is not among the hosts: "
				 "applications that ask for it get the resolver's answer",
				c->host[i].name, name);
		else if (r == -ELOOP)
			log_warn("hosts: %s: its aliases do not end", c->host[i].name);
	}
}

struct dns *
dns_new(struct loop *l, const struct dns_config *c)
{
	struct dns *d = calloc(1, sizeof(*d));
	int i;

	if (!d)
		return NULL;
	list_init(&d->ages);
	for (i = 0; i < ASKED_MAX; i++)
		list_append(&d->ages, &d->asked[i].age);
	d->loop = l;
	d->hosts = hosts_new(c->host, c->nhost, NULL);
	d->seen = c->seen_off ? NULL : seen_new(c->seen_max);
	d->questions = questions_new();
	if (!d->hosts || (!c->seen_off && !d->seen) || !d->questions ||
		table_init(&d->table, ASKED_MAX) < 0) {
		dns_free(d);
		return NULL;
	}
	d->nserver = c->nserver < NAMES_SERVERS ? c->nserver : NAMES_SERVERS;
	memcpy(d->server, c->server, sizeof(d->server));
	memcpy(d->local, c->local, sizeof(d->local));
	memcpy(d->ours, c->ours, sizeof(d->ours));
	complain_aliases(c, d->hosts);
	return d;
}

void
dns_free(struct dns *d)
{
	if (!d)
		return;
	hosts_free(d->hosts);
	seen_free(d->seen);
	questions_free(d->questions);
	if (d->table.bucket)
		table_fini(&d->table);
	free(d);
}

bool
dns_is_ours(const struct dns *d, const struct endpoint *to)
{
	int i;

	for (i = 0; i < 2; i++)
		if (d->ours[i].family && ip_equal(&d->ours[i], &to->ip))
			return to->port == PORT;
	return false;
}

bool
dns_is_local(const struct dns *d, const struct endpoint *server)
{
	int i;

	for (i = 0; i < d->nserver; i++)
		if (endpoint_equal(&d->server[i], server))
			return d->local[i];
	return false;
}

/* Questions under way. */

static uint64_t
question_key(const struct dns *d, const struct dns_message *m)
{
	uint8_t key[4 + DNS_NAME_TEXT];
	size_t len = strlen(m->question.name);

	be16_put(key, m->id);
	be16_put(key + 2, m->question.type);
	memcpy(key + 4, m->question.name, len);
	return table_hash(&d->table, key, 4 + len);
}

struct asker {
	uint64_t key;
	const struct ip *source; /* NULL: whoever it is */
};

/* The port does not count: some resolvers of applications repeat from another one. */
static bool
asked_same(const struct table_node *n, const void *key)
{
	const struct asked *a = container_of(n, const struct asked, node);
	const struct asker *who = key;

	return a->key == who->key && (!who->source || ip_equal(who->source, &a->source));
}

static struct asked *
asked_find(const struct dns *d, const struct asker *who)
{
	struct table_node *n = table_find(&d->table, who->key, asked_same, who);

	return n ? container_of(n, struct asked, node) : NULL;
}

/* An unused place goes to the front, where the next question takes it. */
static void
asked_forget(struct dns *d, struct asked *a)
{
	if (!a->used)
		return;
	a->used = false;
	table_remove(&d->table, &a->node);
	list_remove(&a->age);
	list_append(d->ages.next, &a->age);
}

static struct asked *
asked_new(struct dns *d, const struct asker *who)
{
	struct asked *a = container_of(d->ages.next, struct asked, age);

	asked_forget(d, a);
	a->used = true;
	a->key = who->key;
	a->source = *who->source;
	a->server = d->current;
	table_insert(&d->table, &a->node, who->key);
	return a;
}

/* Applications that never repeat with the same id would stay with a dead server. */
static void
leave_silent_server(struct dns *d, uint64_t now)
{
	if (d->silent >= SILENT_MAX && now - d->silent_since >= SILENT_MS) {
		d->current = (d->current + 1) % d->nserver;
		d->silent = 0;
	}
	if (d->silent++ == 0)
		d->silent_since = now;
}

/* Which server is next for this question. */
static int
server_for(struct dns *d, const struct endpoint *source, const struct dns_message *m)
{
	struct asker who = { question_key(d, m), &source->ip };
	struct asked *a = asked_find(d, &who);
	uint64_t now = loop_now(d->loop);

	leave_silent_server(d, now);
	if (a && now - a->at < REPEAT) {
		a->server = (a->server + 1) % d->nserver;
	} else {
		if (a)
			asked_forget(d, a);
		a = asked_new(d, &who);
	}
	a->at = now;
	list_remove(&a->age);
	list_append(&d->ages, &a->age);
	return a->server;
}

/* Answers of our own. */

/* The question is written back with the upper and lower case that it had, since some
 * resolvers of applications check that. */
static int
reply_write(const struct dns_message *m, int rcode, const struct ip *ip, int n,
	const uint8_t *p, size_t len, uint8_t *reply, size_t cap)
{
	size_t asked = dns_question_len(p, len);
	int r;

	if (cap > REPLY_MAX)
		cap = REPLY_MAX;
	r = dns_write_answer(reply, cap, m, rcode, ip, (size_t)n, HOST_TTL);
	if (r > 0 && asked > 0 && m->question.type && (size_t)r >= HEADER + asked)
		memcpy(reply + HEADER, p + HEADER, asked);
	return r;
}

/* 0.0.0.0 and :: are how filters say no; many names have them. */
static bool
is_destination(const struct ip *ip)
{
	return !ip_is_unspecified(ip) && !ip_is_loopback(ip) && !ip_is_multicast(ip);
}

static void
note_address(struct dns *d, const struct dns_message *m, struct ip address, uint32_t ttl)
{
	struct ip ip = ip_unmapped(address);

	if (d->seen && is_destination(&ip))
		seen_note(d->seen, loop_now(d->loop), &ip, m->question.name, ttl);
}

/* 0: our hosts know nothing of it. */
static int
reply_hosts(struct dns *d, const struct dns_message *m, const uint8_t *p, size_t len,
	uint8_t *reply, size_t cap)
{
	unsigned families = m->question.type == DNS_A ? LOOKUP_V4
		: m->question.type == DNS_AAAA        ? LOOKUP_V6
						      : 0;
	const char *name = m->question.name;
	struct ip ip[NAMES_ADDRS];
	int i, n;

	if (m->question.class != CLASS_IN)
		return 0;
	n = hosts_find(d->hosts, loop_now(d->loop), &name, families, ip, NAMES_ADDRS);
	if (n == -ELOOP)
		return reply_write(m, DNS_SERVFAIL, NULL, 0, p, len, reply, cap);
	if (n == -ENOENT)
		n = 0;
	else if (n == 0)
		return 0;
	for (i = 0; i < n; i++)
		note_address(d, m, ip[i], HOST_TTL);
	return reply_write(m, DNS_NOERROR, ip, n, p, len, reply, cap);
}

/* What cannot be read is answered with FORMERR, but only if its header says that it is a
 * query: an answer to an answer could go on for ever. */
static int
reply_unreadable(const struct dns_message *m, size_t len, uint8_t *reply, size_t cap)
{
	struct dns_message q = { .id = m->id,
		.opcode = m->opcode,
		.recursion_desired = m->recursion_desired };

	if (len < HEADER || m->response)
		return -EBADMSG;
	return dns_write_answer(reply, cap, &q, DNS_FORMERR, NULL, 0, 0);
}

int
dns_query(struct dns *d, const struct endpoint *source, const uint8_t *p, size_t len,
	uint8_t *reply, size_t cap, struct endpoint *server)
{
	struct dns_message m;
	int r;

	if (dns_read(&m, p, len) < 0)
		return reply_unreadable(&m, len, reply, cap);
	if (m.response)
		return -EBADMSG;
	if (m.opcode != 0)
		return reply_write(&m, DNS_NOTIMP, NULL, 0, p, len, reply, cap);
	r = reply_hosts(d, &m, p, len, reply, cap);
	if (r != 0)
		return r;
	if (d->nserver == 0)
		return -ENETUNREACH;
	*server = d->server[server_for(d, source, &m)];
	return 0;
}

int
dns_stream_server(struct dns *d, struct endpoint *server)
{
	if (d->nserver == 0)
		return -ENETUNREACH;
	*server = d->server[d->current];
	return 0;
}

/* Whoever waited for this: the server that answered is asked first from now on. */
static void
note_answered(struct dns *d, const struct dns_message *m)
{
	struct asker who = { question_key(d, m), NULL };
	struct asked *a = asked_find(d, &who);

	if (!a)
		return;
	d->current = a->server;
	d->silent = 0;
	asked_forget(d, a);
}

void
dns_asked(struct dns *d, const struct endpoint *who, const struct endpoint *server,
	const uint8_t *p, size_t len)
{
	struct dns_message m;

	if (dns_read(&m, p, len) == 0 && !m.response && m.opcode == 0)
		questions_asked(d->questions, loop_now(d->loop), who, server, &m);
}

void
dns_note(struct dns *d, const struct endpoint *who, const struct endpoint *server,
	const uint8_t *p, size_t len)
{
	struct dns_message m;
	int i;

	if (dns_read(&m, p, len) < 0 || !m.response || m.opcode != 0 ||
		!questions_has(d->questions, loop_now(d->loop), who, server, &m))
		return;
	/* A server that cannot help has not answered: the repetition shall go on. */
	if (m.rcode != DNS_NOERROR && m.rcode != DNS_NXDOMAIN)
		return;
	note_answered(d, &m);
	questions_end(d->questions, who, server, &m);
	if (m.rcode != DNS_NOERROR || !m.question.name[0] || m.question.class != CLASS_IN)
		return;
	for (i = 0; i < m.nanswer; i++)
		note_address(d, &m, m.answer[i].ip, m.answer[i].ttl);
}

const char *
dns_name_of(struct dns *d, const struct ip *ip)
{
	struct ip plain = ip_unmapped(*ip);

	return d->seen ? seen_find(d->seen, loop_now(d->loop), &plain) : NULL;
}
