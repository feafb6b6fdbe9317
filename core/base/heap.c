/* SPDX-License-Identifier: MIT */
#include "base/heap.h"

#include <assert.h>
#include <stddef.h>

/*
 * Every node hangs by one pointer, and `link` is where that pointer is: the
 * root, its parent's `child` or its elder sibling's `next`.
 */
static void
hang(struct heap_node **link, struct heap_node *n)
{
	*link = n;
	if (n)
		n->link = link;
}

/* Makes the larger of two loose trees the first child of the smaller; of twins, b. */
static struct heap_node *
meld(struct heap_node *a, struct heap_node *b)
{
	struct heap_node *small = b->key < a->key ? b : a;
	struct heap_node *large = small == a ? b : a;

	hang(&large->next, small->child);
	hang(&small->child, large);
	small->next = NULL;
	return small;
}

/* Melds siblings in pairs from the left, and the pairs from the right: this order is what
 * makes removal logarithmic. */
static struct heap_node *
meld_siblings(struct heap_node *n)
{
	struct heap_node *pairs = NULL, *a, *b, *all;

	while (n) {
		a = n;
		b = a->next;
		n = b ? b->next : NULL;
		if (b)
			a = meld(a, b);
		a->next = pairs;
		pairs = a;
	}
	all = pairs;
	n = all ? all->next : NULL;
	while (n) {
		a = n;
		n = a->next;
		all = meld(a, all);
	}
	if (all)
		all->next = NULL;
	return all;
}

void
heap_insert(struct heap *h, struct heap_node *n)
{
	assert(!n->link);
	n->child = n->next = NULL;
	hang(&h->root, h->root ? meld(h->root, n) : n);
}

void
heap_remove(struct heap *h, struct heap_node *n)
{
	struct heap_node *rest;

	if (!n->link)
		return;
	hang(n->link, n->next);
	rest = meld_siblings(n->child);
	if (rest && h->root)
		rest = meld(h->root, rest);
	if (rest)
		hang(&h->root, rest);
	n->child = n->next = NULL;
	n->link = NULL;
}
