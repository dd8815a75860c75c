/* What the core has to do, said as plainly as possible: arrays, and a search through all of them each time. Only one
 * list is kept of who is parked, in the order of parking, and one of who rests; a channel's queues are what a search of
 * it finds. Nothing of the core's code is used. */
#ifndef MILLRACE_TESTS_SIM_MODEL_H
#define MILLRACE_TESTS_SIM_MODEL_H

#include "tests/sim/script.h"

enum {
	MODEL_PARKED = 1024,
	MODEL_OUTCOMES = 1024,
	MODEL_BUFFER = 1024,
	MODEL_LEASES = 1024,
	MODEL_ONCE = 1 << 14,
	MODEL_VALUES = 1 << 17,
	MODEL_TAPS = SIM_CHANNELS * SIM_CHANNELS
};

struct model_request { /* a put or take has one arm */
	enum core_op op;
	int connection; /* -1: dead letters, parked as a put */
	int source;     /* their channel */
	uint64_t lease_ms;
	bool sticky;
	uint64_t id, deadline_us;
	bool batch;
	uint32_t max;
	uint32_t values[SIM_VALUES]; /* a put: those yet to enter */
	uint32_t n_values, accepted;
	struct model_arm {
		int channel;
		bool is_put;
		uint32_t value; /* an alts' put arm's */
	} arms[SIM_ARMS];
	uint32_t n_arms;
	uint64_t born;       /* rises from request to request that parks */
	int producer;        /* a put; 0: none */
	uint64_t seq;        /* with it */
	uint64_t delay_ms;   /* a put: of its values, once they are accepted */
	uint64_t gave_up_us; /* dead letters: since when, and why */
	int reason;
	bool is_counted; /* a take with a count, that was accepted */
	uint32_t left;
	uint64_t turn_us, queued; /* the time at which it got the following; rises whenever one queues up */
	uint32_t turn_values, turn_bytes;
};

struct model_channel {
	bool exists, closed;
	struct core_definition definition;
	int owner;                     /* -1: not ephemeral */
	uint64_t born;                 /* rises from channel to channel */
	uint32_t buffer[MODEL_BUFFER]; /* oldest first */
	uint32_t n;
	uint64_t entered, accepted, taken, returned, dropped, evicted, dead_lettered, discarded;
};

struct model_lease {
	uint64_t number; /* of those told; 0: nobody holds it, it is delayed */
	int channel;
	int connection; /* with which it ends; -1: none */
	int holder;     /* who took it; -1: that connection has ended */
	uint64_t deadline_us, born;
	bool is_uncounted; /* a nack said so */
	uint32_t values[SIM_VALUES], n_values;
};

struct model_origin { /* zeroed: it is no dead letter */
	int channel;  /* from 1 */
	int reason;
	uint32_t deliveries;
	uint64_t since_us;
};

struct model_delayed { /* accepted, and yet to enter */
	int channel;
	uint64_t deadline_us, born;
	uint32_t values[SIM_VALUES], n_values;
};

struct model_once { /* a number that has changed a channel */
	int channel, producer;
	uint64_t channel_born, seq, accepted, evicted;
	enum status status;
	bool is_part; /* of a batch the first `accepted` have entered */
};

struct model_tap {
	int from, to;
	bool closes;
	enum core_tap_state state;
	int match; /* 0: it carries all */
	uint64_t carried, unmatched, muted;
	bool has_seen; /* what is held has come to it, or a promise's value ever has */
};

struct model_held {     /* by the taps of a channel */
	uint32_t value; /* 0: none */
	bool is_fresh;  /* it has come to no tap yet */
	bool was_accepted;
};

struct model_kept { /* what a connection has unsent */
	int connection, channel;
	uint64_t channel_born;
	uint64_t lease; /* 0: it was taken plainly */
	uint32_t values[SIM_VALUES], n_values;
};

