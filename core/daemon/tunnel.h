/* SPDX-License-Identifier: MIT */
#ifndef DAEMON_TUNNEL_H
#define DAEMON_TUNNEL_H

#include "stream/stream.h"

#include <stdbool.h>

enum { TUNNEL_TEXT = 192 };

/* For commands that want to meet the server itself: whether a stream that has connected
 * goes out by a tunnel of this machine, such as that of a sluice that runs.  Then `text`
 * says so in a sentence. */
bool tunnel_under(const struct stream *s, char text[static TUNNEL_TEXT]);

#endif
