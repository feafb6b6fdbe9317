/* SPDX-License-Identifier: MIT */
#ifndef PLATFORM_LINUX_POLICY_H
#define PLATFORM_LINUX_POLICY_H

#include <stdbool.h>
#include <stdint.h>

struct net_policy;
struct nlmsghdr;

/* Whether a rule, of any contents within its length, parts users as net_policy_by_user
 * looks for them; *priority is then its own, and else as it was. */
bool policy_rule_read(
	const struct nlmsghdr *h, const struct net_policy *ours, uint32_t *priority);

#endif