struct model {
	struct core_limits limits;
	uint64_t now_us, births, unsent;
	uint32_t chosen; /* the arm that the core picked in this step */
	struct model_channel channels[SIM_CHANNELS];
	struct model_request parked[MODEL_PARKED]; /* the oldest first */
	uint32_t n_parked;
	struct model_request resting[MODEL_PARKED]; /* the first to rest first */
	uint32_t n_resting;
	bool paused[SIM_CONNECTIONS];
	int rested[SIM_CONNECTIONS]; /* connections whose resting requests go on in the next turn */
	uint32_t n_rested;
	uint64_t requests, queue_ups;
	struct model_lease leases[MODEL_LEASES]; /* the first to begin first */
	uint32_t n_leases;
	uint64_t n_told, told_before; /* in all, and before this step */
	struct model_kept kept[MODEL_LEASES];
	uint32_t n_kept, n_looked; /* n_looked: outcomes of this step that were seen for what they have */
	bool keeps[SIM_CONNECTIONS];
	uint64_t connected[SIM_CONNECTIONS]; /* rises from connection to connection; 0: none */
	uint64_t connections;
	int unsettled[SIM_CHANNELS];
	uint32_t n_unsettled;
	struct model_tap taps[MODEL_TAPS]; /* the first to be made first */
	uint32_t n_taps;
	struct model_held held[SIM_CHANNELS];
	int due[SIM_CHANNELS]; /* channels whose taps have something to do */
	uint32_t n_due, n_copies;
	uint64_t seq[MODEL_VALUES]; /* of each value: its place among those that entered its channel */
	uint32_t deliveries[MODEL_VALUES];
	struct model_origin origins[MODEL_VALUES];
	struct model_delayed delayed[MODEL_LEASES]; /* the first to be accepted first */
	uint32_t n_delayed;
	struct model_once once[MODEL_ONCE];
	uint32_t n_once;
};

struct outcome { /* a predicted reply: as struct core_reply, with numbers for values, connections and channels */
	int connection, channel; /* -1: the daemon; none */
	uint64_t id;
	enum core_op op;
	enum status status;
	enum error error;
	bool batch, is_take, created, duplicate, altered, has_left;
	uint32_t left;
	uint32_t values[SIM_VALUES];
	uint32_t n_values, arm;
	uint64_t accepted, evicted, discarded;
	uint64_t lease; /* 0: none */
	uint32_t deliveries[SIM_VALUES];
	struct model_origin origins[SIM_VALUES];
};

struct outcomes {
	struct outcome at[MODEL_OUTCOMES];
	uint32_t n;
	uint64_t undeliverable;
};

void model_init(struct model *model, const struct core_limits *limits);

/* Carries out an operation, and appends what must be replied. `chosen` is the arm that the core picked for an alts in
 * random order: if it could have, the model does the same; else it picks another, and the replies will differ. */
void model_step(struct model *model, const struct operation *operation, uint32_t chosen, struct outcomes *outcomes);

/* Nothing happens but that time passes. */
void model_pass(struct model *model, uint64_t us, struct outcomes *outcomes);

/* Another turn at the same time: what has become due by the operation happens. */
void model_tick(struct model *model, struct outcomes *outcomes);

/* What there is to see of a channel: the arms parked on one side, and its bytes. */
uint32_t model_waiters(const struct model *model, int channel, bool is_put);
uint64_t model_bytes(const struct model *model, int channel);
uint64_t model_cost(const struct model *model, int channel); /* towards max_memory */
uint64_t model_total_cost(const struct model *model);        /* of all, where bytes that are shared count once */
uint32_t model_number(uint32_t value);                       /* of a value, or of what it is a copy of */
/* Whether a tap has nothing parked: what there is to see of it. */
uint32_t model_n_held_up(const struct model *model, int from);
uint32_t model_leased(const struct model *model, int channel);
uint32_t model_delayed(const struct model *model, int channel);
uint64_t model_deadline(struct model *model);

#endif
