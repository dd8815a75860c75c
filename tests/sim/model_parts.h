/* What the parts of the model share: model.c (the ops), model_channel.c (channels come and go), model_values.c
 * (searches, outcomes, values on their ways), model_memory.c (copies, and what values cost), model_tap.c, model_count.c
 * (takes with a count), model_lease.c (leases, dead letters), model_delayed.c (delayed puts), model_once.c (puts that
 * name a producer) and model_move.c. */
#ifndef MILLRACE_TESTS_SIM_MODEL_PARTS_H
#define MILLRACE_TESTS_SIM_MODEL_PARTS_H

#include <assert.h>

#include "tests/sim/model.h"

/* -- model.c -- */

/* Whether one more request of its connection may park; else that is said. */
bool model_may_park(struct model *model, const struct model_request *request, struct outcomes *outcomes);
void model_set_deadline(struct model *model, const struct operation *o, struct model_request *r);

/* -- model_values.c -- */

/* Who has waited longest on one side of a channel, and with which arm; NULL: nobody. */
struct model_request *model_oldest(struct model *model, int channel, bool is_put, uint32_t *arm);
/* Request number i of those parked and then those at rest; NULL behind the last. */
struct model_request *model_request_at(struct model *model, uint32_t i);
/* The first to be due; NULL: nobody ever. */
struct model_request *model_first_due(struct model *model);
struct model_request *model_find_id(struct model *model, int connection, uint64_t id);

void model_keep_promise(struct model *model, int channel, int connection, struct outcomes *outcomes);

/* An outcome. `arm` is the one that happened or was refused; n_arms: none in particular. */
struct outcome *model_say(struct outcomes *outcomes, const struct model_request *r, uint32_t arm, enum status status);
void model_refuse(struct outcomes *outcomes, const struct model_request *r, uint32_t arm, enum error error);

void model_append(struct model_request *all, uint32_t *n, struct model_request r);
/* Takes it out of the list that it is in; finish also says what came of it. */
void model_forget(struct model *model, const struct model_request *r);
struct outcome *model_finish(struct model *model, struct outcomes *outcomes, struct model_request *r, uint32_t arm,
			     enum status status);

/* The value that a take would get; 0: none. */
uint32_t model_next_value(struct model *model, int channel);
void model_take_values(struct model *model, int channel, uint32_t max, const struct model_request *taker,
		       struct outcome *reply, struct outcomes *outcomes);
/* Who has parked first to put there, with a delay or without. */
struct model_request *model_oldest_put(struct model *model, int channel, uint32_t *arm);
/* A value is accepted and enters a channel. */
void model_enter(struct model *model, int channel, uint32_t value);
bool model_has_room(const struct model *model, int channel);
/* What a reply has, whose values are in no channel any more, is taken, or leased as the take asked. */
void model_give(struct model *model, int channel, const struct model_request *taker, struct outcome *reply);
void model_refill(struct model *model, int channel, struct outcomes *outcomes);
/* All on one side of a channel get `closed`. */
void model_end_all(struct model *model, int channel, bool is_put, struct outcomes *outcomes);
/* The same as far as takes wait. */
void model_put_to_takers(struct model *model, int channel, struct model_request *r, struct outcomes *outcomes);
/* Puts what can be put of r's values, takes off the list what has entered or was shed, and counts both. */
void model_put_values(struct model *model, int channel, struct model_request *r, uint64_t *evicted, uint64_t *dropped,
		      struct outcomes *outcomes);

/* The value that a take would get is taken out of the buffer, or of its put. */
uint32_t model_pop(struct model *model, int channel, struct outcomes *outcomes);

/* -- model_memory.c -- */

uint64_t model_size_of(uint32_t value);
uint64_t model_size_of_all(const uint32_t *values, uint32_t n);
uint64_t model_cost_of_all(const uint32_t *values, uint32_t n); /* towards max_memory */
bool model_over_memory(const struct model *model, uint64_t more);
uint32_t model_copy(struct model *model, uint32_t value);

/* -- model_channel.c -- */

void model_create(struct model *model, const struct operation *o, struct model_request *r, struct outcomes *outcomes);
void model_alter(struct model *model, const struct operation *o, struct model_request *r, struct outcomes *outcomes);
void model_delete(struct model *model, const struct operation *o, struct model_request *r, struct outcomes *outcomes);
void model_close(struct model *model, int channel, struct outcomes *outcomes);
/* What waits for values of a channel that has none any more ends. */
void model_end_takes(struct model *model, int channel, struct outcomes *outcomes);
/* How many values went with it. */
uint64_t model_remove_channel(struct model *model, int channel, struct outcomes *outcomes);

