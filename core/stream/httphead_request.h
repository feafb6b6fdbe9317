/* SPDX-License-Identifier: MIT */
#ifndef STREAM_HTTPHEAD_REQUEST_H
#define STREAM_HTTPHEAD_REQUEST_H

#include "stream/httphead.h"

/* Draws and writes the request of a spec that was checked. Answers its length. */
size_t httphead_request_write(const struct httphead_spec *spec, struct rng *rng,
	uint8_t p[static HTTPHEAD_REQUEST_MAX]);

#endif
