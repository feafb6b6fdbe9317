/* SPDX-License-Identifier: MIT */
#include "base/list.h"
#include "base/log.h"
#include "base/text.h"
#include "daemon/clock_wait.h"
#include "daemon/command.h"
#include "daemon/dialer.h"
#include "daemon/resolve.h"
#include "daemon/stdio_stream.h"
#include "daemon/tunnel.h"
#include "daemon/words.h"
#include "flow/relay.h"
#include "loop/loop.h"
#include "outbound/vmess.h"

#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/*
 * `sluice connect`: standard input and output through an outbound, like netcat.
 * Needs no root: nothing on the system changes.
 */

static const char connect_help[] =
	"usage: sluice connect -c FILE [--outbound TAG] [--log LEVEL] HOST:PORT\n"
	"\n"
	"Joins standard input and output to a TCP connection through the outbound that the\n"
	"rules of FILE choose for HOST:PORT.  Needs no root.\n"
	"\n"
	"  -c, --config FILE   the configuration\n"
	"      --outbound TAG  through this one, whatever the rules say\n"
	"      --log LEVEL     debug, info, warning (default), error or none\n"
	"\n"
	"Exit status: 0 when both sides ended in order, 1 when not, 2 for wrong usage.\n";

enum { OPTION_OUTBOUND = 256, OPTION_LOG };
/* For the time servers: until that is said, and then until the connection goes on. */
enum { CLOCK_SOON_MS = 1000, CLOCK_WAIT_MS = 4000 };

static const struct option connect_options[] = {
	{ "config", required_argument, NULL, 'c' },
	{ "outbound", required_argument, NULL, OPTION_OUTBOUND },
	{ "log", required_argument, NULL, OPTION_LOG },
	{ "help", no_argument, NULL, 'h' },
	{ NULL, 0, NULL, 0 },
};

struct connect_words {
	const char *file, *tag;
	enum log_level level;
	struct target to;
	char name[NAME_MAX_LEN + 1];
};

struct connect {
	struct command_setup from;
	struct dialer dialer;

	struct task task;
	struct relay relay;
	bool opened;
	bool silent; /* a VMess server was, and so it failed */
	int status;
	struct err err;
};

static void
stop(struct connect *c, int status)
{
	c->status = status;
	loop_stop(c->dialer.loop);
}

static void
stop_failed(struct connect *c, const struct stream *s, int error)
{
	const char *why = stream_reason(s);

	err_set(&c->err, "%s", why && *why ? why : strerror(-error));
	c->silent = strcmp(s->ops->name, "vmess") == 0 && !vmess_stream_answered(s);
	stop(c, 1);
}

/* What is known of this clock, where a VMess server was reached and said nothing. */
static void
clock_say(struct connect *c)
{
	const struct clock_reading *r;
	char why[sizeof(c->err.text)], text[CLOCK_WHO + 48];

	(void)clock_wait(&c->dialer.env, CLOCK_WAIT_MS);
	r = vmess_stream_clock(c->relay.far);
	if (!r)
		return;
	snprintf(why, sizeof(why), "%s", c->err.text);
	if (clock_is_wrong(r))
		err_set(&c->err, "%.300s; this clock is %s", why,
			clock_text(r, text, sizeof(text)));
	else
		err_set(&c->err,
			"%.300s; this clock agrees with %s: the id or the server's own clock "
			"is wrong",
			why, r->who);
}

/* Once it is known which way the connection goes. */
static void
tunnel_say(const struct connect *c)
{
	char text[TUNNEL_TEXT];

	if (tunnel_under(c->relay.far, text))
		log_warn("%s", text);
}

/* Carries the connection on, whenever one of its sides has news. */
static void
connect_run(struct task *t)
{
	struct connect *c = container_of(t, struct connect, task);
	enum relay_news news;
	int r;

	if (!c->opened) {
		r = stream_open(c->relay.far);
		if (r != STREAM_AGAIN)
			tunnel_say(c);
		if (r < 0)
			stop_failed(c, c->relay.far, r);
		if (r != STREAM_OK)
			return;
		c->opened = true;
	}
	news = relay_run(&c->relay);
	stream_park(c->relay.far);
	switch (news) {
	case RELAY_WAITS:
		break;
	case RELAY_MORE:
		loop_ready(c->dialer.loop, t);
		break;
	case RELAY_DONE:
	case RELAY_LINGERS:
		stop(c, 0);
		break;
	case RELAY_NEAR_FAILED:
		stop_failed(c, c->relay.near, c->relay.error);
		break;
	case RELAY_FAR_FAILED:
		stop_failed(c, c->relay.far, c->relay.error);
		break;
	}
}

