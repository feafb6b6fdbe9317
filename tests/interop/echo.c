/* SPDX-License-Identifier: MIT */
#include "interop/echo.h"

#include <errno.h>

enum { TURN_BUDGET = 1 << 20 };

uint8_t
echo_byte(const struct echo *e, uint64_t i)
{
	uint64_t x = (i + (e->seed << 32)) * 0x9e3779b97f4a7c15u;

	return (uint8_t)(x >> 40 ^ x >> 17);
}

int
echo_send(struct echo *e)
{
	size_t i, budget = TURN_BUDGET;
	struct window w;
	int r = STREAM_OK;

	while (e->sent < e->bytes && budget && r == STREAM_OK) {
		r = stream_send_buf(e->s, &w);
		if (r != STREAM_OK)
			break;
		if (w.len > e->bytes - e->sent)
			w.len = (size_t)(e->bytes - e->sent);
		for (i = 0; i < w.len; i++)
			w.p[i] = echo_byte(e, e->sent + i);
		e->sent += w.len;
		budget -= w.len < budget ? w.len : budget;
		r = stream_send_ack(e->s, w.len);
	}
	if (e->sent < e->bytes && budget == 0)
		loop_ready(e->loop, e->task);
	return r < 0 ? r : stream_flush(e->s);
}

int
echo_take(struct echo *e)
{
	size_t i, budget = TURN_BUDGET;
	struct window w;
	int r;

	while (budget) {
		r = stream_recv_buf(e->s, &w);
		if (r != STREAM_OK)
			return r;
		for (i = 0; i < w.len && !e->counts; i++)
			if (w.p[i] != echo_byte(e, e->got + i))
				return -EILSEQ;
		e->got += w.len;
		budget -= w.len < budget ? w.len : budget;
		stream_recv_ack(e->s, w.len);
	}
	loop_ready(e->loop, e->task);
	return STREAM_AGAIN;
}
