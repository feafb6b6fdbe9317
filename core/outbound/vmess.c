/* SPDX-License-Identifier: MIT */
#include "outbound/vmess.h"

#include "base/bytes.h"
#include "base/text.h"
#include "outbound/outbound_kinds.h"
#include "outbound/transport.h"
#include "outbound/vmess_kdf.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* What is wrong with a server is said at most this often. */
enum { COMPLAIN_EVERY_MS = 60000 };
/* One connection may end without an answer for its target's sake; not several in a row. */
enum { UNANSWERED_MIN = 2 };

static struct vmess *
vmess_of(struct outbound *o)
{
	return container_of(o, struct vmess, o);
}

void
vmess_answered(struct vmess *v)
{
	v->unanswered = 0;
}

/* How people know this outbound: its tag, and where its server is. */
static const char *
known_as(const struct vmess *v, char *text, size_t cap)
{
	char at[ENDPOINT_TEXT];

	if (v->name)
		snprintf(text, cap, "%s%s%s:%u", v->o.tag, *v->o.tag ? ", " : "", v->name,
			v->server.port);
	else
		snprintf(text, cap, "%s%s%s", v->o.tag, *v->o.tag ? ", " : "",
			endpoint_format(&v->server, at));
	return text;
}

static const char *
clock_text(const struct vmess *v, char text[static 24])
{
	time_t now = (time_t)v->o.env.unix_time();
	struct tm tm;

	if (!gmtime_r(&now, &tm) || !strftime(text, 24, "%Y-%m-%d %H:%M:%S", &tm))
		text[0] = '\0';
	return text;
}

void
vmess_unanswered(struct vmess *v)
{
	char server[400], now[24];

	v->unanswered++;
	if (v->unanswered < UNANSWERED_MIN)
		return;
	log_limited(&v->silent, loop_now(v->o.env.loop), LOG_WARNING,
		"the VMess server (%s) answers nothing: the last %u connections ended right "
		"after the header. The usual causes: a wrong id, or this clock (%s UTC) is "
		"more than 120 s off",
		known_as(v, server, sizeof(server)), v->unanswered, clock_text(v, now));
}

void
vmess_garbled(struct vmess *v)
{
	char server[400];

	log_limited(&v->garbage, loop_now(v->o.env.loop), LOG_WARNING,
		"the server (%s) answered something that is not VMess with this id. The usual "
		"causes: another service on that port, or a transport (TLS, WebSocket) that "
		"the server expects and this outbound does not have",
		known_as(v, server, sizeof(server)));
}

static struct stream *
transport(struct vmess *v, struct task *owner)
{
	struct way way = { .to = v->server, .name = v->name, .sock = &v->sock };

	return transport_new(&v->o, &way, owner);
}

static struct stream *
vmess_dial(struct outbound *o, const struct target *to, struct task *owner)
{
	struct stream *lower = transport(vmess_of(o), owner);

	return lower ? vmess_stream_new(vmess_of(o), lower, to, owner) : NULL;
}

static struct packets *
vmess_bind(struct outbound *o, const struct target *to, struct task *owner)
{
	struct stream *lower = transport(vmess_of(o), owner);

	return lower ? vmess_packets_new(vmess_of(o), lower, to, owner) : NULL;
}

static void
vmess_free(struct outbound *o)
{
	struct vmess *v = vmess_of(o);

	rng_fini(&v->rng);
	bytes_wipe(v->command_key, sizeof(v->command_key));
	free(v->name);
	free(v);
}

static const struct outbound_ops vmess_ops = {
	.kind = "vmess",
	.per_target = true,
	.dial = vmess_dial,
	.bind = vmess_bind,
	.free = vmess_free,
};

/* The server's address or name. 0, or -1 and why. */
static int
server_set(struct vmess *v, const struct vmess_spec *spec, struct err *e)
{
	char name[NAME_MAX_LEN + 2];

	if (!spec->address || !*spec->address)
		return err_set(e, "settings.address: the VMess server has no address");
	if (spec->port == 0)
		return err_set(e, "settings.port: 0 is not a port (1-65535)");
	v->server.port = spec->port;
	if (ip_parse(&v->server.ip, spec->address))
		return 0;
	if (!name_normal(name, sizeof(name), spec->address, strlen(spec->address)))
		return err_set(e, "settings.address: neither an address nor a name");
	v->name = strdup(name);
	return v->name ? 0 : err_set(e, "no memory left");
}

struct outbound *
vmess_new(const struct outbound_spec *spec, struct err *e)
{
	struct vmess *v = calloc(1, sizeof(*v));

	if (!v) {
		err_set(e, "no memory left");
		return NULL;
	}
	if (server_set(v, &spec->u.vmess, e) < 0) {
		free(v);
		return NULL;
	}
	v->o.ops = &vmess_ops;
	v->sock = spec->sock;
	v->sock.nodelay = true; /* what is small was gathered before it is sent */
	v->security = spec->u.vmess.security;
	v->silent.every = v->garbage.every = COMPLAIN_EVERY_MS;
	vmess_command_key(v->command_key, spec->u.vmess.id);
	rng_init(&v->rng);
	return &v->o;
}
