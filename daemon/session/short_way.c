#include "daemon/session/short_way.h"

#include "daemon/session/answer_value.h"
#include "daemon/session/unsent_ledger.h"

#define BIT(member) MESSAGE_BIT(MEMBER_##member)

static const uint64_t of_take = BIT(ID) | BIT(OP) | BIT(CHANNEL) | BIT(TIMEOUT_MS), of_put = of_take | BIT(VALUE);

static bool is_plain(const struct session *session, const struct message_request *request, uint64_t members)
{
	return session->wire->has_short_way && !(request->present & ~members);
}

static struct core_alone alone_of(const struct session *session, const struct message_request *request)
{
	return (struct core_alone){.connection = session->connection,
				   .id = request->id,
				   .channel = request->channel,
				   .has_timeout = message_has(request, MEMBER_TIMEOUT_MS),
				   .timeout_ms = request->timeout_ms};
}

bool short_way_put(struct session *session, const struct message_request *request, struct value *value)
{
	struct broker *broker = session->all->broker;
	if (!is_plain(session, request, of_put))
		return false;
	struct core_alone put = alone_of(session, request);
	if (!broker_put_alone(broker, &put, value))
		return false;
	if (request->id != MESSAGE_NO_ID) {
		message_ok(session_output(session, 0), request->id);
		session_written(session, request->channel);
	}
	broker_end_alone(broker);
	return true;
}

static void write_large(struct session *session, uint64_t id, struct value *value)
{
	struct answer answer = answer_begin(session, id, STATUS_OK, value->len + VALUE_OVERHEAD);
	message_key(answer.out, "value");
	answer_value(&answer, value);
	answer_end(session, answer);
}

bool short_way_take(struct session *session, const struct message_request *request)
{
	struct value *value;
	if (!is_plain(session, request, of_take))
		return false;
	struct core_alone take = alone_of(session, request);
	if (!broker_take_alone(session->all->broker, &take, &value))
		return false;
	if (!value)
		return true; /* its reply comes with a put */
	if (value->len >= VALUE_LARGE_BYTES)
		write_large(session, request->id, value);
	else
		message_ok_value(session_output(session, value->len + VALUE_OVERHEAD), request->id,
				 (struct slice){value->bytes, value->len});
	unsent_keep_row(session, (struct core_unsent){.values = value, .n_values = 1});
	session_written(session, request->channel);
	return true;
}
