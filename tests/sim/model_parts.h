/* What the parts of the model share: model.c (the ops), model_values.c (searches, outcomes, values on their ways), model_count.c (takes with a count). */
#ifndef MILLRACE_TESTS_SIM_MODEL_PARTS_H
#define MILLRACE_TESTS_SIM_MODEL_PARTS_H

#include <assert.h>

#include "tests/sim/model.h"

/* -- model_values.c -- */

/* Who has waited longest on one side of a channel, and with which arm; NULL: nobody. */
struct model_request *model_oldest(struct model *model, int channel, bool is_put, uint32_t *arm);
/* Request number i of those parked and then those at rest; NULL behind the last. */
struct model_request *model_request_at(struct model *model, uint32_t i);
/* The first to be due; NULL: nobody ever. */
struct model_request *model_first_due(struct model *model);
struct model_request *model_find_id(struct model *model, int connection, uint64_t id);

uint64_t model_size_of(uint32_t value);
uint64_t model_size_of_all(const uint32_t *values, uint32_t n);
bool model_over_memory(const struct model *model, uint64_t more);

/* An outcome. `arm` is the one that happened or was refused; n_arms: none in particular. */
struct outcome *model_say(struct outcomes *outcomes, const struct model_request *r, uint32_t arm, enum status status);
void model_refuse(struct outcomes *outcomes, const struct model_request *r, uint32_t arm, enum error error);

void model_append(struct model_request *all, uint32_t *n, struct model_request r);
/* Takes it out of the list that it is in; finish also says what came of it. */
void model_forget(struct model *model, const struct model_request *r);
struct outcome *model_finish(struct model *model, struct outcomes *outcomes, struct model_request *r, uint32_t arm, enum status status);

/* The value that a take would get; 0: none. */
uint32_t model_next_value(struct model *model, int channel);
void model_take_values(struct model *model, int channel, uint32_t max, struct outcome *reply, struct outcomes *outcomes);
/* Puts what can be put of r's values, takes off the list what has entered or was shed, and counts both. */
void model_put_values(struct model *model, int channel, struct model_request *r, uint64_t *evicted, uint64_t *dropped, struct outcomes *outcomes);

/* -- model_count.c -- */

/* Whether another may wait there, beside so many more. */
bool model_has_waiting_room(const struct model *model, int channel, uint32_t more);
/* A value for one that waits. */
void model_count_put(struct model *model, struct model_request *r, uint32_t value, struct outcomes *outcomes);
/* One that rests takes what there is, and parks, rests on, or ends; then all of one connection; then all whose turn it is. */
void model_go_on(struct model *model, struct model_request *r, struct outcomes *outcomes);
void model_go_on_all(struct model *model, int connection, struct outcomes *outcomes);
void model_new_turn(struct model *model, struct outcomes *outcomes);
void model_pause(struct model *model, int connection);
void model_forget_rested(struct model *model, int connection);

#endif
