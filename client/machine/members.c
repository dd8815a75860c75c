/* Arguments into the members of requests, as text. */
#include "client/machine/members.h"

#include <stdlib.h>

#include "client/machine/words.h"
#include "proto/json_scan.h"
#include "proto/utf8.h"

int text_check(const char *what, const char *text)
{
	const char *end = text ? text + strlen(text) : NULL;

	if (!text)
		return words_fail(MR_EARGUMENT, "%s is NULL", what);
	while (text < end) {
		size_t len = utf8_len(text, end);

		if (len == 0)
			return words_fail(MR_EARGUMENT, "%s is not valid UTF-8", what);
		text += len;
	}
	return MR_OK;
}

int members_text(struct buffer *members, const char *key, const char *text)
{
	int status = text_check(key, text);

	if (status == MR_OK)
		message_string(members, key, slice_from(text));
	return status;
}

int members_channel(struct buffer *members, const char *channel)
{
	return members_text(members, "channel", channel);
}

int timeout_check(int64_t timeout_ms)
{
	if (timeout_ms < MR_FOREVER || timeout_ms > (int64_t)MESSAGE_MAX_MS)
		return words_fail(MR_EARGUMENT, "a time-out is 0 to 2147483647 milliseconds, or MR_FOREVER");
	return MR_OK;
}

int members_timeout(struct buffer *members, int64_t timeout_ms)
{
	int status = timeout_check(timeout_ms);

	if (status == MR_OK && timeout_ms != MR_FOREVER)
		message_uint(members, "timeout_ms", (uint64_t)timeout_ms);
	return status;
}

int members_lease(struct buffer *members, int64_t lease_ms, bool sticky)
{
	if (lease_ms < 0 || lease_ms > (int64_t)MESSAGE_MAX_MS)
		return words_fail(MR_EARGUMENT, "a lease is 1 to 2147483647 milliseconds, or 0 for none");
	if (sticky && lease_ms == 0)
		return words_fail(MR_EARGUMENT, "only a lease can be sticky");
	if (lease_ms)
		message_uint(members, "lease_ms", (uint64_t)lease_ms);
	if (sticky)
		message_bool(members, "sticky", true);
	return MR_OK;
}

/* -- values -- */

static int refuse_json(const struct json_scan *scan, const char *json)
{
	if (scan->too_deep)
		return words_fail(MR_EBAD_VALUE, "the value is nested deeper than %d", JSON_MAX_DEPTH);
	return words_fail(MR_EARGUMENT, "not one JSON value, at byte %zu: %s", (size_t)(scan->at - json),
			  scan->error ? scan->error : "more follows it");
}

int json_text_check(const char *json, size_t len)
{
	struct json_scan scan;
	struct slice raw;

	if (!json)
		return words_fail(MR_EARGUMENT, "the value is NULL");
	json_scan_init(&scan, json, len);
	if (json_scan_value(&scan, &raw) == JSON_TYPE_NONE || !json_scan_at_end(&scan))
		return refuse_json(&scan, json);
	return MR_OK;
}

/* One level at a time: the array itself does not count towards the depth of its values. */
int json_text_check_array(const char *json, size_t len)
{
	struct json_scan scan;
	struct slice raw;
	bool first = true, is_empty = true;

	if (!json)
		return words_fail(MR_EARGUMENT, "the values are NULL");
	json_scan_init(&scan, json, len);
	if (!json_scan_enter(&scan, '['))
		return words_fail(MR_EARGUMENT, "the values are not a JSON array");
	while (json_scan_element(&scan, &first)) {
		if (json_scan_value(&scan, &raw) == JSON_TYPE_NONE)
			return refuse_json(&scan, json);
		is_empty = false;
	}
	if (scan.error || !json_scan_at_end(&scan))
		return refuse_json(&scan, json);
	return is_empty ? words_fail(MR_EARGUMENT, "there is no value in the array") : MR_OK;
}

char *json_text_from(const json_t *value, size_t *len, int *status)
{
	char *text;

	if (!value) {
		*status = words_fail(MR_EARGUMENT, "the value is NULL");
		return NULL;
	}
	text = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);
	if (!text) {
		*status = words_fail(MR_EARGUMENT, "jansson cannot write the value as JSON");
		return NULL;
	}
	*len = strlen(text);
	return text;
}

/* -- what the ops have -- */

int members_values(struct buffer *members, bool many, const char *json, size_t len)
{
	int status = many ? json_text_check_array(json, len) : json_text_check(json, len);

	if (status == MR_OK)
		message_raw(members, many ? "values" : "value", (struct slice){json, len});
	return status;
}

