/* SPDX-License-Identifier: MIT */
#ifndef BASE_HEAP_H
#define BASE_HEAP_H

#include <stdint.h>

/*
 * A pairing heap through nodes that live in their owners: the smallest key
 * first.  insert is O(1), take and remove O(log n) amortised, no allocation.
 */
struct heap_node {
	uint64_t key;
	struct heap_node *child, *next, **link; /* link: NULL while in no heap */
};

struct heap {
	struct heap_node *root; /* NULL: empty; else the smallest */
};

/* n->key is set by the caller before; n must be in no heap (zeroed is right). */
void heap_insert(struct heap *h, struct heap_node *n);
/* Nothing happens when n is in no heap. */
void heap_remove(struct heap *h, struct heap_node *n);

#endif
