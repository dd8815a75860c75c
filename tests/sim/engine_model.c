#include "tests/sim/engine_model.h"

#include <assert.h>
#include <stdlib.h>

#include "daemon/cluster/keys.h"
#include "daemon/core/hash.h"

enum {
	TIMEOUT_US = 400 * 1000,
	LEASES = 64,
	NEAR_US = 1500,      /* a way, at most, as a rule */
	FAR_US = 900 * 1000, /* and of a slow call */
	QUOTA_BYTES = 64 << 20,
	ROWS = 1000,
};

struct stored {
	struct slice key, value; /* in one piece of memory, of which this is at the front */
	uint64_t lease;
};

struct lease_model {
	uint64_t id, ttl_us, ends_us;
};

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
	size_t n_compares, n_writes, limit;
	struct slice key, end;
	bool keys_only;
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
	uint64_t random, now_us, revision, last_lease, order;
	bool is_down;
	struct stored **rows;
	size_t n_rows, cap_rows;
	uint64_t bytes;
	struct lease_model leases[LEASES];
	size_t n_leases;
	struct event *events; /* a heap */
	size_t n_events, cap_events;
	struct engine_client *clients;
	struct engine_model_counts counts;
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

static int compare_keys(struct slice a, struct slice b)
{
	int order = memcmp(a.bytes, b.bytes, a.len < b.len ? a.len : b.len);
	return order ? order : (a.len > b.len) - (a.len < b.len);
}

