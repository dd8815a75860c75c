#include "daemon/session/replies.h"

#include <stdio.h>

#include "config/config.h"
#include "daemon/access/token.h"
#include "daemon/session/answer_value.h"
#include "proto/message.h"

static void format_subject(char *text, size_t size, struct slice subject)
{
	snprintf(text, size, "\"%.*s\"", (int)subject.len, subject.bytes);
}

bool reply_is_plain_value(const struct core_reply *reply)
{
	return reply->op == CORE_TAKE && reply->status == STATUS_OK && reply->n_values == 1 && !reply->batch &&
	       !reply->has_lease && !reply->value->origin;
}

size_t reply_value_bytes(const struct core_reply *reply)
{
	size_t bytes = 0;
	const struct value *value = reply->value;
	for (uint32_t i = 0; i < reply->n_values; i++, value = value->next)
		bytes += value->len + VALUE_OVERHEAD;
	return bytes;
}

/* The buffer grows once, not by steps. */
static void reserve_values(const struct answer *answer, const struct core_reply *reply)
{
	size_t bytes = REPLY_ENVELOPE_BYTES;
	const struct value *value = reply->value;
	for (uint32_t i = 0; i < reply->n_values; i++, value = value->next)
		bytes += VALUE_OVERHEAD + (answer_refers(answer, value) ? 0 : value->len);
	buffer_reserve(answer->out, bytes);
}

static void write_values(const struct answer *answer, struct value *value, uint32_t n)
{
	struct buffer *out = answer->out;
	message_key(out, "values");
	for (uint32_t i = 0; i < n; i++, value = value->next) {
		buffer_append(out, i ? "," : "[", 1);
		answer_value(answer, value);
	}
	buffer_append(out, n ? "]" : "[]", n ? 1 : 2);
}

/* The members of a put, or of an arm that was one. */
static void write_evicted(struct buffer *out, const struct core_reply *reply)
{
	if (!reply->has_lease && reply->evicted)
		message_uint(out, "evicted", reply->evicted);
}

static void write_lease(struct buffer *out, const struct core_reply *reply)
{
	char token[TOKEN_TEXT_BYTES];
	token_format(reply->lease, token);
	message_string(out, "lease", (struct slice){token, TOKEN_TEXT_BYTES});
	if (!reply->batch) {
		message_uint(out, "deliveries", reply->value->deliveries);
		return;
	}
	message_key(out, "deliveries");
	const struct value *value = reply->value;
	for (uint32_t i = 0; i < reply->n_values; i++, value = value->next) {
		buffer_append(out, i ? "," : "[", 1);
		buffer_append_uint(out, value->deliveries);
	}
	buffer_append(out, "]", 1);
}

static void write_take(const struct answer *answer, const struct core_reply *reply)
{
	if (!reply->n_values)
		return;
	reserve_values(answer, reply);
	if (reply->batch) {
		write_values(answer, reply->value, reply->n_values);
	} else {
		message_key(answer->out, "value");
		answer_value(answer, reply->value);
	}
	if (reply->has_lease)
		write_lease(answer->out, reply);
}

/* A valid name needs no escapes. */
static void write_channel(struct buffer *out, struct slice name)
{
	message_key(out, "channel");
	buffer_append(out, "\"", 1);
	buffer_append(out, name.bytes, name.len);
	buffer_append(out, "\"", 1);
}

static void write_alts(const struct answer *answer, const struct core_reply *reply)
{
	struct buffer *out = answer->out;
	if (reply->status != STATUS_OK && reply->status != STATUS_DROPPED && reply->status != STATUS_CLOSED)
		return;
	message_uint(out, "arm", reply->arm);
	write_channel(out, reply->channel);
	write_take(answer, reply);
	write_evicted(out, reply);
}

void reply_write_members(const struct answer *answer, const struct core_reply *reply)
{
	struct buffer *out = answer->out;
	switch (reply->op) {
	case CORE_CREATE:
		message_string(out, "channel", reply->channel);
		message_bool(out, "created", reply->created);
		break;
	case CORE_DELETE:
		message_uint(out, "discarded", reply->discarded);
		break;
	case CORE_PUT:
		if (reply->id == CORE_NO_ID)
			message_string(out, "channel", reply->channel);
		if (reply->batch)
			message_uint(out, "accepted", reply->accepted);
		write_evicted(out, reply);
		if (reply->duplicate)
			message_bool(out, "duplicate", true);
		break;
	case CORE_TAKE:
		write_take(answer, reply);
		if (reply->has_left)
			message_uint(out, "left", reply->left);
		break;
	case CORE_ALTS:
		write_alts(answer, reply);
		break;
	case CORE_MOVE:
		if (reply->status != STATUS_OK)
			break;
		message_uint(out, "moved", reply->accepted);
		message_uint(out, "left", reply->left);
		break;
	case CORE_TAP:
		message_string(out, "to", reply->to);
		message_bool(out, "created", reply->created);
		break;
	case CORE_UNTAP:
	case CORE_ALTER: /* which is answered by the channel's row: see session.c */
	case CORE_CLOSE:
	case CORE_CANCEL:
	case CORE_ACK:
	case CORE_NACK:
	case CORE_EXTEND:
	case CORE_HANG_UP:
	case CORE_DISCONNECT:
	case CORE_ABANDON:
	case CORE_PAUSE:
	case CORE_RESUME:
	case CORE_CONNECT:
	case CORE_SET_LIMITS:
	case CORE_SET_QUOTA:
	case CORE_JOIN_QUOTA:
	case CORE_RESTORE:
	case CORE_CHECKPOINT:
	case CORE_REVOKE:
	case CORE_JOIN_CLUSTER:
	case CORE_ADOPT:
	case CORE_SERVE:
	case CORE_RELEASE:
	case CORE_DRAIN:
	case CORE_TICK:
	case CORE_OP_COUNT:
		break;
	}
}

