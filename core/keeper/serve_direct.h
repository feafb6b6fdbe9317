/* SPDX-License-Identifier: MIT */
#ifndef KEEPER_SERVE_DIRECT_H
#define KEEPER_SERVE_DIRECT_H

#include "keeper/serve.h"
#include "platform/direct.h"

/* Direct flows in the kernel, and the rule sets that somebody else may take away. */

/* What request_direct and request_endings ask for: a descriptor (the first is kept), or -1
 * and why. */
int serve_direct(struct serve *s, int family, struct err *e);
/* An engine is ready: what one before it asked for, and it did not, ends with its flows. */
void serve_direct_settle(struct serve *s);
int serve_endings(const struct serve *s, struct err *e);
/* Why the kernel carries no direct flows of a family at the moment; "": it does, or nobody
 * asked for it. */
void serve_direct_held(const struct serve *s, int family, char why[static REPORT_WHY]);
/* Answers to such flows are kept from connection tracking by somebody: from now on sluice
 * carries those of a family. */
void serve_direct_unseen(struct serve *s, int family);
/* Those of a family, as the system is told. */
void serve_direct_of(const struct serve *s, int family, struct net_direct *d);

/* Begins to look after the rule sets: s->rules. */
void serve_rules_watch(struct serve *s);
/* Puts back what was taken away; tries again at the next call what could not be. */
void serve_rules_mend(struct serve *s);
/* Somebody has written a setting of connection tracking that direct flows need: s->settings
 * is readable. */
void serve_settings_mend(struct serve *s);
/* Rules of routing have come or gone: s->policy is readable. */
void serve_policy_follow(struct serve *s);

#endif
