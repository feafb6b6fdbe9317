/* SPDX-License-Identifier: MIT */
#include "stack/room.h"

#include <errno.h>
#include <string.h>

static size_t
bytes_of(const struct iovec *v, int n)
{
	size_t len = 0;
	int i;

	for (i = 0; i < n; i++)
		len += v[i].iov_len;
	return len;
}

int
device_send(struct stack *s, const struct iovec *v, int n, const struct offload *o)
{
	const struct offload plain = { 0 };
	int r;

	if (s->full)
		return -EAGAIN;
	r = s->user->output(s->user, v, n, o ? o : &plain);
	if (r == -EAGAIN) {
		s->full = true;
		s->n.output_full++;
	}
	if (r < 0)
		return r;
	s->n.out++;
	s->n.out_large += o && o->gso != OFFLOAD_NONE;
	s->n.out_bytes += bytes_of(v, n);
	return 0;
}

/* A packet that waits: of those that are made here the largest is an ICMP error. */
struct kept {
	struct list node;
	struct offload offload;
	size_t len;
	uint8_t bytes[DEVICE_KEPT];
};

static void
keep(struct stack *s, const struct iovec *v, int n, const struct offload *o)
{
	struct kept *k;
	int i;

	if (bytes_of(v, n) > DEVICE_KEPT || !(k = pool_get(&s->kept_pool)))
		return;
	for (i = 0; i < n; k->len += v[i++].iov_len)
		if (v[i].iov_len)
			memcpy(k->bytes + k->len, v[i].iov_base, v[i].iov_len);
	if (o)
		k->offload = *o;
	list_init(&k->node);
	list_append(&s->kept, &k->node);
}

void
device_send_sure(struct stack *s, const struct iovec *v, int n, const struct offload *o)
{
	if (device_send(s, v, n, o) == -EAGAIN)
		keep(s, v, n, o);
}

void
device_resume(struct stack *s)
{
	struct kept *k;
	struct iovec v;

	s->full = false;
	while (!list_empty(&s->kept)) {
		k = container_of(s->kept.next, struct kept, node);
		v = (struct iovec){ k->bytes, k->len };
		if (device_send(s, &v, 1, &k->offload) == -EAGAIN)
			return;
		list_remove(&k->node);
		pool_put(&s->kept_pool, k);
	}
}

void
device_begin(struct stack *s)
{
	list_init(&s->kept);
	pool_init(&s->kept_pool, "packets for a full device", sizeof(struct kept),
		KEPT_MAX, 0);
}

size_t
device_end(struct stack *s)
{
	struct list *n;

	while ((n = list_take(&s->kept)))
		pool_put(&s->kept_pool, container_of(n, struct kept, node));
	return pool_fini(&s->kept_pool);
}
