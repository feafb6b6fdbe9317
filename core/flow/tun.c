/* SPDX-License-Identifier: MIT */
#include "flow/tun_port.h"

#include "flow/leg.h"
#include "platform/tun.h"

#include <errno.h>
#include <string.h>

enum {
	PAUSE_MS = 1000,          /* before a device that failed is asked again */
	SHORT_MS = 10,            /* the same for want of the kernel's memory */
	TROUBLES_EVERY_MS = 60000 /* one line a minute */
};

/*
 * A device that is down, or whose keeper is about to take it away, answers
 * every read with an error at once: it is asked once a second, so that the
 * loop does not spin.
 */
static void
read_failed(struct tun_port *t, int error)
{
	log_limited(&t->troubles, loop_now(t->loop), LOG_WARNING,
		"the TUN device cannot be read: %s", strerror(-error));
	timer_arm(&t->pause, PAUSE_MS);
}

static void
packets_read(struct tun_port *t)
{
	struct offload o;
	ssize_t len;
	void *p;

	for (int i = 0; i < TUN_TURN; i++) {
		memset(&o, 0, sizeof(o));
		p = stack_buffer(t->stack);
		len = tun_read(t->fd, p, TUN_PACKET, t->bare ? NULL : &o);
		if (len == -EAGAIN) {
			watch_want(&t->watch, WATCH_READ);
			return;
		}
		if (len < 0) {
			read_failed(t, (int)len);
			return;
		}
		if (len > 0)
			stack_input(t->stack, p, (size_t)len, &o);
		else
			t->dropped++;
	}
	t->watch.happened |= WATCH_READ;
	loop_ready(t->loop, &t->task);
}

static void
tun_run(struct task *task)
{
	struct tun_port *t = container_of(task, struct tun_port, task);
	unsigned happened = t->watch.happened;

	t->watch.happened = 0;
	if (happened & WATCH_WRITE)
		stack_resume(t->stack);
	if (happened & WATCH_READ) {
		packets_read(t);
		legs_flush(container_of(t, struct flows, tun));
	}
}

static void
pause_over(struct timer *timer)
{
	struct tun_port *t = container_of(timer, struct tun_port, pause);

	watch_want(&t->watch, WATCH_READ);
}

static void
shortage_over(struct timer *timer)
{
	struct tun_port *t = container_of(timer, struct tun_port, shortage);

	t->watch.happened |= WATCH_WRITE;
	loop_ready(t->loop, &t->task);
}

void
tun_port_init(struct tun_port *t, struct loop *l, int fd, bool plain)
{
	memset(t, 0, sizeof(*t));
	t->loop = l;
	t->fd = fd;
	t->plain = plain;
	t->bare = tun_is_bare(fd);
	t->offload = tun_offload(fd, plain ? 0 : TUN_SUMS | TUN_TCP | TUN_UDP);
	t->troubles.every = TROUBLES_EVERY_MS;
	task_init(&t->task, tun_run);
	timer_init(&t->pause, l, pause_over);
	timer_init(&t->shortage, l, shortage_over);
	watch_init(&t->watch, l, fd, &t->task);
	t->watch.urgent = t->watch.edge = true;
}

void
tun_port_start(struct tun_port *t, struct stack *s)
{
	t->stack = s;
	watch_want(&t->watch, WATCH_READ);
}

void
tun_port_fini(struct tun_port *t)
{
	if (t->loop == NULL)
		return;
	watch_fini(&t->watch);
	timer_stop(&t->pause);
	timer_stop(&t->shortage);
	task_fini(&t->task);
	t->loop = NULL;
}

int
tun_port_write(struct tun_port *t, const struct iovec *v, int n, const struct offload *o)
{
	int err = tun_write(t->fd, v, n, t->bare ? NULL : o);

	if (err == -EAGAIN)
		watch_want(&t->watch, WATCH_WRITE);
	/* The kernel's memory, of which no event tells. */
	if (err == -ENOBUFS || err == -ENOMEM) {
		timer_arm(&t->shortage, SHORT_MS);
		err = -EAGAIN;
	}
	if (err == -EAGAIN)
		return err;
	if (err < 0) {
		/* What it would not take now it never will: keeping the packet would
		 * only stop those behind it. */
		t->dropped++;
		log_limited(&t->troubles, loop_now(t->loop), LOG_WARNING,
			"the TUN device would not take a packet: %s", strerror(-err));
	}
	return 0;
}

void
tun_port_log(const struct tun_port *t)
{
	if (t->offload == 0)
		log_info("offload of the TUN device: none%s",
			t->plain ? ", by the configuration" : "; it has none");
	else
		log_info("offload of the TUN device: checksums%s%s",
			t->offload & TUN_TCP ? ", TCP segments" : "",
			t->offload & TUN_UDP ? ", UDP datagrams" : "");
}
