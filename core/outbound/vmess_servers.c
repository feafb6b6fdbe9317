/* SPDX-License-Identifier: MIT */
/* The servers of a VMess outbound and their users: which of them a connection takes. */
#include "outbound/vmess.h"

#include "base/bytes.h"
#include "base/text.h"
#include "outbound/vmess_kdf.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	COMPLAIN_EVERY_MS = 60000, /* what is wrong with a server is said so often */
	BACKOFF_MS = 10000,
	BACKOFF_MAX_MS = 300000,
	SHOWN_MAX = 80, /* of a foreign text in a sentence */
};

_Static_assert(VMESS_SERVERS_MAX <= 64, "a bit for each server");

const char *
vmess_server_text(
	const struct vmess *v, const struct vmess_server *s, char *text, size_t cap)
{
	const char *tag = v->o.tag;
	char at[ENDPOINT_TEXT];

	if (s->name)
		snprintf(text, cap, "%s%s%s:%u", tag, *tag ? ", " : "", s->name,
			s->at.port);
	else
		snprintf(text, cap, "%s%s%s", tag, *tag ? ", " : "",
			endpoint_format(&s->at, at));
	return text;
}

void
vmess_garbled(struct vmess *v, struct vmess_server *s)
{
	char server[400];

	log_limited(&s->garbage, loop_now(v->o.env.loop), LOG_WARNING,
		"the server (%s) answered something that is not VMess with this id. The usual "
		"causes: another service on that port, or a transport (TLS, WebSocket) that "
		"the server expects and this outbound does not have",
		vmess_server_text(v, s, server, sizeof(server)));
}

void
vmess_server_reached(struct vmess_server *s)
{
	s->failures = 0;
	s->resume = 0;
}

/* Of many connections that fail at once, one counts. */
void
vmess_server_failed(struct vmess *v, struct vmess_server *s, const char *why)
{
	uint64_t now = loop_now(v->o.env.loop), wait = BACKOFF_MS;
	char server[400];

	log_limited(&s->away, now, LOG_WARNING,
		"the VMess server (%s) cannot be reached%s: %s",
		vmess_server_text(v, s, server, sizeof(server)),
		v->nserver > 1 ? ", others are used" : "", why);
	if (now < s->resume)
		return;
	wait = s->failures < 5 ? wait << s->failures : BACKOFF_MAX_MS;
	s->failures++;
	s->resume = now + (wait < BACKOFF_MAX_MS ? wait : BACKOFF_MAX_MS);
}

bool
vmess_servers_pick(struct vmess *v, uint64_t tried, struct vmess_pick *p)
{
	uint64_t now = loop_now(v->o.env.loop);
	struct vmess_server *s, *best = NULL;
	size_t i, k;

	for (i = 0; i < v->nserver; i++) {
		k = (v->next + i) % v->nserver;
		s = &v->server[k];
		if (tried >> k & 1)
			continue;
		if (now >= s->resume) {
			best = s;
			break;
		}
		if (!best || s->resume < best->resume)
			best = s;
	}
	if (!best)
		return false;
	v->next = (size_t)(best - v->server + 1) % v->nserver;
	p->server = best;
	p->user = &best->user[rng_below(&v->rng, (uint32_t)best->nuser)];
	return true;
}

static void
user_init(struct vmess_user *u, const struct vmess_user_spec *spec)
{
	const uint8_t *before = spec->id;

	vmess_keys_init(&u->keys, spec->id);
	u->security = spec->security;
	u->sealed_lengths = spec->authenticated_length;
	u->no_end_mark = spec->no_termination_signal;
	while (u->nalter < VMESS_ALTER_MAX && u->nalter < spec->alter_ids) {
		vmess_alter_id(u->alter[u->nalter], before);
		before = u->alter[u->nalter++];
	}
}

/* A foreign text for a sentence, cut to fit. */
static const char *
shown(char out[static SHOWN_MAX], const char *text)
{
	snprintf(out, SHOWN_MAX, "%s", text);
	text_clean(out);
	return out;
}

/*
 * What the configuration has warned of: a name that is none.  Such a server stands in its
 * place, and everybody who would be connected to it hears why not.
 */
static char *
dead_sentence(const char *what, const char *name, const char *can)
{
	char text[SHOWN_MAX], line[256];

	snprintf(line, sizeof(line), "%s%s is not an address, and no name that %s", what,
		shown(text, name), can);
	return strdup(line);
}

