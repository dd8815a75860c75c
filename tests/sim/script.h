/* A simulated world's operations: all made from a seed before anything runs, and none made from what has happened. So
 * any part of a script is a script too, and a failing one can be shrunk by leaving operations out. */
#ifndef MILLRACE_TESTS_SIM_SCRIPT_H
#define MILLRACE_TESTS_SIM_SCRIPT_H

#include <stdio.h>

#include "daemon/core/core.h"

enum { SIM_CHANNELS = 8, SIM_CONNECTIONS = 8, SIM_VALUES = 12, SIM_ARMS = 8, SIM_VALUE_TEXT = 24 };

extern const char sim_names[SIM_CHANNELS + 1]; /* of the channels, a letter each */

struct operation {
	enum core_op op;
	int connection; /* -1: the daemon itself */
	int channel;    /* an index; -1 where the op has none */
	int to;         /* move: an index; -1: to each value's origin */
	uint64_t id;
	uint64_t later_us; /* how far the clock moves on before it */
	uint64_t unsent;   /* tick: the bytes that the shell has unsent from here on */
	bool pauses;       /* tick: and `connection` is paused after it */
	bool keeps, sends; /* tick: from here on its replies stay unsent, or all are sent */
	bool has_timeout;
	uint64_t timeout_ms;
	struct core_definition definition;
	bool keeps_kind; /* alter: whatever the channel's kind is then, the definition is of that */
	bool force, batch, priority;
	uint32_t max, count;
	uint64_t cancel_id;
	uint64_t lease_ms, delay_ms;
	int producer; /* put: a number; 0: none */
	uint64_t seq; /* with it */
	bool closes;  /* tap: and */
	enum core_tap_state state;
	int match; /* 0: all; else see sim_match_of() */
	bool sticky, is_uncounted;
	uint32_t lease_back; /* ack and its like: of the leases told so far, counted from the last one; 0: none of them
			      */
	uint32_t values[SIM_VALUES]; /* put: numbers, never the same one twice */
	uint32_t n_values;
	struct operation_arm {
		int channel;
		uint32_t value; /* 0: a take */
	} arms[SIM_ARMS];
	uint32_t n_arms;
};

struct script {
	uint64_t seed;
	struct core_limits limits;
	int n_connections, n_channels;
	size_t n;
	struct operation *operations;
};

/* Aborts without memory, as all of the simulation. */
struct script *script_create(uint64_t seed, size_t n);
void script_destroy(struct script *script);

/* Which match, 1 or 2, accepts a value of that number; and that match, which lasts. 0: NULL. */
int sim_match_of(uint32_t number);
struct core_match *sim_match(int which);

/* What a number looks like as a value: 1 … SIM_VALUE_TEXT - 1 bytes; returns how many. Equal for equal numbers alone.
 */
size_t value_text(uint32_t number, char text[SIM_VALUE_TEXT]);
uint32_t value_number(const struct value *value); /* 0 if it is no value of ours, byte for byte */

void script_print(const struct script *script, FILE *to);

#endif
