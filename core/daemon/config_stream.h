/* SPDX-License-Identifier: MIT */
#ifndef DAEMON_CONFIG_STREAM_H
#define DAEMON_CONFIG_STREAM_H

#include "daemon/config_json.h"

/* Parts of streamSettings, a file each. 0, or -1 after node_fail. */

/* The settings of the transport whose kind c has already; they may be absent. */
int config_read_carrier(const struct node *settings, struct carrier_spec *c);
/* tlsSettings, or what v2ray 5 has for them; they may be absent. */
int config_read_tls(const struct node *settings, struct carrier_spec *c);

#endif
