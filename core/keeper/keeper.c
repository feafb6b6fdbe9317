/* SPDX-License-Identifier: MIT */
#include "keeper/keeper.h"

#include "base/log.h"
#include "keeper/journal.h"
#include "keeper/leftovers.h"
#include "keeper/serve.h"
#include "keeper/serve_direct.h"
#include "keeper/serve_ends.h"
#include "keeper/serve_misled.h"
#include "keeper/serve_resolver.h"
#include "keeper/serve_routes.h"
#include "keeper/signals.h"
#include "keeper/state.h"
#include "keeper/status.h"
#include "platform/direct.h"
#include "platform/net.h"
#include "platform/priv.h"
#include "platform/sys.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
	AGAIN_FIRST = 100,   /* ms until a dead engine is forked again, */
	AGAIN_MOST = 5000,   /* doubling up to this, */
	AGAIN_CALM = 60000,  /* and from the beginning for one that ran this long */
	GOODBYE_WAIT = 3000, /* ms for an engine that was asked to end */
	MEND_WAIT = 1000,    /* ms between two tries to put our rule sets back */
};

enum phase {
	PHASE_RUNNING, /* there is an engine */
	PHASE_WAITING, /* there is none; the next one starts at `due` */
	PHASE_ENDING,  /* the engine has been told to end, and is killed at `due` */
	PHASE_OVER,    /* there is none, and there will be none */
	PHASE_CHILD,   /* this process is the engine, and has come to its end */
};

struct keeper {
	const struct keeper_config *config;
	struct journal journal;
	struct serve serve;
	struct status questions; /* of `sluice status` */
	enum phase phase;
	int lock;                /* the engine inherits it: see state_lock */
	int wake;                /* readable when a signal came: signals.h */
	int sock;                /* to the engine; -1: closed */
	pid_t engine;            /* 0: none */
	uint64_t began;          /* ms of boot time, when the keeper was started, */
	uint64_t born;           /* when the engine was forked, */
	uint64_t died;           /* when the last one ended; 0: none has */
	uint64_t due;            /* ms, see enum phase */
	uint64_t delay;          /* ms, before the next fork */
	bool was_ready;          /* any engine so far */
	uint32_t forks;          /* engines so far */
	char death[REPORT_LINE]; /* how the last one ended */
	bool is_hurried; /* asked to end more than once: the engine has been killed */
	int status;      /* of the program */
};

/* In the child. Nothing of the keeper's is left to it but the lock and its socket, and no
 * foreign byte has been read before the privileges are gone. */
static int
engine_live(struct keeper *k, int sock, pid_t keeper)
{
	struct err e;

	signals_default();
	/* While it still may. */
	if (k->config->descriptors > 0)
		(void)sys_raise_descriptors(k->config->descriptors);
	/* Ctrl-C is the keeper's, which then ends the engine in order; the engine may
	 * still write to the terminal. */
	(void)setpgid(0, 0);
	signal(SIGTTOU, SIG_IGN);
	/*
	 * An engine never outlives its keeper.  It could relay for a while, but
	 * nobody would be left to undo anything, and its device would be in the
	 * way of the next start.  When it goes the kernel takes the device, and
	 * our table then says "unreachable": closed, until `recover` or the next
	 * start.
	 */
	if (priv_drop(k->serve.uid, k->serve.gid, &e) < 0 ||
		priv_die_with(keeper, &e) < 0) {
		log_error("%s", e.text);
		return 1;
	}
	return k->config->engine(sock, k->config->arg);
}

static void
child_shed(struct keeper *k, int ours)
{
	serve_fini(&k->serve);
	status_shed(&k->questions);
	close(ours);
	signals_close();
}

/* Forks an engine. PHASE_CHILD is set in the one that has been it. */
static int
engine_start(struct keeper *k, struct err *e)
{
	sigset_t all, before;
	pid_t self = getpid();
	int pair[2], r;

	r = sys_message_pair(pair);
	if (r < 0)
		return err_set(e, "socket pair: %s", strerror(-r));
	sigfillset(&all);
	/* No signal of the child's may go to the keeper's pipe. */
	sigprocmask(SIG_SETMASK, &all, &before);
	serve_renew(&k->serve);
	k->engine = fork();
	if (k->engine == 0) {
		child_shed(k, pair[0]);
		signals_default();
		sigprocmask(SIG_SETMASK, &before, NULL);
		k->phase = PHASE_CHILD;
		k->status = engine_live(k, pair[1], self);
		return 0;
	}
	r = errno;
	sigprocmask(SIG_SETMASK, &before, NULL);
	close(pair[1]);
	if (k->engine == -1) {
		k->engine = 0;
		close(pair[0]);
		return err_set(e, "fork: %s", strerror(r));
	}
	k->sock = pair[0];
	k->forks++;
	k->born = sys_boottime();
	k->phase = PHASE_RUNNING;
	return 0;
}