static bool
tls_name_is_none(const struct carrier_spec *c)
{
	char name[NAME_MAX_LEN + 1];
	const char *s = c->tls.name;
	struct ip ip;

	return c->secured && s && *s && !ip_parse(&ip, s) &&
		!name_normal(name, sizeof(name), s, strlen(s));
}

/* The server's address or name. 0, or -1 and why. */
static int
address_set(struct vmess_server *s, const struct vmess_server_spec *spec, struct err *e)
{
	char text[SHOWN_MAX], name[NAME_MAX_LEN + 1];
	const char *a = spec->address;

	if (!a || !*a)
		return err_set(e, "settings.address: the VMess server has no address");
	if (spec->port == 0)
		return err_set(e, "settings.port: 0 is not a port (1-65535)");
	s->at.port = spec->port;
	if (ip_parse(&s->at.ip, a))
		return 0;
	s->name = strdup(
		host_normal(name, sizeof(name), a, strlen(a)) ? name : shown(text, a));
	return s->name ? 0 : err_set(e, "no memory left");
}

/* Whether there can be a connection to it. 0, or -1 without memory. */
static int
dead_set(struct vmess_server *s, const char *address, const struct carrier_spec *c,
	struct err *e)
{
	char name[NAME_MAX_LEN + 1];

	if (s->name && !host_normal(name, sizeof(name), address, strlen(address)))
		s->dead = dead_sentence("", address, "can be found");
	else if (tls_name_is_none(c))
		s->dead = dead_sentence(
			"serverName ", c->tls.name, "a certificate can have");
	else
		return 0;
	return s->dead ? 0 : err_set(e, "no memory left");
}

static int
server_carrier_init(struct vmess *v, struct vmess_server *s,
	const struct carrier_spec *spec, struct err *e)
{
	const struct carrier_place at = { s->name, &s->at.ip,
		s > v->server && !v->server->dead ? &v->server->carrier : NULL };

	if (s->dead)
		return 0;
	return carrier_init(&s->carrier, spec, &at, &v->o.env, e);
}

static int
server_init(struct vmess_server *s, const struct vmess_server_spec *spec,
	const struct carrier_spec *c, struct err *e)
{
	if (spec->nuser == 0 || spec->nuser > VMESS_USERS_MAX)
		return err_set(e, "settings: %zu users of one VMess server (1-%d)",
			spec->nuser, VMESS_USERS_MAX);
	if (address_set(s, spec, e) < 0 || dead_set(s, spec->address, c, e) < 0)
		return -1;
	s->away.every = s->silent.every = s->garbage.every = s->muteness.every =
		COMPLAIN_EVERY_MS;
	s->user = calloc(spec->nuser, sizeof(*s->user));
	if (!s->user)
		return err_set(e, "no memory left");
	for (; s->nuser < spec->nuser; s->nuser++)
		user_init(&s->user[s->nuser], &spec->user[s->nuser]);
	return 0;
}

int
vmess_servers_init(struct vmess *v, const struct vmess_spec *spec, struct err *e)
{
	struct vmess_server *s;
	int r = 0;

	if (spec->nserver == 0 || spec->nserver > VMESS_SERVERS_MAX)
		return err_set(e, "settings: %zu VMess servers (1-%d)", spec->nserver,
			VMESS_SERVERS_MAX);
	v->server = calloc(spec->nserver, sizeof(*v->server));
	if (!v->server)
		return err_set(e, "no memory left");
	while (v->nserver < spec->nserver && r == 0) {
		s = &v->server[v->nserver];
		vmess_mute_init(v, s);
		r = server_init(s, &spec->server[v->nserver], &spec->carrier, e);
		v->nserver++;
		if (r == 0)
			r = server_carrier_init(v, s, &spec->carrier, e);
	}
	return r;
}

void
vmess_servers_fini(struct vmess *v)
{
	struct vmess_server *s = v->server;
	size_t i;

	for (i = 0; i < v->nserver; i++, s++) {
		if (s->user)
			bytes_wipe(s->user, s->nuser * sizeof(*s->user));
		if (s->of)
			timer_stop(&s->mute);
		carrier_fini(&s->carrier);
		free(s->user);
		free(s->name);
		free(s->dead);
	}
	free(v->server);
}
