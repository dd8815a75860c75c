/* What records have told so far, and CORE_RESTORE or CORE_ADOPT makes the core's: replay.c fills it, restore.c empties
 * it. */
#ifndef MILLRACE_CORE_RESTORED_H
#define MILLRACE_CORE_RESTORED_H

#include "daemon/core/place_table.h"
#include "daemon/core/state.h"

struct restored_lease { /* a sticky one */
	struct restored_lease *next;
	struct core_token token;
	uint64_t deadline_ms;
	struct channel *channel; /* once it is the core's, as: */
	struct store values;
};

struct restored_value {
	struct link in_channel; /* in the order of the records: nearly always that of the places */
	struct value *value;
	struct restored_channel *channel;
	struct restored_lease *lease; /* of a sticky lease */
	bool is_leased;
	bool is_carried; /* the taps held it, and somebody has it from them */
	uint64_t due_ms; /* of a delayed put: when it enters, by wall clock; 0: it has */
};

struct restored_once { /* a record of a producer */
	struct restored_once *next;
	uint64_t seq, flags, accepted, evicted;
	uint8_t name_len;
	char name[];
};

struct restored_tap {
	struct restored_tap *next;
	uint64_t target; /* the number of the channel */
	bool closes;
	enum core_tap_state state;
	struct core_match *match;
	uint64_t done_place; /* of the last value that need not come to it */
};

struct restored_channel {
	struct restored_channel *next;
	uint64_t number, last_place;
	struct channel *channel;                       /* NULL: nothing has created it yet, or it is deleted */
	struct link values;                            /* of struct restored_value */
	struct restored_once *first_once, **last_once; /* in the order of the records */
	struct restored_once *next_once;               /* once it is the core's */
	struct restored_tap *taps;                     /* of which it is the source, the oldest first */
	struct channel *adopted;                       /* once it is the core's */
	struct store ended;                            /* its values, of leases that have ended with the daemon */
	struct value *held;                            /* by its taps; NULL: none */
};

struct core_restore {
	struct place_table channels, values, leases;
	struct restored_channel *first_channel, **last_channel;
	struct restored_lease *first_lease;
	struct link delayed; /* of struct restored_value, whose channels are the core's */
	uint64_t last_number;
	core_match_cb *make_match;
	struct core_restored found; /* by CORE_RESTORE, so far */
	size_t n_placed;            /* of `values`, where they stay: nobody looks for them any more */
	bool has_begun;             /* to become the core's; what is next: */
	struct restored_channel *next, *next_ended, *next_tapped;
	struct restored_lease *next_lease;
	struct lease **ended; /* n_ended of them, of which the first n_returned are returned */
	size_t n_ended, n_returned;
};

/* Makes some of it the core's, as far as this turn's work goes; with a group, of this group, else all. 1: all of it is;
 * 0: it goes on; -1: no memory. */
int restore_slice(struct core *core, struct core_restore *restore, struct group *group, struct core_restored *found,
		  struct core_effects *effects);

#endif
