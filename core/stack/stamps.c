/* SPDX-License-Identifier: MIT */
#include "stack/stamps.h"

#include "base/bytes.h"
#include "loop/loop.h"
#include "stack/hooks.h"

#include "lwip/priv/tcp_priv.h"
#include "lwip/sys.h"

/* Of a peer's clock, that a stamp can be older than another: what seems more is newer, since
 * the clock went half round in a silence (RFC 7323 5.5). */
enum { OLDER_MAX = 1 << 24 };

static struct loop *timekeeper;

void
stamps_begin(struct loop *loop)
{
	timekeeper = loop;
}

/* lwIP's clock, ms.  It goes on where sluice is started anew. */
u32_t
sys_now(void)
{
	return (u32_t)loop_now(timekeeper);
}

uint8_t
stamps_len(const struct tcp_pcb *pcb)
{
	return pcb->flags & TF_TIMESTAMP ? TCP_STAMP : 0;
}

/*
 * RFC 7323 4.3: what is echoed never goes back.  lwIP would read it from options, which it
 * is not given.  A segment with an older stamp is taken all the same (5.3): in a queue no
 * duplicate comes after what was sent behind it, and so none finds its numbers in use again.
 */
void
stamps_take(struct tcp_pcb *pcb, const struct segment *g)
{
	uint32_t stamp;

	if ((int32_t)(g->seq - pcb->ts_lastacksent) > 0 || !segment_stamp(g, &stamp))
		return;
	if (pcb->ts_recent - stamp - 1 >= OLDER_MAX)
		pcb->ts_recent = stamp;
}

/* lwIP forgets it in probes, keep-alives and resets; the former a peer may drop that finds
 * none (RFC 7323 3.2). */
uint8_t
port_options(const struct tcp_pcb *pcb, uint8_t len)
{
	return len == 0 && pcb && pcb->state != LISTEN ? stamps_len(pcb) : len;
}

uint32_t *
stamps_write(const struct pbuf *p, struct tcp_hdr *h, const struct tcp_pcb *pcb,
	uint32_t *options)
{
	uint8_t *b = (uint8_t *)options;
	size_t header = TCPH_HDRLEN_BYTES(h);

	if (b + TCP_STAMP != (uint8_t *)h + header)
		return options;
	/* The byte that a probe has: lwIP puts it where the options begin. */
	if (p->tot_len > header)
		b[TCP_STAMP] = b[0];
	be32_put(b, 0x0101080a);
	be32_put(b + 4, sys_now());
	be32_put(b + 8, pcb->ts_recent);
	return options + TCP_STAMP / sizeof(*options);
}
