/* Arguments into requests. A function of the first part checks one argument and appends its member. */
#include "client/machine/operation.h"

#include <stdlib.h>

#include "client/machine/arguments.h"
#include "client/machine/failure.h"
#include "proto/name.h"

void operation_finish(struct client_operation *operation)
{
	buffer_finish(&operation->members);
	free(operation->channel);
	*operation = (struct client_operation){.op = OP_NONE};
}

/* -- arguments -- */

static int add_string(struct client_operation *operation, const char *key, const char *string)
{
	int status = string_check(key, string);

	if (status == MR_OK)
		message_string(&operation->members, key, slice_from(string));
	return status;
}

/* The channel whose text was appended last is of this group, if none before it has said so. */
static void keep_group(struct client_operation *operation, struct slice channel)
{
	struct slice group = channel_group(channel);

	if (operation->has_group)
		return;
	operation->has_group = true;
	if (slice_equal(group, SLICE("default")))
		return;
	operation->group_len = (uint32_t)group.len;
	operation->group_at =
		(uint32_t)(buffer_len(&operation->members) - 1 - (size_t)(channel.bytes + channel.len - group.bytes));
}

struct slice operation_group(const struct client_operation *operation)
{
	return operation->group_len
		       ? (struct slice){operation->members.bytes + operation->group_at, operation->group_len}
		       : SLICE("default");
}

static int add_channel(struct client_operation *operation, const char *key, const char *channel)
{
	int status = add_string(operation, key, channel);

	if (status == MR_OK)
		keep_group(operation, slice_from(channel));
	return status;
}

static int add_milliseconds(struct client_operation *operation, const char *key, int64_t ms)
{
	if (ms < 0 || ms > (int64_t)MESSAGE_MAX_MS)
		return fail(MR_EARGUMENT, "%s is 0 to 2147483647 milliseconds", key);
	if (ms)
		message_uint(&operation->members, key, (uint64_t)ms);
	return MR_OK;
}

static int add_lease(struct client_operation *operation, int64_t lease_ms, bool sticky)
{
	if (lease_ms < 0 || lease_ms > (int64_t)MESSAGE_MAX_MS)
		return fail(MR_EARGUMENT, "a lease is 1 to 2147483647 milliseconds, or 0 for none");
	if (sticky && lease_ms == 0)
		return fail(MR_EARGUMENT, "only a lease can be sticky");
	if (lease_ms)
		message_uint(&operation->members, "lease_ms", (uint64_t)lease_ms);
	if (sticky)
		message_bool(&operation->members, "sticky", true);
	return MR_OK;
}

static int keep_channel(struct client_operation *operation, const char *channel)
{
	operation->channel = strdup(channel);
	return operation->channel ? MR_OK : fail(MR_EMEMORY, "not enough memory for the request");
}

/* -- operations -- */

static void begin(struct client_operation *operation, enum message_op op, enum operation_kind kind)
{
	*operation = (struct client_operation){.op = op, .kind = kind, .timeout_ms = MR_FOREVER, .count = 1};
}

/* The last step of each: what is not complete is freed. */
static int end(struct client_operation *operation, int status)
{
	if (status == MR_OK && operation->members.failed)
		status = fail(MR_EMEMORY, "not enough memory for the request");
	if (status != MR_OK)
		operation_finish(operation);
	return status;
}

static int end_with_timeout(struct client_operation *operation, int status, int64_t timeout_ms)
{
	if (status == MR_OK)
		status = timeout_check(timeout_ms);
	operation->has_timeout = true;
	operation->timeout_ms = timeout_ms;
	return end(operation, status);
}

/* An operation whose one argument is a channel. */
static int of_channel(struct client_operation *operation, enum message_op op, enum operation_kind kind,
		      const char *channel)
{
	begin(operation, op, kind);
	return add_channel(operation, "channel", channel);
}

int operation_put(struct client_operation *operation, const char *channel, const struct mr_put_options *options,
		  const char *json, size_t len, int64_t timeout_ms)
{
	int status = of_channel(operation, OP_PUT, OPERATION_PUT, channel);

	if (status == MR_OK)
		status = options->many ? values_check(json, len) : value_check(json, len);
	if (status == MR_OK)
		status = add_milliseconds(operation, "delay_ms", options->delay_ms);
	if (status == MR_OK)
		message_raw(&operation->members, options->many ? "values" : "value", (struct slice){json, len});
	return end_with_timeout(operation, status, timeout_ms);
}

