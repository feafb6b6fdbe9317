/* SPDX-License-Identifier: MIT */
#include "flow/sniff.h"
#include "fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>

/* What is settled stays so with more bytes, and a name is one that fits. */
int
LLVMFuzzerTestOneInput(const uint8_t *p, size_t len)
{
	struct sniffed part, whole;
	bool settled = sniff(&part, p, len / 2);

	sniff(&whole, p, len);
	if (strlen(whole.name) > NAME_MAX_LEN)
		abort();
	if (settled &&
		(part.protocol != whole.protocol || strcmp(part.name, whole.name) != 0))
		abort();
	return 0;
}
