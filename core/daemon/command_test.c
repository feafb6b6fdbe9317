/* SPDX-License-Identifier: MIT */
#include "base/log.h"
#include "base/text.h"
#include "daemon/clock_wait.h"
#include "daemon/command.h"
#include "daemon/dialer.h"
#include "daemon/test_steps.h"
#include "daemon/words.h"

#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

/*
 * `sluice test`: through an outbound, step by step.  Needs no root: nothing on the
 * system changes.
 */

#define PROBE_DEFAULT "http://www.gstatic.com/generate_204"

static const char test_help[] =
	"usage: sluice test -c FILE [TAG] [--probe URL] [--timeout S]\n"
	"\n"
	"Connects through the outbound TAG of FILE (the first one, where none is named), and\n"
	"prints each step with its time: the name's addresses, TCP, TLS, the WebSocket or\n"
	"HTTPUpgrade answer, VMess, and the first byte of a page behind it. Stops at what\n"
	"fails, and says what to do. Each server and user of the outbound is tried; for an\n"
	"alterId above 0, with the old header and with that of today. Where VMess is silent,\n"
	"the time servers of sluice.sntp are asked what this clock is worth (first of all\n"
	"where sluice.clock is \"auto\"). Warns where the connection goes through a tunnel of\n"
	"this machine, such as another sluice's. Needs no root.\n"
	"\n"
	"  -c, --config FILE  the configuration\n"
	"      --probe URL    the page: [http://]HOST[:PORT][/PATH], plain HTTP only\n"
	"                     (" PROBE_DEFAULT ")\n"
	"      --timeout S    seconds for each step and for the time servers, 1 to 300 (10)\n"
	"\n"
	"Exit status: 0 when all that was tried works, 1 when not, 2 for wrong usage.\n";

static const char test_see[] = "sluice test --help";

enum { OPTION_PROBE = 256, OPTION_TIMEOUT };
enum { TIMEOUT_S = 10, TIMEOUT_MAX_S = 300, TLS_MAX = 4 };

static const struct option test_options[] = {
	{ "config", required_argument, NULL, 'c' },
	{ "probe", required_argument, NULL, OPTION_PROBE },
	{ "timeout", required_argument, NULL, OPTION_TIMEOUT },
	{ "help", no_argument, NULL, 'h' },
	{ NULL, 0, NULL, 0 },
};

struct test_words {
	const char *file, *tag; /* tag NULL: the first outbound */
	uint64_t timeout;       /* seconds */
	struct test_probe probe;
};

struct test {
	struct command_setup from;
	struct dialer dialer;
	const struct test_words *words;
};

/* [http://]HOST[:PORT][/PATH]. 0, or -1 after a line on standard error. */
static int
probe_parse(struct test_probe *p, const char *url)
{
	char at[TEST_URL_MAX + 4];
	const char *host = url;
	size_t len;

	if (strncasecmp(url, "http://", 7) == 0)
		host += 7;
	len = strcspn(host, "/?#");
	if (strstr(url, "://") && host == url) {
		fprintf(stderr, "sluice: %s: only http:// can be probed; see %s\n", url,
			test_see);
		return -1;
	}
	if (strlen(host) + 8 > TEST_URL_MAX || strcspn(url, " \t\r\n") != strlen(url) ||
		(host[len] && host[len] != '/')) {
		fprintf(stderr,
			"sluice: %s: [http://]HOST[:PORT][/PATH] is wanted; see %s\n",
			url, test_see);
		return -1;
	}
	snprintf(p->text, sizeof(p->text), "http://%s", host);
	p->path = p->text + 7 + len;
	snprintf(p->host, sizeof(p->host), "%.*s", (int)len, host);
	/* A colon behind the brackets of an IPv6 address is that of a port. */
	host = strrchr(p->host, ']') ? strrchr(p->host, ']') : p->host;
	snprintf(at, sizeof(at), "%s%s", p->host, strchr(host, ':') ? "" : ":80");
	return words_target(at, &p->to, p->name, test_see);
}

