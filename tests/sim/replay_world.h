/* What is replayed: a core and its connections as their shell sees them, and the model beside it. */
#ifndef MILLRACE_TESTS_SIM_REPLAY_WORLD_H
#define MILLRACE_TESTS_SIM_REPLAY_WORLD_H

#include "tests/sim/recording.h"
#include "tests/sim/replay.h"

enum { MAX_TOKENS = 1 << 15, MAX_KEPT = RECORDING_MAX_KEPT, MAX_ASKED = 4096 };

struct replay_asked { /* a request that has no outcome yet */
	int connection;
	uint64_t id;
	enum core_op op;
};

struct replay_world {
	struct core *core;
	struct recording *recording;
	struct core_connection *connections[SIM_CONNECTIONS];
	int cookies[SIM_CONNECTIONS];         /* the connection's index */
	struct core_token tokens[MAX_TOKENS]; /* in the order in which they were told */
	uint64_t n_tokens;
	struct core_unsent unsent[SIM_CONNECTIONS][MAX_KEPT];
	size_t n_unsent[SIM_CONNECTIONS];
	bool keeps[SIM_CONNECTIONS];
	uint64_t unsent_bytes;
	uint64_t n_alone;                        /* operations that went the core's short way */
	uint64_t n_parked_alone, n_handed_alone; /* of these, takes that parked, and puts to such as had parked */
	bool was_sliced;                         /* this operation went on in other turns */
	bool is_alone; /* without the model, and nothing that goes on in other turns is waited for */
	struct replay_asked asked[MAX_ASKED];
	uint32_t n_asked;
	struct model model;
	struct outcomes predicted, actual;
	char *why;
};

/* A channel's, by its index; empty for -1. */
struct slice replay_name_of(int channel);

/* Says how core and model differ; false, for callers to return. */
__attribute__((format(printf, 2, 3))) bool replay_differ(struct replay_world *world, const char *format, ...);

#endif
