/* A model of an engine, and of the way there: a store with transactions and leases; calls that arrive late, twice or
 * never, and answers that are lost. Each daemon's run has a client of its own, which can be cut off. Time passes only
 * in engine_model_run_until(). */
#ifndef MILLRACE_TESTS_ENGINE_MODEL_H
#define MILLRACE_TESTS_ENGINE_MODEL_H

#include "daemon/cluster/engine.h"

struct engine_model;
struct engine_client;

struct engine_model_settings {
	uint32_t lost, answers_lost, doubled, slow; /* of 1000 calls */
	/* Mutations: */
	bool ignores_compares; /* every transaction happens */
	bool hides_gaps;       /* batches seem to follow each other */
};

struct engine_model *engine_model_create(uint64_t seed, const struct engine_model_settings *settings);
void engine_model_destroy(struct engine_model *model);

/* Calls of a client that has ended may still arrive. */
struct engine_client *engine_client_create(struct engine_model *model);
void engine_client_destroy(struct engine_client *client);
struct engine *engine_of(struct engine_client *client);

/* Whether the client's calls arrive, and whether answers and hints come back to it. */
void engine_client_cut(struct engine_client *client, bool calls, bool answers);
/* Whether there were answers or hints since this was asked. */
bool engine_client_take_called(struct engine_client *client);
/* Answers wait until the client goes on. */
void engine_client_pause(struct engine_client *client, bool is_paused);
/* No call is answered, and leases do not end until it is back, and then last as long as when they began. */
void engine_model_set_down(struct engine_model *model, bool is_down);

uint64_t engine_model_now_us(const struct engine_model *model);
/* When something happens next; UINT64_MAX: nothing does. */
uint64_t engine_model_next_us(struct engine_model *model);
/* Carries out what is due at that time or before. */
void engine_model_run_until(struct engine_model *model, uint64_t now_us);

/* What has happened so far, for those who want to know that something did. */
struct engine_model_counts {
	uint64_t not_so, doubled, expired, compactions;
	uint64_t late; /* applied after they were given up */
};
const struct engine_model_counts *engine_model_counts(const struct engine_model *model);

#endif