static int
timeout_parse(uint64_t *s, const char *text)
{
	if (number_parse(s, text, TIMEOUT_MAX_S) && *s > 0)
		return 0;
	fprintf(stderr, "sluice: --timeout %s: 1 to %d seconds; see %s\n", text,
		TIMEOUT_MAX_S, test_see);
	return -1;
}

/* 0; 1 for --help; -1 after a line on standard error. */
static int
test_words_parse(int argc, char **argv, struct test_words *w)
{
	const char *probe = PROBE_DEFAULT;
	int option, r = STATUS_OK;

	while ((option = getopt_long(argc, argv, "c:h", test_options, NULL)) != -1) {
		if (option == 'c')
			r = command_file_take(&w->file, optarg);
		else if (option == OPTION_PROBE)
			probe = optarg;
		else if (option == OPTION_TIMEOUT &&
			timeout_parse(&w->timeout, optarg) < 0)
			return -1;
		else if (option == 'h')
			return 1;
		else if (option == '?')
			r = command_usage("test");
		if (r != STATUS_OK)
			return -1;
	}
	if (!w->file || argc - optind > 1) {
		fprintf(stderr, "sluice: test takes -c FILE [TAG]; see %s\n", test_see);
		return -1;
	}
	w->tag = optind < argc ? argv[optind] : NULL;
	return probe_parse(&w->probe, probe);
}

/* With `auto` a header may need the time at once. */
static void
times_wait(const struct test *t)
{
	puts("Asking the time servers (sluice.sntp) what this clock is worth.");
	fflush(stdout);
	(void)clock_wait(&t->dialer.env, (unsigned)t->words->timeout * 1000);
	if (!times_reading(t->dialer.env.times))
		puts("None has answered: headers have this machine's time.");
}

/* Whether time servers may be asked, the rules say; the outbound that is tried is built
 * for each attempt. */
static int
test_build(struct test *t, struct err *e)
{
	const struct config *c = t->from.config;

	if (dialer_init(&t->dialer, c, e) < 0)
		return -1;
	t->dialer.env.tls = tls_stock_new(NULL, TLS_MAX);
	t->dialer.env.tls_library = c->tls;
	if (!t->dialer.env.tls)
		return err_set(e, "no memory to start with");
	if (c->nsntp == 0)
		return 0;
	if (dialer_setup(&t->dialer, &t->from, e) < 0)
		return -1;
	if (c->clock_auto)
		times_wait(t);
	return 0;
}

static void
test_fini(struct test *t)
{
	tls_stock_drop(t->dialer.env.tls);
	dialer_fini(&t->dialer);
}

static const char *
carrier_text(const struct carrier_spec *c)
{
	switch (c->kind) {
	case CARRIER_RAW:
		return c->secured ? ", TLS" : "";
	case CARRIER_HTTP_HEAD:
		return c->secured ? ", a false HTTP head in TLS" : ", a false HTTP head";
	case CARRIER_WEBSOCKET:
		return c->secured ? ", WebSocket in TLS" : ", WebSocket";
	case CARRIER_HTTPUPGRADE:
		return c->secured ? ", HTTPUpgrade in TLS" : ", HTTPUpgrade";
	}
	return "";
}

/* The first line of an attempt. Its words may come from a stranger's link. */
static void
head_print(const struct outbound_spec *spec)
{
	const struct vmess_server_spec *s = spec->u.vmess.server;
	char text[512], old[64] = "";

	if (spec->kind == OUTBOUND_VMESS && s->user->alter_ids)
		snprintf(old, sizeof(old), " with the old header (alterId %u)",
			s->user->alter_ids);
	if (spec->kind == OUTBOUND_VMESS)
		snprintf(text, sizeof(text), "VMess%s to %s, port %u%s", old, s->address,
			s->port, carrier_text(&spec->u.vmess.carrier));
	else
		snprintf(text, sizeof(text), "freedom");
	text_clean(text);
	puts(text);
}

/* Which step of this attempt failed, as test_steps_run. */
static int
attempt(struct test *t, const struct outbound_spec *spec, struct err *e)
{
	const struct test_way way = { .spec = spec,
		.env = &t->dialer.env,
		.probe = &t->words->probe,
		.timeout_ms = (unsigned)t->words->timeout * 1000,
		.has_sntp = t->from.config->nsntp > 0 };

	head_print(spec);
	return test_steps_run(&way, e);
}

