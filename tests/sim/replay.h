/* Runs a script through the core and through the model, and compares what each says and has become, after every
 * operation. At the end the core's events are played again, through a fresh core: see recording.h. */
#ifndef MILLRACE_TESTS_SIM_REPLAY_H
#define MILLRACE_TESTS_SIM_REPLAY_H

#include "tests/sim/model.h"

/* What happened in all replays so far: a simulation that reaches nothing proves nothing. */
struct replay_seen {
	uint64_t operations;
	uint64_t statuses[CORE_OP_COUNT][STATUS_COUNT]; /* of ops: enum core_op */
	uint64_t errors[ERROR_COUNT];
	uint64_t parked_alts_ok, alts_met_alts;
	uint64_t timeout_beside_match; /* steps in which something timed out at the very microsecond of a match */
	uint64_t left_while_parked;
	uint64_t evicted, discarded, partly_accepted, altered, refilled, moved, with_origin;
	uint64_t duplicates;              /* puts that had happened before */
	uint64_t once_parked;             /* the sum over the steps: of numbered puts that wait */
	uint64_t delayed, delayed_parked; /* sums over the steps: of delayed puts that were accepted, or parked */
	uint64_t counted, counted_timeout, counted_cancelled; /* values and ends of takes with a count */
	uint64_t rested;                                      /* steps after which such a take rests */
	uint64_t alone, parked_alone, handed_alone; /* operations that went the short way; of these, takes that parked,
						       and puts to such as had parked */
	uint64_t tapped;                            /* taps made */
	uint64_t tap_steps, tap_unmatched, tap_muted, taps_held_up; /* steps with such that carried ... */
	uint64_t leased, acked, came_back, dead_lettered, undeliverable, returned;
};

enum { REPLAY_WHY = 400 };

/* True if core and model agree throughout. Else *at is the operation after which they did not, and `why` says how. An
 * assertion of the core's that fails is caught, and counts as a disagreement. */
bool replay(const struct script *script, struct replay_seen *seen, size_t *at, char why[REPLAY_WHY]);

/* Runs it through the core alone, in turns that do little, while others ask between them. No model says what must come
 * of that; but each request has exactly one outcome, nobody is told of what he did not ask, and the core stays whole.
 */
bool replay_slices(const struct script *script, size_t *at, char why[REPLAY_WHY]);

/* The shortest script found that still disagrees, by leaving out ever smaller parts of it. The caller's. */
struct script *replay_shrink(const struct script *script);

#endif