/* Where the key is, or would be. */
static size_t place_of(const struct engine_model *model, struct slice key)
{
	size_t low = 0, high = model->n_rows;
	while (low < high) {
		size_t middle = (low + high) / 2;
		if (compare_keys(model->rows[middle]->key, key) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static const struct stored *find(const struct engine_model *model, struct slice key)
{
	size_t i = place_of(model, key);
	return i < model->n_rows && slice_equal(model->rows[i]->key, key) ? model->rows[i] : NULL;
}

static void tell_watches(struct engine_model *model, struct slice key)
{
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

static void remove_rows(struct engine_model *model, size_t from, size_t to)
{
	for (size_t i = from; i < to; i++) {
		model->bytes -= model->rows[i]->key.len + model->rows[i]->value.len;
		tell_watches(model, model->rows[i]->key);
		free(model->rows[i]);
	}
	memmove(&model->rows[from], &model->rows[to], (model->n_rows - to) * sizeof(*model->rows));
	model->n_rows -= to - from;
}

static void put(struct engine_model *model, const struct engine_write *write)
{
	struct stored *row = malloc(sizeof(*row) + write->key.len + write->value.len);
	assert(row);
	char *bytes = (char *)(row + 1);
	memcpy(bytes, write->key.bytes, write->key.len);
	if (write->value.len)
		memcpy(bytes + write->key.len, write->value.bytes, write->value.len);
	*row = (struct stored){{bytes, write->key.len}, {bytes + write->key.len, write->value.len}, write->lease};
	size_t i = place_of(model, write->key);
	model->bytes += write->key.len + write->value.len;
	tell_watches(model, row->key);
	if (i < model->n_rows && slice_equal(model->rows[i]->key, write->key)) {
		model->bytes -= model->rows[i]->key.len + model->rows[i]->value.len;
		free(model->rows[i]);
		model->rows[i] = row;
		return;
	}
	if (model->n_rows == model->cap_rows) {
		model->cap_rows = model->cap_rows ? 2 * model->cap_rows : 64;
		model->rows = realloc(model->rows, model->cap_rows * sizeof(*model->rows));
		assert(model->rows);
	}
	memmove(&model->rows[i + 1], &model->rows[i], (model->n_rows - i) * sizeof(*model->rows));
	model->rows[i] = row;
	model->n_rows++;
}

static struct lease_model *find_lease(struct engine_model *model, uint64_t id)
{
	for (size_t i = 0; i < model->n_leases; i++)
		if (model->leases[i].id == id)
			return &model->leases[i];
	return NULL;
}

static void end_lease(struct engine_model *model, struct lease_model *lease)
{
	for (size_t i = model->n_rows; i-- > 0;)
		if (model->rows[i]->lease == lease->id)
			remove_rows(model, i, i + 1);
	*lease = model->leases[--model->n_leases];
	model->revision++;
}

static void end_leases(struct engine_model *model)
{
	for (size_t i = model->is_down ? 0 : model->n_leases; i-- > 0;)
		if (model->leases[i].ends_us <= model->now_us) {
			end_lease(model, &model->leases[i]);
			model->counts.expired++;
		}
}

/* -- What calls do -- */

static bool holds(const struct engine_model *model, const struct engine_compare *compare)
{
	const struct stored *row = find(model, compare->key);
	switch (compare->how) {
	case ENGINE_IS:
		return row && slice_equal(row->value, compare->value);
	case ENGINE_BELOW:
		return row && compare_keys(row->value, compare->value) < 0;
	case ENGINE_ABSENT:
		break;
	}
	return !row;
}

static void transact(struct engine_model *model, struct call *call)
{
	bool all_hold = true;
	model->counts.transactions++;
	for (size_t i = 0; i < call->n_compares && !model->settings.ignores_compares; i++)
		all_hold = all_hold && holds(model, &call->compares[i]);
	for (size_t i = 0; i < call->n_writes; i++)
		all_hold = all_hold && (!call->writes[i].lease || find_lease(model, call->writes[i].lease));
	call->answer.result = all_hold ? ENGINE_DONE : ENGINE_NOT_SO;
	model->counts.not_so += !all_hold;
	for (size_t i = 0; i < call->n_writes && all_hold; i++) {
		const struct engine_write *write = &call->writes[i];
		size_t from = place_of(model, write->key);
		if (write->end.len)
			remove_rows(model, from, place_of(model, write->end));
		else if (!write->is_delete)
			put(model, write);
		else if (find(model, write->key))
			remove_rows(model, from, from + 1);
	}
	model->revision += all_hold;
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

/* Rows are copied as they are when the call is carried out. */
static void range(struct engine_model *model, struct call *call)
{
	size_t from = place_of(model, call->key);
	size_t to = call->end.len ? place_of(model, call->end) : from + (find(model, call->key) != NULL);
	size_t n = to > from ? to - from : 0, bytes = 0;
	call->answer.has_more = n > call->limit;
	n = n < call->limit ? n : call->limit;
	for (size_t i = 0; i < n; i++)
		bytes += model->rows[from + i]->key.len + model->rows[from + i]->value.len;
	call->rows = malloc(n * sizeof(*call->rows) + bytes + 1);
	assert(call->rows);
	char *at = (char *)(call->rows + n);
	for (size_t i = 0; i < n; i++) {
		const struct stored *row = model->rows[from + i];
		memcpy(at, row->key.bytes, row->key.len);
		memcpy(at + row->key.len, row->value.bytes, row->value.len);
		call->rows[i] = (struct engine_row){
			{at, row->key.len}, {at + row->key.len, call->keys_only ? 0 : row->value.len}, row->lease};
		at += row->key.len + row->value.len;
	}
	if (model->settings.hides_gaps)
		hide_gaps(call->rows, n);
	call->answer.rows = call->rows;
	call->answer.n_rows = n;
}

static void grant(struct engine_model *model, struct call *call)
{
	if (model->n_leases == LEASES) {
		call->answer = (struct engine_answer){.result = ENGINE_REFUSED, .message = "too many leases"};
		return;
	}
	uint64_t ttl_us = call->number * 1000;
	model->leases[model->n_leases++] = (struct lease_model){++model->last_lease, ttl_us, model->now_us + ttl_us};
	call->answer.lease = model->last_lease;
	call->answer.ttl_ms = call->number;
}

static void change_lease(struct engine_model *model, struct call *call)
{
	struct lease_model *lease = find_lease(model, call->number);
	if (!lease) {
		call->answer.result = ENGINE_NOT_SO;
	} else if (call->kind == CALL_REVOKE) {
		end_lease(model, lease);
	} else {
		lease->ends_us = model->now_us + lease->ttl_us;
		call->answer.ttl_ms = lease->ttl_us / 1000;
	}
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
	case CALL_REVOKE:
		change_lease(model, call);
		break;
	case CALL_COMPACT:
		assert(call->number < model->revision); /* the newest is never forgotten */
		model->counts.compactions++;
		break;
	case CALL_STATUS:
		call->answer.used_bytes = model->bytes;
		call->answer.quota_bytes = QUOTA_BYTES;
		call->answer.version = SLICE("3.5.9");
		break;
	}
	call->answer.revision = model->revision;
}

/* -- The way there and back -- */

static void unlink_call(struct call *call)
{
	if (!call->client)
		return;
	for (struct call **at = &call->client->calls; *at; at = &(*at)->next)
		if (*at == call) {
			*at = call->next;
			break;
		}
	call->client = NULL;
}

static void drop(struct call *call)
{
	if (--call->events > 0)
		return;
	unlink_call(call);
	free(call->memory);
	free(call->rows);
	free(call);
}

/* The one callback. */
static void answer(struct call *call, const struct engine_answer *with)
{
	if (!call->client || call->is_answered)
		return;
	call->is_answered = true;
	call->client->was_called = true;
	unlink_call(call);
	call->cb(call->arg, with);
}

static uint64_t way_us(struct engine_model *model)
{
	return model->now_us + 1 + pick(model, pick(model, 1000) < model->settings.slow ? FAR_US : NEAR_US);
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

static void wait_for_client(struct engine_client *client, struct call *call)
{
	if (client->n_late == client->cap_late) {
		client->cap_late = client->cap_late ? 2 * client->cap_late : 16;
		client->late = realloc(client->late, client->cap_late * sizeof(*client->late));
		assert(client->late);
	}
	call->events++;
	client->late[client->n_late++] = call;
}

static void carry_event(struct engine_model *model, struct event event)
{
	static const struct engine_answer unknown = {.result = ENGINE_UNKNOWN, .message = "no answer in time"};
	struct call *call = event.call;
	switch (event.kind) {
	case EVENT_ARRIVES:
		arrive(model, call);
		break;
	case EVENT_ANSWERS:
		if (call->client && call->client->is_paused)
			wait_for_client(call->client, call);
		else if (call->client && !call->client->answers_are_cut)
			answer(call, &call->answer);
		break;
	case EVENT_GIVES_UP:
		call->was_given_up = !call->is_answered;
		if (call->client && call->client->is_paused)
			wait_for_client(call->client, call);
		else
			answer(call, &unknown);
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
	drop(call);
}

uint64_t engine_model_now_us(const struct engine_model *model)
{
	return model->now_us;
}

uint64_t engine_model_next_us(struct engine_model *model)
{
	uint64_t next_us = model->n_events ? model->events[0].at_us : UINT64_MAX;
	for (size_t i = model->is_down ? 0 : model->n_leases; i-- > 0;)
		next_us = model->leases[i].ends_us < next_us ? model->leases[i].ends_us : next_us;
	return next_us;
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

/* -- Calls -- */

static struct call *begin_call(struct engine *engine, enum call_kind kind, void *owner, engine_cb *cb, void *arg,
			       size_t bytes)
{
	struct engine_client *client = (struct engine_client *)engine;
	struct call *call = calloc(1, sizeof(*call));
	assert(call);
	*call = (struct call){.kind = kind, .client = client, .owner = owner, .cb = cb, .arg = arg};
	call->memory = malloc(bytes + 1);
	assert(call->memory);
	call->next = client->calls;
	client->calls = call;
	return call;
}

static void send_call(struct call *call)
{
	struct engine_model *model = call->client->model;
	bool is_lost = call->client->calls_are_cut || pick(model, 1000) < model->settings.lost;
	add_event(model, (struct event){.at_us = model->now_us + TIMEOUT_US, .kind = EVENT_GIVES_UP, .call = call});
	model->counts.lost += is_lost;
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

static struct slice keep(char **at, struct slice bytes)
{
	struct slice kept = {*at, bytes.len};
	if (bytes.len)
		memcpy(*at, bytes.bytes, bytes.len);
	*at += bytes.len;
	return kept;
}

static void call_transact(struct engine *engine, void *owner, const struct engine_transaction *transaction,
			  engine_cb *cb, void *arg)
{
	size_t bytes = 0;
	for (size_t i = 0; i < transaction->n_compares; i++)
		bytes += transaction->compares[i].key.len + transaction->compares[i].value.len;
	for (size_t i = 0; i < transaction->n_writes; i++)
		bytes += transaction->writes[i].key.len + transaction->writes[i].end.len +
			 transaction->writes[i].value.len;
	struct call *call = begin_call(engine, CALL_TRANSACT, owner, cb, arg, bytes);
	char *at = call->memory;
	assert(transaction->n_compares <= 6 && transaction->n_writes <= 4);
	for (size_t i = 0; i < transaction->n_compares; i++) {
		const struct engine_compare *compare = &transaction->compares[i];
		call->compares[call->n_compares++] =
			(struct engine_compare){compare->how, keep(&at, compare->key), keep(&at, compare->value)};
	}
	for (size_t i = 0; i < transaction->n_writes; i++) {
		struct engine_write write = transaction->writes[i];
		write.key = keep(&at, write.key);
		write.end = keep(&at, write.end);
		write.value = keep(&at, write.value);
		call->writes[call->n_writes++] = write;
	}
	send_call(call);
}

static void call_range(struct engine *engine, void *owner, struct slice key, struct slice end, size_t limit,
		       bool keys_only, engine_cb *cb, void *arg)
{
	struct call *call = begin_call(engine, CALL_RANGE, owner, cb, arg, key.len + end.len);
	char *at = call->memory;
	assert(limit >= 1 && limit <= ROWS);
	call->key = keep(&at, key);
	call->end = keep(&at, end);
	call->limit = limit;
	call->keys_only = keys_only;
	send_call(call);
}

static void call_number(struct engine *engine, enum call_kind kind, void *owner, uint64_t number, engine_cb *cb,
			void *arg)
{
	struct call *call = begin_call(engine, kind, owner, cb, arg, 0);
	call->number = number;
	send_call(call);
}

static void call_grant(struct engine *engine, void *owner, uint64_t ttl_ms, engine_cb *cb, void *arg)
{
	call_number(engine, CALL_GRANT, owner, ttl_ms, cb, arg);
}

static void call_keep_alive(struct engine *engine, void *owner, uint64_t lease, engine_cb *cb, void *arg)
{
	call_number(engine, CALL_KEEP_ALIVE, owner, lease, cb, arg);
}

static void call_revoke(struct engine *engine, void *owner, uint64_t lease, engine_cb *cb, void *arg)
{
	call_number(engine, CALL_REVOKE, owner, lease, cb, arg);
}

static void call_compact(struct engine *engine, void *owner, uint64_t revision, engine_cb *cb, void *arg)
{
	call_number(engine, CALL_COMPACT, owner, revision, cb, arg);
}

static void call_status(struct engine *engine, void *owner, engine_cb *cb, void *arg)
{
	call_number(engine, CALL_STATUS, owner, 0, cb, arg);
}

static void call_watch(struct engine *engine, void *owner, struct slice prefix, engine_hint_cb *hint, void *arg)
{
	struct engine_client *client = (struct engine_client *)engine;
	unsigned i = 0;
	while (client->watches[i].hint)
		assert(++i < WATCHES);
	client->watches[i].owner = owner;
	client->watches[i].prefix = prefix; /* a literal, here */
	client->watches[i].hint = hint;
	client->watches[i].arg = arg;
}

static void call_cancel_all(struct engine *engine, void *owner)
{
	struct engine_client *client = (struct engine_client *)engine;
	for (struct call *call = client->calls, *next; call; call = next) {
		next = call->next;
		if (call->owner == owner)
			unlink_call(call);
	}
	for (unsigned i = 0; i < WATCHES; i++)
		if (client->watches[i].owner == owner)
			client->watches[i].hint = NULL;
}

static const struct engine_calls model_calls = {call_transact, call_range,  call_grant, call_keep_alive, call_revoke,
						call_compact,  call_status, call_watch, call_cancel_all};

/* -- Clients -- */

struct engine *engine_of(struct engine_client *client)
{
	return &client->engine;
}

struct engine_client *engine_client_create(struct engine_model *model)
{
	struct engine_client *client = calloc(1, sizeof(*client));
	assert(client);
	client->engine.calls = &model_calls;
	client->model = model;
	client->next = model->clients;
	model->clients = client;
	return client;
}

void engine_client_destroy(struct engine_client *client)
{
	struct engine_model *model = client->model;
	while (client->calls)
		unlink_call(client->calls);
	for (size_t i = 0; i < client->n_late; i++)
		drop(client->late[i]);
	for (struct engine_client **at = &model->clients; *at; at = &(*at)->next)
		if (*at == client) {
			*at = client->next;
			break;
		}
	for (size_t i = 0; i < model->n_events; i++) /* its hints are for nobody */
		if (model->events[i].client == client)
			model->events[i].client = NULL;
	free(client->late);
	free(client);
}

void engine_client_cut(struct engine_client *client, bool calls, bool answers)
{
	client->calls_are_cut = calls;
	client->answers_are_cut = answers;
}

bool engine_client_take_called(struct engine_client *client)
{
	bool was_called = client->was_called;
	client->was_called = false;
	return was_called;
}

void engine_client_pause(struct engine_client *client, bool is_paused)
{
	static const struct engine_answer unknown = {.result = ENGINE_UNKNOWN, .message = "no answer in time"};
	client->is_paused = is_paused;
	for (size_t i = 0; i < client->n_late && !is_paused; i++) {
		struct call *call = client->late[i];
		answer(call, call->was_given_up ? &unknown : &call->answer);
		drop(call);
	}
	client->n_late = is_paused ? client->n_late : 0;
}

void engine_model_set_down(struct engine_model *model, bool is_down)
{
	for (size_t i = 0; i < model->n_leases && model->is_down && !is_down; i++)
		model->leases[i].ends_us = model->now_us + model->leases[i].ttl_us;
	model->is_down = is_down;
}

/* -- The model -- */

bool engine_model_get(const struct engine_model *model, struct slice key, struct slice *value)
{
	const struct stored *row = find(model, key);
	if (row)
		*value = row->value;
	return row != NULL;
}

size_t engine_model_count(const struct engine_model *model, struct slice prefix)
{
	size_t n = 0;
	for (size_t i = place_of(model, prefix); i < model->n_rows; i++, n++)
		if (model->rows[i]->key.len < prefix.len ||
		    memcmp(model->rows[i]->key.bytes, prefix.bytes, prefix.len) != 0)
			break;
	return n;
}

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
	model->revision = 1;
	return model;
}

void engine_model_destroy(struct engine_model *model)
{
	while (model->clients)
		engine_client_destroy(model->clients);
	while (model->n_events) {
		struct event event = take_event(model);
		if (event.call)
			drop(event.call);
	}
	remove_rows(model, 0, model->n_rows);
	free(model->rows);
	free(model->events);
	free(model);
}
