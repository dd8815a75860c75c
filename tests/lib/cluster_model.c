#include "tests/lib/cluster_model.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/name.h"

enum { N_PARKED = 64, OPS_BYTES = 1 << 16 };

struct parked {
	int daemon, connection;
	json_t *request; /* NULL: the place is free */
};

static struct {
	const char *urls[CLUSTER_DAEMONS], *lies[CLUSTER_DAEMONS];
	int n;
	cluster_reply_cb *on_reply;
	json_t *owners;   /* group: daemon */
	json_t *channels; /* name: values */
	json_t *seen;     /* "channel producer/seq" */
	json_t *leases;   /* token: [daemon, connection, channel, value] */
	struct parked parked[N_PARKED];
	char later_group[64];
	int later_daemon, later_requests; /* 0: nothing comes later */
	char ops[CLUSTER_DAEMONS][OPS_BYTES];
	int n_requests, n_leases;
} model;

void cluster_begin(const char *const *urls, int n, cluster_reply_cb *on_reply)
{
	cluster_end();
	memset(&model, 0, sizeof model);
	model.n = n;
	model.on_reply = on_reply;
	for (int i = 0; i < n; i++)
		model.urls[i] = urls[i];
	model.owners = json_object();
	model.channels = json_object();
	model.seen = json_object();
	model.leases = json_object();
}

void cluster_end(void)
{
	for (int i = 0; i < N_PARKED; i++)
		json_decref(model.parked[i].request);
	json_decref(model.owners);
	json_decref(model.channels);
	json_decref(model.seen);
	json_decref(model.leases);
	memset(&model, 0, sizeof model);
}

static void group_of(const char *channel, char group[64])
{
	struct slice name = channel_group(slice_from(channel));

	snprintf(group, 64, "%.*s", (int)name.len, name.bytes);
}

static int owner_of(const char *group)
{
	json_t *owner = json_object_get(model.owners, group);

	return owner ? (int)json_integer_value(owner) : 0;
}

json_t *cluster_values(const char *channel)
{
	json_t *values = json_object_get(model.channels, channel);

	if (!values) {
		values = json_array();
		json_object_set_new(model.channels, channel, values);
	}
	return values;
}

const char *cluster_ops(int daemon)
{
	return model.ops[daemon];
}

int cluster_n_requests(void)
{
	return model.n_requests;
}

void cluster_lie(int daemon, const char *url)
{
	model.lies[daemon] = url;
}

/* -- replies -- */

static json_t *reply_to(const json_t *request, const char *status)
{
	json_t *id = json_object_get(request, "id");

	return json_pack("{s:o,s:s}", "id", id ? json_incref(id) : json_null(), "status", status);
}

static void refuse(int daemon, int connection, const json_t *request, const char *error)
{
	json_t *reply = reply_to(request, "error");
	const char *channel = json_string_value(json_object_get(request, "channel"));
	char group[64];

	json_object_set_new(reply, "error", json_string(error));
	json_object_set_new(reply, "message", json_string(error));
	if (!json_object_get(request, "id"))
		json_object_set_new(reply, "channel", json_string(channel));
	if (strcmp(error, "moved") == 0) {
		group_of(channel, group);
		json_object_set_new(reply, "address",
				    json_string(model.lies[daemon] ? model.lies[daemon] : model.urls[owner_of(group)]));
	} else if (strcmp(error, "unavailable") == 0) {
		json_object_set_new(reply, "retry_ms", json_integer(CLUSTER_RETRY_MS));
	}
	model.on_reply(connection, reply);
}

/* Whether the daemon has the channel of the request; if not, it says who has. */
static bool is_owner(int daemon, int connection, const json_t *request)
{
	const char *channel = json_string_value(json_object_get(request, "channel"));
	char group[64];
	int owner;

	if (!channel)
		return true;
	group_of(channel, group);
	if (model.later_requests > 0 && strcmp(group, model.later_group) == 0 && --model.later_requests == 0)
		cluster_own(group, model.later_daemon);
	owner = owner_of(group);
	if (model.lies[daemon] || (owner != daemon && owner >= 0))
		refuse(daemon, connection, request, "moved");
	else if (owner < 0)
		refuse(daemon, connection, request, "unavailable");
	return owner == daemon && !model.lies[daemon];
}

/* -- takes -- */

/* Whether the take wants more. */
static bool give(int daemon, int connection, json_t *request, json_t *values)
{
	json_int_t left = json_integer_value(json_object_get(request, "count")) - 1;
	json_t *reply = reply_to(request, "ok"), *value = json_array_get(values, 0);
	const char *channel = json_string_value(json_object_get(request, "channel"));
	char token[48];

	json_object_set(reply, "value", value);
	if (json_object_get(request, "lease_ms")) {
		snprintf(token, sizeof token, "%032x", (unsigned)++model.n_leases * 2654435761u);
		json_object_set_new(model.leases, token, json_pack("[iisO]", daemon, connection, channel, value));
		json_object_set_new(reply, "lease", json_string(token));
		json_object_set_new(reply, "deliveries", json_integer(1));
	}
	json_array_remove(values, 0);
	if (left >= 0) {
		json_object_set_new(reply, "left", json_integer(left));
		json_object_set_new(request, "count", json_integer(left));
	}
	model.on_reply(connection, reply);
	return left > 0;
}

static void park(int daemon, int connection, json_t *request)
{
	int i = 0;

	while (i < N_PARKED && model.parked[i].request)
		i++;
	ck_assert_int_lt(i, N_PARKED);
	model.parked[i] = (struct parked){daemon, connection, json_incref(request)};
}

