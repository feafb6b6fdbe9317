/* SPDX-License-Identifier: MIT */
#ifndef DNS_QUESTIONS_H
#define DNS_QUESTIONS_H

#include "base/addr.h"
#include "names/message.h"

#include <stdbool.h>
#include <stdint.h>

/*
 * Questions that applications have asked, and nobody has answered so far.
 * Anybody can send a datagram from port 53: only what answers one of these is
 * believed.  A question is who asked, from which port, whom, the id, the name
 * and the type.  It is waited for ten seconds; of more than QUESTIONS_MAX at a
 * time the oldest is forgotten.  Times are loop_now()'s.
 */
struct questions;

enum { QUESTIONS_MAX = 1024, QUESTION_LIFE_MS = 10000 };

struct questions *questions_new(void);
void questions_free(struct questions *q);
void questions_asked(struct questions *q, uint64_t now, const struct endpoint *who,
	const struct endpoint *server, const struct dns_message *m);
/* Whether this message of `server` to `who` answers one. */
bool questions_has(const struct questions *q, uint64_t now, const struct endpoint *who,
	const struct endpoint *server, const struct dns_message *m);
/* It is answered: what comes after the first answer is not believed. */
void questions_end(struct questions *q, const struct endpoint *who,
	const struct endpoint *server, const struct dns_message *m);

#endif
