/* SPDX-License-Identifier: MIT */
#ifndef KEEPER_SERVE_MISLED_H
#define KEEPER_SERVE_MISLED_H

#include "keeper/serve.h"

/* Rules of somebody else's that lead packets astray, as the firewall tells of it. */

/* Begins to listen: s->misled. */
void serve_misled_watch(struct serve *s);
/* Ends the engine's connections that cannot get out, and leaves direct flows to the stack
 * where their answers are kept from connection tracking; says so. s->misled is readable. */
void serve_misled_follow(struct serve *s);

#endif
