/* SPDX-License-Identifier: MIT */
#ifndef BASE_TABLE_H
#define BASE_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * A hash table through nodes that live in their owners.  Hashes are seeded
 * (SipHash-1-3), so that strangers cannot choose them.  It grows by doubling,
 * and never shrinks below what it grew to; growth that finds no memory leaves
 * it as it is, slower and right.
 */
struct table_node {
	struct table_node *next;
	uint64_t hash;
};

struct table {
	struct table_node **bucket;
	size_t mask; /* buckets - 1 */
	size_t n;    /* nodes */
	uint64_t seed[2];
};

/* `cap` is how many nodes are expected. 0, or -ENOMEM. The seed is drawn from the system.
 */
int table_init(struct table *t, size_t cap);
/* The nodes are their owners' and are not touched. */
void table_fini(struct table *t);
uint64_t table_hash(const struct table *t, const void *key, size_t len);
/* The first node for which same(node, key) holds, or NULL. */
struct table_node *table_find(const struct table *t, uint64_t hash,
	bool (*same)(const struct table_node *, const void *key), const void *key);
/* Twins are allowed; the newest is found first. */
void table_insert(struct table *t, struct table_node *n, uint64_t hash);
/* n must be in the table. */
void table_remove(struct table *t, struct table_node *n);
/* Walks all nodes; `each` may remove the node that it is given, and no other. */
void table_each(struct table *t, void (*each)(struct table_node *, void *arg), void *arg);

#endif
