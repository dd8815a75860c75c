#include "daemon/access/auth.h"

#include <stdio.h>
#include <string.h>

#include "daemon/core/rows.h"

static const char reply_channel_prefix[] = "_r.";

static bool is_reply_channel(struct slice channel)
{
	size_t len = sizeof(reply_channel_prefix) - 1;
	return channel.len >= len && memcmp(channel.bytes, reply_channel_prefix, len) == 0;
}

/* -- Rights -- */

/* Who asks, for what, and where the verdict goes. */
struct inquiry {
	struct user *user;
	const struct core *core;
	const struct message_request *request;
	struct auth_refusal *refusal;
};

/* Whether it is an ephemeral channel that this user has created, on any connection. */
static bool is_own(struct user *user, const struct core *core, struct slice channel)
{
	return core_owner_quota(core, channel) == user_quota(user);
}

bool auth_has_right(struct user *user, const struct core *core, enum right right, struct slice channel)
{
	if (user_rights(user, channel) & 1u << right)
		return true;
	return (right == RIGHT_PUT && is_reply_channel(channel)) || is_own(user, core, channel);
}

static bool deny(const struct inquiry *inquiry, enum right right, struct slice channel, const char *where)
{
	struct auth_refusal *refusal = inquiry->refusal;
	*refusal = (struct auth_refusal){.error = ERROR_DENIED, .right = right, .channel = channel};
	snprintf(refusal->detail, sizeof(refusal->detail), "%s%s on \"%.*s\"", where, right_name(right),
		 (int)channel.len, channel.bytes);
	return false;
}

static bool has_right(const struct inquiry *inquiry, enum right right, struct slice channel)
{
	return auth_has_right(inquiry->user, inquiry->core, right, channel);
}

static bool need(const struct inquiry *inquiry, enum right right, struct slice channel)
{
	return has_right(inquiry, right, channel) || deny(inquiry, right, channel, "");
}

static bool need_for_arms(const struct inquiry *inquiry)
{
	const struct message_request *request = inquiry->request;
	for (size_t i = 0; i < request->n_arms; i++) {
		const struct message_arm *arm = &request->arms[i];
		enum right right = arm->is_put ? RIGHT_PUT : RIGHT_TAKE;
		char where[32];
		if (has_right(inquiry, right, arm->channel))
			continue;
		snprintf(where, sizeof(where), "arm %zu, ", i);
		return deny(inquiry, right, arm->channel, where);
	}
	return true;
}

/* A channel without a name of its own that ends with its connection is everybody's right. What goes to a dead_letter
 * channel is put there.
 */
static bool need_for_create(const struct inquiry *inquiry)
{
	const struct message_request *request = inquiry->request;
	if (request->dead_letter.len && !need(inquiry, RIGHT_PUT, request->dead_letter))
		return false;
	if (message_has(request, MEMBER_CHANNEL))
		return need(inquiry, RIGHT_MANAGE, request->channel);
	return request->ephemeral || need(inquiry, RIGHT_MANAGE, slice_from(reply_channel_prefix));
}

/* Without `to` each value goes where it came from: that has to be allowed for all that the move may look at. */
static bool need_for_move(const struct inquiry *inquiry)
{
	const struct message_request *request = inquiry->request;
	const struct value *value;
	struct core_peek peek;
	if (!need(inquiry, RIGHT_TAKE, request->from))
		return false;
	if (message_has(request, MEMBER_TO))
		return need(inquiry, RIGHT_PUT, request->to);
	if (!core_peek_begin(inquiry->core, request->from, &peek))
		return true;
	for (uint32_t i = 0; i < CORE_MOVE_LOOKS && (value = core_peek_next(&peek)); i++)
		if (value->origin && !need(inquiry, RIGHT_PUT, value_origin_channel(value->origin)))
			return false;
	return true;
}

struct slice auth_group_subject(struct slice group, char subject[AUTH_SUBJECT_BYTES])
{
	int len = snprintf(subject, AUTH_SUBJECT_BYTES, "{%.*s}", (int)group.len, group.bytes);
	return (struct slice){subject, (size_t)len};
}

/* To move a group is to manage it. */
static bool need_for_group(const struct inquiry *inquiry)
{
	char text[AUTH_SUBJECT_BYTES];
	struct slice subject = auth_group_subject(inquiry->request->group, text);
	if (need(inquiry, RIGHT_MANAGE, subject))
		return true;
	inquiry->refusal->channel = auth_group_subject(inquiry->request->group, inquiry->refusal->subject);
	return false;
}

