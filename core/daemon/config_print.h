/* SPDX-License-Identifier: MIT */
#ifndef DAEMON_CONFIG_PRINT_H
#define DAEMON_CONFIG_PRINT_H

#include "daemon/config.h"

struct json_object;

/* streamSettings of an outbound, a new reference; NULL where there is nothing to say. */
struct json_object *
config_print_stream(const struct config *c, const struct outbound_spec *s);

#endif
