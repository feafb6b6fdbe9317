/* SPDX-License-Identifier: MIT */
/* Why a VMess server is silent: a wrong id, or a wrong clock; and whose time it gets. */
#include "outbound/vmess.h"

#include "outbound/times.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum {
	/* One connection may end without an answer for its target's sake; not several in a
	 * row. */
	UNANSWERED_MIN = 2,
	MUTE_MS = 10000,
	ASK_AGAIN_MS = 60000,
};

/* A certificate was accepted that is not valid by this clock: pinned, or by
 * allowInsecure. */
static void
certificate_hear(struct vmess_server *s, const struct carrier_told *told, int64_t now)
{
	int64_t ahead = 0;

	if (told->not_after == 0)
		return;
	if (now < told->not_before)
		ahead = now - told->not_before;
	else if (now > told->not_after)
		ahead = now - told->not_after;
	clock_tell(&s->certificate, ahead, "the server's certificate, if that is right");
	s->certificate.bound = true;
	s->certificate.told = clock_is_wrong(&s->certificate);
}

void
vmess_clock_hear(struct vmess_server *s, const struct carrier_told *told, int64_t now)
{
	if (told->date)
		clock_tell(&s->clock.http, told->date_at - told->date, CLOCK_HTTP_WHO);
	certificate_hear(s, told, now);
}

/* What this connection has told so far; with early data it comes behind the header.  True:
 * the time. */
static bool
hear(const struct vmess_try *a)
{
	struct carrier_told told;

	vmess_reach_told(a->lower, &told);
	vmess_clock_hear(a->server, &told, a->v->o.env.unix_time());
	return told.date != 0;
}

int64_t
vmess_time(struct vmess_try *a)
{
	const struct outbound_env *env = &a->v->o.env;
	const struct clock_reading *sntp = times_reading(env->times);
	struct clock_choice *c = &a->server->clock;

	hear(a);
	a->time = env->clock_auto ? clock_choose(c, sntp) : CLOCK_OWN;
	return env->unix_time() + clock_shift(c, sntp, a->time);
}

static const struct clock_reading *
source_reading(const struct vmess_try *a)
{
	if (a->time == CLOCK_HTTP)
		return &a->server->clock.http;
	return a->time == CLOCK_SNTP ? times_reading(a->v->o.env.times) : NULL;
}

void
vmess_answered(const struct vmess_try *a)
{
	const struct clock_reading *r = source_reading(a);
	char text[CLOCK_WHO + 48], server[400];

	a->server->unanswered = 0;
	a->server->proven = true;
	timer_stop(&a->server->mute);
	a->server->said.told = false;
	if (clock_answered(&a->server->clock, a->time) && r)
		log_warn(
			"this clock is %s: headers for the VMess server (%s) have the right "
			"time instead, and it takes them (sluice.clock is \"auto\")",
			clock_text(r, text, sizeof(text)),
			vmess_server_text(a->v, a->server, server, sizeof(server)));
}

/* The server's own word counts more than others', and a bound less. */
const struct clock_reading *
vmess_clock_reading(const struct vmess *v, const struct vmess_server *s)
{
	const struct clock_reading *sntp = times_reading(v->o.env.times);

	if (s->clock.http.told)
		return &s->clock.http;
	if (sntp)
		return sntp;
	return s->certificate.told ? &s->certificate : NULL;
}

static const char *
now_text(const struct vmess *v, char text[static 24])
{
	time_t now = (time_t)v->o.env.unix_time();
	struct tm tm;

	if (!gmtime_r(&now, &tm) || !strftime(text, 24, "%Y-%m-%d %H:%M:%S", &tm))
		text[0] = '\0';
	return text;
}

static const char *
old_header_text(const struct vmess_server *s)
{
	return s->user[0].nalter
		? ", or the server refuses the old header, which an alterId "
		  "above 0 asks for (try 0)"
		: "";
}

/* An HTTPUpgrade server closes on whatever it must refuse: it cannot be asked. */
static const char *
no_date_text(const struct vmess_server *s)
{
	return s->carrier.kind == CARRIER_HTTPUPGRADE
		? "; the server's HTTP answer has no Date"
		: "";
}

static void
say_unknown(const struct vmess_try *a)
{
	struct vmess_server *s = a->server;
	char server[400], now[24];

	log_limited(&s->silent, loop_now(a->v->o.env.loop), LOG_WARNING,
		"the VMess server (%s) answers nothing: the last %u connections ended right "
		"after the header. The usual causes: a wrong id, or this clock (%s UTC) is "
		"more than 120 s off (sluice.sntp names time servers, which tell%s)%s",
		vmess_server_text(a->v, s, server, sizeof(server)), s->unanswered,
		now_text(a->v, now), no_date_text(s), old_header_text(s));
}

