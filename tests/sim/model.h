/* What the core has to do, said as plainly as possible: arrays, and a search through all of them each time. Only one list is kept of who
 * is parked, in the order of parking, and one of who rests; a channel's queues are what a search of it finds. Nothing of the core's code is used. */
#ifndef MILLRACE_TESTS_SIM_MODEL_H
#define MILLRACE_TESTS_SIM_MODEL_H

#include "tests/sim/script.h"

enum { MODEL_PARKED = 256, MODEL_OUTCOMES = 512 };

struct model_request { /* a put or take has one arm */
	enum core_op op;
	int connection;
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
	uint64_t born;	 /* rises from request to request that parks */
	bool is_counted; /* a take with a count, that was accepted */
	uint32_t left;
	uint64_t turn_us, queued; /* the time at which it got the following; rises whenever one queues up */
	uint32_t turn_values, turn_bytes;
};

struct model_channel {
	bool exists, closed;
	struct core_definition definition;
	int owner;		   /* -1: not ephemeral */
	uint64_t born;		   /* rises from channel to channel */
	uint32_t buffer[SIM_VALUES]; /* oldest first */
	uint32_t n;
	uint64_t accepted, taken, dropped, evicted, discarded;
};

struct model {
	struct core_limits limits;
	uint64_t now_us, births, unsent;
	struct model_channel channels[SIM_CHANNELS];
	struct model_request parked[MODEL_PARKED]; /* the oldest first */
	uint32_t n_parked;
	struct model_request resting[MODEL_PARKED]; /* the first to rest first */
	uint32_t n_resting;
	bool paused[SIM_CONNECTIONS];
	int rested[SIM_CONNECTIONS]; /* connections whose resting requests go on in the next turn */
	uint32_t n_rested;
	uint64_t requests, queue_ups;
};

struct outcome { /* a predicted reply: as struct core_reply, with numbers for values, connections and channels */
	int connection, channel; /* -1: the daemon; none */
	uint64_t id;
	enum core_op op;
	enum status status;
	enum error error;
	bool batch, is_take, created, has_left;
	uint32_t left;
	uint32_t values[SIM_VALUES];
	uint32_t n_values, arm;
	uint64_t accepted, evicted, discarded;
};

struct outcomes {
	struct outcome at[MODEL_OUTCOMES];
	uint32_t n;
};

void model_init(struct model *model, const struct core_limits *limits);

/* Carries out an operation, and appends what must be replied. `chosen` is the arm that the core picked for an alts in random order: if it could
 * have, the model does the same; else it picks another, and the replies will differ. */
void model_step(struct model *model, const struct operation *operation, uint32_t chosen, struct outcomes *outcomes);

/* What there is to see of a channel: the arms parked on one side, and its bytes. */
uint32_t model_waiters(const struct model *model, int channel, bool is_put);
uint64_t model_bytes(const struct model *model, int channel);
uint64_t model_deadline(struct model *model);

#endif
