/* SPDX-License-Identifier: MIT */
#include "fuzz/fuzz.h"
#include "outbound/sntp.h"

#include <stdlib.h>
#include <string.h>

enum { AT_ORIGINATE = 24 };

/* Nobody who does not know the cookie is believed; a code is letters and digits. */
static void
check(const struct sntp_answer *a, enum sntp_verdict v)
{
	static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";

	if (a->code[strspn(a->code, letters)] || (v == SNTP_KISS) != (a->code[0] != '\0'))
		abort();
	if (v == SNTP_TIME && (a->time < -61505152 || a->time > 4233462143))
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t len)
{
	uint8_t cookie[SNTP_COOKIE] = { 0 };
	struct sntp_answer a;

	if (len >= AT_ORIGINATE + SNTP_COOKIE)
		memcpy(cookie, p + AT_ORIGINATE, sizeof(cookie));
	check(&a, sntp_answer_read(&a, p, len, cookie));
	cookie[0] ^= 0x80;
	if (sntp_answer_read(&a, p, len, cookie) != SNTP_NOT_OURS)
		abort();
	return 0;
}
