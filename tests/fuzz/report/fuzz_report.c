/* SPDX-License-Identifier: MIT */
#include "fuzz/fuzz.h"
#include "keeper/report.h"

/* Nothing that steers a terminal, or ends a string in JSON, has come through. */
static void
text_check(const char *s, size_t cap)
{
	must(strnlen(s, cap) < cap);
	for (; *s; s++)
		must((unsigned char)*s >= ' ' && *s != 0x7f);
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
	must(r.phase < REPORT_PHASES);
	must(keeper_report_read(&again, bytes, keeper_report_write(&r, bytes)) == 0);
	must(strcmp(again.death, r.death) == 0 && again.mtu == r.mtu);
}

static void
engine_check(const uint8_t *p, size_t len)
{
	static uint8_t bytes[REPORT_MAX];
	static struct engine_report r, again;
	uint32_t i;

	if (engine_report_read(&r, p, len) < 0)
		return;
	must(r.noutbound <= REPORT_OUTBOUNDS);
	must(r.direct[0].way < REPORT_WAYS && r.direct[1].way < REPORT_WAYS);
	for (i = 0; i < r.noutbound; i++) {
		text_check(r.outbound[i].tag, sizeof r.outbound[i].tag);
		text_check(r.outbound[i].kind, sizeof r.outbound[i].kind);
		text_check(r.outbound[i].server, sizeof r.outbound[i].server);
		text_check(r.outbound[i].why, sizeof r.outbound[i].why);
	}
	must(engine_report_read(&again, bytes, engine_report_write(&r, bytes)) == 0);
	must(memcmp(&again, &r, sizeof r) == 0);
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t len)
{
	keeper_check(p, len);
	engine_check(p, len);
	return 0;
}
