/* SPDX-License-Identifier: MIT */
#include "daemon/test_steps.h"

#include "base/text.h"
#include "daemon/clock_wait.h"
#include "daemon/tunnel.h"
#include "outbound/transport.h"
#include "outbound/vmess.h"
#include "platform/sys.h"
#include "stream/httpupgrade.h"
#include "stream/tcp.h"
#include "stream/tls_certificate.h"
#include "stream/ws.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/*
 * No layer is asked to tell what it does.  A stream that was dialled holds its layers
 * already, and open may be called on each of them: so they are opened here one after
 * the other, from the bottom, and what one has come to is asked before the next.
 */
enum {
	LAYERS_MAX = 8,
	REQUEST_MAX = 2 * TEST_URL_MAX + 128,
	/* What V2Ray and Xray read from a stranger, all together, before they close without
	 * a byte, is less than this (vmess.md 14.3). */
	DRAIN_MAX = 4096,
	DRAIN_MS = 2000,    /* for that, when a step has had its time */
	LINE_MAX_TEXT = 80, /* of the target's answer are shown */
};

struct attempt {
	const struct test_way *way;
	struct outbound *outbound; /* held */
	struct stream *stream;     /* owned; NULL: not dialled yet */
	struct task task;
	uint64_t began; /* this step */
	struct test_failure failure;
	unsigned more_ms;        /* than the way's timeout, for this step */
	char request[DRAIN_MAX]; /* REQUEST_MAX at first */
	size_t len, sent;
	char line[LINE_MAX_TEXT + 1]; /* the first one that the target answered */
};

/* The attempt has nothing to do by itself: whoever waits asks again every turn. */
static void
woken(struct task *t)
{
	(void)t;
}

/* Not by the loop's clock, which stands still while a handshake computes. */
static uint64_t
step_ms(const struct attempt *a)
{
	return sys_monotonic() - a->began;
}

/* A line of the report. Its words may come from a server. */
static void __attribute__((format(printf, 3, 4)))
passed(struct attempt *a, const char *step, const char *fmt, ...)
{
	char text[1024];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	text_clean(text);
	printf("  %-11s %5llu ms  %s\n", step, (unsigned long long)step_ms(a), text);
	fflush(stdout);
	a->began = sys_monotonic();
}

static const char *
upgrade_name(enum carrier_kind kind)
{
	switch (kind) {
	case CARRIER_RAW:
		return "";
	case CARRIER_HTTP_HEAD:
		return "HTTP head";
	case CARRIER_WEBSOCKET:
		return "WebSocket";
	case CARRIER_HTTPUPGRADE:
		return "HTTPUpgrade";
	}
	return "";
}

static const char *
step_name(const struct attempt *a, enum test_step step)
{
	switch (step) {
	case TEST_NAME:
		return "name";
	case TEST_TCP:
		return "TCP";
	case TEST_TLS:
		return "TLS";
	case TEST_UPGRADE:
		return upgrade_name(a->way->spec->u.vmess.carrier.kind);
	case TEST_VMESS:
		return "VMess";
	case TEST_PROBE:
	case TEST_DONE:
		return "first byte";
	}
	return "";
}

static enum test_step
layer_step(const struct stream *s)
{
	if (strcmp(s->ops->name, "transport") == 0 || strcmp(s->ops->name, "tcp") == 0)
		return TEST_TCP;
	if (strcmp(s->ops->name, "tls") == 0)
		return TEST_TLS;
	if (strcmp(s->ops->name, "vmess") == 0 || strcmp(s->ops->name, "reach") == 0)
		return TEST_VMESS;
	return TEST_UPGRADE;
}

/* A TLS 1.3 server refuses a client when that one believes the handshake to be over: the
 * failure of a layer above is then one of TLS. */
static bool
fault_keep(struct attempt *a)
{
	const struct stream *s;
	struct tls_facts f;

	for (s = a->stream; s; s = s->lower) {
		if (layer_step(s) != TEST_TLS)
			continue;
		tls_facts_get(s, &f);
		a->failure.fault = f.fault;
	}
	return a->failure.fault != TLS_FAULT_NONE;
}

