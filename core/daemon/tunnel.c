/* SPDX-License-Identifier: MIT */
#include "daemon/tunnel.h"

#include "stream/tcp.h"

#include <stdio.h>
#include <string.h>

bool
tunnel_under(const struct stream *s, char text[static TUNNEL_TEXT])
{
	char name[SOCK_DEVICE];
	struct endpoint from;

	while (s->lower)
		s = s->lower;
	if (strcmp(s->ops->name, "tcp") != 0 || tcp_local(s, &from) < 0 ||
		sock_tunnel_of(&from.ip, name) < 0)
		return false;
	snprintf(text, TUNNEL_TEXT,
		"this connection goes through the device %s (another sluice runs?): what "
		"follows may not be the server's own answer; end that one for a true test",
		name);
	return true;
}
