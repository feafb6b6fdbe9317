/* SPDX-License-Identifier: MIT */
/*
 * Runs a fuzz harness without libFuzzer: every file of the corpus as it is, cut
 * short, and with bytes changed in a fixed pseudo-random way.  This is the
 * smoke of each harness in every test run; the fuzz preset does the work.
 */
#include "fuzz/fuzz.h"

#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

__attribute__((weak)) int LLVMFuzzerInitialize(int *argc, char ***argv);

enum { INPUT_MAX = 1 << 20, MUTATIONS = 300 };

static uint32_t
next(uint32_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 17;
	*state ^= *state << 5;
	return *state;
}

/* A copy of exactly its size, so that AddressSanitizer sees one byte too many. */
static void
run_copy(const uint8_t *p, size_t len)
{
	uint8_t *copy = malloc(len ? len : 1);

	if (!copy)
		abort();
	memcpy(copy, p, len);
	LLVMFuzzerTestOneInput(copy, len);
	free(copy);
}

static void
run_mutations(uint8_t *p, size_t len)
{
	uint32_t state = 2463534242u;
	uint8_t saved[4];
	size_t at[4];
	int i, k;

	for (i = 0; i < MUTATIONS && len > 0; i++) {
		for (k = 0; k < 4; k++) {
			at[k] = next(&state) % len;
			saved[k] = p[at[k]];
			p[at[k]] = (uint8_t)next(&state);
		}
		run_copy(p, i % 3 ? len : next(&state) % len);
		for (k = 3; k >= 0; k--)
			p[at[k]] = saved[k];
	}
}

static int
run_file(const char *dir, const char *name)
{
	char path[4096];
	uint8_t *p;
	size_t len;
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	f = fopen(path, "rb");
	if (!f)
		return -1;
	p = malloc(INPUT_MAX);
	if (!p)
		abort();
	len = fread(p, 1, INPUT_MAX, f);
	fclose(f);
	run_copy(p, len);
	run_mutations(p, len);
	free(p);
	return 0;
}

int
main(int argc, char **argv)
{
	struct dirent *d;
	int n = 0;
	DIR *dir;

	if (LLVMFuzzerInitialize)
		LLVMFuzzerInitialize(&argc, &argv);
	dir = argc == 2 ? opendir(argv[1]) : NULL;
	if (!dir) {
		fprintf(stderr, "usage: %s CORPUS-DIRECTORY\n", argv[0]);
		return 2;
	}
	while ((d = readdir(dir)))
		if (d->d_name[0] != '.')
			n += run_file(argv[1], d->d_name) == 0;
	closedir(dir);
	printf("%d inputs, each with %d mutations\n", n, MUTATIONS);
	return n > 0 ? 0 : 1;
}