/* A server that was silent is cut off by what was sent then, not by itself. */
static const char *
why_text(const struct attempt *a, const char *why, char *text, size_t cap)
{
	const struct test_failure *f = &a->failure;

	if (f->late)
		snprintf(text, cap, "no answer in time");
	else if (f->step == TEST_VMESS && f->drained)
		snprintf(text, cap, "no answer in %u s; cut off when more was sent",
			a->way->timeout_ms / 1000);
	else
		snprintf(
			text, cap, "%s", why && *why ? why : stream_error_text(f->error));
	text_clean(text);
	return text;
}

/* Prints the failure and what to do. Answers the step. */
static int
failed(struct attempt *a, enum test_step step, int error, const char *why)
{
	struct test_failure *f = &a->failure;
	char text[1024], advice[1024];

	if (fault_keep(a))
		step = TEST_TLS;
	f->step = step;
	f->error = error;
	printf("  %-11s %5llu ms  FAILED: %s\n", step_name(a, step),
		(unsigned long long)step_ms(a), why_text(a, why, text, sizeof(text)));
	test_advice(f, a->way, advice, sizeof(advice));
	text_clean(advice);
	printf("  what to do: %s\n", advice);
	return step;
}

/* A turn of the loop, within the time of this step. False: that is over. */
static bool
turn(struct attempt *a)
{
	uint64_t spent = step_ms(a), limit = a->way->timeout_ms + a->more_ms;

	if (spent >= limit) {
		a->failure.late = true;
		return false;
	}
	loop_turn(a->way->env->loop, (int)(limit - spent));
	return true;
}

/* The name that is looked up on this machine, or NULL. */
static const char *
name_of(const struct test_way *w, unsigned *families)
{
	const struct freedom_spec *f = &w->spec->u.freedom;
	const char *name;
	struct ip ip;

	*families = LOOKUP_V4 | LOOKUP_V6;
	if (w->spec->kind == OUTBOUND_VMESS) {
		name = w->spec->u.vmess.server[0].address;
	} else {
		if (f->strategy == DOMAIN_USE_IP4)
			*families = LOOKUP_V4;
		if (f->strategy == DOMAIN_USE_IP6)
			*families = LOOKUP_V6;
		name = f->redirect_address && *f->redirect_address ? f->redirect_address
								   : w->probe->to.name;
	}
	return name && !ip_parse(&ip, name) ? name : NULL;
}

static void
addresses_text(const struct ip *ip, int n, char *text, size_t cap)
{
	char one[IP_TEXT];
	size_t len = 0;
	int i;

	text[0] = '\0';
	for (i = 0; i < n && len + IP_TEXT + 2 < cap; i++)
		len += (size_t)snprintf(text + len, cap - len, "%s%s", i ? ", " : "",
			ip_format(&ip[i], one));
}

static int
step_name_run(struct attempt *a)
{
	unsigned families;
	const char *name = name_of(a->way, &families), *dead = vmess_dead(a->outbound);
	char text[NAMES_ADDRS * (IP_TEXT + 2)];
	const struct ip *ip = NULL;
	struct lookup *k;
	int n, r = TEST_DONE;

	if (dead)
		return failed(a, TEST_NAME, -EDESTADDRREQ, dead);
	if (!name)
		return TEST_DONE;
	k = names_lookup(a->way->env->names, name, families, &a->task);
	if (!k)
		return failed(a, TEST_NAME, -ENOMEM, NULL);
	while ((n = lookup_answer(k, &ip)) == -EAGAIN && turn(a))
		;
	if (n > 0) {
		addresses_text(ip, n, text, sizeof(text));
		passed(a, "name", "%s is %s", name, text);
	} else {
		r = failed(a, TEST_NAME, n ? n : -ENOENT, lookup_reason(k));
	}
	lookup_free(k);
	return r;
}

/* What an upgrade has told; NULL: this layer is none. */
static const struct http_facts *
layer_facts(const struct stream *s)
{
	if (strcmp(s->ops->name, "ws") == 0)
		return ws_facts(s);
	if (strcmp(s->ops->name, "httpupgrade") == 0)
		return httpupgrade_facts(s);
	return NULL;
}

static void
facts_keep(struct attempt *a, const struct http_facts *h)
{
	a->failure.status = h->status;
}

