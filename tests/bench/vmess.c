/* SPDX-License-Identifier: MIT */
/*
 * How fast VMess is without a network: bodies alone, many of them by turns, and
 * connections that are set up, greeted and torn down.  By hand: bench_vmess.
 */
#include "outbound/vmess_body.h"
#include "outbound/vmess_header.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum {
	MEASURE_MS = 700,
	BATCH = 64,
	HEADERS = 200,
	MANY = 8000,
	ROUNDS = 10,
	SMALL = 100
};

static const struct {
	const char *name;
	enum vmess_security security;
	unsigned options;
} kinds[] = {
	{ "aes-128-gcm", VMESS_AES128_GCM, 0x0d },
	{ "chacha20-poly1305", VMESS_CHACHA20_POLY1305, 0x0d },
	{ "none", VMESS_NONE, 0x05 },
};

static const size_t sizes[] = { 100, 1400, 2030, 8110, VMESS_PAYLOAD_MAX };

/* Processor time in milliseconds: others may be at work. */
static uint64_t
spent(void)
{
	return (uint64_t)clock() * 1000 / CLOCKS_PER_SEC;
}

/* Bytes of payload per millisecond, sealed and (where asked for) opened again. */
static double
body_rate(size_t kind, size_t len, bool opens)
{
	static uint8_t chunk[VMESS_OVERHEAD + VMESS_PAYLOAD_MAX];
	static const uint8_t key[16], iv[16];
	struct vmess_body up, down;
	struct vmess_chunk c;
	uint64_t began = spent(), took, bytes = 0;
	size_t i, pad;

	vmess_body_init(&up, kinds[kind].security, kinds[kind].options, key, iv);
	vmess_body_init(&down, kinds[kind].security, kinds[kind].options, key, iv);
	do {
		for (i = 0; i < BATCH; i++) {
			vmess_body_seal(&up, chunk, chunk + VMESS_LENGTH, len, &pad);
			if (!opens)
				continue;
			if (vmess_body_length(&down, chunk, &c) < 0 ||
				vmess_body_open(&down, &c, chunk + VMESS_LENGTH,
					chunk + VMESS_LENGTH) < 0)
				abort();
		}
		bytes += BATCH * len;
		took = spent() - began;
	} while (took < MEASURE_MS);
	return (double)bytes / (double)took;
}

/* Both ends of a connection, which was at rest since its last chunk. */
struct ends {
	struct vmess_body up, down;
};

static void
ends_init(struct ends *e, size_t i)
{
	uint8_t key[16] = { 0 }, iv[16] = { (uint8_t)i, (uint8_t)(i >> 8) };

	vmess_body_init(&e->up, kinds[0].security, kinds[0].options, key, iv);
	vmess_body_init(&e->down, kinds[0].security, kinds[0].options, key, iv);
}

static void
ends_pass(struct ends *e)
{
	uint8_t chunk[VMESS_OVERHEAD + SMALL] = { 0 };
	struct vmess_chunk c;
	size_t pad;

	vmess_body_seal(&e->up, chunk, chunk + VMESS_LENGTH, SMALL, &pad);
	if (vmess_body_length(&e->down, chunk, &c) < 0 ||
		vmess_body_open(
			&e->down, &c, chunk + VMESS_LENGTH, chunk + VMESS_LENGTH) < 0)
		abort();
}

/* Each has had `before` chunks when the time begins to count. */
static void
turns(size_t before)
{
	static struct ends ends[MANY];
	uint64_t began;
	size_t i, k;

	for (i = 0; i < MANY; i++) {
		ends_init(&ends[i], i);
		for (k = 0; k < before; k++)
			ends_pass(&ends[i]);
	}
	began = spent();
	for (k = 0; k < ROUNDS; k++)
		for (i = 0; i < MANY; i++)
			ends_pass(&ends[i]);
	printf("chunks of %d bytes, %d connections by turns, %zu before: %.2f us each\n",
		SMALL, MANY, before,
		1000.0 * (double)(spent() - began) / (MANY * (double)ROUNDS));
	for (i = 0; i < MANY; i++) {
		vmess_body_fini(&ends[i].up);
		vmess_body_fini(&ends[i].down);
	}
}

static void
headers(void)
{
	const struct target to = { .port = 443, .name = "www.example.com" };
	const struct vmess_request q = { VMESS_AES128_GCM, 0x0d, VMESS_TCP, &to, 0 };
	static const struct vmess_draw d;
	static const uint8_t id[16];
	uint8_t out[VMESS_HEADER_MAX];
	struct vmess_keys keys;
	uint64_t began = spent(), took, n = 0;
	int i;

	vmess_keys_init(&keys, id);
	do {
		for (i = 0; i < HEADERS; i++)
			if (vmess_header_write(out, &keys, &q, &d) < 0)
				abort();
		n += HEADERS;
		took = spent() - began;
	} while (took < MEASURE_MS);
	printf("request headers: %.1f us each\n", 1000.0 * (double)took / (double)n);
}

int
main(void)
{
	size_t k, i;

	printf("%-18s %8s %10s %12s\n", "MB/s", "chunk", "seal", "seal + open");
	for (k = 0; k < sizeof(kinds) / sizeof(*kinds); k++)
		for (i = 0; i < sizeof(sizes) / sizeof(*sizes); i++)
			printf("%-18s %8zu %10.0f %12.0f\n", kinds[k].name, sizes[i],
				body_rate(k, sizes[i], false) / 1000,
				body_rate(k, sizes[i], true) / 1000);
	turns(0);
	turns(50);
	turns(100);
	headers();
	return 0;
}
