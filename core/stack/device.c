/* SPDX-License-Identifier: MIT */
#include "stack/room.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* A small packet that waits: a RST or an ICMP error. */
struct kept {
	struct list node;
	size_t len;
	uint8_t bytes[];
};

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
device_send(struct stack *s, const struct iovec *v, int n)
{
	const struct offload plain = { 0 };
	int r;

	if (s->full)
		return -EAGAIN;
	r = s->user->output(s->user, v, n, &plain);
	if (r == -EAGAIN) {
		s->full = true;
		s->n.output_full++;
	}
	if (r < 0)
		return r;
	s->n.out++;
	s->n.out_bytes += bytes_of(v, n);
	return 0;
}

static struct kept *
kept_new(const struct iovec *v, int n)
{
	struct kept *k = malloc(sizeof(*k) + bytes_of(v, n));
	int i;

	if (!k)
		return NULL;
	list_init(&k->node);
	for (i = 0, k->len = 0; i < n; k->len += v[i++].iov_len)
		if (v[i].iov_len)
			memcpy(k->bytes + k->len, v[i].iov_base, v[i].iov_len);
	return k;
}

static void
kept_free(struct stack *s, struct kept *k)
{
	list_remove(&k->node);
	s->nkept--;
	free(k);
}

void
device_send_sure(struct stack *s, const struct iovec *v, int n)
{
	struct kept *k;

	if (device_send(s, v, n) != -EAGAIN || s->nkept == KEPT_MAX)
		return;
	k = kept_new(v, n);
	if (!k)
		return;
	list_append(&s->kept, &k->node);
	s->nkept++;
}

void
device_resume(struct stack *s)
{
	struct iovec v;
	struct kept *k;

	s->full = false;
	while (!list_empty(&s->kept)) {
		k = container_of(s->kept.next, struct kept, node);
		v = (struct iovec){ k->bytes, k->len };
		if (device_send(s, &v, 1) == -EAGAIN)
			return;
		kept_free(s, k);
	}
}

void
device_end(struct stack *s)
{
	while (!list_empty(&s->kept))
		kept_free(s, container_of(s->kept.next, struct kept, node));
}
