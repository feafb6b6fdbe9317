/* SPDX-License-Identifier: MIT */
#include "stage.h"

#include "names/message.h"
#include "unreal_time.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

enum { TURNS = 400 };

static void
owner_run(struct task *t)
{
	container_of(t, struct stage, owner)->ready++;
}

void
stage_names(struct stage *s, const struct names_config *c)
{
	s->names = names_new(s->loop, c);
	assert_non_null(s->names);
}

void
stage_open(struct stage *s, resolver_script *first, resolver_script *second)
{
	struct names_config c = { 0 };

	memset(s, 0, sizeof(*s));
	s->loop = loop_new();
	task_init(&s->owner, owner_run);
	unreal_time_serve = resolvers_serve;
	resolver_start(&s->a, 1, first);
	c.server[c.nserver++] = s->a.at;
	if (second) {
		resolver_start(&s->b, 2, second);
		c.server[c.nserver++] = s->b.at;
	}
	stage_names(s, &c);
}

void
stage_close(struct stage *s)
{
	names_free(s->names);
	task_fini(&s->owner);
	loop_turn(s->loop, 0);
	loop_free(s->loop);
	resolver_stop(&s->a);
	if (s->b.script)
		resolver_stop(&s->b);
}

int
until_answer(struct stage *s, struct lookup *k, const struct ip **ip)
{
	int i, r = -EAGAIN;

	for (i = 0; i < TURNS && r == -EAGAIN; i++) {
		r = lookup_answer(k, ip);
		if (r == -EAGAIN)
			loop_turn(s->loop, 60000);
	}
	assert_true(i < TURNS);
	return r;
}

const char *
resolve(struct stage *s, const char *name, unsigned families)
{
	struct lookup *k = names_lookup(s->names, name, families, &s->owner);
	static char text[1024];
	char one[IP_TEXT];
	const struct ip *ip;
	size_t len = 0;
	int i, n;

	assert_non_null(k);
	n = until_answer(s, k, &ip);
	if (n < 0)
		snprintf(text, sizeof(text), "%s",
			n == -ENOENT                ? "ENOENT"
				: n == -ETIMEDOUT   ? "ETIMEDOUT"
				: n == -ENETUNREACH ? "ENETUNREACH"
						    : "?");
	if (n < 0)
		assert_true(lookup_reason(k)[0]);
	for (i = 0; i < n; i++)
		len += (size_t)snprintf(text + len, sizeof(text) - len, "%s%s",
			i ? " " : "", ip_format(&ip[i], one));
	lookup_free(k);
	return text;
}

void
plain(struct resolver *r, const struct asked_for *q, struct writer *w)
{
	(void)r;
	answer_begin(w, q, 0, 2, 0);
	answer_address(w, q->type == DNS_A ? "192.0.2.1" : "2001:db8::1", 60);
	answer_address(w, q->type == DNS_A ? "192.0.2.2" : "2001:db8::2", 30);
}

void
other(struct resolver *r, const struct asked_for *q, struct writer *w)
{
	(void)r;
	answer_begin(w, q, 0, 1, 0);
	answer_address(w, q->type == DNS_A ? "198.51.100.9" : "2001:db8::9", 60);
}

void
silent(struct resolver *r, const struct asked_for *q, struct writer *w)
{
	(void)r;
	(void)q;
	(void)w;
}

void
servfail(struct resolver *r, const struct asked_for *q, struct writer *w)
{
	(void)r;
	answer_begin(w, q, DNS_SERVFAIL, 0, 0);
}

void
cut(struct resolver *r, const struct asked_for *q, struct writer *w)
{
	int i;

	if (!q->tcp) {
		answer_begin(w, q, 0x0200, 1, 0);
		writer_u8(w, 0xc0);
		return;
	}
	(void)r;
	answer_begin(w, q, 0, 200, 0);
	for (i = 0; i < 200; i++)
		answer_address(w, q->type == DNS_A ? "192.0.2.77" : "2001:db8::77", 60);
}

/* TCP is accepted and ends without an answer. */
void
cut_and_gone(struct resolver *r, const struct asked_for *q, struct writer *w)
{
	if (!q->tcp)
		cut(r, q, w);
}
