/* SPDX-License-Identifier: MIT */
#include "base/random.h"
#include "daemon/command.h"

#include <getopt.h>
#include <stdio.h>

static const char help[] =
	"usage: sluice uuid [-i STRING]\n"
	"\n"
	"Prints a random id for a VMess user.\n"
	"\n"
	"  -i, --input STRING  in place of that, the id that STRING (1 to 30 bytes)\n"
	"                      stands for, as Xray maps it\n";

static const struct option options[] = {
	{ "input", required_argument, NULL, 'i' },
	{ "help", no_argument, NULL, 'h' },
	{ NULL, 0, NULL, 0 },
};

static void
id_print(const uint8_t id[static 16])
{
	size_t i;

	for (i = 0; i < 16; i++)
		printf("%s%02x", i == 4 || i == 6 || i == 8 || i == 10 ? "-" : "", id[i]);
	putchar('\n');
}

/* Version 4 (RFC 9562, 5.4). */
static void
id_random(uint8_t id[static 16])
{
	random_bytes(id, 16);
	id[6] = (uint8_t)((id[6] & 0x0f) | 0x40);
	id[8] = (uint8_t)((id[8] & 0x3f) | 0x80);
}

int
command_uuid(int argc, char **argv)
{
	const char *input = NULL;
	uint8_t id[16];
	struct err e;
	int option;

	while ((option = getopt_long(argc, argv, "i:h", options, NULL)) != -1) {
		switch (option) {
		case 'i':
			input = optarg;
			break;
		case 'h':
			fputs(help, stdout);
			return STATUS_OK;
		default:
			return command_usage("uuid");
		}
	}
	if (optind != argc) {
		fputs("sluice: uuid takes a word as -i WORD alone; see sluice uuid --help\n",
			stderr);
		return STATUS_USAGE;
	}
	if (input && vmess_id_parse(id, input, &e) < 0) {
		fprintf(stderr, "sluice: %s\n", e.text);
		return STATUS_WRONG;
	}
	if (!input)
		id_random(id);
	id_print(id);
	return STATUS_OK;
}
