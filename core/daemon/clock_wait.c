/* SPDX-License-Identifier: MIT */
#include "daemon/clock_wait.h"

#include "loop/loop.h"
#include "platform/sys.h"

bool
clock_wait(const struct outbound_env *env, unsigned ms)
{
	uint64_t until = sys_monotonic() + ms, now;

	times_ask(env->times);
	while (times_busy(env->times)) {
		now = sys_monotonic();
		if (now >= until)
			return false;
		loop_turn(env->loop, (int)(until - now));
	}
	return true;
}