/* Parked takes are served while there are values. */
static void serve(const char *channel)
{
	json_t *values = cluster_values(channel);

	for (int i = 0; i < N_PARKED && json_array_size(values); i++) {
		struct parked parked = model.parked[i];

		if (!parked.request ||
		    strcmp(json_string_value(json_object_get(parked.request, "channel")), channel) != 0)
			continue;
		if (give(parked.daemon, parked.connection, parked.request, values))
			continue;
		model.parked[i].request = NULL;
		json_decref(parked.request);
	}
}

static void take(int daemon, int connection, json_t *request)
{
	json_t *values = cluster_values(json_string_value(json_object_get(request, "channel")));
	json_t *timeout = json_object_get(request, "timeout_ms");

	bool wants_more = true;

	while (wants_more && json_array_size(values))
		wants_more = give(daemon, connection, request, values);
	if (!wants_more)
		return;
	if (timeout && json_integer_value(timeout) == 0)
		model.on_reply(connection, reply_to(request, "timeout"));
	else
		park(daemon, connection, request);
}

static void cancel(int connection, const json_t *request)
{
	json_int_t id = json_integer_value(json_object_get(request, "request"));

	for (int i = 0; i < N_PARKED; i++) {
		struct parked parked = model.parked[i];

		if (!parked.request || parked.connection != connection ||
		    json_integer_value(json_object_get(parked.request, "id")) != id)
			continue;
		model.parked[i].request = NULL;
		model.on_reply(connection, reply_to(parked.request, "cancelled"));
		model.on_reply(connection, reply_to(request, "ok"));
		json_decref(parked.request);
		return;
	}
	refuse(0, connection, request, "no_such_request");
}

void cluster_own(const char *group, int daemon)
{
	char name[64];

	json_object_set_new(model.owners, group, json_integer(daemon));
	for (int i = 0; i < N_PARKED; i++) {
		struct parked parked = model.parked[i];

		if (!parked.request)
			continue;
		group_of(json_string_value(json_object_get(parked.request, "channel")), name);
		if (strcmp(name, group) != 0)
			continue;
		model.parked[i].request = NULL;
		refuse(parked.daemon, parked.connection, parked.request, daemon < 0 ? "unavailable" : "moved");
		json_decref(parked.request);
	}
}

void cluster_own_after(const char *group, int daemon, int n_requests)
{
	snprintf(model.later_group, sizeof model.later_group, "%s", group);
	model.later_daemon = daemon;
	model.later_requests = n_requests;
}

/* -- puts, leases, connections -- */

static void put(int connection, const json_t *request)
{
	const char *channel = json_string_value(json_object_get(request, "channel"));
	const char *producer = json_string_value(json_object_get(request, "producer"));
	char key[200];

	snprintf(key, sizeof key, "%s %s/%lld", channel, producer ? producer : "",
		 (long long)json_integer_value(json_object_get(request, "seq")));
	if (!producer || !json_object_get(model.seen, key))
		json_array_append(cluster_values(channel), json_object_get(request, "value"));
	if (producer)
		json_object_set_new(model.seen, key, json_true());
	if (json_object_get(request, "id"))
		model.on_reply(connection, reply_to(request, "ok"));
	serve(channel);
}

static void end_lease(int daemon, int connection, const json_t *request)
{
	const char *token = json_string_value(json_object_get(request, "lease"));
	json_t *lease = json_object_get(model.leases, token);

	if (!lease || json_integer_value(json_array_get(lease, 0)) != daemon) {
		refuse(daemon, connection, request, "no_such_lease");
		return;
	}
	json_object_del(model.leases, token);
	model.on_reply(connection, reply_to(request, "ok"));
}

static void hello(int connection, const json_t *request)
{
	json_t *reply = reply_to(request, "ok");

	json_object_update_new(reply, json_pack("{s:i,s:i,s:i,s:[ss]}", "protocol", 1, "max_frame_bytes", 65536,
						"max_inflight", 64, "features", "cluster", "once"));
	model.on_reply(connection, reply);
}

void cluster_request(int daemon, int connection, json_t *request)
{
	const char *op = json_string_value(json_object_get(request, "op"));
	size_t len = strlen(model.ops[daemon]);

	model.n_requests++;
	snprintf(model.ops[daemon] + len, OPS_BYTES - len, "%s%s", op, json_object_get(request, "id") ? " " : "! ");
	if (!is_owner(daemon, connection, request))
		return;
	if (strcmp(op, "hello") == 0)
		hello(connection, request);
	else if (strcmp(op, "put") == 0)
		put(connection, request);
	else if (strcmp(op, "take") == 0)
		take(daemon, connection, request);
	else if (strcmp(op, "cancel") == 0)
		cancel(connection, request);
	else if (strcmp(op, "ack") == 0)
		end_lease(daemon, connection, request);
	else
		model.on_reply(connection, reply_to(request, "ok"));
}

void cluster_hang_up(int connection)
{
	const char *token;
	json_t *lease;
	void *next;

	for (int i = 0; i < N_PARKED; i++) {
		if (model.parked[i].request && model.parked[i].connection == connection) {
			json_decref(model.parked[i].request);
			model.parked[i].request = NULL;
		}
	}
	json_object_foreach_safe(model.leases, next, token, lease)
	{
		if (json_integer_value(json_array_get(lease, 1)) == connection) {
			json_array_insert(cluster_values(json_string_value(json_array_get(lease, 2))), 0,
					  json_array_get(lease, 3));
			json_object_del(model.leases, token);
		}
	}
}
