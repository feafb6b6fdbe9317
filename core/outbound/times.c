/* SPDX-License-Identifier: MIT */
#include "outbound/times.h"

#include "base/bytes.h"
#include "base/log.h"
#include "base/random.h"
#include "outbound/sntp.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	TRIES = 2,
	ANSWER_MS = 1000, /* for each try; also bounds what the way adds to the time */
	LOOKUP_MS = 5000, /* for the addresses of a name */
	AGAIN_MS =
		64000, /* no client may ask more often than every 15 s (RFC 4330, 10) */
	DATAGRAM_MAX = 512,
};

struct time_server {
	const struct time_server_spec *spec;
	bool kissed; /* it does not want to be asked again, ever */
	bool shut;   /* and that the rules keep us from it was said */
};

struct times {
	struct time_server server[TIMES_MAX];
	size_t nserver;
	struct outbound_env env; /* of it the loop, the names and the clock */
	struct time_gate *gate;  /* borrowed; NULL: nobody is asked */
	struct task task;
	struct timer timer;

	bool busy, asked;
	bool silent; /* none has answered the last time, and that was said */
	uint64_t asked_at;
	size_t at; /* the server whose turn it is */
	unsigned tries;
	struct lookup *lookup;  /* of its name; owned */
	struct packets *socket; /* owned; NULL: no question is under way */
	struct outbound *way;   /* held: of the socket */
	struct target to;
	struct err why; /* what the last server came to; "" where that was said */
	uint8_t cookie[SNTP_COOKIE];

	struct clock_reading reading, said;
	struct http_clock http;
};

/* How people know it. */
static const char *
name_of(const struct time_server *s, char text[static CLOCK_WHO])
{
	const struct target *at = &s->spec->at;
	char ip[IP_TEXT];

	if (at->name)
		snprintf(text, CLOCK_WHO, "%.80s", at->name);
	else
		snprintf(text, CLOCK_WHO, "%s", ip_format(&at->ip, ip));
	return text;
}

static void
hang_up(struct times *t)
{
	timer_stop(&t->timer);
	packets_free(t->socket);
	outbound_drop(t->way);
	lookup_free(t->lookup);
	t->socket = NULL;
	t->way = NULL;
	t->lookup = NULL;
}

/* Once a change. */
static void
say(struct times *t)
{
	const struct clock_reading *r = &t->reading;
	char text[CLOCK_WHO + 48];
	bool wrong = clock_is_wrong(r);

	if (t->said.told && clock_is_wrong(&t->said) == wrong &&
		(!wrong || llabs(t->said.ahead - r->ahead) <= CLOCK_NEAR_S))
		return;
	t->said = *r;
	if (wrong)
		log_warn("this clock is %s; VMess servers allow 2 min",
			clock_text(r, text, sizeof(text)));
	else
		log_info("this clock agrees with %s", r->who);
}

static void next_server(struct times *t);

/* This server is of no use; the next one's turn. */
static void
give_up(struct times *t)
{
	hang_up(t);
	t->at++;
	next_server(t);
}

static void
told(struct times *t, int64_t theirs)
{
	char who[CLOCK_WHO], name[CLOCK_WHO];

	snprintf(who, sizeof(who), "%.*s (SNTP)", CLOCK_WHO - 8,
		name_of(&t->server[t->at], name));
	clock_tell(&t->reading, t->env.unix_time() - theirs, who);
	hang_up(t);
	t->busy = t->silent = false;
	say(t);
}

static int
request_send(struct times *t)
{
	uint8_t request[SNTP_SIZE];

	random_bytes(t->cookie, sizeof(t->cookie));
	sntp_request_write(request, t->cookie);
	return packets_send(t->socket, &t->to, request, sizeof(request));
}

/* Each try has a cookie of its own: an answer to the first one that comes late would
 * make the way seem short. */
static void
try(struct times *t)
{
	int r = packets_open(t->socket);

	if (r == STREAM_OK && t->tries == 0) {
		t->tries++;
		timer_arm(&t->timer, ANSWER_MS);
		r = request_send(t);
	}
	if (r >= 0)
		return;
	err_set(&t->why, "%s", packets_reason(t->socket));
	give_up(t);
}

/* The question may go, through this outbound. */
static void
begin(struct times *t, struct outbound *o)
{
	t->tries = 0;
	t->way = outbound_hold(o);
	t->socket = outbound_bind(o, &t->to, &t->task);
	if (!t->socket) {
		err_set(&t->why, "no memory left");
		give_up(t);
		return;
	}
	timer_arm(&t->timer, LOOKUP_MS);
	try(t);
}

static void
look_up(struct times *t)
{
	if (t->env.names)
		t->lookup = names_lookup(
			t->env.names, t->to.name, LOOKUP_V4 | LOOKUP_V6, &t->task);
	if (!t->lookup) {
		err_set(&t->why, "its name cannot be looked up");
		give_up(t);
		return;
	}
	timer_arm(&t->timer, LOOKUP_MS);
}