static void
sock_end(struct keeper *k)
{
	if (k->sock >= 0)
		close(k->sock);
	k->sock = -1;
}

/* Whether an engine that was asked to end found something wrong with itself, such as
 * memory that it has lost.  One that is asked while it still starts only gives up. */
static bool
ended_ill(const struct keeper *k, int status)
{
	return k->serve.ready && WIFEXITED(status) && WEXITSTATUS(status) != 0;
}

/* How an engine ended, for people and as an exit status. */
static int
ending_say(struct keeper *k, int status)
{
	if (WIFSIGNALED(status))
		snprintf(k->death, sizeof k->death, "was ended by signal %d",
			WTERMSIG(status));
	else
		snprintf(k->death, sizeof k->death, "ended with status %d",
			WEXITSTATUS(status));
	if (WIFSIGNALED(status) ||
		(k->was_ready && (k->phase != PHASE_ENDING || ended_ill(k, status))))
		log_error("the engine (process %d) %s", (int)k->engine, k->death);
	return WIFSIGNALED(status) ? 1 : WEXITSTATUS(status);
}

/* Before any engine was ready nothing is protected yet, and why it ended is for the user:
 * bad configuration, say. Afterwards an end that nobody asked for is a failure, and the
 * device stays: closed, not open. */
static void
engine_ended(struct keeper *k, int status)
{
	uint64_t now = sys_monotonic();
	bool ending = k->phase == PHASE_ENDING;
	int code = ending_say(k, status);

	k->engine = 0;
	k->died = sys_boottime();
	sock_end(k);
	k->phase = PHASE_OVER;
	if (ending) {
		/* One that had to be killed has not looked after itself at its end. */
		if (WIFSIGNALED(status) || ended_ill(k, status))
			k->status = code;
		return;
	}
	if (!k->was_ready) {
		k->status = code;
		return;
	}
	if (k->delay == 0 || k->died - k->born >= AGAIN_CALM)
		k->delay = AGAIN_FIRST;
	else
		k->delay = k->delay * 2 > AGAIN_MOST ? AGAIN_MOST : k->delay * 2;
	log_warn("packets wait in %s; the engine is started again in %u.%u s",
		k->serve.tun >= 0 ? k->serve.tun_name : "no device",
		(unsigned)(k->delay / 1000), (unsigned)(k->delay % 1000 / 100));
	k->due = now + k->delay;
	k->phase = PHASE_WAITING;
	serve_ends_orphans(&k->serve);
}

static void
engine_reap(struct keeper *k)
{
	int status;

	if (k->engine > 0 && waitpid(k->engine, &status, WNOHANG) == k->engine)
		engine_ended(k, status);
}

static void
engine_kill(struct keeper *k)
{
	if (k->engine > 0)
		kill(k->engine, SIGKILL);
}

/*
 * The socket's end is how an engine is told, in two steps: once nothing more comes, what
 * ends is sluice's doing, and once it is closed, nothing more will end.  One that is not
 * ready waits for an answer, and knows the second alone.
 */
static void
engine_dismiss(struct keeper *k)
{
	if (k->sock >= 0 && k->serve.ready)
		(void)shutdown(k->sock, SHUT_WR);
	/* While there is an engine that counts them. */
	serve_ends_last(&k->serve);
	sock_end(k);
}

/* The second time there is no more patience. */
static void
stop(struct keeper *k, int times)
{
	if (k->phase == PHASE_WAITING)
		k->phase = PHASE_OVER;
	if (k->phase == PHASE_RUNNING) {
		sys_notify("STOPPING=1");
		engine_dismiss(k);
		k->phase = PHASE_ENDING;
		k->due = sys_monotonic() + GOODBYE_WAIT;
	}
	if (k->phase == PHASE_ENDING && times > 1 && !k->is_hurried) {
		k->is_hurried = true;
		log_warn("asked to end twice: the engine is killed");
		engine_kill(k);
	}
}

static void
due_come(struct keeper *k)
{
	struct err e;

	if (sys_monotonic() < k->due)
		return;
	if (k->phase == PHASE_ENDING) {
		log_warn("the engine did not end by itself, and is killed");
		engine_kill(k);
		k->due = UINT64_MAX;
	} else if (k->phase == PHASE_WAITING && engine_start(k, &e) < 0) {
		log_error("%s", e.text);
		k->delay = AGAIN_MOST;
		k->due = sys_monotonic() + AGAIN_MOST;
	}
}

