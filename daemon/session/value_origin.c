#include "daemon/session/value_origin.h"

#include <string.h>

#include "proto/message.h"

void origin_write_or_null(struct buffer *out, const struct value *value, uint64_t now_us)
{
	const struct value_origin *origin = value->origin;
	if (!origin) {
		buffer_append(out, "null", 4);
		return;
	}
	buffer_append(out, "{\"channel\":", strlen("{\"channel\":"));
	message_text(out, value_origin_channel(origin));
	message_uint(out, "deliveries", origin->deliveries);
	message_string(out, "reason", slice_from(value_reason_name((enum value_reason)origin->reason)));
	message_uint(out, "age_ms", (now_us - origin->since_us) / 1000);
	buffer_append(out, "}", 1);
}

static bool has_origin(const struct core_reply *reply)
{
	const struct value *value = reply->value;
	for (uint32_t i = 0; i < reply->n_values; i++, value = value->next)
		if (value->origin)
			return true;
	return false;
}

void origin_write_members(struct buffer *out, const struct core_reply *reply, uint64_t now_us)
{
	const struct value *value = reply->value;
	if (!has_origin(reply))
		return;
	if (!reply->batch) {
		message_key(out, "origin");
		origin_write_or_null(out, value, now_us);
		return;
	}
	message_key(out, "origins");
	for (uint32_t i = 0; i < reply->n_values; i++, value = value->next) {
		buffer_append(out, i ? "," : "[", 1);
		origin_write_or_null(out, value, now_us);
	}
	buffer_append(out, "]", 1);
}
