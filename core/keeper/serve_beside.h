/* SPDX-License-Identifier: MIT */
#ifndef KEEPER_SERVE_BESIDE_H
#define KEEPER_SERVE_BESIDE_H

#include "keeper/serve.h"

/* Rules of somebody else's before ours, or routes that are narrower than a default one, can
 * lead past the device what should go into it.  Nobody took anything of ours away then. */

/* Asks the kernel by which interface ordinary traffic leaves: s->beside4, s->beside6, and a
 * line in the log when that changes. */
void serve_beside_look(struct serve *s);

#endif