/* An engine that has closed its socket, or cannot be talked to, is of no more use. */
static void
engine_listen(struct keeper *k)
{
	bool was_ready = k->serve.ready;
	int r = serve_next(&k->serve, k->sock);

	if (r < 0 && r != -EAGAIN) {
		sock_end(k);
		k->due = sys_monotonic() + GOODBYE_WAIT;
	}
	if (k->serve.ready && !was_ready) {
		k->was_ready = true;
		sys_notify("READY=1");
	}
}

static enum report_phase
phase_of(const struct keeper *k)
{
	if (k->phase == PHASE_ENDING)
		return REPORT_ENDING;
	if (k->phase == PHASE_RUNNING && k->serve.ready && k->sock >= 0)
		return REPORT_RUNNING;
	return k->was_ready ? REPORT_AGAIN : REPORT_STARTING;
}

static void
report_make(const struct keeper *k, struct keeper_report *r)
{
	uint64_t now = sys_boottime();

	memset(r, 0, sizeof *r);
	if (k->config->version)
		snprintf(r->version, sizeof r->version, "%s", k->config->version);
	r->phase = phase_of(k);
	r->keeper = (uint32_t)getpid();
	r->engine = (uint32_t)k->engine;
	r->age = now - k->began;
	r->engine_age = k->engine > 0 ? now - k->born : 0;
	r->restarts = k->forks > 0 ? k->forks - 1 : 0;
	r->died = k->died > 0 ? now - k->died : REPORT_NEVER;
	memcpy(r->death, k->death, sizeof r->death);
	memcpy(r->device, k->serve.tun_name, sizeof r->device);
	r->mtu = (uint32_t)k->serve.tun_config.mtu;
	r->routed4 = k->serve.routed && k->serve.routes.v4;
	r->routed6 = k->serve.routed && k->serve.routes.v6;
	r->resolver = k->serve.taken;
	r->exposed = k->serve.lost != 0;
	r->astray = k->serve.astray;
	r->mends = k->serve.mends;
	r->mended = k->serve.mends > 0 ? now - k->serve.mended : REPORT_NEVER;
	r->led_back = k->serve.led_back;
	r->led = k->serve.led_back > 0 ? now - k->serve.led : REPORT_NEVER;
	r->led_mark = k->serve.led_mark;
	memcpy(r->beside4, k->serve.beside4, sizeof r->beside4);
	memcpy(r->beside6, k->serve.beside6, sizeof r->beside6);
	serve_direct_held(&k->serve, 4, r->held4);
	serve_direct_held(&k->serve, 6, r->held6);
}

/* An engine that is not ready yet has other things to do, and one that was asked to end
 * hears nothing any more. */
static void
question_answer(struct keeper *k)
{
	struct keeper_report r;
	int list = -1;

	report_make(k, &r);
	if (r.phase == REPORT_RUNNING && (k->serve.direct4 || k->serve.direct6))
		list = net_direct_list(OUR_KEPT);
	status_answer(&k->questions, &r, r.phase == REPORT_RUNNING ? k->sock : -1, list);
	if (list >= 0)
		close(list);
}

static int
wait_ms(const struct keeper *k)
{
	uint64_t now = sys_monotonic();
	bool timed = k->phase == PHASE_WAITING || k->phase == PHASE_ENDING ||
		(k->phase == PHASE_RUNNING && k->sock < 0);
	int most = k->serve.lost != 0 || k->serve.astray || k->serve.usurped ||
			status_rests(&k->questions)
		? MEND_WAIT
		: -1;

	if (!timed || k->due == UINT64_MAX)
		return most;
	if (k->due <= now)
		return 0;
	return most > 0 && k->due - now > MEND_WAIT ? most : (int)(k->due - now);
}

/* A device cannot be given to an engine that has another one. */
static void
routes_mend(struct keeper *k)
{
	serve_routes_mend(&k->serve);
	if (!k->serve.gone)
		return;
	log_error("somebody removed the device %s, or gave it another name: sluice ends",
		k->serve.tun_name);
	k->status = 1;
	stop(k, 1);
}