/* Asks the rules, and the resolver where they need addresses. NULL and why. */
static struct outbound *
outbound_by_rules(struct connect *c, const struct target *to, struct err *e)
{
	struct facts f = { .known = FACT_NAME | FACT_BYTES,
		.network = NETWORK_TCP,
		.ip = to->ip,
		.port = to->port,
		.name = to->name };
	struct ip ip[NAMES_ADDRS];
	struct verdict v;
	int n;

	rules_decide(c->dialer.setup->rules, &f, &v);
	if (v.missing & FACT_ADDRESSES) {
		n = resolve_wait(
			c->dialer.loop, c->dialer.names, to->name, ip, NAMES_ADDRS, e);
		if (n < 0)
			return NULL;
		f.addrs = ip;
		f.naddrs = (size_t)n;
		f.known |= FACT_ADDRESSES;
		rules_decide(c->dialer.setup->rules, &f, &v);
	}
	return setup_outbound(c->dialer.setup, v.outbound);
}

static struct outbound *
outbound_by_tag(struct connect *c, const struct connect_words *w, struct err *e)
{
	struct outbound *o = setup_outbound(c->dialer.setup, w->tag);

	if (!o)
		err_set(e, "%s: outbounds: there is no tag \"%s\"", w->file, w->tag);
	return o;
}

/* With `auto` the header may need the time at once; whoever waits longer than usual for
 * that is told what for. */
static void
times_wait(struct connect *c)
{
	if (clock_wait(&c->dialer.env, CLOCK_SOON_MS))
		return;
	log_warn("no time server (sluice.sntp) has answered yet: waiting %d s for one "
		 "(sluice.clock is \"auto\")",
		CLOCK_WAIT_MS / 1000);
	if (!clock_wait(&c->dialer.env, CLOCK_WAIT_MS))
		log_warn("still none: the header has this machine's time");
}

static int
connect_build(struct connect *c, struct err *e)
{
	if (dialer_init(&c->dialer, c->from.config, e) < 0 ||
		dialer_setup(&c->dialer, &c->from, e) < 0)
		return -1;
	if (c->from.config->clock_auto)
		times_wait(c);
	return 0;
}

static int
connect_start(struct connect *c, const struct connect_words *w, struct err *e)
{
	struct outbound *o = w->tag ? outbound_by_tag(c, w, e)
				    : outbound_by_rules(c, &w->to, e);

	if (!o)
		return -1;
	task_init(&c->task, connect_run);
	c->relay.near = stdio_stream_new(
		c->dialer.loop, STDIN_FILENO, STDOUT_FILENO, &c->task);
	c->relay.far = outbound_dial(o, &w->to, &c->task);
	c->relay.keep_fin = !o->ops->truthful;
	if (!c->relay.near || !c->relay.far)
		return err_set(e, "no memory for the connection");
	loop_ready(c->dialer.loop, &c->task);
	return 0;
}

static void
connect_fini(struct connect *c)
{
	stream_free(c->relay.near);
	stream_free(c->relay.far);
	dialer_fini(&c->dialer);
}

static int
connect_usage(void)
{
	fputs("sluice: connect takes -c FILE HOST:PORT; see sluice connect --help\n",
		stderr);
	return -1;
}

/* 0 to go on, 1 for --help, -1 after a line on standard error. */
static int
connect_words_parse(int argc, char **argv, struct connect_words *w)
{
	int option;

	while ((option = getopt_long(argc, argv, "c:h", connect_options, NULL)) != -1) {
		if (option == 'c' && command_file_take(&w->file, optarg) != STATUS_OK)
			return -1;
		else if (option == 'c')
			continue;
		else if (option == OPTION_OUTBOUND)
			w->tag = optarg;
		else if (option == 'h')
			return 1;
		else if (option != OPTION_LOG || !log_level_parse(&w->level, optarg))
			return connect_usage();
	}
	if (!w->file || argc - optind != 1)
		return connect_usage();
	return words_target(argv[optind], &w->to, w->name, "sluice connect --help");
}

int
command_connect(int argc, char **argv)
{
	struct connect_words w = { .level = LOG_WARNING };
	struct connect c = { .status = 1 };
	int r = connect_words_parse(argc, argv, &w);

	if (r > 0)
		fputs(connect_help, stdout);
	if (r != 0)
		return r > 0 ? STATUS_OK : STATUS_USAGE;
	signal(SIGPIPE, SIG_IGN);
	log_open(STDERR_FILENO, w.level, NULL);
	if (command_setup_load(&c.from, w.file, &c.err) < 0) {
		fprintf(stderr, "sluice: %s\n", c.err.text);
		return STATUS_WRONG;
	}
	if (connect_build(&c, &c.err) == 0 && connect_start(&c, &w, &c.err) == 0)
		loop_run(c.dialer.loop);
	if (c.silent)
		clock_say(&c);
	if (c.status != STATUS_OK)
		fprintf(stderr, "sluice: %s\n", c.err.text);
	connect_fini(&c);
	command_setup_fini(&c.from);
	return c.status;
}
