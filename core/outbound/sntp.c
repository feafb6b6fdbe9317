/* SPDX-License-Identifier: MIT */
#include "outbound/sntp.h"

#include "base/bytes.h"

#include <stdbool.h>
#include <string.h>

enum {
	LEAP_UNKNOWN = 3, /* the server's clock is not synchronized */
	VERSION = 4,
	VERSION_MIN = 3,
	MODE_CLIENT = 3,
	MODE_SERVER = 4,
	STRATUM_MAX = 15,
	DISTANCE_MAX_S = 16, /* MAXDISP: whoever is farther from any clock has none */
};

/* Seconds from 1900, where era 0 of NTP begins, to 1970. */
#define EPOCH INT64_C(2208988800)

void
sntp_request_write(
	uint8_t out[static SNTP_SIZE], const uint8_t cookie[static SNTP_COOKIE])
{
	memset(out, 0, SNTP_SIZE);
	out[0] = VERSION << 3 | MODE_CLIENT;
	memcpy(out + SNTP_SIZE - SNTP_COOKIE, cookie, SNTP_COOKIE);
}

/* Era 0 until its seconds run over in 2036, and then era 1 (RFC 4330, 3). */
static int64_t
unix_time(uint32_t seconds)
{
	return (int64_t)seconds + (seconds >> 31 ? 0 : INT64_C(1) << 32) - EPOCH;
}

static void
code_read(char code[static SNTP_CODE], uint32_t id)
{
	int i;
	char c;

	for (i = 0; i < SNTP_CODE - 1; i++) {
		c = (char)(id >> (24 - 8 * i) & 0x7f);
		code[i] = (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ? c : '\0';
	}
	code[i] = '\0';
}

/* The fields of a header that count, in their order (RFC 5905, 7.3). */
struct header {
	uint8_t first, stratum;
	uint32_t delay, dispersion; /* in 1/65536 s */
	uint32_t id;
	const uint8_t *originate;
	uint32_t seconds, fraction; /* of the transmit time stamp */
};

static bool
header_read(struct header *h, const uint8_t *p, size_t len)
{
	struct reader r;

	reader_init(&r, p, len);
	h->first = reader_u8(&r);
	h->stratum = reader_u8(&r);
	reader_skip(&r, 2); /* poll, precision */
	h->delay = reader_be32(&r);
	h->dispersion = reader_be32(&r);
	h->id = reader_be32(&r);
	reader_skip(&r, 8); /* reference */
	h->originate = reader_bytes(&r, SNTP_COOKIE);
	reader_skip(&r, 8); /* receive */
	h->seconds = reader_be32(&r);
	h->fraction = reader_be32(&r);
	return !r.bad;
}

static bool
is_settled(const struct header *h)
{
	return h->first >> 6 != LEAP_UNKNOWN && h->stratum >= 1 &&
		h->stratum <= STRATUM_MAX && (h->seconds || h->fraction) &&
		(uint64_t)h->delay / 2 + h->dispersion < DISTANCE_MAX_S << 16;
}

enum sntp_verdict
sntp_answer_read(struct sntp_answer *a, const uint8_t *p, size_t len,
	const uint8_t cookie[static SNTP_COOKIE])
{
	struct header h;
	int version;

	memset(a, 0, sizeof(*a));
	if (!header_read(&h, p, len))
		return SNTP_NOT_OURS;
	version = h.first >> 3 & 7;
	if ((h.first & 7) != MODE_SERVER || version < VERSION_MIN || version > VERSION ||
		!bytes_equal_secret(h.originate, cookie, SNTP_COOKIE))
		return SNTP_NOT_OURS;
	/* Stratum 0 with a code of letters; without one it is a server that is starting. */
	if (h.stratum == 0)
		code_read(a->code, h.id);
	if (a->code[0])
		return SNTP_KISS;
	if (!is_settled(&h))
		return SNTP_UNSETTLED;
	a->time = unix_time(h.seconds);
	return SNTP_TIME;
}