/* What an error says behind the name of the channel that it is about. */
static const char *explain(const struct core_reply *reply)
{
	if (reply->error == ERROR_UNAVAILABLE)
		return ": the journal's disk is full";
	if (reply->error != ERROR_BAD_REQUEST)
		return "";
	if (reply->op == CORE_PUT)
		return " is unbuffered or a promise: a put there has no \"delay_ms\"";
	if (reply->op == CORE_MOVE)
		return " is a promise, whose value stays, or \"to\" names it too";
	return " is a promise, which is neither leased nor taken by \"count\"";
}

/* What refuses a tap. */
static void describe_tap(char *detail, size_t size, const struct core_reply *reply)
{
	size_t len = 0;
	switch (reply->error) {
	case ERROR_BAD_REQUEST:
		len = (size_t)snprintf(detail, size, "values would go round in a circle: ");
		for (uint32_t i = 0; i < reply->n_circle && i < CORE_CIRCLE_NAMES && len < size; i++)
			len += (size_t)snprintf(detail + len, size - len, "%.*s -> ", (int)reply->circle[i].len,
						reply->circle[i].bytes);
		if (len < size)
			snprintf(detail + len, size - len, "%s%.*s",
				 reply->n_circle > CORE_CIRCLE_NAMES ? "... -> " : "", (int)reply->circle[0].len,
				 reply->circle[0].bytes);
		return;
	case ERROR_OVERLOADED:
		snprintf(detail, size,
			 "a channel has at most %d taps, and the daemon has limits.max_taps and max_channels",
			 CORE_MAX_TAPS);
		return;
	case ERROR_NO_SUCH_TAP:
		snprintf(detail, size, "\"%.*s\" to \"%.*s\"", (int)reply->channel.len, reply->channel.bytes,
			 (int)reply->to.len, reply->to.bytes);
		return;
	default:
		format_subject(detail, size, reply->channel);
	}
}

const char *reply_detail(const struct core_reply *reply, char detail[REPLY_DETAIL_BYTES])
{
	const size_t size = REPLY_DETAIL_BYTES;
	size_t len = 0;
	if (reply->over_quota)
		return "max_channels of this user; delete channels that it has created, or end connections with "
		       "ephemeral "
		       "ones";
	if (reply->over_parked)
		return "limits.max_parked: requests that wait, leases and what taps match take all the memory that "
		       "they "
		       "may; end some of them";
	if (!reply->channel.len)
		return NULL;
	if (reply->op == CORE_TAP || reply->op == CORE_UNTAP) {
		describe_tap(detail, size, reply);
		return detail;
	}
	if (reply->op == CORE_ALTS)
		len = (size_t)snprintf(detail, size, "arm %u, ", (unsigned)reply->arm);
	if ((reply->op == CORE_CREATE || reply->op == CORE_ALTER) && reply->error == ERROR_BAD_CHANNEL)
		len = (size_t)snprintf(
			detail, size,
			"\"dead_letter\" is the name of another bounded channel that exists already; of ");
	format_subject(detail + len, size - len, reply->channel);
	len += reply->channel.len + 2;
	snprintf(detail + len, size - len, "%s", explain(reply));
	return detail;
}

void reply_write_error_members(const struct answer *answer, const struct core_reply *reply)
{
	struct buffer *out = answer->out;
	if (reply->error == ERROR_DENIED) {
		bool is_put = reply->op == CORE_PUT || (reply->op == CORE_ALTS && !reply->is_take);
		message_string(out, "right", slice_from(right_name(is_put ? RIGHT_PUT : RIGHT_TAKE)));
		if (reply->op != CORE_PUT || reply->id != CORE_NO_ID) /* which has it anyway */
			message_string(out, "channel", reply->channel);
	}
	if (reply->op == CORE_PUT || reply->op == CORE_TAKE)
		reply_write_members(answer, reply);
}

bool reply_has_shed(const struct core_reply *reply)
{
	bool is_put = reply->op == CORE_PUT || (reply->op == CORE_ALTS && !reply->is_take);
	return is_put && !reply->duplicate &&
	       (reply->status == STATUS_DROPPED || (reply->status == STATUS_OK && reply->evicted > 0));
}

bool reply_is_silent(const struct core_reply *reply)
{
	return reply->id == CORE_NO_ID && (reply->status == STATUS_OK || reply->status == STATUS_DROPPED);
}
