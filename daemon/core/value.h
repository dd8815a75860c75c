/* A value: JSON bytes that the core never looks into. A value is in one place at a time (one list, one tree, one
 * owner). Its bytes may be shared: value_copy() makes another value, with a place of its own, that has the same bytes,
 * and these stay until the last value that has them is destroyed.
 *
 * What a value costs: its bytes, which count once however many values share them, and VALUE_OVERHEAD for itself. */
#ifndef MILLRACE_CORE_VALUE_H
#define MILLRACE_CORE_VALUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "daemon/core/value_pool.h"
#include "proto/slice.h"

enum {
	VALUE_OVERHEAD = 64,
	VALUE_LARGE_BYTES = 32 * 1024, /* so large a value may lie anywhere in its memory, and is sent from there */
	VALUE_LEAD_BYTES = 96,
};

/* What some values cost together, while they are there. It is the shell's, and has to stay until n is 0. */
struct value_account {
	uint64_t bytes, n;
	struct value_pool *pool; /* where its values' memory comes from; NULL: from malloc alone */
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
	const char *bytes;             /* its own, or those of the value that it was copied from */
	struct value_origin *origin;   /* of a dead letter; NULL: it is none */
	uint64_t seq;                  /* rises in the order in which values entered their channel */
	uint32_t len;
	uint32_t deliveries; /* how often it was leased */
	/* Of the value whose bytes these are: */
	uint32_t n_sharing;   /* values that have them */
	uint32_t n_charged;   /* of these, how many count towards max_memory just now: charge.h's */
	uint32_t recorded_in; /* recorder.h's; 0: it is in no journal */
	char own[];
};

/* Why a channel gave a value up. */
enum value_reason { REASON_NACK, REASON_EXPIRED, REASON_DISCONNECTED };

const char *value_reason_name(enum value_reason reason); /* as the protocol has it */

/* Where a dead letter came from. It is set when its channel gives the value up; until the value has entered its
 * dead_letter channel the one before is kept, for it may have to go back. */
struct value_origin {
	struct value_origin *before;
	uint64_t since_us;   /* when its channel gave it up */
	uint32_t deliveries; /* there */
	uint8_t reason;      /* enum value_reason */
	uint8_t name_len;
	char name[]; /* of that channel */
};

static inline struct slice value_origin_channel(const struct value_origin *origin)
{
	return (struct slice){origin->name, origin->name_len};
}

struct value_list { /* first in, first out; zero-initialised is empty */
	struct value *head, *tail;
	size_t n;
};

/* A value with a copy of the bytes, owned by the caller, which counts towards the account (NULL: none) for as long as
 * it is there; NULL without memory. */
struct value *value_create(const void *bytes, size_t len, struct value_account *account);
/* A large value whose bytes stay where they are, in the middle of a block from malloc, which is the value's from then
 * on. At least VALUE_LEAD_BYTES of the block are in front of them, and are written over. Cannot fail. */
struct value *value_within(void *block, const char *bytes, size_t len, struct value_account *account);
/* Another value with the same bytes, as if it had been created now: it was never leased. The caller's; it counts
 * towards the same account. NULL without memory. */
struct value *value_copy(struct value *value);
void value_destroy(struct value *value); /* NULL is fine */

/* The value that holds the bytes of this one in its own memory: most often itself. */
static inline struct value *value_holder(const struct value *value)
{
	/* The bytes of a large one need not begin just behind it. */
	const uintptr_t mask = ~(uintptr_t)(_Alignof(struct value) - 1);
	return (struct value *)((uintptr_t)(value->bytes - offsetof(struct value, own)) & mask);
}

/* The value is about to leave that channel as a dead letter. -1: no memory. Later it enters its new channel
 * (value_origin_commit()), or goes back to where it was (value_origin_withdraw()). */
int value_origin_begin(struct value *value, struct slice channel, enum value_reason reason, uint64_t now_us);
void value_origin_commit(struct value *value);
void value_origin_withdraw(struct value *value);
void value_origin_free(struct value_origin *origin); /* NULL is fine */

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
