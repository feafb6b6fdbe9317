/* SPDX-License-Identifier: MIT */
#ifndef FLOW_TUN_PORT_H
#define FLOW_TUN_PORT_H

#include "base/log.h"
#include "loop/loop.h"
#include "stack/stack.h"

/*
 * Where the packets come in and go out: the device between the applications
 * and the stack.  It is read before anything else in a turn, and at most
 * TUN_TURN packets of it, so that a flood cannot hold the loop.
 */
enum { TUN_TURN = 64 };

struct tun_port {
	struct loop *loop;
	struct stack *stack; /* borrowed */
	int fd;              /* borrowed */
	struct watch watch;
	struct task task;
	struct timer pause;    /* after an error of the device */
	struct timer shortage; /* after one of the kernel's memory */
	struct log_limit troubles;
	unsigned offload; /* TUN_ bits: what the device has agreed to */
	bool plain;       /* none was asked for */
	bool bare;        /* tun_is_bare */
	uint64_t dropped; /* packets that the device would never take, or made no sense */
};

/* Nothing is read before tun_port_start. `plain`: no offload is asked for. */
void tun_port_init(struct tun_port *t, struct loop *l, int fd, bool plain);
void tun_port_start(struct tun_port *t, struct stack *s);
void tun_port_fini(struct tun_port *t);
/* Says which offload there is: much of the speed depends on it. */
void tun_port_log(const struct tun_port *t);
/* 0, or -EAGAIN: the device is full, and stack_resume is called when it no longer is. */
int
tun_port_write(struct tun_port *t, const struct iovec *v, int n, const struct offload *o);

#endif
