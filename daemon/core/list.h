/* Circular doubly linked lists of nodes that are embedded in what they link: insertion and removal are O(1) and cannot
 * fail. */
#ifndef MILLRACE_CORE_LIST_H
#define MILLRACE_CORE_LIST_H

#include <stdbool.h>
#include <stddef.h>

struct link {
	struct link *prev, *next; /* of a head: its last and first; both itself when empty */
};

#define LIST_ITEM(node, type, member) ((type *)((char *)(node)-offsetof(type, member)))

static inline void list_init(struct link *head)
{
	head->prev = head->next = head;
}

static inline bool list_is_empty(const struct link *head)
{
	return head->next == head;
}

/* The node behind this one, or behind the head; NULL: there is none. */
static inline struct link *list_after(const struct link *head, const struct link *node)
{
	return node->next == head ? NULL : node->next;
}

static inline void list_append(struct link *head, struct link *node)
{
	node->prev = head->prev;
	node->next = head;
	head->prev->next = node;
	head->prev = node;
}

static inline void list_remove(struct link *node)
{
	node->prev->next = node->next;
	node->next->prev = node->prev;
	node->prev = node->next = node;
}

/* Moves all nodes to another head, which it initialises. */
static inline void list_take(struct link *head, struct link *from)
{
	list_init(head);
	if (list_is_empty(from))
		return;
	*head = *from;
	head->next->prev = head->prev->next = head;
	list_init(from);
}

#endif
