/* One table says of each kind which fields it has, in which order: writing, reading and printing all follow it. */
#include "daemon/journal/record.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum field_type { FIELD_NUMBER, FIELD_BYTES, FIELD_VALUE /* bytes that are JSON */ };

struct field {
	const char *name;
	uint16_t offset;
	uint8_t type;
};

#define NUMBER(member)                                                                                                 \
	{                                                                                                              \
#member, offsetof(struct record, member), FIELD_NUMBER                                                 \
	}
#define BYTES(member)                                                                                                  \
	{                                                                                                              \
#member, offsetof(struct record, member), FIELD_BYTES                                                  \
	}
#define LIMITS     NUMBER(capacity), NUMBER(max_waiters), NUMBER(max_deliveries), BYTES(dead_letter)
#define DEFINITION NUMBER(channel), BYTES(name), NUMBER(channel_kind), LIMITS, NUMBER(closed), NUMBER(place)
#define VALUE                                                                                                          \
	NUMBER(channel), NUMBER(place), NUMBER(deliveries), NUMBER(due_ms), BYTES(origin), NUMBER(origin_deliveries),  \
		NUMBER(origin_reason), NUMBER(origin_ms),                                                              \
	{                                                                                                              \
		"value", offsetof(struct record, value), FIELD_VALUE                                                   \
	}

enum { MAX_FIELDS = 10, NUMBER_BYTES = 10 };
static_assert(MAX_FIELDS * NUMBER_BYTES + 1 <= RECORD_MAX_BYTES, "a record fits into its bound");

static const struct {
	const char *name;
	struct field fields[MAX_FIELDS + 1]; /* the last has no name */
} kinds[RECORD_KINDS] = {
	[RECORD_CREATE] = {"create", {DEFINITION}},
	[RECORD_ALTER] = {"alter", {NUMBER(channel), LIMITS}},
	[RECORD_CLOSE] = {"close", {NUMBER(channel)}},
	[RECORD_DELETE] = {"delete", {NUMBER(channel)}},
	[RECORD_PUT] = {"put", {VALUE}},
	[RECORD_BACK] = {"back", {VALUE}},
	[RECORD_GONE] = {"gone", {NUMBER(channel), NUMBER(place), NUMBER(why)}},
	[RECORD_LEASED] = {"leased",
			   {NUMBER(channel), NUMBER(place), NUMBER(deliveries), NUMBER(token[0]), NUMBER(token[1]),
			    NUMBER(deadline_ms)}},
	[RECORD_UNLEASED] = {"unleased", {NUMBER(channel), NUMBER(place), NUMBER(deliveries)}},
	[RECORD_ONCE] = {"once",
			 {NUMBER(channel), BYTES(producer), NUMBER(seq), NUMBER(status), NUMBER(accepted),
			  NUMBER(evicted)}},
	[RECORD_TAP] = {"tap", {NUMBER(channel), NUMBER(target), BYTES(match), NUMBER(closes), NUMBER(state)}},
	[RECORD_UNTAP] = {"untap", {NUMBER(channel), NUMBER(target)}},
	[RECORD_CARRIED] = {"carried", {NUMBER(channel), NUMBER(place), NUMBER(target), NUMBER(status)}},
	[RECORD_CHECKPOINT_BEGIN] = {"checkpoint_begin", {{0}}},
	[RECORD_CHECKPOINT_END] = {"checkpoint_end", {NUMBER(begin)}},
	[RECORD_GROUP] = {"group", {BYTES(name)}},
	[RECORD_DEFINE] = {"define", {DEFINITION}},
};

const char *record_kind_name(enum record_kind kind)
{
	assert(kind > 0 && kind < RECORD_KINDS);
	return kinds[kind].name;
}

void record_buffer_finish(struct record_buffer *buffer)
{
	free(buffer->bytes);
	*buffer = (struct record_buffer){0};
}

int record_reserve(struct record_buffer *buffer, size_t bytes)
{
	size_t wanted = buffer->len + buffer->promised + bytes;
	if (wanted <= buffer->cap)
		return 0;
	size_t cap = buffer->cap + buffer->cap / 2 > wanted ? buffer->cap + buffer->cap / 2 : wanted;
	char *grown = realloc(buffer->bytes, cap);
	if (!grown)
		return -1;
	buffer->bytes = grown;
	buffer->cap = cap;
	return 0;
}

/* -- Writing -- */