static void
turn(struct keeper *k)
{
	struct pollfd p[11] = {
		{ .fd = k->wake, .events = POLLIN },
		{ .fd = k->sock, .events = POLLIN },
		{ .fd = k->serve.rules, .events = POLLIN },
		{ .fd = k->serve.losses, .events = POLLIN },
		{ .fd = status_rests(&k->questions) ? -1 : k->questions.fd,
			.events = POLLIN },
		{ .fd = k->serve.settings, .events = POLLIN },
		{ .fd = k->serve.gone ? -1 : k->serve.changes, .events = POLLIN },
		{ .fd = k->serve.marks, .events = POLLIN },
		{ .fd = k->serve.policy, .events = POLLIN },
		{ .fd = k->serve.misled, .events = POLLIN },
		{ .fd = k->serve.resolver, .events = POLLIN },
	};
	int stops;

	if (poll(p, 11, wait_ms(k)) == -1 && errno != EINTR)
		log_error("poll: %s", strerror(errno));
	stops = signals_read();
	/* Where something is missing there, traffic leaves beside the device. */
	if (k->serve.changes >= 0 && !k->serve.gone && (p[6].revents || k->serve.astray))
		routes_mend(k);
	/* Requests first: what a dying engine has asked for is not answered, but what it
	 * said before its end (that it was ready) counts. */
	if (k->sock >= 0 && p[1].revents)
		engine_listen(k);
	engine_reap(k);
	if (k->serve.rules >= 0 && (p[2].revents || k->serve.lost))
		serve_rules_mend(&k->serve);
	if (k->serve.losses >= 0 && p[3].revents)
		serve_ends_lost(&k->serve);
	if (k->serve.settings >= 0 && p[5].revents)
		serve_settings_mend(&k->serve);
	if (k->serve.marks >= 0 && p[7].revents)
		serve_routes_settings_mend(&k->serve);
	if (k->serve.policy >= 0 && p[8].revents)
		serve_policy_follow(&k->serve);
	if (k->serve.misled >= 0 && p[9].revents)
		serve_misled_follow(&k->serve);
	if (k->serve.resolver >= 0 && (p[10].revents || k->serve.usurped))
		serve_resolver_mend(&k->serve);
	if (p[4].revents)
		question_answer(k);
	if (stops > 0)
		stop(k, stops);
	if (k->phase == PHASE_RUNNING && k->sock < 0 && sys_monotonic() >= k->due)
		engine_kill(k);
	due_come(k);
}

static int
start(struct keeper *k, struct err *e)
{
	int n;

	if (!priv_is_root())
		return err_set(e,
			"the device, the routes and the firewall are root's: run "
			"this as root (sudo)");
	if (state_prepare(k->config->state_dir, e) < 0)
		return -1;
	k->lock = state_lock(k->config->state_dir, e);
	if (k->lock < 0)
		return -1;
	n = leftovers_undo(&k->journal, k->config->state_dir, e);
	if (n < 0)
		return -1;
	if (n > 0)
		log_warn("an earlier instance was killed: %d of its changes undone", n);
	if (priv_engine_ids(&k->serve.uid, &k->serve.gid, e) < 0)
		return -1;
	k->wake = signals_open(e);
	if (k->wake < 0)
		return -1;
	status_open(&k->questions, k->config->state_dir);
	return engine_start(k, e);
}

/*
 * The device goes with its last descriptor, and takes its addresses along.  An
 * engine that was killed has ended nothing, and others may ask until now: all
 * of that ends while our rules let nothing out.
 */
static void
device_end(struct keeper *k)
{
	if (k->serve.tun < 0)
		return;
	close(k->serve.tun);
	k->serve.tun = -1;
	leftovers_connections_end(&k->journal);
}

static void
finish(struct keeper *k)
{
	int undone = 0;

	if (k->phase != PHASE_CHILD) {
		engine_kill(k);
		/* Those that began since, or all: before the addresses and the routes go,
		 * so that their resets leave nowhere by another way. */
		serve_ends_last(&k->serve);
		device_end(k);
		if (k->lock >= 0)
			undone = journal_undo(&k->journal, 0);
		if (k->lock >= 0 && journal_has_session(&k->journal))
			k->status = 1;
		else if (undone > 0 && k->was_ready)
			log_news("ended; %d changes of the system are put back", undone);
		serve_fini(&k->serve);
		status_close(&k->questions);
	}
	signals_default();
	sock_end(k);
	signals_close();
	if (k->lock >= 0)
		close(k->lock);
}

int
keeper_run(const struct keeper_config *c)
{
	struct keeper k;
	struct err e;

	memset(&k, 0, sizeof k);
	k.config = c;
	k.lock = k.sock = k.wake = k.questions.fd = -1;
	k.began = sys_boottime();
	serve_init(&k.serve, c, &k.journal);
	if (start(&k, &e) < 0) {
		log_error("%s", e.text);
		k.status = 1;
		k.phase = PHASE_OVER;
	}
	while (k.phase != PHASE_OVER && k.phase != PHASE_CHILD)
		turn(&k);
	finish(&k);
	return k.status;
}
