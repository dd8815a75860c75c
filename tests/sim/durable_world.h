/* A world of the simulation of durable channels: a core with its journal on a simulated disk, its clients, and what is
 * known of each value, request and lease. */
#ifndef MILLRACE_TESTS_SIM_DURABLE_WORLD_H
#define MILLRACE_TESTS_SIM_DURABLE_WORLD_H

#include "daemon/core/core.h"
#include "daemon/journal/journal.h"
#include "tests/sim/carrier_model.h"
#include "tests/sim/disk_model.h"
#include "tests/sim/worlds.h"

enum {
	SEGMENT = 8 * JOURNAL_BLOCK,
	CONNECTIONS = 3,
	CHANNELS = 6,
	IDS = 4000, /* values of a world */
	REQUESTS = 4000,
	TOKENS = 12,
	HISTORY = 8192,
	QUEUED = 256,
	TOLD_VALUES = 8,
};

enum durable_mutation { NO_MUTATION, WITHOUT_GATE, WITHOUT_ORDER };

enum durable_kind { WITHOUT_TAPS, WITH_FIXED_TAPS, WILD, WORLD_KINDS };

struct value_facts {
	uint64_t first_born; /* the batch in which it was first seen in a channel; 0: never */
	uint64_t born;       /* and last */
	uint64_t shown_born; /* when it was shown: that of the time */
	bool is_present, told_put;
	uint8_t told_gone; /* of which channels it was given for good: a bit each */
	uint64_t gone_in;  /* the last batch in which that was */
	uint64_t born_in_b, born_in_d;
	uint64_t due_us;    /* of a delayed put, while it is one */
	bool was_handed_on; /* taken in the step in which it was put: the journal never knew it */
};

struct request_facts {
	uint32_t first_id, n_ids; /* of a put */
	int token;                /* of an ack: -1: none */
};

struct token_facts {
	struct core_token token;
	uint32_t ids[TOLD_VALUES], n_ids;
	uint8_t channel; /* its bit */
};

struct held_reply { /* what a client will be told */
	uint64_t after_batch;
	struct core_unsent unsent;
	bool has_unsent;
	uint32_t put_first, n_put, shown[TOLD_VALUES], n_shown, gone[TOLD_VALUES], n_gone;
	uint64_t shown_born[TOLD_VALUES];
	bool is_noted;             /* when the values that it shows were born */
	uint8_t gone_of, shown_of; /* the bits of the channels */
	uint64_t gone_in;
	bool has_lease;
	struct core_token lease;
};

struct client {
	struct core_connection *connection;
	struct held_reply held[QUEUED];
	size_t n_held;
};

struct durable_seen {
	uint64_t cuts, between, checkpoints, told_puts, told_gone, told_shown, values, full, dead_letters, returned,
		delayed, moved, duplicates, held, slices;
};

struct durable_world {
	struct carrier_model carrier;
	struct disk_model disk, copy;
	struct segment_log log;
	struct journal journal;
	struct core *core;
	struct core_recorder recorder;
	struct client clients[CONNECTIONS];
	enum durable_mutation mutation;
	enum durable_kind kind;
	uint64_t random, cut_random, now_us, n_ids, n_requests;
	struct value_facts ids[IDS];
	struct request_facts requests[REQUESTS];
	struct token_facts tokens[TOKENS];
	size_t n_tokens;
	uint64_t history[HISTORY], low, high;
	bool is_alive; /* the journal has begun */
	struct durable_seen *seen;
	char why[WORLDS_WHY_BYTES];
};

/* Of the channels, which begin with different letters; the last one is not durable. */
extern const char *const durable_names[CHANNELS];

uint64_t durable_pick(struct durable_world *world, uint64_t n);
/* A channel's bit; 0: it is none. */
uint8_t durable_bit_of(struct slice name);
/* The first time counts. */
void durable_fail(struct durable_world *world, const char *what, uint64_t number, uint64_t last);

#endif
