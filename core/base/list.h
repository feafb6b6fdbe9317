/* SPDX-License-Identifier: MIT */
#ifndef BASE_LIST_H
#define BASE_LIST_H

#include <stdbool.h>
#include <stddef.h>

/*
 * A doubly linked list through nodes that live in their owners.  The head is a
 * node too.  A node that is in no list points at itself, so list_remove is
 * always allowed, as often as one likes.
 */
struct list {
	struct list *next, *prev;
};

#define container_of(p, type, member) \
	((type *)(void *)((char *)(p)-offsetof(type, member)))

static inline void
list_init(struct list *l)
{
	l->next = l->prev = l;
}

static inline bool
list_empty(const struct list *l)
{
	return l->next == l;
}

/* Appends n at the end of the list with the head l. n must be in no list. */
static inline void
list_append(struct list *l, struct list *n)
{
	n->prev = l->prev;
	n->next = l;
	l->prev->next = n;
	l->prev = n;
}

static inline void
list_remove(struct list *n)
{
	n->prev->next = n->next;
	n->next->prev = n->prev;
	list_init(n);
}

/* The first node, taken out; NULL when the list is empty. */
static inline struct list *
list_take(struct list *l)
{
	struct list *n = l->next;

	if (n == l)
		return NULL;
	list_remove(n);
	return n;
}

/* Moves all of `from` behind the end of `to`; `from` is empty afterwards. */
static inline void
list_join(struct list *to, struct list *from)
{
	if (list_empty(from))
		return;
	from->next->prev = to->prev;
	to->prev->next = from->next;
	from->prev->next = to;
	to->prev = from->prev;
	list_init(from);
}

#endif