/* The rules are asked, for as much of the target as is known. */
static void
enter(struct times *t)
{
	struct time_server *s = &t->server[t->at];
	struct outbound *o = NULL;

	switch (t->gate->ask(t->gate, &t->to, &o, &t->why)) {
	case TIME_GATE_OPEN:
		begin(t, o);
		return;
	case TIME_GATE_ADDRESSES:
		look_up(t);
		return;
	case TIME_GATE_SHUT:
		break;
	}
	if (!s->shut)
		log_warn("%s: is not asked for the time: %s", s->spec->path, t->why.text);
	s->shut = true;
	t->why.text[0] = '\0';
	give_up(t);
}

static void
next_server(struct times *t)
{
	while (t->at < t->nserver && t->server[t->at].kissed)
		t->at++;
	if (t->at < t->nserver) {
		t->to = t->server[t->at].spec->at;
		enter(t);
		return;
	}
	t->busy = false;
	if (!t->silent && t->why.text[0])
		log_warn("no time server (sluice.sntp) answers; the last one: %s",
			t->why.text);
	t->silent = true;
}

static void
looked_up(struct times *t)
{
	const struct ip *ip;
	int n = lookup_answer(t->lookup, &ip);

	if (n == -EAGAIN)
		return;
	if (n > 0) {
		t->to.ip = ip[0];
		lookup_free(t->lookup);
		t->lookup = NULL;
		timer_stop(&t->timer);
		enter(t);
		return;
	}
	err_set(&t->why, "%s", lookup_reason(t->lookup));
	give_up(t);
}

static void
heard(struct times *t, const uint8_t *p, size_t len)
{
	struct time_server *s = &t->server[t->at];
	struct sntp_answer a;

	switch (sntp_answer_read(&a, p, len, t->cookie)) {
	case SNTP_TIME:
		told(t, a.time);
		return;
	case SNTP_NOT_OURS:
		return;
	case SNTP_UNSETTLED:
		err_set(&t->why, "it does not know the time itself");
		break;
	case SNTP_KISS:
		s->kissed = true;
		err_set(&t->why, "it does not want to be asked (%s)", a.code);
		log_warn("%s: the time server does not want to be asked (%s)",
			s->spec->path, a.code);
		break;
	}
	give_up(t);
}

/* Everything that has come; what is not an answer to this question is passed over. */
static void
listen(struct times *t)
{
	uint8_t p[DATAGRAM_MAX];
	struct packets *socket = t->socket;
	struct endpoint from;
	size_t n = 0;
	int r = STREAM_OK;

	while (t->socket == socket && r == STREAM_OK) {
		r = packets_recv(t->socket, &from, p, sizeof(p), &n);
		if (r == STREAM_OK)
			heard(t, p, n);
	}
	if (t->socket != socket || r == STREAM_AGAIN)
		return;
	if (r < 0)
		err_set(&t->why, "%s", packets_reason(t->socket));
	else
		err_set(&t->why, "%s",
			r == PACKETS_REFUSED ? "nothing answers at its port"
					     : "there is no way to it");
	give_up(t);
}

static void
times_run(struct task *task)
{
	struct times *t = container_of(task, struct times, task);

	if (t->lookup)
		looked_up(t);
	else if (t->socket && t->tries == 0)
		try(t);
	else if (t->socket)
		listen(t);
}

static void
times_late(struct timer *timer)
{
	struct times *t = container_of(timer, struct times, timer);

	err_set(&t->why, "no answer in time");
	if (t->socket && t->tries > 0 && t->tries < TRIES) {
		t->tries++;
		timer_arm(&t->timer, ANSWER_MS);
		if (request_send(t) >= 0)
			return;
	}
	give_up(t);
}

struct times *
times_new(const struct outbound_env *env, const struct time_server_spec *server, size_t n)
{
	struct times *t = calloc(1, sizeof(*t));

	if (!t)
		return NULL;
	t->env = *env;
	for (; t->nserver < n && t->nserver < TIMES_MAX; t->nserver++)
		t->server[t->nserver].spec = &server[t->nserver];
	task_init(&t->task, times_run);
	timer_init(&t->timer, env->loop, times_late);
	http_clock_init(&t->http, env->loop);
	return t;
}

void
times_open(struct times *t, struct time_gate *gate)
{
	t->gate = gate;
}

void
times_shut(struct times *t)
{
	if (!t)
		return;
	hang_up(t);
	http_clock_fini(&t->http);
	t->gate = NULL;
	t->busy = false;
}

void
times_free(struct times *t)
{
	if (!t)
		return;
	times_shut(t);
	task_fini(&t->task);
	free(t);
}

void
times_ask(struct times *t)
{
	uint64_t now;

	if (!t || !t->gate || t->busy || t->nserver == 0)
		return;
	now = loop_now(t->env.loop);
	if (t->asked && now - t->asked_at < AGAIN_MS)
		return;
	t->asked = t->busy = true;
	t->asked_at = now;
	t->at = 0;
	next_server(t);
}

void
times_ask_http(struct times *t, const struct http_clock_server *s)
{
	if (t && t->gate)
		http_clock_ask(&t->http, s);
}

bool
times_busy(const struct times *t)
{
	return t && (t->busy || http_clock_busy(&t->http));
}

const struct clock_reading *
times_reading(const struct times *t)
{
	return t && t->reading.told ? &t->reading : NULL;
}
