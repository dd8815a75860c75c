#include "daemon/session/short_way.h"

#include "daemon/session/unsent_ledger.h"

#define BIT(member) MESSAGE_BIT(MEMBER_##member)

/* The members that change nothing where the outcome is there at once. */
static const uint64_t of_take = BIT(ID) | BIT(OP) | BIT(CHANNEL) | BIT(TIMEOUT_MS), of_put = of_take | BIT(VALUE);

static bool is_plain(const struct session *session, const struct message_request *request, uint64_t members)
{
	return session->wire->has_short_way && !(request->present & ~members);
}

bool short_way_put(struct session *session, const struct message_request *request, struct value *value)
{
	if (!is_plain(session, request, of_put) ||
	    !broker_put_alone(session->all->broker, session->connection, request->id, request->channel, value))
		return false;
	if (request->id != MESSAGE_NO_ID) {
		message_ok(session_output(session, 0), request->id);
		session_written(session, request->channel);
	}
	return true;
}

bool short_way_take(struct session *session, const struct message_request *request)
{
	struct value *value =
		is_plain(session, request, of_take)
			? broker_take_alone(session->all->broker, session->connection, request->id, request->channel)
			: NULL;
	if (!value)
		return false;
	struct slice bytes = {value->bytes, value->len};
	message_ok_value(session_output(session, bytes.len + VALUE_OVERHEAD), request->id, bytes);
	unsent_keep_row(session, (struct core_unsent){.values = value, .n_values = 1});
	session_written(session, request->channel);
	return true;
}
