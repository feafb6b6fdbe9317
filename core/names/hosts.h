/* SPDX-License-Identifier: MIT */
#ifndef NAMES_HOSTS_H
#define NAMES_HOSTS_H

#include "names/names.h"

/*
 * Names that nobody needs to be asked for: localhost, those of the
 * configuration, those of a hosts file.  The file is read again when it
 * changed, which is looked at no more than every five seconds; of a file over
 * 4 MB or 65,536 names the rest is left out, and the log says so.
 */
struct hosts;

enum { HOSTS_ALIASES = 8 }; /* that may follow on each other */

/* h is borrowed for life; file may be NULL. NULL without memory. */
struct hosts *hosts_new(const struct names_host *h, size_t n, const char *file);
void hosts_free(struct hosts *h);
/*
 * Looks for *name (lower case, no final dot). How many addresses of these
 * families (LOOKUP_V4, LOOKUP_V6; 0: none wanted) it has, at most `cap`, copied
 * to ip. 0: not known here; *name is then the name to go on with, which an
 * alias may have changed (borrowed from the configuration); an alias that is an
 * address is that address. -ENOENT: known, and without such an address. -ELOOP:
 * more aliases than HOSTS_ALIASES.
 */
int hosts_find(struct hosts *h, uint64_t now, const char **name, unsigned families,
	struct ip *ip, int cap);

#endif
