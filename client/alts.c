/* alts: a choice among takes and puts, made by the daemon. */
#include <stdlib.h>

#include "client/call.h"
#include "client/words.h"

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

static bool has_put_arm(const struct mr_arm *arms, size_t n_arms)
{
	for (size_t i = 0; i < n_arms; i++)
		if (arms[i].put || arms[i].raw)
			return true;
	return false;
}

static int alts_members(struct buffer *members, const struct mr_arm *arms, size_t n_arms, bool priority, int64_t timeout_ms)
{
	int status = members_timeout(members, timeout_ms);

	if (n_arms < 1 || n_arms > MESSAGE_MAX_ARMS)
		return words_fail(MR_EARGUMENT, "an alts has 1 to %d arms", MESSAGE_MAX_ARMS);
	message_key(members, "arms");
	for (size_t i = 0; i < n_arms && status == MR_OK; i++) {
		buffer_append(members, i ? "," : "[", 1);
		status = write_arm(members, &arms[i]);
	}
	buffer_append(members, "]", 1);
	if (priority)
		message_bool(members, "priority", true);
	return status;
}

/* What the reply says of the arm that happened; the result's text goes into the choice. */
static int read_choice(struct call_result *result, const struct mr_arm *arms, size_t n_arms, int status, struct mr_choice *choice)
{
	const struct mr_arm *arm = result->has_arm && result->arm < n_arms ? &arms[result->arm] : NULL;
	bool has_value = arm && status == MR_OK && !arm->put && !arm->raw;

	if (!arm || has_value != (result->text != NULL)) {
		free(result->text);
		return words_fail(MR_EPROTOCOL, "the reply does not say what happened to which arm");
	}
	choice->arm = (size_t)result->arm;
	choice->evicted = result->evicted;
	choice->raw = result->text;
	choice->raw_len = result->text_len;
	if (has_value) /* where jansson cannot hold it, the bytes are there still */
		choice->value = json_loadb(choice->raw, choice->raw_len, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
	return status;
}

int mr_alts(mr *m, const struct mr_arm *arms, size_t n_arms, bool priority, int64_t timeout_ms, struct mr_choice *choice)
{
	struct buffer members = {0};
	struct call_result result = {0};
	int status;

	*choice = (struct mr_choice){.arm = 0};
	status = alts_members(&members, arms, n_arms, priority, timeout_ms);
	if (status != MR_OK) {
		buffer_finish(&members);
		return status;
	}
	status = call_run(m, OP_ALTS, &members, timeout_ms, WANT_VALUE, &result);
	if (status == MR_OK || status == MR_CLOSED || status == MR_DROPPED)
		return read_choice(&result, arms, n_arms, status, choice);
	free(result.text);
	if (status == MR_UNKNOWN && !has_put_arm(arms, n_arms)) /* a take is not a change */
		status = MR_ECONNECTION;
	return status;
}

void mr_choice_finish(struct mr_choice *choice)
{
	json_decref(choice->value);
	free(choice->raw);
	*choice = (struct mr_choice){.arm = 0};
}