int operation_put_unanswered(struct client_operation *operation, const char *channel,
			     const struct mr_put_options *options, const char *json, size_t len, int64_t timeout_ms,
			     uint32_t run)
{
	int status = operation_put(operation, channel, options, json, len, timeout_ms);

	operation->is_unanswered = true;
	operation->run = run;
	return status == MR_OK ? end(operation, keep_channel(operation, channel)) : status;
}

int operation_take(struct client_operation *operation, const char *channel, const struct mr_take_options *options,
		   int64_t timeout_ms)
{
	int status = of_channel(operation, OP_TAKE, options->lease_ms ? OPERATION_REPEATS : OPERATION_TAKE, channel);

	if (status == MR_OK && options->max > MESSAGE_MAX_TAKE)
		status = fail(MR_EARGUMENT, "max is 1 to %d", MESSAGE_MAX_TAKE);
	if (status == MR_OK)
		status = add_lease(operation, options->lease_ms, options->sticky);
	if (options->max)
		message_uint(&operation->members, "max", options->max);
	return end_with_timeout(operation, status, timeout_ms);
}

int operation_take_count(struct client_operation *operation, const char *channel, uint64_t count,
			 const struct mr_take_options *options, int64_t timeout_ms)
{
	int status;

	if (count < 1 || count > MESSAGE_MAX_COUNT)
		return fail(MR_EARGUMENT, "count is 1 to %d", MESSAGE_MAX_COUNT);
	if (options->max)
		return fail(MR_EARGUMENT, "a take has count or max, not both");
	status = operation_take(operation, channel, options, timeout_ms);
	operation->count = count;
	return status;
}

/* The value of a put arm. */
static int add_arm_value(struct client_operation *operation, const struct mr_arm *arm)
{
	size_t len = arm->raw_len;
	char *text = NULL;
	int status;

	if (arm->put && arm->raw)
		return fail(MR_EARGUMENT, "an arm has both `put` and `raw`");
	if (arm->put) {
		text = json_dump(arm->put, &len, &status);
		if (!text)
			return status;
	}
	status = value_check(text ? text : arm->raw, len);
	if (status == MR_OK)
		message_raw(&operation->members, "value", (struct slice){text ? text : arm->raw, len});
	free(text);
	return status;
}

static int add_arm(struct client_operation *operation, const struct mr_arm *arm)
{
	bool is_put = arm->put || arm->raw;
	const char *opening = is_put ? "{\"put\":" : "{\"take\":";
	int status = string_check("an arm's channel", arm->channel);

	if (status != MR_OK)
		return status;
	if (is_put)
		operation->kind = OPERATION_CHANGE;
	buffer_append(&operation->members, opening, strlen(opening));
	message_text(&operation->members, slice_from(arm->channel));
	keep_group(operation, slice_from(arm->channel));
	if (is_put)
		status = add_arm_value(operation, arm);
	buffer_append(&operation->members, "}", 1);
	return status;
}

int operation_alts(struct client_operation *operation, const struct mr_arm *arms, size_t n_arms,
		   const struct mr_alts_options *options, int64_t timeout_ms)
{
	int status;

	if (n_arms < 1 || n_arms > MESSAGE_MAX_ARMS)
		return fail(MR_EARGUMENT, "an alts has 1 to %d arms", MESSAGE_MAX_ARMS);
	begin(operation, OP_ALTS, options->lease_ms ? OPERATION_REPEATS : OPERATION_TAKE);
	status = add_lease(operation, options->lease_ms, options->sticky);
	message_key(&operation->members, "arms");
	for (size_t i = 0; i < n_arms && status == MR_OK; i++) {
		buffer_append(&operation->members, i ? "," : "[", 1);
		status = add_arm(operation, &arms[i]);
	}
	buffer_append(&operation->members, "]", 1);
	if (options->priority)
		message_bool(&operation->members, "priority", true);
	return end_with_timeout(operation, status, timeout_ms);
}

int operation_cancel(struct client_operation *operation, struct contact *contact, uint64_t id)
{
	begin(operation, OP_CANCEL, OPERATION_TAKE);
	operation->is_urgent = true;
	operation->contact = contact;
	message_uint(&operation->members, "request", id);
	return end(operation, MR_OK);
}