int members_put(struct buffer *members, const char *channel, bool many, const char *json, size_t len)
{
	int status = members_channel(members, channel);

	return status == MR_OK ? members_values(members, many, json, len) : status;
}

int members_take(struct buffer *members, const char *channel, const struct mr_take_options *options)
{
	int status = members_channel(members, channel);

	return status == MR_OK ? members_take_options(members, options) : status;
}

int members_take_options(struct buffer *members, const struct mr_take_options *options)
{
	int status = MR_OK;

	if (options->max > MESSAGE_MAX_TAKE)
		status = words_fail(MR_EARGUMENT, "max is 1 to %d", MESSAGE_MAX_TAKE);
	if (status == MR_OK)
		status = members_lease(members, options->lease_ms, options->sticky);
	if (status == MR_OK && options->max)
		message_uint(members, "max", options->max);
	return status;
}

/* The value of a put arm. */
static int write_value(struct buffer *members, const struct mr_arm *arm)
{
	size_t len = arm->raw_len;
	char *text = NULL;
	int status;

	if (arm->put && arm->raw)
		return words_fail(MR_EARGUMENT, "an arm has both `put` and `raw`");
	if (arm->put) {
		text = json_text_from(arm->put, &len, &status);
		if (!text)
			return status;
	}
	status = json_text_check(text ? text : arm->raw, len);
	if (status == MR_OK)
		message_raw(members, "value", (struct slice){text ? text : arm->raw, len});
	free(text);
	return status;
}

static int write_arm(struct buffer *members, const struct mr_arm *arm)
{
	bool is_put = arm->put || arm->raw;
	const char *opening = is_put ? "{\"put\":" : "{\"take\":";
	int status = text_check("an arm's channel", arm->channel);

	if (status != MR_OK)
		return status;
	buffer_append(members, opening, strlen(opening));
	message_text(members, slice_from(arm->channel));
	if (is_put)
		status = write_value(members, arm);
	buffer_append(members, "}", 1);
	return status;
}

bool arms_have_put(const struct mr_arm *arms, size_t n_arms)
{
	for (size_t i = 0; i < n_arms; i++)
		if (arms[i].put || arms[i].raw)
			return true;
	return false;
}

int members_alts(struct buffer *members, const struct mr_arm *arms, size_t n_arms,
		 const struct mr_alts_options *options)
{
	int status = members_lease(members, options->lease_ms, options->sticky);

	if (n_arms < 1 || n_arms > MESSAGE_MAX_ARMS)
		return words_fail(MR_EARGUMENT, "an alts has 1 to %d arms", MESSAGE_MAX_ARMS);
	message_key(members, "arms");
	for (size_t i = 0; i < n_arms && status == MR_OK; i++) {
		buffer_append(members, i ? "," : "[", 1);
		status = write_arm(members, &arms[i]);
	}
	buffer_append(members, "]", 1);
	if (options->priority)
		message_bool(members, "priority", true);
	return status;
}

int members_definition(struct buffer *members, const char *channel, const struct mr_definition *definition)
{
	int status = MR_OK;

	if (!definition || !definition->kind)
		return words_fail(MR_EARGUMENT, "a channel's definition needs its kind");
	if (channel)
		status = members_channel(members, channel);
	if (status == MR_OK)
		status = members_text(members, "kind", definition->kind);
	if (definition->capacity)
		message_uint(members, "capacity", definition->capacity);
	if (definition->max_waiters)
		message_uint(members, "max_waiters", definition->max_waiters);
	if (definition->max_deliveries)
		message_uint(members, "max_deliveries", definition->max_deliveries);
	if (status == MR_OK && definition->dead_letter)
		status = members_text(members, "dead_letter", definition->dead_letter);
	if (definition->ephemeral)
		message_bool(members, "ephemeral", true);
	return status;
}

int members_nack(struct buffer *members, const char *lease, int64_t delay_ms)
{
	if (delay_ms < 0 || delay_ms > (int64_t)MESSAGE_MAX_MS)
		return words_fail(MR_EARGUMENT, "a delay is 0 to 2147483647 milliseconds");
	if (delay_ms)
		message_uint(members, "delay_ms", (uint64_t)delay_ms);
	return members_text(members, "lease", lease);
}

int members_extend(struct buffer *members, const char *lease, int64_t lease_ms)
{
	int status = members_lease(members, lease_ms, false);

	if (status == MR_OK && lease_ms == 0)
		status = words_fail(MR_EARGUMENT, "a lease is 1 to 2147483647 milliseconds");
	return status == MR_OK ? members_text(members, "lease", lease) : status;
}
