/* SPDX-License-Identifier: MIT */
/*
 * Dials a TLS server on loopback as the engine would, and says what came of it.
 *
 *	tls_dial MODE LIBRARY PORT NAME [OPTION VALUE]...
 *
 *	open     handshakes
 *	echo     sends --bytes and wants them back while it sends
 *	half     sends --bytes, ends its side, and wants them back afterwards
 *	idle     opens --times connections, has --bytes 1 echoed, and tells what memory
 *	         each holds then, and when bytes are on their way
 *
 *	--trust FILE   a PEM file that is trusted; without it, the system's
 *	--alpn NAME    --min VERSION   --max VERSION (771: TLS 1.2)
 *	--clock N      seconds that the clock is ahead
 *	--bytes N      --times N       (connections, one after another but for idle)
 *	--insecure yes
 *
 * Each connection prints one line: "ok VERSION CIPHER ALPN resumed|full", or "failed" and
 * the reason.  Exit status 0 when all were ok.
 */
#include "base/list.h"
#include "base/log.h"
#include "interop/echo.h"
#include "platform/sys.h"
#include "stream/tcp.h"
#include "stream/tls.h"

#include <errno.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CONNECTIONS_MAX = 2000, FILE_MAX = 1 << 20 };

enum mode { OPEN, ECHO, HALF, IDLE };

struct conn {
	struct task task;
	struct echo echo;
	bool up, flushed, shut, over, good;
};

static struct {
	struct loop *loop;
	struct tcp_memory *memory;
	struct tls_setup *setup;
	enum mode mode;
	uint64_t bytes;
	size_t times, open, up;
	int64_t clock;
	uint16_t port;
	bool failed;
	struct conn conn[CONNECTIONS_MAX];
} all;

static int64_t
shifted_time(void)
{
	return sys_unix_time() + all.clock;
}

static void
conn_over(struct conn *c, bool good, const char *why)
{
	struct tls_facts f;

	tls_facts_get(c->echo.s, &f);
	c->over = true;
	c->good = good;
	all.failed |= !good;
	if (good && all.mode != IDLE)
		printf("ok %s %s %s %s\n", f.version, f.cipher, *f.alpn ? f.alpn : "-",
			f.resumed ? "resumed" : "full");
	if (!good)
		printf("failed %s\n",
			*stream_reason(c->echo.s) ? stream_reason(c->echo.s) : why);
	if (--all.open == 0)
		loop_stop(all.loop);
}

static int
send_some(struct conn *c)
{
	int r = echo_send(&c->echo);

	c->flushed = r == STREAM_OK && c->echo.sent == all.bytes;
	return r;
}

static int
take_some(struct conn *c)
{
	int r = echo_take(&c->echo);

	if (r == -EILSEQ)
		conn_over(c, false, "a byte is wrong");
	return r;
}

/* Ends our side: at once where the server waits for that, else when all is back. */
static int
shut_some(struct conn *c)
{
	int r;

	if (!c->flushed || c->shut || all.mode == IDLE ||
		(all.mode == ECHO && c->echo.got < all.bytes))
		return STREAM_OK;
	r = stream_shut(c->echo.s);
	c->shut = r == STREAM_OK;
	return r;
}

static void
conn_run(struct task *t)
{
	struct conn *c = container_of(t, struct conn, task);
	int r;

	if (c->over)
		return;
	r = stream_open(c->echo.s);
	if (r == STREAM_OK && !c->up) {
		c->up = true;
		all.up++;
		if (all.mode == OPEN) {
			stream_park(c->echo.s);
			conn_over(c, true, "");
			return;
		}
	}
	if (r == STREAM_OK && !c->flushed)
		r = send_some(c);
	if (r >= 0 && c->up)
		r = take_some(c);
	if (all.mode == IDLE && c->echo.got == 1 && !c->over) {
		stream_park(c->echo.s);
		conn_over(c, true, "");
		return;
	}
	if (r == STREAM_END && !c->over)
		conn_over(c, c->echo.got == all.bytes, "the server ended too early");
	if (r >= 0 && c->up && !c->over)
		r = shut_some(c);
	if (r < 0 && !c->over)
		conn_over(c, false, "");
	if (!c->over)
		stream_park(c->echo.s);
}

static void
conn_start(struct conn *c)
{
	struct endpoint to = { { 4, { 127, 0, 0, 1 } }, all.port };
	struct sock_options options = { 0 };
	struct stream *tcp;

	memset(c, 0, sizeof(*c));
	task_init(&c->task, conn_run);
	tcp = tcp_dial(all.loop, all.memory, &to, &options, &c->task);
	c->echo.bytes = all.bytes;
	c->echo.loop = all.loop;
	c->echo.task = &c->task;
	c->echo.s = tls_new(all.setup, tcp, all.loop, &c->task, shifted_time);
	all.open++;
	loop_ready(all.loop, &c->task);
}

static void
conn_end(struct conn *c)
{
	if (c->good)
		stream_shut(c->echo.s);
	stream_free(c->echo.s);
	task_fini(&c->task);
}

static size_t
heap(void)
{
	return mallinfo2().uordblks + mallinfo2().hblkhd;
}