/* -- leases: none waits behind what parks, which may wait for just this -- */

static int of_lease(struct client_operation *operation, enum message_op op, const char *lease)
{
	begin(operation, op, OPERATION_CHANGE);
	operation->is_urgent = true;
	return add_string(operation, "lease", lease);
}

int operation_ack(struct client_operation *operation, const char *lease)
{
	return end(operation, of_lease(operation, OP_ACK, lease));
}

int operation_nack(struct client_operation *operation, const char *lease, const struct mr_nack_options *options)
{
	int status = of_lease(operation, OP_NACK, lease);

	if (status == MR_OK)
		status = add_milliseconds(operation, "delay_ms", options->delay_ms);
	if (options->uncounted)
		message_bool(&operation->members, "counted", false);
	return end(operation, status);
}

int operation_extend(struct client_operation *operation, const char *lease, int64_t lease_ms)
{
	int status = of_lease(operation, OP_EXTEND, lease);

	if (status == MR_OK && lease_ms == 0)
		status = fail(MR_EARGUMENT, "a lease is 1 to 2147483647 milliseconds");
	if (status == MR_OK)
		status = add_lease(operation, lease_ms, false);
	return end(operation, status);
}

/* -- channels -- */

int operation_create(struct client_operation *operation, const char *channel, const struct mr_definition *definition)
{
	int status = MR_OK;

	if (!definition || !definition->kind)
		return fail(MR_EARGUMENT, "a channel's definition needs its kind");
	begin(operation, OP_CREATE, OPERATION_CHANGE);
	operation->has_group = !channel; /* a name that the daemon makes up has no braces */
	if (channel)
		status = add_channel(operation, "channel", channel);
	if (channel && status == MR_OK)
		status = keep_channel(operation, channel);
	if (status == MR_OK)
		status = add_string(operation, "kind", definition->kind);
	if (status == MR_OK && definition->dead_letter)
		status = add_string(operation, "dead_letter", definition->dead_letter);
	if (definition->capacity)
		message_uint(&operation->members, "capacity", definition->capacity);
	if (definition->max_waiters)
		message_uint(&operation->members, "max_waiters", definition->max_waiters);
	if (definition->max_deliveries)
		message_uint(&operation->members, "max_deliveries", definition->max_deliveries);
	if (definition->ephemeral)
		message_bool(&operation->members, "ephemeral", true);
	operation->is_ephemeral = channel && definition->ephemeral;
	return end(operation, status);
}

int operation_alter(struct client_operation *operation, const char *channel, const struct mr_alteration *alteration)
{
	int status = of_channel(operation, OP_ALTER, OPERATION_REPEATS, channel);

	if (status == MR_OK && alteration->no_dead_letter && (alteration->dead_letter || alteration->max_deliveries))
		status = fail(MR_EARGUMENT, "no_dead_letter goes with neither dead_letter nor max_deliveries");
	if (status == MR_OK && alteration->dead_letter)
		status = add_string(operation, "dead_letter", alteration->dead_letter);
	if (alteration->no_dead_letter)
		message_raw(&operation->members, "dead_letter", SLICE("null"));
	if (alteration->capacity)
		message_uint(&operation->members, "capacity", alteration->capacity);
	if (alteration->max_waiters)
		message_uint(&operation->members, "max_waiters", alteration->max_waiters);
	if (alteration->max_deliveries || alteration->no_dead_letter)
		message_uint(&operation->members, "max_deliveries", alteration->max_deliveries);
	return end(operation, status);
}

int operation_close(struct client_operation *operation, const char *channel)
{
	return end(operation, of_channel(operation, OP_CLOSE, OPERATION_CHANGE, channel));
}

int operation_delete(struct client_operation *operation, const char *channel, bool force)
{
	int status = of_channel(operation, OP_DELETE, OPERATION_CHANGE, channel);

	if (force)
		message_bool(&operation->members, "force", true);
	return end(operation, status == MR_OK ? keep_channel(operation, channel) : status);
}

int operation_move(struct client_operation *operation, const char *from, const char *to, size_t max)
{
	int status;

	begin(operation, OP_MOVE, OPERATION_CHANGE);
	status = add_channel(operation, "from", from);
	if (status == MR_OK && to)
		status = add_string(operation, "to", to);
	if (max)
		message_uint(&operation->members, "max", max);
	return end(operation, status);
}

