/* SPDX-License-Identifier: MIT */
#ifndef PLATFORM_POSIX_DGRAM_EACH_H
#define PLATFORM_POSIX_DGRAM_EACH_H

#include "platform/dgram.h"

/* The face of platform/dgram.h with a call for each datagram, which every system has. An
 * error behind the first waits for the next call. */
int dgram_send_each(int fd, struct dgram_out *d, int n);
int dgram_recv_each(int fd, struct dgram_in *d, int n);

#endif
