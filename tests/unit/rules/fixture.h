/* SPDX-License-Identifier: MIT */
#ifndef TESTS_RULES_FIXTURE_H
#define TESTS_RULES_FIXTURE_H

#include "base/bytes.h"
#include "rules/rules.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* A list as rule_spec wants it. */
#define LIST(...) ((const char *const[]){ __VA_ARGS__, NULL })
#define COUNT(a)  (sizeof(a) / sizeof((a)[0]))

/* Protocol buffers, as far as list files need them. */
void wire_varint(struct writer *w, uint64_t v);
void wire_number(struct writer *w, unsigned field, uint64_t v);
void wire_bytes(struct writer *w, unsigned field, const void *p, size_t len);
/* A domain with up to two attributes (NULL: none), a network, and a whole list. */
void wire_domain(struct writer *w, unsigned type, const char *value, const char *attr,
	const char *other);
void wire_network(struct writer *w, const char *cidr);
void wire_list(struct writer *w, const char *name, const struct writer *values);

/*
 * Data files in a directory of their own: geosite.dat (TEST, WITH-REGEXP and
 * BROKEN), geoip.dat (TELEGRAM, INVERSE) and the country database.
 */
struct fixture {
	struct rules_files files;
	char dir[64];
	const char *geoip; /* a path; NULL: there is none */
	unsigned opened;   /* how many files were asked for */
};

void fixture_init(struct fixture *x);
void fixture_fini(struct fixture *x);
void fixture_write(struct fixture *x, const char *name, const void *p, size_t len);
#define FIXTURE_FLAT   RULES_TESTDB "/flat-both.mmdb"
#define FIXTURE_NESTED RULES_TESTDB "/nested-both.mmdb"
#define FIXTURE_V4     RULES_TESTDB "/flat-v4.mmdb"

struct ip ip_of(const char *s);
/* Loads rules and fails the test with the sentence when they are refused. */
struct rules *rules_of(
	const struct rule_spec *rule, size_t n, enum domain_resolve s, struct fixture *x);

/* Numbers that are the same in every run. */
uint32_t dice(uint32_t *state);

#endif