/* What it took: the target's own trouble says nothing against the header. */
static bool
took_header(int step)
{
	return step == TEST_DONE || step == TEST_PROBE;
}

static void
headers_print(bool old, bool now)
{
	if (old && now)
		puts("The server takes both headers: alterId may be 0.");
	else if (old)
		puts("The server takes the old header alone: leave alterId as it is.");
	else if (now)
		puts("The server takes the header of today alone: set alterId to 0.");
	else
		puts("The server takes neither header.");
}

/* The same with the other header, where the server was reached at all. */
static int
attempt_user(struct test *t, const struct outbound_spec *spec, struct err *e)
{
	int old = attempt(t, spec, e), now;
	struct vmess_server_spec server = spec->u.vmess.server[0];
	struct vmess_user_spec user = server.user[0];
	struct outbound_spec other = *spec;

	if (user.alter_ids == 0 || (!took_header(old) && old != TEST_VMESS))
		return old;
	user.alter_ids = 0;
	server.user = &user;
	other.u.vmess.server = &server;
	now = attempt(t, &other, e);
	if (now >= 0)
		headers_print(took_header(old), took_header(now));
	return now < 0 ? now : old;
}

/* Each server and user by itself. TEST_DONE: all of them work; -1 and why. */
static int
attempt_vmess(struct test *t, const struct outbound_spec *spec, struct err *e)
{
	const struct vmess_spec *v = &spec->u.vmess;
	struct outbound_spec one = *spec;
	struct vmess_server_spec server;
	int r, worst = TEST_DONE;
	size_t i, k;

	for (i = 0; i < v->nserver; i++) {
		for (k = 0; k < v->server[i].nuser; k++) {
			server = v->server[i];
			server.user = &v->server[i].user[k];
			server.nuser = 1;
			one.u.vmess.server = &server;
			one.u.vmess.nserver = 1;
			r = attempt_user(t, &one, e);
			if (r < 0)
				return r;
			worst = r < worst ? r : worst;
		}
	}
	return worst;
}

/* NULL and why. */
static const struct outbound_spec *
outbound_pick(const struct config *c, const struct test_words *w, struct err *e)
{
	size_t i;

	for (i = 0; i < c->noutbound; i++)
		if (!w->tag ||
			(c->outbound[i].tag && strcmp(c->outbound[i].tag, w->tag) == 0))
			return &c->outbound[i];
	if (w->tag)
		err_set(e, "%s: outbounds: there is no tag \"%s\"", w->file, w->tag);
	else
		err_set(e, "%s: outbounds: there is none to test", w->file);
	return NULL;
}

static int
test_run(struct test *t, struct err *e)
{
	const struct outbound_spec *spec = outbound_pick(t->from.config, t->words, e);

	if (!spec)
		return -1;
	switch (spec->kind) {
	case OUTBOUND_VMESS:
		return attempt_vmess(t, spec, e);
	case OUTBOUND_FREEDOM:
		return attempt(t, spec, e);
	case OUTBOUND_BLACKHOLE:
		break;
	}
	return err_set(e, "%s is a blackhole: nothing gets through it, name another TAG",
		spec->path);
}

int
command_test(int argc, char **argv)
{
	struct test_words w = { .timeout = TIMEOUT_S };
	struct test t = { .words = &w };
	struct err e;
	int r = test_words_parse(argc, argv, &w);

	if (r > 0)
		fputs(test_help, stdout);
	if (r != 0)
		return r > 0 ? STATUS_OK : STATUS_USAGE;
	signal(SIGPIPE, SIG_IGN);
	/* What outbounds warn of is in the report already. */
	log_open(STDERR_FILENO, LOG_ERROR, NULL);
	r = command_setup_load(&t.from, w.file, &e);
	if (r == 0) {
		r = test_build(&t, &e);
		if (r == 0)
			r = test_run(&t, &e);
		test_fini(&t);
		command_setup_fini(&t.from);
	}
	if (r < 0)
		fprintf(stderr, "sluice: %s\n", e.text);
	return r == TEST_DONE ? STATUS_OK : STATUS_WRONG;
}