static void
passed_tls(struct attempt *a, const struct stream *s)
{
	struct tls_facts f;
	char until[UNIX_TIME_TEXT];

	tls_facts_get(s, &f);
	if (f.not_after == 0)
		passed(a, "TLS", "%s, %s%s%s", f.version, f.cipher, *f.alpn ? ", " : "",
			f.alpn);
	else
		passed(a, "TLS", "%s, %s%s%s; certificate for %s, until %s", f.version,
			f.cipher, *f.alpn ? ", " : "", f.alpn,
			*f.names ? f.names : "no name",
			unix_time_text(f.not_after, until));
}

static void
passed_upgrade(struct attempt *a, const struct http_facts *h)
{
	facts_keep(a, h);
	if (h->status == 0)
		passed(a, step_name(a, TEST_UPGRADE),
			"asked together with the first bytes (early data)");
	else if (!h->date)
		passed(a, step_name(a, TEST_UPGRADE), "answered %d", h->status);
	else
		passed(a, step_name(a, TEST_UPGRADE),
			"answered %d; this clock less the server's: %lld s", h->status,
			(long long)(h->date_at - h->date));
}

/* Of the two kinds of TEST_TCP: a race of addresses, or a connection to the only one. */
static const struct endpoint *
layer_peer(const struct stream *s)
{
	return strcmp(s->ops->name, "tcp") == 0 ? tcp_peer(s) : transport_peer(s);
}

static void
passed_tcp(struct attempt *a, const struct stream *s)
{
	char at[ENDPOINT_TEXT], text[TUNNEL_TEXT];

	passed(a, "TCP", "%s", endpoint_format(layer_peer(s), at));
	if (tunnel_under(s, text))
		printf("  warning: %s\n", text);
	fflush(stdout);
}

static void
passed_layer(struct attempt *a, const struct stream *s)
{
	const struct http_facts *h = layer_facts(s);

	if (layer_step(s) == TEST_TCP)
		passed_tcp(a, s);
	else if (layer_step(s) == TEST_TLS)
		passed_tls(a, s);
	else if (h)
		passed_upgrade(a, h);
}

static int
step_layer(struct attempt *a, struct stream *s)
{
	const struct http_facts *h = layer_facts(s);
	int r;

	while ((r = stream_open(s)) == STREAM_AGAIN && turn(a))
		;
	if (r == STREAM_OK) {
		passed_layer(a, s);
		return TEST_DONE;
	}
	if (h)
		facts_keep(a, h);
	return failed(a, layer_step(s), r < 0 ? r : -ETIMEDOUT, stream_reason(s));
}

/* The layers of s, which is the last, from the bottom. How many; 0: more than an outbound
 * has. */
static size_t
layers_find(struct stream *s, struct stream *layer[static LAYERS_MAX])
{
	struct stream *below;
	size_t n = 0, i;

	for (below = s; below; below = below->lower)
		n++;
	if (n > LAYERS_MAX)
		return 0;
	for (i = n; s; s = s->lower)
		layer[--i] = s;
	return n;
}

static int
steps_open(struct attempt *a)
{
	struct stream *layer[LAYERS_MAX];
	size_t n, i;
	int r;

	a->began = sys_monotonic();
	a->stream = outbound_dial(a->outbound, &a->way->probe->to, &a->task);
	n = layers_find(a->stream, layer);
	if (n == 0)
		return failed(a, TEST_TCP, -ENOMEM, NULL);
	for (i = 0; i < n; i++) {
		r = step_layer(a, layer[i]);
		if (r != TEST_DONE)
			return r;
	}
	return TEST_DONE;
}

static void
line_keep(struct attempt *a, const struct window *w)
{
	size_t n = 0;

	while (n < w->len && n < LINE_MAX_TEXT && w->p[n] != '\r' && w->p[n] != '\n')
		n++;
	memcpy(a->line, w->p, n);
	a->line[n] = '\0';
}

/* OK once the first bytes have come. */
static int
probe_once(struct attempt *a)
{
	struct window w;
	int r;

	r = stream_write_rest(a->stream, (uint8_t *)a->request, a->len, &a->sent);
	if (r != STREAM_OK)
		return r;
	r = stream_flush(a->stream);
	if (r < 0)
		return r;
	r = stream_recv_buf(a->stream, &w);
	if (r == STREAM_OK)
		line_keep(a, &w);
	return r;
}

