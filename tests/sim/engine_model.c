#include "tests/sim/engine_parts.h"

#include <assert.h>
#include <stdlib.h>

#include "daemon/cluster/cluster_keys.h"
#include "daemon/core/hash.h"

enum {
	TIMEOUT_US = 400 * 1000,
	NEAR_US = 1500,      /* a way, at most, as a rule */
	FAR_US = 900 * 1000, /* and of a slow call */
	QUOTA_BYTES = 64 << 20,
};

static uint64_t pick(struct engine_model *model, uint64_t n)
{
	return random_below(&model->random, (uint32_t)n);
}

/* -- Events -- */

static bool is_sooner(const struct event *a, const struct event *b)
{
	return a->at_us < b->at_us || (a->at_us == b->at_us && a->order < b->order);
}

static void add_event(struct engine_model *model, struct event event)
{
	if (model->n_events == model->cap_events) {
		model->cap_events = model->cap_events ? 2 * model->cap_events : 64;
		model->events = realloc(model->events, model->cap_events * sizeof(*model->events));
		assert(model->events);
	}
	event.order = ++model->order;
	size_t i = model->n_events++;
	for (; i > 0 && is_sooner(&event, &model->events[(i - 1) / 2]); i = (i - 1) / 2)
		model->events[i] = model->events[(i - 1) / 2];
	model->events[i] = event;
	if (event.call)
		event.call->events++;
}

static struct event take_event(struct engine_model *model)
{
	struct event first = model->events[0], last = model->events[--model->n_events];
	size_t i = 0, n = model->n_events;
	for (size_t child; (child = 2 * i + 1) < n; i = child) {
		if (child + 1 < n && is_sooner(&model->events[child + 1], &model->events[child]))
			child++;
		if (!is_sooner(&model->events[child], &last))
			break;
		model->events[i] = model->events[child];
	}
	if (n > 0)
		model->events[i] = last;
	return first;
}

/* -- The store -- */

/* Hints to those who watch. */
static void on_change(void *arg, struct slice key)
{
	struct engine_model *model = arg;
	for (struct engine_client *client = model->clients; client; client = client->next)
		for (unsigned i = 0; i < WATCHES; i++) {
			struct slice prefix = client->watches[i].prefix;
			if (!client->watches[i].hint || client->watches[i].is_coming || key.len < prefix.len ||
			    memcmp(key.bytes, prefix.bytes, prefix.len) != 0 || pick(model, 10) == 0)
				continue;
			client->watches[i].is_coming = true;
			add_event(model, (struct event){.at_us = model->now_us + 1 + pick(model, NEAR_US),
							.kind = EVENT_HINT,
							.client = client,
							.watch = i});
		}
}

static void end_leases(struct engine_model *model)
{
	if (!model->is_down)
		model->counts.expired += engine_store_end_leases(&model->store, model->now_us);
}

/* -- What calls do -- */

static void transact(struct engine_model *model, struct call *call)
{
	size_t n_compares = model->settings.ignores_compares ? 0 : call->n_compares;
	bool is_done = engine_store_transact(&model->store, call->compares, n_compares, call->writes, call->n_writes);
	model->counts.not_so += !is_done;
	call->answer.result = is_done ? ENGINE_DONE : ENGINE_NOT_SO;
}

/* The batches of an epoch get numbers without gaps. */
static void hide_gaps(struct engine_row *rows, size_t n)
{
	struct batch_position before = {0, 0}, at;
	char text[POSITION_BYTES + 1];
	for (size_t i = 0; i < n && rows[i].key.bytes[0] == 'j' && key_read_position(rows[i].key, &at); i++) {
		if (i > 0 && at.epoch == before.epoch)
			at.seq = before.seq + 1;
		position_write(at, text);
		memcpy((char *)rows[i].key.bytes + rows[i].key.len - POSITION_BYTES, text, POSITION_BYTES);
		before = at;
	}
}

static void range(struct engine_model *model, struct call *call)
{
	call->rows = engine_store_range(&model->store, &call->range, &call->answer.n_rows, &call->answer.has_more);
	if (model->settings.hides_gaps)
		hide_gaps(call->rows, call->answer.n_rows);
	call->answer.rows = call->rows;
}

static void grant(struct engine_model *model, struct call *call)
{
	call->answer.lease = engine_store_grant(&model->store, call->number * 1000, model->now_us);
	call->answer.ttl_ms = call->number;
	if (!call->answer.lease)
		call->answer = (struct engine_answer){.result = ENGINE_REFUSED, .message = "too many leases"};
}

static void keep_alive(struct engine_model *model, struct call *call)
{
	uint64_t ttl_us;
	if (engine_store_keep_alive(&model->store, call->number, model->now_us, &ttl_us))
		call->answer.ttl_ms = ttl_us / 1000;
	else
		call->answer.result = ENGINE_NOT_SO;
}

