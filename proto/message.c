/* The words of messages, and how they are written. */
#include "proto/message.h"

#include <assert.h>

#include "proto/frame.h"
#include "proto/plain.h"
#include "proto/utf8.h"

/* Filled up with zeros: one word each. */
static const char op_names[OP_COUNT][8] = {
	[OP_NONE] = "none",   [OP_HELLO] = "hello",   [OP_PING] = "ping",     [OP_CREATE] = "create",
	[OP_CLOSE] = "close", [OP_DELETE] = "delete", [OP_ALTER] = "alter",   [OP_PUT] = "put",
	[OP_TAKE] = "take",   [OP_ALTS] = "alts",     [OP_CANCEL] = "cancel", [OP_ACK] = "ack",
	[OP_NACK] = "nack",   [OP_EXTEND] = "extend", [OP_LEASES] = "leases", [OP_MOVE] = "move",
	[OP_PEEK] = "peek",   [OP_LIST] = "list",     [OP_STAT] = "stat",     [OP_WAITERS] = "waiters",
	[OP_TAP] = "tap",     [OP_UNTAP] = "untap",   [OP_TAPS] = "taps",     [OP_CLUSTER] = "cluster",
};

const char *message_op_name(enum message_op op)
{
	assert(op < OP_COUNT);
	return op_names[op];
}

enum message_op message_op_from_word(uint64_t word)
{
	for (enum message_op op = OP_NONE + 1; op < OP_COUNT; op++)
		if (word_at(op_names[op]) == word)
			return op;
	return OP_NONE;
}

static inline void append_literal(struct buffer *out, const char *text)
{
	buffer_append(out, text, strlen(text));
}

/* -- Strings -- */

static void append_escaped(struct buffer *out, unsigned char byte)
{
	static const char hex[] = "0123456789abcdef";
	char escape[6] = {'\\', 0, '0', '0', hex[byte >> 4], hex[byte & 15]};
	switch (byte) {
	case '"':
	case '\\':
		escape[1] = (char)byte;
		break;
	case '\n':
		escape[1] = 'n';
		break;
	case '\r':
		escape[1] = 'r';
		break;
	case '\t':
		escape[1] = 't';
		break;
	default:
		escape[1] = 'u';
		buffer_append(out, escape, 6);
		return;
	}
	buffer_append(out, escape, 2);
}

static inline bool needs_escape(unsigned char byte)
{
	return byte < 0x20 || byte == '"' || byte == '\\';
}

/* Runs of bytes that can stay as they are go out together. */
static void append_text(struct buffer *out, struct slice text)
{
	const char *at = text.bytes, *run = at, *end = at ? at + text.len : at;
	while (at < end) {
		size_t len = utf8_len(at, end);
		if (len && !needs_escape((unsigned char)*at)) {
			at += len;
			continue;
		}
		buffer_append(out, run, (size_t)(at - run));
		if (len)
			append_escaped(out, (unsigned char)*at);
		else
			append_literal(out, "\xef\xbf\xbd");
		run = ++at;
	}
	buffer_append(out, run, (size_t)(at - run));
}

void message_text(struct buffer *out, struct slice text)
{
	append_literal(out, "\"");
	append_text(out, text);
	append_literal(out, "\"");
}

/* -- Members -- */

void message_uint(struct buffer *out, const char *key, uint64_t number)
{
	message_key(out, key);
	buffer_append_uint(out, number);
}

void message_bool(struct buffer *out, const char *key, bool truth)
{
	message_key(out, key);
	append_literal(out, truth ? "true" : "false");
}

void message_string(struct buffer *out, const char *key, struct slice text)
{
	message_key(out, key);
	message_text(out, text);
}

void message_raw(struct buffer *out, const char *key, struct slice json)
{
	message_key(out, key);
	buffer_append(out, json.bytes, json.len);
}

/* -- Whole messages -- */

/* The compiler makes one move of each literal. */
static inline char *write_literal(char *to, const char *text)
{
	return (char *)memcpy(to, text, strlen(text)) + strlen(text);
}

