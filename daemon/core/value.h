/* A value: JSON bytes that the core never looks into. It is in one place at a time (one list, one tree, one owner), so
 * it needs no count of references. */
#ifndef MILLRACE_CORE_VALUE_H
#define MILLRACE_CORE_VALUE_H

#include <stddef.h>
#include <stdint.h>

/* A sum of values that are there: the bytes of those that count towards it. The shell's, which looks at it; it has to
 * stay until n is 0. */
struct value_account {
	uint64_t bytes, n;
};

struct value {
	union {
		struct value *next; /* in the list that owns it */
		struct value *left; /* in a store's tree */
	};
	union {
		struct value *right;     /* in a store's tree */
		struct channel *channel; /* once it was taken: where from */
	};
	struct value_account *account; /* NULL: none */
	uint64_t seq;                  /* rises in the order in which values entered their channel */
	uint32_t len;
	uint32_t deliveries;  /* how often it was leased */
	uint32_t recorded_in; /* recorder.h's; 0: it is in no journal */
	char bytes[];
};

struct value_list { /* first in, first out; zero-initialised is empty */
	struct value *head, *tail;
	size_t n;
};

/* A copy of the bytes, owned by the caller, which counts towards the account (NULL: none) for as long as it is there;
 * NULL without memory. */
struct value *value_create(const void *bytes, size_t len, struct value_account *account);
void value_destroy(struct value *value);

static inline void value_list_push(struct value_list *list, struct value *value)
{
	value->next = NULL;
	if (list->tail)
		list->tail->next = value;
	else
		list->head = value;
	list->tail = value;
	list->n++;
}

/* NULL if empty. */
static inline struct value *value_list_pop(struct value_list *list)
{
	struct value *value = list->head;
	if (!value)
		return NULL;
	list->head = value->next;
	if (!list->head)
		list->tail = NULL;
	list->n--;
	value->next = NULL;
	return value;
}

void value_list_join(struct value_list *list, struct value_list *more); /* moves all of `more` to the end */
void value_list_clear(struct value_list *list);                         /* destroys all */

#endif