static void carry_out(struct engine_model *model, struct call *call)
{
	free(call->rows);
	call->rows = NULL;
	call->answer = (struct engine_answer){.result = ENGINE_DONE};
	switch (call->kind) {
	case CALL_TRANSACT:
		transact(model, call);
		break;
	case CALL_RANGE:
		range(model, call);
		break;
	case CALL_GRANT:
		grant(model, call);
		break;
	case CALL_KEEP_ALIVE:
		keep_alive(model, call);
		break;
	case CALL_REVOKE:
		if (!engine_store_revoke(&model->store, call->number))
			call->answer.result = ENGINE_NOT_SO;
		break;
	case CALL_COMPACT:
		assert(call->number < model->store.revision); /* the newest is never forgotten */
		model->counts.compactions++;
		break;
	case CALL_STATUS:
		call->answer.used_bytes = model->store.bytes;
		call->answer.quota_bytes = QUOTA_BYTES;
		call->answer.version = SLICE("3.5.9");
		break;
	}
	call->answer.revision = model->store.revision;
}

/* -- The way there and back -- */

static uint64_t way_us(struct engine_model *model)
{
	return model->now_us + 1 + pick(model, pick(model, 1000) < model->settings.slow ? FAR_US : NEAR_US);
}

void engine_call_send(struct call *call)
{
	struct engine_model *model = call->client->model;
	bool is_lost = call->client->calls_are_cut || pick(model, 1000) < model->settings.lost;
	add_event(model, (struct event){.at_us = model->now_us + TIMEOUT_US, .kind = EVENT_GIVES_UP, .call = call});
	if (is_lost)
		return;
	add_event(model, (struct event){.at_us = way_us(model), .kind = EVENT_ARRIVES, .call = call});
	if (call->kind != CALL_TRANSACT || pick(model, 1000) >= model->settings.doubled)
		return;
	call->is_doubled = true;
	model->counts.doubled++;
	add_event(model,
		  (struct event){.at_us = way_us(model) + pick(model, FAR_US), .kind = EVENT_ARRIVES, .call = call});
}

static void arrive(struct engine_model *model, struct call *call)
{
	bool was_doubled = call->is_doubled;
	if (model->is_down)
		return;
	end_leases(model);
	model->counts.late += call->was_given_up;
	struct engine_answer first = call->answer;
	carry_out(model, call);
	if (call->has_answer) {
		call->answer = first;
		return;
	}
	if (!call->client || call->is_answered || call->client->answers_are_cut ||
	    pick(model, 1000) < model->settings.answers_lost)
		return;
	/* Of a call that was tried twice it cannot be said that it has not happened for good. */
	if (was_doubled && call->answer.result != ENGINE_DONE)
		return;
	call->has_answer = true;
	add_event(model, (struct event){.at_us = way_us(model), .kind = EVENT_ANSWERS, .call = call});
}

static void carry_event(struct engine_model *model, struct event event)
{
	struct call *call = event.call;
	switch (event.kind) {
	case EVENT_ARRIVES:
		arrive(model, call);
		break;
	case EVENT_ANSWERS:
		if (call->client && call->client->is_paused)
			engine_call_wait(call->client, call);
		else if (call->client && !call->client->answers_are_cut)
			engine_call_answer(call, &call->answer);
		break;
	case EVENT_GIVES_UP:
		call->was_given_up = !call->is_answered;
		if (call->client && call->client->is_paused)
			engine_call_wait(call->client, call);
		else
			engine_call_answer(call, &engine_no_answer);
		break;
	case EVENT_HINT:
		if (!event.client)
			return;
		event.client->watches[event.watch].is_coming = false;
		event.client->was_called = true;
		if (event.client->watches[event.watch].hint && !event.client->answers_are_cut)
			event.client->watches[event.watch].hint(event.client->watches[event.watch].arg);
		return;
	}
	engine_call_drop(call);
}

uint64_t engine_model_now_us(const struct engine_model *model)
{
	return model->now_us;
}

uint64_t engine_model_next_us(struct engine_model *model)
{
	uint64_t event_us = model->n_events ? model->events[0].at_us : UINT64_MAX;
	uint64_t lease_us = model->is_down ? UINT64_MAX : engine_store_next_us(&model->store);
	return event_us < lease_us ? event_us : lease_us;
}

void engine_model_run_until(struct engine_model *model, uint64_t now_us)
{
	for (uint64_t next_us; (next_us = engine_model_next_us(model)) <= now_us;) {
		model->now_us = next_us > model->now_us ? next_us : model->now_us;
		end_leases(model);
		if (model->n_events && model->events[0].at_us <= model->now_us)
			carry_event(model, take_event(model));
	}
	model->now_us = now_us;
}

void engine_model_set_down(struct engine_model *model, bool is_down)
{
	if (model->is_down && !is_down)
		engine_store_keep_all_alive(&model->store, model->now_us);
	model->is_down = is_down;
}

/* -- The model -- */

const struct engine_model_counts *engine_model_counts(const struct engine_model *model)
{
	return &model->counts;
}

struct engine_model *engine_model_create(uint64_t seed, const struct engine_model_settings *settings)
{
	struct engine_model *model = calloc(1, sizeof(*model));
	assert(model);
	model->settings = *settings;
	model->random = seed;
	model->store = (struct engine_store){.on_change = on_change, .arg = model, .revision = 1};
	return model;
}

void engine_model_destroy(struct engine_model *model)
{
	while (model->clients)
		engine_client_destroy(model->clients);
	while (model->n_events) {
		struct event event = take_event(model);
		if (event.call)
			engine_call_drop(event.call);
	}
	engine_store_finish(&model->store);
	free(model->events);
	free(model);
}