/* The head of every reply is written in one piece: a frame's header, to be patched, the id and the status. */
size_t message_begin_reply(struct buffer *out, bool has_id, uint64_t id, enum status status)
{
	enum { HEAD_BYTES = FRAME_HEADER_BYTES + BUFFER_MAX_DIGITS + 48 };
	size_t mark = buffer_len(out);
	char *head = buffer_reserve(out, HEAD_BYTES), *to = head;
	if (!head)
		return mark;
	memset(to, 0, FRAME_HEADER_BYTES);
	to = write_literal(to + FRAME_HEADER_BYTES, "{\"id\":");
	to = has_id ? buffer_write_uint(to, id) : write_literal(to, "null");
	to = write_literal(to, ",\"status\":\"");
	to = status == STATUS_OK ? write_literal(to, "ok") : write_literal(to, status_name(status));
	*to++ = '"';
	buffer_commit(out, (size_t)(to - head));
	return mark;
}

/* What stands around an id, around a value, and before what is left of a count. */
#define OPENING  "{\"id\":"
#define OK       ",\"status\":\"ok\""
#define OK_VALUE OK ",\"value\":"
#define LEFT     ",\"left\":"

void message_ok(struct buffer *out, uint64_t id)
{
	char *frame = buffer_reserve(out, FRAME_HEADER_BYTES + BUFFER_MAX_DIGITS + sizeof(OPENING OK "}"));
	if (!frame)
		return;
	char *to = write_literal(frame + FRAME_HEADER_BYTES, OPENING);
	to = write_literal(buffer_write_uint(to, id), OK "}");
	frame_write_length(frame, (size_t)(to - frame) - FRAME_HEADER_BYTES);
	buffer_commit(out, (size_t)(to - frame));
}

/* `left` may be NULL. */
static inline void append_ok_value(struct buffer *out, uint64_t id, struct slice value, const uint32_t *left)
{
	const size_t around = FRAME_HEADER_BYTES + sizeof(OPENING OK_VALUE LEFT "}") + (2 * (size_t)BUFFER_MAX_DIGITS);
	char *frame = buffer_reserve(out, around + value.len);
	if (!frame)
		return;
	char *to = write_literal(frame + FRAME_HEADER_BYTES, OPENING);
	to = write_literal(buffer_write_uint(to, id), OK_VALUE);
	to = (char *)memcpy(to, value.bytes, value.len) + value.len;
	if (left)
		to = buffer_write_uint(write_literal(to, LEFT), *left);
	to = write_literal(to, "}");
	frame_write_length(frame, (size_t)(to - frame) - FRAME_HEADER_BYTES);
	buffer_commit(out, (size_t)(to - frame));
}

void message_ok_value(struct buffer *out, uint64_t id, struct slice value)
{
	append_ok_value(out, id, value, NULL);
}

void message_ok_counted(struct buffer *out, uint64_t id, struct slice value, uint32_t left)
{
	append_ok_value(out, id, value, &left);
}

size_t message_begin_request(struct buffer *out, uint64_t id, enum message_op op)
{
	size_t mark = frame_begin(out);
	append_literal(out, "{");
	if (id != MESSAGE_NO_ID) {
		append_literal(out, "\"id\":");
		buffer_append_uint(out, id);
		append_literal(out, ",");
	}
	append_literal(out, "\"op\":\"");
	append_literal(out, message_op_name(op));
	append_literal(out, "\"");
	return mark;
}

void message_end(struct buffer *out, size_t mark)
{
	append_literal(out, "}");
	frame_end(out, mark);
}

size_t message_begin_error(struct buffer *out, bool has_id, uint64_t id, enum error error, const char *detail)
{
	size_t mark = message_begin_reply(out, has_id, id, STATUS_ERROR);
	message_string(out, "error", slice_from(error_name(error)));
	message_key(out, "message");
	append_literal(out, "\"");
	append_text(out, slice_from(error_text(error)));
	if (detail && detail[0]) {
		append_literal(out, ": ");
		append_text(out, slice_from(detail));
	}
	append_literal(out, "\"");
	return mark;
}

void message_error(struct buffer *out, bool has_id, uint64_t id, enum error error, const char *detail)
{
	message_end(out, message_begin_error(out, has_id, id, error, detail));
}
