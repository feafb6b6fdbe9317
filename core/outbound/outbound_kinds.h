/* SPDX-License-Identifier: MIT */
#ifndef OUTBOUND_OUTBOUND_KINDS_H
#define OUTBOUND_OUTBOUND_KINDS_H

#include "outbound/outbound.h"

/*
 * How each kind makes its outbound. The caller fills in env, tag, path, policy and
 * count; the kind sets ops and what is its own. NULL and why.
 */
struct outbound *freedom_new(const struct outbound_spec *spec, struct err *e);
struct outbound *blackhole_new(const struct outbound_spec *spec, struct err *e);
struct outbound *vmess_new(
	const struct outbound_spec *spec, const struct outbound_env *env, struct err *e);

#endif