/* A header with another time than this clock's was sent, in vain. */
static bool
is_tried(const struct vmess_server *s)
{
	return s->clock.failed >> CLOCK_HTTP & 1 || s->clock.failed >> CLOCK_SNTP & 1;
}

/* What follows from a clock that is wrong. */
static const char *
remedy(const struct vmess_try *a, const struct clock_reading *r)
{
	if (r->bound)
		return ", and VMess allows 2 min: set it";
	if (!a->v->o.env.clock_auto)
		return ", and VMess allows 2 min: set it, or sluice.clock to \"auto\"";
	if (is_tried(a->server))
		return ", but a header with that time is not answered either: the id or the "
		       "server's own clock is wrong, too";
	return ": the next header will have that time (sluice.clock is \"auto\")";
}

/* Once a change: the same cause is not said again for each flow. */
static bool
is_news(const struct vmess_server *s, const struct clock_reading *r)
{
	return !s->said.told || clock_is_wrong(&s->said) != clock_is_wrong(r) ||
		llabs(s->said.ahead - r->ahead) > CLOCK_NEAR_S ||
		s->said_tried != is_tried(s);
}

static void
say_known(const struct vmess_try *a, const struct clock_reading *r)
{
	struct vmess_server *s = a->server;
	char server[400], text[CLOCK_WHO + 48];

	if (!is_news(s, r))
		return;
	s->said = *r;
	s->said_tried = is_tried(s);
	vmess_server_text(a->v, s, server, sizeof(server));
	if (clock_is_wrong(r))
		log_warn("the VMess server (%s) answers nothing. This clock is %s%s",
			server, clock_text(r, text, sizeof(text)), remedy(a, r));
	else
		log_warn(
			"the VMess server (%s) answers nothing: the last %u connections "
			"ended right after the header. This clock agrees with %s: the id or "
			"the server's own clock is wrong%s",
			server, s->unanswered, r->who, old_header_text(s));
}

/* One that did not tell with its upgrade does so when it refuses one. */
static void
ask_server(const struct vmess_try *a)
{
	struct vmess_server *s = a->server;
	const struct http_clock_server q = { .o = &a->v->o,
		.carrier = &s->carrier,
		.way = { .to = s->at,
			.name = s->name,
			.sock = &a->v->sock,
			.family = &s->family },
		.to = &s->clock.http };
	uint64_t now = loop_now(a->v->o.env.loop);

	if (s->carrier.kind != CARRIER_WEBSOCKET || (s->asked && now < s->ask_again))
		return;
	s->asked = true;
	s->ask_again = now + ASK_AGAIN_MS;
	times_ask_http(a->v->o.env.times, &q);
}

void
vmess_unanswered(const struct vmess_try *a)
{
	const struct outbound_env *env = &a->v->o.env;
	struct vmess_server *s = a->server;
	const struct clock_reading *r;

	s->unanswered++;
	if (!hear(a))
		ask_server(a);
	clock_unanswered(&s->clock, a->time);
	times_ask(env->times);
	r = vmess_clock_reading(a->v, s);
	if (!clock_is_wrong(r) && s->unanswered < UNANSWERED_MIN)
		return;
	if (r)
		say_known(a, r);
	else if (!times_busy(env->times))
		say_unknown(a);
}

/* A server that does not know an id may keep the connection open, for a minute and more. */
static void
mute_said(struct timer *t)
{
	struct vmess_server *s = container_of(t, struct vmess_server, mute);
	const struct vmess_try a = { .v = s->of, .server = s };
	struct outbound_tally *tally = &s->of->o.tally;
	const struct outbound_env *env = &s->of->o.env;
	char server[400], now[24];

	ask_server(&a);
	times_ask(env->times);
	tally->failures++;
	tally->failed = loop_now(env->loop);
	snprintf(tally->why, sizeof(tally->why),
		"the server has taken the request and says nothing, as to a wrong id, a wrong "
		"time or a wrong alterId");
	log_limited(&s->muteness, loop_now(env->loop), LOG_WARNING,
		"the VMess server (%s) has taken a request and said nothing for %u s, nor has "
		"it ever: the id or the alterId is wrong, or this clock (%s UTC) is more than "
		"120 s off, or what was asked for is silent itself",
		vmess_server_text(a.v, s, server, sizeof(server)), MUTE_MS / 1000,
		now_text(a.v, now));
}

void
vmess_mute_init(struct vmess *v, struct vmess_server *s)
{
	s->of = v;
	timer_init(&s->mute, v->o.env.loop, mute_said);
}

void
vmess_wait_begin(struct vmess_server *s)
{
	if (s->askers++ == 0 && !s->proven)
		timer_arm(&s->mute, MUTE_MS);
}

void
vmess_wait_end(struct vmess_server *s)
{
	if (--s->askers == 0)
		timer_stop(&s->mute);
}
