/* What the parts of the model share: engine_model.c (the way there and back, and what calls do) and engine_client.c
 * (who calls). What is kept is in engine_store.h. */
#ifndef MILLRACE_TESTS_SIM_ENGINE_PARTS_H
#define MILLRACE_TESTS_SIM_ENGINE_PARTS_H

#include "tests/sim/engine_model.h"
#include "tests/sim/engine_store.h"

enum call_kind { CALL_TRANSACT, CALL_RANGE, CALL_GRANT, CALL_KEEP_ALIVE, CALL_REVOKE, CALL_COMPACT, CALL_STATUS };

struct call {
	enum call_kind kind;
	struct engine_client *client; /* NULL: nobody waits for it any more */
	void *owner, *arg;
	engine_cb *cb;
	unsigned events;                                        /* that are still to come for it */
	bool is_answered, was_given_up, is_doubled, has_answer; /* has_answer: it is on its way */
	/* What it asks: */
	struct engine_compare compares[6];
	struct engine_write writes[4];
	size_t n_compares, n_writes;
	struct engine_store_range range;
	uint64_t number; /* lease, ttl, revision */
	/* What it was answered: */
	struct engine_answer answer;
	struct engine_row *rows;
	struct call *next; /* of its client's */
	char *memory;      /* of its slices */
};

enum event_kind { EVENT_ARRIVES, EVENT_ANSWERS, EVENT_GIVES_UP, EVENT_HINT };

struct event {
	uint64_t at_us, order;
	enum event_kind kind;
	struct call *call;
	struct engine_client *client; /* hint */
	unsigned watch;
};

enum { WATCHES = 4 };

struct engine_client {
	struct engine engine; /* must come first */
	struct engine_model *model;
	struct engine_client *next;
	bool calls_are_cut, answers_are_cut, is_paused, was_called;
	struct call *calls;
	struct call **late; /* answers that wait while it is paused */
	size_t n_late, cap_late;
	struct {
		void *owner, *arg;
		struct slice prefix;
		engine_hint_cb *hint;
		bool is_coming;
	} watches[WATCHES];
};

struct engine_model {
	struct engine_model_settings settings;
	struct engine_store store;
	uint64_t random, now_us, order;
	bool is_down;
	struct event *events; /* a heap */
	size_t n_events, cap_events;
	struct engine_client *clients;
	struct engine_model_counts counts;
};

/* -- engine_model.c -- */

/* It arrives, or is lost; and is given up after a time. */
void engine_call_send(struct call *call);

/* -- engine_client.c -- */

extern const struct engine_answer engine_no_answer;

/* Nobody waits for it any more. */
void engine_call_unlink(struct call *call);
/* One event less is to come for it; after the last it is gone. */
void engine_call_drop(struct call *call);
/* Its one callback, if somebody waits for it still. */
void engine_call_answer(struct call *call, const struct engine_answer *with);
/* Until the client goes on. */
void engine_call_wait(struct engine_client *client, struct call *call);

#endif
