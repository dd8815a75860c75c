/* Arguments into requests. A function of the first part checks one argument and appends its member; after a failure it
 * does nothing, so that the first one is told. */
#include "client/machine/operation.h"

#include <stdarg.h>
#include <stdio.h>
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

__attribute__((format(printf, 2, 3))) static void refuse(struct client_operation *operation, const char *format, ...)
{
	char why[128];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(why, sizeof why, format, arguments);
	va_end(arguments);
	if (operation->status == MR_OK)
		operation->status = fail(MR_EARGUMENT, "%s", why);
}

static void add_string(struct client_operation *operation, const char *key, const char *string)
{
	if (operation->status == MR_OK)
		operation->status = string_check(key, string);
	if (operation->status == MR_OK)
		message_string(&operation->members, key, slice_from(string));
}

/* One that need not be given: 0 or false is as good as nothing. */
static void add_number(struct client_operation *operation, const char *key, uint64_t number)
{
	if (number)
		message_uint(&operation->members, key, number);
}

static void add_flag(struct client_operation *operation, const char *key, bool is_set)
{
	if (is_set)
		message_bool(&operation->members, key, true);
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

static void add_channel(struct client_operation *operation, const char *key, const char *channel)
{
	add_string(operation, key, channel);
	if (operation->status == MR_OK)
		keep_group(operation, slice_from(channel));
}

static void add_delay(struct client_operation *operation, int64_t delay_ms)
{
	if (delay_ms < 0 || delay_ms > (int64_t)MESSAGE_MAX_MS)
		refuse(operation, "delay_ms is 0 to 2147483647 milliseconds");
	add_number(operation, "delay_ms", (uint64_t)delay_ms);
}

static void add_lease(struct client_operation *operation, int64_t lease_ms, bool sticky)
{
	if (lease_ms < 0 || lease_ms > (int64_t)MESSAGE_MAX_MS)
		refuse(operation, "a lease is 1 to 2147483647 milliseconds, or 0 for none");
	if (sticky && lease_ms == 0)
		refuse(operation, "only a lease can be sticky");
	add_number(operation, "lease_ms", (uint64_t)lease_ms);
	add_flag(operation, "sticky", sticky);
}

/* `values`: an array of them. */
static void add_value(struct client_operation *operation, const char *key, const char *json, size_t len)
{
	if (operation->status == MR_OK)
		operation->status = strcmp(key, "values") == 0 ? values_check(json, len) : value_check(json, len);
	if (operation->status == MR_OK)
		message_raw(&operation->members, key, (struct slice){json, len});
}

static void keep_channel(struct client_operation *operation, const char *channel)
{
	if (operation->status == MR_OK && !(operation->channel = strdup(channel)))
		operation->status = fail(MR_EMEMORY, "not enough memory for the request");
}

/* -- operations -- */

static void begin(struct client_operation *operation, enum message_op op, enum operation_kind kind)
{
	*operation = (struct client_operation){.op = op, .kind = kind, .timeout_ms = MR_FOREVER, .count = 1};
}

/* The last step of each: what is not complete is freed. */
static int end(struct client_operation *operation)
{
	int status = operation->status;

	if (status == MR_OK && operation->members.failed)
		status = fail(MR_EMEMORY, "not enough memory for the request");
	if (status != MR_OK)
		operation_finish(operation);
	return status;
}

static int end_with_timeout(struct client_operation *operation, int64_t timeout_ms)
{
	if (operation->status == MR_OK)
		operation->status = timeout_check(timeout_ms);
	operation->has_timeout = true;
	operation->timeout_ms = timeout_ms;
	return end(operation);
}

static void begin_with_channel(struct client_operation *operation, enum message_op op, enum operation_kind kind,
			       const char *channel)
{
	begin(operation, op, kind);
	add_channel(operation, "channel", channel);
}

int operation_put(struct client_operation *operation, const char *channel, const struct mr_put_options *options,
		  const char *json, size_t len, int64_t timeout_ms)
{
	begin_with_channel(operation, OP_PUT, OPERATION_PUT, channel);
	add_value(operation, options->many ? "values" : "value", json, len);
	add_delay(operation, options->delay_ms);
	return end_with_timeout(operation, timeout_ms);
}

int operation_put_unanswered(struct client_operation *operation, const char *channel,
			     const struct mr_put_options *options, const char *json, size_t len, int64_t timeout_ms,
			     uint32_t run)
{
	int status = operation_put(operation, channel, options, json, len, timeout_ms);

	if (status != MR_OK)
		return status;
	operation->is_unanswered = true;
	operation->run = run;
	keep_channel(operation, channel);
	return end(operation);
}

int operation_take(struct client_operation *operation, const char *channel, const struct mr_take_options *options,
		   int64_t timeout_ms)
{
	begin_with_channel(operation, OP_TAKE, options->lease_ms ? OPERATION_REPEATS : OPERATION_TAKE, channel);
	if (options->max > MESSAGE_MAX_TAKE)
		refuse(operation, "max is 1 to %d", MESSAGE_MAX_TAKE);
	add_lease(operation, options->lease_ms, options->sticky);
	add_number(operation, "max", options->max);
	return end_with_timeout(operation, timeout_ms);
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
static void add_arm_value(struct client_operation *operation, const struct mr_arm *arm)
{
	size_t len = arm->raw_len;
	char *text = NULL;

	if (arm->put && arm->raw)
		refuse(operation, "an arm has both `put` and `raw`");
	else if (arm->put)
		text = json_dump(arm->put, &len, &operation->status);
	add_value(operation, "value", text ? text : arm->raw, len);
	free(text);
}

static void add_arm(struct client_operation *operation, const struct mr_arm *arm)
{
	bool is_put = arm->put || arm->raw;
	const char *opening = is_put ? "{\"put\":" : "{\"take\":";

	operation->status = string_check("an arm's channel", arm->channel);
	if (operation->status != MR_OK)
		return;
	if (is_put)
		operation->kind = OPERATION_CHANGE;
	buffer_append(&operation->members, opening, strlen(opening));
	message_text(&operation->members, slice_from(arm->channel));
	keep_group(operation, slice_from(arm->channel));
	if (is_put)
		add_arm_value(operation, arm);
	buffer_append(&operation->members, "}", 1);
}

int operation_alts(struct client_operation *operation, const struct mr_arm *arms, size_t n_arms,
		   const struct mr_alts_options *options, int64_t timeout_ms)
{
	if (n_arms < 1 || n_arms > MESSAGE_MAX_ARMS)
		return fail(MR_EARGUMENT, "an alts has 1 to %d arms", MESSAGE_MAX_ARMS);
	begin(operation, OP_ALTS, options->lease_ms ? OPERATION_REPEATS : OPERATION_TAKE);
	add_lease(operation, options->lease_ms, options->sticky);
	message_key(&operation->members, "arms");
	for (size_t i = 0; i < n_arms && operation->status == MR_OK; i++) {
		buffer_append(&operation->members, i ? "," : "[", 1);
		add_arm(operation, &arms[i]);
	}
	buffer_append(&operation->members, "]", 1);
	add_flag(operation, "priority", options->priority);
	return end_with_timeout(operation, timeout_ms);
}

int operation_cancel(struct client_operation *operation, struct contact *contact, uint64_t id)
{
	begin(operation, OP_CANCEL, OPERATION_TAKE);
	operation->is_urgent = true;
	operation->contact = contact;
	message_uint(&operation->members, "request", id);
	return end(operation);
}

/* -- leases: none waits behind what parks, which may wait for just this -- */

static void begin_with_lease(struct client_operation *operation, enum message_op op, const char *lease)
{
	begin(operation, op, OPERATION_CHANGE);
	operation->is_urgent = true;
	add_string(operation, "lease", lease);
}

int operation_ack(struct client_operation *operation, const char *lease)
{
	begin_with_lease(operation, OP_ACK, lease);
	return end(operation);
}

int operation_nack(struct client_operation *operation, const char *lease, const struct mr_nack_options *options)
{
	begin_with_lease(operation, OP_NACK, lease);
	add_delay(operation, options->delay_ms);
	if (options->uncounted)
		message_bool(&operation->members, "counted", false);
	return end(operation);
}

int operation_extend(struct client_operation *operation, const char *lease, int64_t lease_ms)
{
	begin_with_lease(operation, OP_EXTEND, lease);
	if (lease_ms == 0)
		refuse(operation, "a lease is 1 to 2147483647 milliseconds");
	add_lease(operation, lease_ms, false);
	return end(operation);
}

/* -- channels -- */

int operation_create(struct client_operation *operation, const char *channel, const struct mr_definition *definition)
{
	if (!definition || !definition->kind)
		return fail(MR_EARGUMENT, "a channel's definition needs its kind");
	begin(operation, OP_CREATE, OPERATION_CHANGE);
	operation->has_group = !channel; /* a name that the daemon makes up has no braces */
	if (channel) {
		add_channel(operation, "channel", channel);
		keep_channel(operation, channel);
	}
	add_string(operation, "kind", definition->kind);
	if (definition->dead_letter)
		add_string(operation, "dead_letter", definition->dead_letter);
	add_number(operation, "capacity", definition->capacity);
	add_number(operation, "max_waiters", definition->max_waiters);
	add_number(operation, "max_deliveries", definition->max_deliveries);
	add_flag(operation, "ephemeral", definition->ephemeral);
	operation->is_ephemeral = channel && definition->ephemeral;
	return end(operation);
}

int operation_alter(struct client_operation *operation, const char *channel, const struct mr_alteration *alteration)
{
	begin_with_channel(operation, OP_ALTER, OPERATION_REPEATS, channel);
	if (alteration->no_dead_letter && (alteration->dead_letter || alteration->max_deliveries))
		refuse(operation, "no_dead_letter goes with neither dead_letter nor max_deliveries");
	if (alteration->dead_letter)
		add_string(operation, "dead_letter", alteration->dead_letter);
	if (alteration->no_dead_letter)
		message_raw(&operation->members, "dead_letter", SLICE("null"));
	add_number(operation, "capacity", alteration->capacity);
	add_number(operation, "max_waiters", alteration->max_waiters);
	if (alteration->max_deliveries || alteration->no_dead_letter)
		message_uint(&operation->members, "max_deliveries", alteration->max_deliveries);
	return end(operation);
}

int operation_close(struct client_operation *operation, const char *channel)
{
	begin_with_channel(operation, OP_CLOSE, OPERATION_CHANGE, channel);
	return end(operation);
}

int operation_delete(struct client_operation *operation, const char *channel, bool force)
{
	begin_with_channel(operation, OP_DELETE, OPERATION_CHANGE, channel);
	add_flag(operation, "force", force);
	keep_channel(operation, channel);
	return end(operation);
}

int operation_move(struct client_operation *operation, const char *from, const char *to, size_t max)
{
	begin(operation, OP_MOVE, OPERATION_CHANGE);
	add_channel(operation, "from", from);
	if (to)
		add_string(operation, "to", to);
	add_number(operation, "max", max);
	return end(operation);
}

/* The target is that which is named, or of the options' kind. */
static void add_target(struct client_operation *operation, const char *to, const struct mr_tap_options *options)
{
	if (!to == !options->kind)
		refuse(operation, "a tap has a target, or the kind of a channel that is made for it");
	if (to) {
		add_string(operation, "to", to);
	} else {
		add_number(operation, "capacity", options->capacity);
		add_string(operation, "kind", options->kind);
	}
}

int operation_tap(struct client_operation *operation, const char *from, const char *to,
		  const struct mr_tap_options *options)
{
	static const struct mr_tap_options none;
	const struct mr_tap_options *chosen = options ? options : &none;

	/* A tap that is there is as it is asked for, so asking again does no harm; another channel would be made anew.
	 */
	begin(operation, OP_TAP, to ? OPERATION_REPEATS : OPERATION_CHANGE);
	add_channel(operation, "from", from);
	add_target(operation, to, chosen);
	if (chosen->match)
		add_value(operation, "match", chosen->match, strlen(chosen->match));
	if (chosen->state)
		add_string(operation, "state", chosen->state);
	if (chosen->stays_open)
		message_bool(&operation->members, "close", false);
	return end(operation);
}

int operation_untap(struct client_operation *operation, const char *from, const char *to)
{
	begin(operation, OP_UNTAP, OPERATION_CHANGE);
	add_channel(operation, "from", from);
	add_string(operation, "to", to);
	return end(operation);
}

/* -- looking -- */

int operation_ping(struct client_operation *operation, int64_t timeout_ms)
{
	begin(operation, OP_PING, OPERATION_REPEATS);
	operation->timeout_ms = timeout_ms;
	operation->status = timeout_check(timeout_ms);
	return end(operation);
}

int operation_stat(struct client_operation *operation, const char *channel)
{
	begin_with_channel(operation, OP_STAT, OPERATION_REPEATS, channel);
	return end(operation);
}

int operation_peek(struct client_operation *operation, const char *channel, size_t max)
{
	begin_with_channel(operation, OP_PEEK, OPERATION_REPEATS, channel);
	if (max < 1 || max > MESSAGE_MAX_ROWS)
		refuse(operation, "max is 1 to %d", MESSAGE_MAX_ROWS);
	add_number(operation, "max", max);
	return end(operation);
}

int operation_list(struct client_operation *operation, const char *glob, const char *after)
{
	begin(operation, OP_LIST, OPERATION_REPEATS);
	if (glob)
		add_string(operation, "match", glob);
	if (after)
		add_string(operation, "after", after);
	return end(operation);
}

int operation_rows(struct client_operation *operation, enum message_op op, const char *channel, uint64_t after)
{
	begin(operation, op, OPERATION_REPEATS);
	if (channel)
		add_channel(operation, "channel", channel);
	add_number(operation, "after", after);
	return end(operation);
}

int operation_cluster(struct client_operation *operation, const char *after)
{
	begin(operation, OP_CLUSTER, OPERATION_REPEATS);
	if (after)
		add_string(operation, "after", after);
	return end(operation);
}

int operation_cluster_move(struct client_operation *operation, const char *group, const char *daemon)
{
	begin(operation, OP_CLUSTER, OPERATION_REPEATS);
	add_string(operation, "group", group);
	add_string(operation, "to", daemon);
	return end(operation);
}