/* The target is that which is named, or of the options' kind. */
static int add_target(struct client_operation *operation, const char *to, const struct mr_tap_options *options)
{
	bool has_kind = options && options->kind;

	if (!to == !has_kind)
		return fail(MR_EARGUMENT, "a tap has a target, or the kind of a channel that is made for it");
	if (to)
		return add_string(operation, "to", to);
	if (options->capacity)
		message_uint(&operation->members, "capacity", options->capacity);
	return add_string(operation, "kind", options->kind);
}

int operation_tap(struct client_operation *operation, const char *from, const char *to,
		  const struct mr_tap_options *options)
{
	int status;

	/* A tap that is there is as it is asked for, so asking again does no harm; another channel would be made anew.
	 */
	begin(operation, OP_TAP, to ? OPERATION_REPEATS : OPERATION_CHANGE);
	status = add_channel(operation, "from", from);
	if (status == MR_OK)
		status = add_target(operation, to, options);
	if (status == MR_OK && options && options->match)
		status = value_check(options->match, strlen(options->match));
	if (status == MR_OK && options && options->match)
		message_raw(&operation->members, "match", slice_from(options->match));
	if (status == MR_OK && options && options->state)
		status = add_string(operation, "state", options->state);
	if (options && options->stays_open)
		message_bool(&operation->members, "close", false);
	return end(operation, status);
}

int operation_untap(struct client_operation *operation, const char *from, const char *to)
{
	int status;

	begin(operation, OP_UNTAP, OPERATION_CHANGE);
	status = add_channel(operation, "from", from);
	if (status == MR_OK)
		status = add_string(operation, "to", to);
	return end(operation, status);
}

/* -- looking -- */

int operation_ping(struct client_operation *operation, int64_t timeout_ms)
{
	begin(operation, OP_PING, OPERATION_REPEATS);
	operation->timeout_ms = timeout_ms;
	return end(operation, timeout_check(timeout_ms));
}

int operation_stat(struct client_operation *operation, const char *channel)
{
	return end(operation, of_channel(operation, OP_STAT, OPERATION_REPEATS, channel));
}

int operation_peek(struct client_operation *operation, const char *channel, size_t max)
{
	int status = of_channel(operation, OP_PEEK, OPERATION_REPEATS, channel);

	if (max < 1 || max > MESSAGE_MAX_ROWS)
		status = fail(MR_EARGUMENT, "max is 1 to %d", MESSAGE_MAX_ROWS);
	message_uint(&operation->members, "max", max);
	return end(operation, status);
}

int operation_list(struct client_operation *operation, const char *glob, const char *after)
{
	int status = MR_OK;

	begin(operation, OP_LIST, OPERATION_REPEATS);
	if (glob)
		status = add_string(operation, "match", glob);
	if (status == MR_OK && after)
		status = add_string(operation, "after", after);
	return end(operation, status);
}

/* Rows that are counted: of waiters, and of leases. */
static int rows_of(struct client_operation *operation, enum message_op op, const char *channel, uint64_t after)
{
	int status = MR_OK;

	begin(operation, op, OPERATION_REPEATS);
	if (channel)
		status = add_channel(operation, "channel", channel);
	if (after)
		message_uint(&operation->members, "after", after);
	return end(operation, status);
}

int operation_waiters(struct client_operation *operation, const char *channel, uint64_t after)
{
	return rows_of(operation, OP_WAITERS, channel, after);
}

int operation_taps(struct client_operation *operation, const char *channel, uint64_t after)
{
	return rows_of(operation, OP_TAPS, channel, after);
}

int operation_leases(struct client_operation *operation, const char *channel, uint64_t after)
{
	return rows_of(operation, OP_LEASES, channel, after);
}

int operation_cluster(struct client_operation *operation, const char *after)
{
	int status = MR_OK;

	begin(operation, OP_CLUSTER, OPERATION_REPEATS);
	if (after)
		status = add_string(operation, "after", after);
	return end(operation, status);
}

int operation_cluster_move(struct client_operation *operation, const char *group, const char *daemon)
{
	int status;

	begin(operation, OP_CLUSTER, OPERATION_REPEATS);
	status = add_string(operation, "group", group);
	if (status == MR_OK)
		status = add_string(operation, "to", daemon);
	return end(operation, status);
}