static size_t
resident(void)
{
	unsigned long pages = 0;
	FILE *f = fopen("/proc/self/statm", "r");

	if (f) {
		if (fscanf(f, "%*s %lu", &pages) != 1)
			pages = 0;
		fclose(f);
	}
	return pages * 4096;
}

/* Both windows in use: a record received and not looked at, half of one to be sent. The
 * server answers the second byte with more. */
static void
make_busy(struct conn *c)
{
	struct window w;

	if (stream_send_buf(c->echo.s, &w) != STREAM_OK)
		exit(1);
	w.p[0] = 0;
	stream_send_ack(c->echo.s, 1);
	stream_flush(c->echo.s);
	while (stream_recv_buf(c->echo.s, &w) != STREAM_OK)
		loop_turn(all.loop, -1);
	if (stream_send_buf(c->echo.s, &w) == STREAM_OK)
		stream_send_ack(c->echo.s, w.len / 2);
}

static void
run_idle(void)
{
	size_t before, rss, i;

	/* One beforehand: what is made once is not counted. */
	conn_start(&all.conn[0]);
	loop_run(all.loop);
	conn_end(&all.conn[0]);
	loop_turn(all.loop, 0);
	before = heap();
	rss = resident();
	for (i = 0; i < all.times; i++)
		conn_start(&all.conn[i]);
	loop_run(all.loop);
	loop_turn(all.loop, 0);
	printf("idle %zu heap %zu resident\n", (heap() - before) / all.times,
		(resident() - rss) / all.times);
	for (i = 0; i < all.times; i++)
		make_busy(&all.conn[i]);
	printf("busy %zu heap %zu resident\n", (heap() - before) / all.times,
		(resident() - rss) / all.times);
	for (i = 0; i < all.times; i++)
		conn_end(&all.conn[i]);
}

static void
run_in_turn(void)
{
	size_t i;

	for (i = 0; i < all.times; i++) {
		conn_start(&all.conn[0]);
		loop_run(all.loop);
		conn_end(&all.conn[0]);
		loop_turn(all.loop, 0);
	}
}

static char *
text_of(const char *path)
{
	char *text = calloc(1, FILE_MAX);
	FILE *f = fopen(path, "r");

	if (!f || !text || !fread(text, 1, FILE_MAX - 1, f))
		exit(2);
	fclose(f);
	return text;
}

static void
take_option(struct tls_spec *spec, const char *option, const char **value)
{
	if (!strcmp(option, "--trust")) {
		*value = text_of(*value);
		spec->trusted = (struct tls_text_list){ value, 1 };
		spec->disable_system_root = true;
	} else if (!strcmp(option, "--alpn")) {
		spec->alpn = (struct tls_text_list){ value, 1 };
	} else if (!strcmp(option, "--min")) {
		spec->min = (enum tls_version)strtoul(*value, NULL, 10);
	} else if (!strcmp(option, "--max")) {
		spec->max = (enum tls_version)strtoul(*value, NULL, 10);
	} else if (!strcmp(option, "--clock")) {
		all.clock = strtoll(*value, NULL, 10);
	} else if (!strcmp(option, "--bytes")) {
		all.bytes = strtoull(*value, NULL, 10);
	} else if (!strcmp(option, "--times")) {
		all.times = strtoul(*value, NULL, 10);
	} else if (!strcmp(option, "--insecure")) {
		spec->allow_insecure = true;
	} else {
		fprintf(stderr, "what is %s?\n", option);
		exit(2);
	}
}

int
main(int argc, char **argv)
{
	static const char *const modes[] = { "open", "echo", "half", "idle" };
	struct tls_spec spec = { 0 };
	enum tls_library library;
	struct tls_stock *stock;
	struct err e;
	int i;

	if (argc < 5 || argc % 2 == 0)
		return 2;
	log_open(2, LOG_ERROR, NULL);
	while (all.mode < IDLE && strcmp(modes[all.mode], argv[1]))
		all.mode++;
	library = !strcmp(argv[2], "openssl") ? TLS_OPENSSL : TLS_BEARSSL;
	if (!tls_library_built(library))
		return 77;
	all.port = (uint16_t)strtoul(argv[3], NULL, 10);
	all.times = 1;
	spec.name = argv[4];
	for (i = 5; i < argc; i += 2)
		take_option(&spec, argv[i], (const char **)&argv[i + 1]);
	if (all.times > CONNECTIONS_MAX)
		return 2;
	all.loop = loop_new();
	all.memory = tcp_memory_new();
	stock = tls_stock_new(NULL, CONNECTIONS_MAX);
	all.setup = tls_setup_new(stock, library, &spec, &e);
	if (!all.setup) {
		printf("refused %s\n", e.text);
		return 1;
	}
	if (all.mode == IDLE)
		run_idle();
	else
		run_in_turn();
	tls_setup_drop(all.setup);
	tls_stock_drop(stock);
	loop_free(all.loop);
	tcp_memory_free(all.memory);
	if (spec.trusted.n)
		free((char *)(uintptr_t)*spec.trusted.text);
	return all.failed;
}
