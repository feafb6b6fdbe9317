/* SPDX-License-Identifier: MIT */
#ifndef DAEMON_EXPORT_LINK_H
#define DAEMON_EXPORT_LINK_H

#include "daemon/import_server.h"

/* Early data as links say it, in the path; a warning at `n` where that cannot be said. */
void export_path_complete(const struct node *n, struct server *s);
/* The link in either form, in the memory of the reader. NULL after node_fail. */
const char *export_object(const struct node *n, const struct server *s);
const char *export_uri(const struct node *n, const struct server *s);

#endif
