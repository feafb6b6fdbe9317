/* SPDX-License-Identifier: MIT */
#ifndef KEEPER_SERVE_RESOLVER_H
#define KEEPER_SERVE_RESOLVER_H

#include "keeper/serve.h"

/* The machine's resolver becomes s->servers, whatever it was; from then on it is watched, as
 * far as it is a file. 0, or -1 and why. */
int serve_resolver_take(struct serve *s, struct err *e);
/* There is news of it, or it is still another's.  What somebody else wrote there is what will
 * be put back, and ours takes its place again, once a second at most. */
void serve_resolver_mend(struct serve *s);

#endif