/* -- model_tap.c -- */

bool model_has_taps(const struct model *model, int channel);
void model_taps_due(struct model *model, int channel);
/* Their take, which is parked, gets a value that has entered; or the first in the buffer. */
void model_taps_take(struct model *model, int channel, uint32_t value);
void model_taps_take_buffered(struct model *model, int channel, struct outcomes *outcomes);
/* What a tap had parked has entered. */
void model_tap_entered(struct model *model, int from, int to);
void model_taps_carry_on(struct model *model, struct outcomes *outcomes);
/* Nothing is left for them: they are about to end. */
void model_stop_taps(struct model *model, int channel);
void model_end_taps_into(struct model *model, int channel, struct outcomes *outcomes);
void model_end_taps_of_removed(struct model *model, int channel, struct outcomes *outcomes);
void model_tap(struct model *model, const struct operation *o, struct model_request *r, struct outcomes *outcomes);
void model_untap(struct model *model, const struct operation *o, struct model_request *r, struct outcomes *outcomes);

/* -- model_count.c -- */

/* Whether another may wait there, beside so many more. */
bool model_has_waiting_room(const struct model *model, int channel, uint32_t more);
/* A value for one that waits; 0: from the buffer. */
void model_count_serve(struct model *model, struct model_request *r, uint32_t value, struct outcomes *outcomes);
/* One that rests takes what there is, and parks, rests on, or ends; then all of one connection; then all whose turn it
 * is. */
void model_go_on(struct model *model, struct model_request *r, struct outcomes *outcomes);
void model_go_on_all(struct model *model, int connection, struct outcomes *outcomes);
void model_new_turn(struct model *model, struct outcomes *outcomes);
void model_pause(struct model *model, int connection);
void model_forget_rested(struct model *model, int connection);

/* -- model_delayed.c -- */

/* Accepts what there is room for of a put's values. */
void model_delay(struct model *model, int channel, struct model_request *r);
struct model_delayed *model_first_delayed_due(struct model *model);
void model_delayed_enter(struct model *model, struct model_delayed *delayed, struct outcomes *outcomes);
void model_discard_delayed(struct model *model, int channel);

/* -- model_once.c -- */

/* Takes away what has entered before. False: that was all, or its twin is parked; and it is answered, or parked. */
bool model_once_begins(struct model *model, const struct operation *o, struct model_request *r,
		       struct outcomes *outcomes);
/* A put ends, with what of it is in, and what is not. */
void model_once_ends(struct model *model, const struct model_request *r, enum status status, uint64_t evicted);

/* -- model_move.c -- */

void model_move(struct model *model, const struct operation *o, struct model_request *r, struct outcomes *outcomes);

/* -- model_lease.c -- */

/* A dead letter has entered another channel. */
void model_set_origin(struct model *model, uint32_t value, int source, int reason, uint64_t since_us);
void model_lease_return_as(struct model *model, struct model_lease *lease, bool was_sent, int reason,
			   struct outcomes *outcomes);

struct model_lease *model_find_lease(struct model *model, uint64_t number); /* NULL: nobody holds it */
struct model_lease *model_first_lease_due(struct model *model);
bool model_is_exhausted(struct model *model, int channel); /* takes get `closed` */
void model_lease_begin(struct model *model, int channel, const struct model_request *taker, struct outcome *reply);
void model_lease_end(struct model *model, struct model_lease *lease); /* no values come back */
void model_dead_letter_entered(struct model *model, int source);
void model_dead_letters_return(struct model *model, struct model_request *r, struct outcomes *outcomes);
uint32_t model_discard_leased(struct model *model, int channel);
void model_shed(struct model *model, int channel); /* a sliding channel, the oldest over its capacity */
/* What is unsent goes back, or is sent; what this step has given is kept. */
void model_return_kept(struct model *model, int connection, struct outcomes *outcomes);
void model_send_kept(struct model *model, int connection);
void model_keep(struct model *model, const struct outcomes *outcomes);
void model_settle(struct model *model, int channel, struct outcomes *outcomes);
/* Before the step ends. */
void model_settle_later(struct model *model, int channel);
void model_come_back(struct model *model, int channel, const uint32_t *values, uint32_t n, struct outcomes *outcomes);
void model_settle_all(struct model *model, struct outcomes *outcomes);

#endif
