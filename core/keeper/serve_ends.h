/* SPDX-License-Identifier: MIT */
#ifndef KEEPER_SERVE_ENDS_H
#define KEEPER_SERVE_ENDS_H

#include "keeper/serve.h"

/* The ends of flows in the kernel: applications hear of them at once. */

/* Looks whether connections can be ended at all: s->can_end. */
void serve_ends_find(struct serve *s);
/* Begins to listen for connections that the system forgets, once: s->losses. */
void serve_ends_watch(struct serve *s);
/* Ends what the system has forgotten. */
void serve_ends_lost(const struct serve *s);
/* The engine has died: ends what it carried, whose applications may only be waiting. */
void serve_ends_orphans(const struct serve *s);
/* Ends all that the kernel carries of a family (0: of both), which is asked for again; the
 * engine is told of each. */
void serve_ends_all(const struct serve *s, int family);
/* Of both, also what is only asked for: nobody will be there to be asked again. */
void serve_ends_last(const struct serve *s);

#endif
