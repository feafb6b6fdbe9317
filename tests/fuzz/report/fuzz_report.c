/* SPDX-License-Identifier: MIT */
#include "keeper/report.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t len);

/* Nothing that steers a terminal, or ends a string in JSON, has come through. */
static void
text_check(const char *s, size_t cap)
{
	if (strnlen(s, cap) == cap)
		abort();
	for (; *s; s++)
		if ((unsigned char)*s < ' ' || *s == 0x7f)
			abort();
}

/* What was read can be written, and read again as the same. */
static void
keeper_check(const uint8_t *p, size_t len)
{
	static uint8_t bytes[REPORT_MAX];
	static struct keeper_report r, again;
	int err = keeper_report_read(&r, p, len);

	text_check(r.version, sizeof r.version);
	if (err < 0)
		return;
	text_check(r.death, sizeof r.death);
	text_check(r.device, sizeof r.device);
	if (r.phase >= REPORT_PHASES ||
		keeper_report_read(&again, bytes, keeper_report_write(&r, bytes)) < 0 ||
		strcmp(again.death, r.death) != 0 || again.mtu != r.mtu)
		abort();
}

static void
engine_check(const uint8_t *p, size_t len)
{
	static uint8_t bytes[REPORT_MAX];
	static struct engine_report r, again;
	uint32_t i;

	if (engine_report_read(&r, p, len) < 0)
		return;
	if (r.noutbound > REPORT_OUTBOUNDS || r.direct[0].way >= REPORT_WAYS ||
		r.direct[1].way >= REPORT_WAYS)
		abort();
	for (i = 0; i < r.noutbound; i++) {
		text_check(r.outbound[i].tag, sizeof r.outbound[i].tag);
		text_check(r.outbound[i].kind, sizeof r.outbound[i].kind);
		text_check(r.outbound[i].server, sizeof r.outbound[i].server);
		text_check(r.outbound[i].why, sizeof r.outbound[i].why);
	}
	if (engine_report_read(&again, bytes, engine_report_write(&r, bytes)) < 0 ||
		memcmp(&again, &r, sizeof r) != 0)
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t len)
{
	keeper_check(p, len);
	engine_check(p, len);
	return 0;
}
