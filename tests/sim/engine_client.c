/* A daemon's end of the model: the calls that it makes, and the client that they come back to. */
#include "tests/sim/engine_parts.h"

#include <assert.h>
#include <stdlib.h>

enum { ROWS = 1000 };

const struct engine_answer engine_no_answer = {.result = ENGINE_UNKNOWN, .message = "no answer in time"};

/* -- Calls that have been made -- */

void engine_call_unlink(struct call *call)
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

void engine_call_drop(struct call *call)
{
	if (--call->events > 0)
		return;
	engine_call_unlink(call);
	free(call->memory);
	free(call->rows);
	free(call);
}

void engine_call_answer(struct call *call, const struct engine_answer *with)
{
	if (!call->client || call->is_answered)
		return;
	call->is_answered = true;
	call->client->was_called = true;
	engine_call_unlink(call);
	call->cb(call->arg, with);
}

void engine_call_wait(struct engine_client *client, struct call *call)
{
	if (client->n_late == client->cap_late) {
		client->cap_late = client->cap_late ? 2 * client->cap_late : 16;
		client->late = realloc(client->late, client->cap_late * sizeof(*client->late));
		assert(client->late);
	}
	call->events++;
	client->late[client->n_late++] = call;
}

/* -- Making calls -- */

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
	engine_call_send(call);
}

static void call_range(struct engine *engine, void *owner, struct slice key, struct slice end, size_t limit,
		       bool keys_only, engine_cb *cb, void *arg)
{
	struct call *call = begin_call(engine, CALL_RANGE, owner, cb, arg, key.len + end.len);
	char *at = call->memory;
	assert(limit >= 1 && limit <= ROWS);
	call->range.key = keep(&at, key);
	call->range.end = keep(&at, end);
	call->range.limit = limit;
	call->range.keys_only = keys_only;
	engine_call_send(call);
}

static void call_number(struct engine *engine, enum call_kind kind, void *owner, uint64_t number, engine_cb *cb,
			void *arg)
{
	struct call *call = begin_call(engine, kind, owner, cb, arg, 0);
	call->number = number;
	engine_call_send(call);
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
	for (; client->watches[i].hint; i++)
		assert(i + 1 < WATCHES);
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
			engine_call_unlink(call);
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
		engine_call_unlink(client->calls);
	for (size_t i = 0; i < client->n_late; i++)
		engine_call_drop(client->late[i]);
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
	client->is_paused = is_paused;
	for (size_t i = 0; i < client->n_late && !is_paused; i++) {
		struct call *call = client->late[i];
		engine_call_answer(call, call->was_given_up ? &engine_no_answer : &call->answer);
		engine_call_drop(call);
	}
	client->n_late = is_paused ? client->n_late : 0;
}