static bool
vmess_answered_yet(const struct attempt *a)
{
	return a->way->spec->kind != OUTBOUND_VMESS || vmess_stream_answered(a->stream);
}

/* With early data, an upgrade may have been refused only now. */
static bool
upgrade_refused(struct attempt *a)
{
	const struct http_facts *h;
	const struct stream *s;

	for (s = a->stream; s; s = s->lower) {
		h = layer_facts(s);
		if (!h)
			continue;
		facts_keep(a, h);
		return h->status != 101;
	}
	return false;
}

static void
request_write(struct attempt *a)
{
	const struct test_probe *p = a->way->probe;

	a->len = (size_t)snprintf(a->request, REQUEST_MAX,
		"GET %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: sluice\r\nAccept: */*\r\n"
		"Connection: close\r\n\r\n",
		*p->path ? p->path : "/", p->host);
}

/* The time of a header that was not this machine's is worth a word. */
static void
passed_vmess(struct attempt *a)
{
	const struct clock_reading *r = vmess_stream_clock(a->stream);
	char text[CLOCK_WHO + 48];

	if (a->way->env->clock_auto && clock_is_wrong(r))
		passed(a, "VMess", "the server knows the id; this clock is %s",
			clock_text(r, text, sizeof(text)));
	else
		passed(a, "VMess", "the server knows the id");
}

/* Waits for the first bytes. OK, AGAIN (late), END or -errno. */
static int
answer_wait(struct attempt *a, bool *told)
{
	int r;

	do {
		r = probe_once(a);
		if (!*told && vmess_answered_yet(a)) {
			*told = true;
			passed_vmess(a);
		}
	} while (r == STREAM_AGAIN && turn(a));
	return r;
}

/*
 * A server answers nothing to a header that it does not know, and reads on: the silence
 * is the same as that of a slow target.  Empty lines behind the request, which the target
 * may pass over (RFC 9112, 2.2), tell one from the other: only strangers are cut off.
 */
static int
drain(struct attempt *a, bool *told)
{
	size_t i;
	int r;

	for (i = 0; i < DRAIN_MAX; i++)
		a->request[i] = i % 2 ? '\n' : '\r';
	a->len = DRAIN_MAX;
	a->sent = 0;
	a->more_ms = DRAIN_MS;
	a->failure.late = false;
	r = answer_wait(a, told);
	a->failure.drained = r < 0 && !*told;
	/* It reads on, so it knows whom it reads from. */
	*told |= r == STREAM_AGAIN;
	return r;
}

/* For the advice about a silent VMess server. */
static void
clock_look(struct attempt *a)
{
	(void)clock_wait(a->way->env, a->way->timeout_ms);
	a->failure.clock = vmess_stream_clock(a->stream);
}

static int
step_probe(struct attempt *a)
{
	bool told = a->way->spec->kind != OUTBOUND_VMESS;
	const char *why = NULL;
	int r;

	request_write(a);
	r = answer_wait(a, &told);
	if (r == STREAM_AGAIN && !told && a->sent == a->len)
		r = drain(a, &told);
	if (r == STREAM_OK) {
		passed(a, "first byte", "%s: %s", a->way->probe->text, a->line);
		return TEST_DONE;
	}
	if (r < 0)
		why = stream_reason(a->stream);
	else if (r == STREAM_END)
		why = "the target ended without a byte";
	r = r < 0 ? r : r == STREAM_END ? -ECONNRESET : -ETIMEDOUT;
	if (!told)
		clock_look(a);
	if (upgrade_refused(a))
		return failed(a, TEST_UPGRADE, r, why);
	return failed(a, told ? TEST_PROBE : TEST_VMESS, r, why);
}

int
test_steps_run(const struct test_way *w, struct err *e)
{
	struct attempt a = { .way = w };
	int r;

	a.outbound = outbound_new(w->spec, w->env, e);
	if (!a.outbound)
		return -1;
	task_init(&a.task, woken);
	a.began = sys_monotonic();
	r = step_name_run(&a);
	if (r == TEST_DONE)
		r = steps_open(&a);
	if (r == TEST_DONE)
		r = step_probe(&a);
	stream_free(a.stream);
	task_fini(&a.task);
	outbound_drop(a.outbound);
	return r;
}
