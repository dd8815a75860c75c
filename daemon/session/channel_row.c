#include "daemon/session/channel_row.h"

#include <string.h>

#include "proto/message.h"

static void write_age(struct buffer *out, const char *key, uint64_t since_us, uint64_t now_us)
{
	if (since_us != CORE_NEVER)
		message_uint(out, key, now_us > since_us ? (now_us - since_us) / 1000 : 0);
}

/* All but the name. */
static void write_row(struct buffer *out, const struct core_channel_row *row, uint64_t now_us)
{
	message_string(out, "kind", slice_from(channel_kind_name(row->definition.kind)));
	message_uint(out, "capacity", row->definition.capacity);
	message_bool(out, "ephemeral", row->definition.ephemeral);
	message_bool(out, "durable", row->definition.durable);
	message_bool(out, "closed", row->closed);
	message_uint(out, "buffered", row->buffered);
	message_uint(out, "leased", row->leased);
	message_uint(out, "delayed", row->delayed);
	message_uint(out, "parked_puts", row->parked_puts);
	message_uint(out, "parked_takes", row->parked_takes);
	write_age(out, "oldest_put_ms", row->oldest_put_us, now_us);
	write_age(out, "oldest_take_ms", row->oldest_take_us, now_us);
	message_uint(out, "bytes", row->bytes);
	message_uint(out, "max_waiters", row->definition.max_waiters);
	if (row->definition.max_deliveries) {
		message_uint(out, "max_deliveries", row->definition.max_deliveries);
		message_string(out, "dead_letter", row->definition.dead_letter);
	}
	if (row->definition.durable)
		message_uint(out, "recovered", row->recovered);
	message_uint(out, "accepted", row->accepted);
	message_uint(out, "taken", row->taken);
	message_uint(out, "returned", row->returned);
	message_uint(out, "dropped", row->dropped);
	message_uint(out, "evicted", row->evicted);
	message_uint(out, "dead_lettered", row->dead_lettered);
	message_uint(out, "discarded", row->discarded);
}

void channel_row_write(struct buffer *out, const struct core_channel_row *row, uint64_t now_us)
{
	buffer_append(out, "{\"channel\":", strlen("{\"channel\":"));
	message_text(out, row->name);
	write_row(out, row, now_us);
	buffer_append(out, "}", 1);
}

void channel_row_write_members(struct buffer *out, const struct core_channel_row *row, uint64_t now_us)
{
	message_string(out, "channel", row->name);
	write_row(out, row, now_us);
}