static char *write_number(char *at, uint64_t number)
{
	for (; number >= 0x80; number >>= 7)
		*at++ = (char)(number | 0x80);
	*at++ = (char)number;
	return at;
}

static uint64_t number_of(const struct record *record, const struct field *field)
{
	return *(const uint64_t *)((const char *)record + field->offset);
}

static struct slice bytes_of(const struct record *record, const struct field *field)
{
	return *(const struct slice *)((const char *)record + field->offset);
}

size_t record_bound(const struct record *record)
{
	return RECORD_MAX_BYTES + record->name.len + record->dead_letter.len + record->origin.len + record->value.len +
	       record->producer.len + record->match.len;
}

void record_write(struct record_buffer *buffer, const struct record *record)
{
	size_t bound = record_bound(record);
	if (buffer->len + bound > buffer->cap && record_reserve(buffer, bound) < 0) {
		buffer->has_failed = true;
		return;
	}
	char *at = buffer->bytes + buffer->len;
	*at++ = (char)record->kind;
	for (const struct field *field = kinds[record->kind].fields; field->name; field++) {
		if (field->type == FIELD_NUMBER) {
			at = write_number(at, number_of(record, field));
			continue;
		}
		struct slice bytes = bytes_of(record, field);
		at = write_number(at, bytes.len);
		if (bytes.len)
			memcpy(at, bytes.bytes, bytes.len);
		at += bytes.len;
	}
	buffer->len = (size_t)(at - buffer->bytes);
}

/* -- Reading -- */

static bool read_number(struct slice *bytes, uint64_t *number)
{
	*number = 0;
	for (unsigned shift = 0; shift < 64 && bytes->len > 0; shift += 7) {
		unsigned char byte = (unsigned char)*bytes->bytes++;
		bytes->len--;
		*number |= (uint64_t)(byte & 0x7f) << shift;
		if (byte < 0x80)
			return true;
	}
	return false;
}

ptrdiff_t record_read(struct slice bytes, struct record *record)
{
	const char *begin = bytes.bytes;
	*record = (struct record){0};
	if (bytes.len == 0 || bytes.bytes[0] <= 0 || bytes.bytes[0] >= RECORD_KINDS)
		return -1;
	record->kind = (enum record_kind) * bytes.bytes++;
	bytes.len--;
	for (const struct field *field = kinds[record->kind].fields; field->name; field++) {
		uint64_t number;
		if (!read_number(&bytes, &number))
			return -1;
		if (field->type == FIELD_NUMBER) {
			*(uint64_t *)((char *)record + field->offset) = number;
			continue;
		}
		if (number > bytes.len)
			return -1;
		*(struct slice *)((char *)record + field->offset) = (struct slice){bytes.bytes, (size_t)number};
		bytes.bytes += number;
		bytes.len -= (size_t)number;
	}
	return bytes.bytes - begin;
}

/* -- Printing: strings that are no values are names, which need no escapes, or are shown without what does -- */

static size_t print_bytes(char *out, size_t cap, const struct field *field, struct slice bytes)
{
	if (field->type == FIELD_VALUE)
		return (size_t)snprintf(out, cap, ",\"%s\":%.*s", field->name, (int)bytes.len, bytes.bytes);
	size_t len = (size_t)snprintf(out, cap, ",\"%s\":\"", field->name);
	for (size_t i = 0; i < bytes.len && len + 2 < cap; i++) {
		char c = bytes.bytes[i];
		out[len++] = (unsigned char)c < 0x20 || c == '"' || c == '\\' ? '?' : c;
	}
	return len + (size_t)snprintf(out + (len < cap ? len : cap), len < cap ? cap - len : 0, "\"");
}

bool record_print(const struct record *record, char *out, size_t cap)
{
	size_t len = (size_t)snprintf(out, cap, "{\"record\":\"%s\"", kinds[record->kind].name);
	for (const struct field *field = kinds[record->kind].fields; field->name && len < cap; field++) {
		if (field->type == FIELD_NUMBER)
			len += (size_t)snprintf(out + len, cap - len, ",\"%s\":%" PRIu64, field->name,
						number_of(record, field));
		else if (bytes_of(record, field).len + len < cap)
			len += print_bytes(out + len, cap - len, field, bytes_of(record, field));
		else
			return false;
	}
	if (len + 2 > cap)
		return false;
	memcpy(out + len, "}", 2);
	return true;
}
