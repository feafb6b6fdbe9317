/* SPDX-License-Identifier: MIT */
#ifndef KEEPER_SERVE_ROUTES_H
#define KEEPER_SERVE_ROUTES_H

#include "keeper/serve.h"

/*
 * The device, its addresses, the routes and rules that lead into it, and the
 * settings that go with them, against somebody else's hand: what is taken away
 * is put back.
 */

/* Sets the settings, and watches them. */
void serve_routes_settle(struct serve *s);
/* The device is there: from now on it is watched. */
void serve_routes_watch(struct serve *s);

/* There is news of any of it, or something is still missing; also looks whether somebody
 * else's lead past the device. s->gone: the device is, which only another start can mend. */
void serve_routes_mend(struct serve *s);
/* Whether all of it is there, and was a second ago; what is missing is put back. */
bool serve_routes_hold(struct serve *s);
/* There is news of the settings. */
void serve_routes_settings_mend(struct serve *s);

#endif