static bool has_rights(const struct inquiry *inquiry)
{
	const struct message_request *request = inquiry->request;
	switch (request->op) {
	case OP_CREATE:
		return need_for_create(inquiry);
	case OP_ALTER:
		return need_for_create(inquiry);
	case OP_CLOSE:
	case OP_DELETE:
		return need(inquiry, RIGHT_MANAGE, request->channel);
	case OP_PUT:
		return need(inquiry, RIGHT_PUT, request->channel);
	case OP_TAKE:
		return need(inquiry, RIGHT_TAKE, request->channel);
	case OP_LEASES: /* without a channel, only those of channels that may be taken from are in the reply */
		return !message_has(request, MEMBER_CHANNEL) || need(inquiry, RIGHT_TAKE, request->channel);
	case OP_MOVE:
		return need_for_move(inquiry);
	case OP_TAP: /* without `to`, its target is the connection's own */
	case OP_UNTAP:
		return need(inquiry, RIGHT_TAKE, request->from) &&
		       (!message_has(request, MEMBER_TO) || need(inquiry, RIGHT_PUT, request->to));
	case OP_ALTS:
		return need_for_arms(inquiry);
	case OP_PEEK:
	case OP_STAT:
		return need(inquiry, RIGHT_OBSERVE, request->channel);
	case OP_TAPS:
	case OP_WAITERS: /* without a channel, and list: only what may be seen is in the reply */
		return !message_has(request, MEMBER_CHANNEL) || need(inquiry, RIGHT_OBSERVE, request->channel);
	case OP_CLUSTER: /* to look at it: only what may be seen is in the reply */
		return !message_has(request, MEMBER_GROUP) || need_for_group(inquiry);
	case OP_LIST:
	case OP_HELLO:
	case OP_PING:
	case OP_CANCEL: /* its own requests alone */
	case OP_ACK:    /* who knows a lease's token was given it */
	case OP_NACK:
	case OP_EXTEND:
	case OP_NONE:
	case OP_COUNT:
		break;
	}
	return true;
}

/* -- Limits -- */

/* What ends something, or keeps a connection, is never refused. */
static bool is_counted(enum message_op op)
{
	switch (op) {
	case OP_HELLO:
	case OP_PING:
	case OP_CANCEL:
	case OP_ACK:
	case OP_NACK:
	case OP_EXTEND:
	case OP_UNTAP:
		return false;
	case OP_CREATE:
	case OP_CLOSE:
	case OP_DELETE:
	case OP_ALTER:
	case OP_PUT:
	case OP_TAKE:
	case OP_ALTS:
	case OP_LEASES:
	case OP_MOVE:
	case OP_PEEK:
	case OP_LIST:
	case OP_STAT:
	case OP_WAITERS:
	case OP_TAP:
	case OP_TAPS:
	case OP_CLUSTER:
	case OP_NONE:
	case OP_COUNT:
		break;
	}
	return true;
}

static bool overload(const struct inquiry *inquiry, const char *limit, uint64_t retry_ms)
{
	struct auth_refusal *refusal = inquiry->refusal;
	*refusal = (struct auth_refusal){.error = ERROR_OVERLOADED, .retry_ms = retry_ms};
	snprintf(refusal->detail, sizeof(refusal->detail), "%s of user \"%s\"", limit, user_name(inquiry->user));
	return false;
}

static uint64_t bytes_to_put(const struct message_request *request)
{
	uint64_t bytes = request->op == OP_PUT && request->n_values == 0 ? request->value.len + VALUE_OVERHEAD : 0;
	for (size_t i = 0; i < request->n_values; i++)
		bytes += request->values[i].len + VALUE_OVERHEAD;
	for (size_t i = 0; i < request->n_arms; i++)
		bytes += request->arms[i].is_put ? request->arms[i].value.len + VALUE_OVERHEAD : 0;
	return bytes;
}

/* The same put has come before, and so this one takes no room. */
static bool is_known_put(const struct core *core, const struct message_request *request)
{
	return request->op == OP_PUT && request->producer.len > 0 &&
	       core_knows_put(core, request->channel, request->producer, request->seq);
}

bool auth_admits(struct user *user, const struct core *core, const struct message_request *request, uint64_t now_us,
		 struct auth_refusal *refusal)
{
	const struct inquiry inquiry = {user, core, request, refusal};
	uint64_t retry_ms;
	if (request->op == OP_HELLO || request->op == OP_PING)
		return true;
	if (!user) {
		*refusal = (struct auth_refusal){.error = ERROR_UNAUTHENTICATED};
		return false;
	}
	if (is_counted(request->op) && !user_may_ask(user, now_us, &retry_ms))
		return overload(&inquiry, "max_requests_per_s", retry_ms);
	if (!has_rights(&inquiry))
		return false;
	bool is_put = request->op == OP_PUT || request->op == OP_ALTS;
	if (is_put && !user_has_room(user, bytes_to_put(request)) && !is_known_put(core, request))
		return overload(&inquiry, "max_memory", 0);
	return true;
}
