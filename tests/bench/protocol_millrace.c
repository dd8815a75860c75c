/* Millrace's own protocol: with a reply to each request; with puts without `id` and takes with `count`, which save half
 * of the messages; and merely sent back by the echo server, which is the floor of what any broker can cost. */
#define _GNU_SOURCE
#include "tests/bench/protocols.h"

#include <string.h>

#include "proto/frame.h"
#include "proto/slice.h"

#define CREDIT "1000000" /* the most that a take may ask for */

static void write_id(struct request *request, const char *front, const char *back)
{
	add(&request->bytes, front);
	request->id_at = buffer_len(&request->bytes);
	add(&request->bytes, ID_ZERO);
	add(&request->bytes, back);
}

/* The envelope as far as the op's first member of its own. Returns the mark for frame_end(). */
static size_t begin_request(struct request *request, const struct shape *shape, const char *op)
{
	size_t mark = frame_begin(&request->bytes);
	switch (shape->style) {
	case STYLE_ID_FIRST:
		write_id(request, "{\"id\":", ",");
		addf(&request->bytes, "\"op\":\"%s\",", op);
		break;
	case STYLE_OP_FIRST:
		addf(&request->bytes, "{\"op\":\"%s\",", op);
		write_id(request, "\"id\":", ",");
		break;
	case STYLE_BLANKS:
		addf(&request->bytes, "{\"op\": \"%s\", ", op);
		write_id(request, "\"id\": ", ", ");
		break;
	}
	return mark;
}

static const char *blank(const struct shape *shape)
{
	return shape->style == STYLE_BLANKS ? " " : "";
}

static void write_channel_and_values(struct buffer *out, const struct shape *shape)
{
	addf(out, "\"channel\":%s\"%s\",%s\"%s\":%s", blank(shape), queue, blank(shape),
	     shape->batch > 1 ? "values" : "value", blank(shape));
	for (unsigned i = 0; i < shape->batch; i++) {
		if (shape->batch > 1)
			add(out, i ? "," : "[");
		buffer_append(out, shape->value, shape->len);
	}
	add(out, shape->batch > 1 ? "]}" : "}");
}

static void write_put(struct request *request, const struct shape *shape)
{
	size_t mark = begin_request(request, shape, "put");
	write_channel_and_values(&request->bytes, shape);
	frame_end(&request->bytes, mark);
}

static void write_take(struct request *request, const struct shape *shape, enum role role)
{
	struct buffer *out = &request->bytes;
	size_t mark = begin_request(request, shape, shape->arms ? "alts" : "take");
	(void)role;
	if (shape->arms) {
		addf(out, "\"arms\":%s[{\"take\":%s\"%s\"}", blank(shape), blank(shape), queue);
		for (unsigned i = 1; i < shape->arms; i++)
			addf(out, ",%s{\"take\":%s\"arm-%u\"}", blank(shape), blank(shape), i);
		add(out, "]}");
	} else {
		addf(out, "\"channel\":%s\"%s\"", blank(shape), queue);
		if (shape->batch > 1)
			addf(out, ",%s\"max\":%s%u", blank(shape), blank(shape), shape->batch);
		add(out, "}");
	}
	frame_end(out, mark);
}

static bool whole_frame(const char *bytes, size_t len, struct slice *body, size_t *used)
{
	return frame_next((struct slice){bytes, len}, 1 << 24, body, used, NULL) == FRAME_WHOLE;
}

/* What comes behind `{"id":ID,"status":"ok"`. */
static struct slice behind_status(struct slice body)
{
	static const char ok[] = ",\"status\":\"ok\"";
	const char *at = body.len > 6 ? memchr(body.bytes + 6, ',', body.len - 6) : NULL, *end = body.bytes + body.len;
	if (!at || (size_t)(end - at) < sizeof(ok) || memcmp(at, ok, sizeof(ok) - 1) != 0)
		fail("millraced: %.*s", (int)body.len, body.bytes);
	at += sizeof(ok) - 1;
	return (struct slice){at, (size_t)(end - at)};
}

/* The value's text in `rest`, which begins with its member. It ends where the body does, but for `left` of a take on
 * credit, which asks for values without commas, and the other values of an array. */
static size_t parse(const char *bytes, size_t len, struct reply *reply)
{
	struct slice body;
	size_t used;
	if (!whole_frame(bytes, len, &body, &used))
		return 0;
	struct slice rest = behind_status(body);
	*reply = (struct reply){.kind = REPLY_PUT};
	if (rest.len > 10 && rest.bytes[1] == '"' &&
	    rest.bytes[2] == 'a') { /* of an alts: its arm and channel come first */
		const char *value = memmem(rest.bytes, rest.len, ",\"value\"", 8);
		if (!value)
			return used;
		rest = (struct slice){value, rest.len - (size_t)(value - rest.bytes)};
	}
	if (rest.len < 10 || memcmp(rest.bytes, ",\"value", 7) != 0)
		return used;
	bool is_array = rest.bytes[7] == 's';
	const char *value = rest.bytes + (is_array ? 11 : 9), *end = rest.bytes + rest.len;
	const char *comma = *value == '{' ? NULL : memchr(value, ',', (size_t)(end - value));
	size_t value_len = is_array ? value_bytes : (size_t)((comma ? comma : end - 1) - value);
	*reply = (struct reply){.kind = REPLY_TAKEN, .n = 1, .value = value, .value_len = value_len};
	if (is_array)
		reply->n = (unsigned)((size_t)(end - 1 - value) / (value_len + 1));
	return used;
}

const struct protocol protocol_millrace = {
	.name = "millrace",
	.acks_puts = true,
	.write_put = write_put,
	.write_take = write_take,
	.parse = parse,
};

/* -- On credit: a hand-off is one message in and one out -- */

static void ask_for_credit(struct connection *connection)
{
	size_t mark = frame_begin(&connection->out);
	addf(&connection->out, "{\"id\":1,\"op\":\"take\",\"channel\":\"%s\",\"count\":" CREDIT "}", queue);
	frame_end(&connection->out, mark);
}

/* A channel of this run alone: what another left in it would come as if it had been put. */
static void greet_credit(struct connection *connection)
{
	size_t create = frame_begin(&connection->out);
	addf(&connection->out,
	     "{\"id\":3,\"op\":\"create\",\"channel\":\"%s\",\"kind\":\"bounded\",\"capacity\":1000000}", queue);
	frame_end(&connection->out, create);
	if (connection->role != ROLE_PRODUCER)
		ask_for_credit(connection);
	size_t mark = frame_begin(&connection->out);
	add(&connection->out, "{\"id\":2,\"op\":\"ping\"}");
	frame_end(&connection->out, mark);
}

static void write_put_without_id(struct request *request, const struct shape *shape)
{
	size_t mark = frame_begin(&request->bytes);
	add(&request->bytes, "{");
	add(&request->bytes, "\"op\":\"put\",");
	write_channel_and_values(&request->bytes, shape);
	frame_end(&request->bytes, mark);
}

static size_t parse_credit(const char *bytes, size_t len, struct reply *reply)
{
	size_t used = parse(bytes, len, reply);
	if (used == 0)
		return 0;
	if (reply->kind == REPLY_TAKEN)
		reply->was_last = memcmp(bytes + used - 10, ",\"left\":0}", 10) == 0;
	else /* of the greeting: the ping's reply comes last */
		reply->kind = bytes[FRAME_HEADER_BYTES + 6] == '2' ? REPLY_READY : REPLY_OTHER;
	return used;
}

static bool renew_credit(struct connection *connection, const struct reply *reply)
{
	if (reply->was_last)
		ask_for_credit(connection);
	return false;
}

const struct protocol protocol_millrace_credit = {
	.name = "millrace-credit",
	.is_push = true,
	.has_own_queue = true,
	.greet = greet_credit,
	.write_put = write_put_without_id,
	.done = renew_credit,
	.parse = parse_credit,
};

/* -- Echo -- */

static size_t parse_echo(const char *bytes, size_t len, struct reply *reply)
{
	struct slice body;
	size_t used;
	if (!whole_frame(bytes, len, &body, &used))
		return 0;
	bool is_put = body.bytes[6 + ID_DIGITS + 7] == 'p'; /* {"id":ID,"op":"put" */
	/* A put that has come back is the hand-off: in a ping-pong the take before it comes back at once. */
	*reply = (struct reply){.kind = is_put ? REPLY_TAKEN : REPLY_PUT, .n = 1};
	return used;
}

const struct protocol protocol_echo = {
	.name = "echo",
	.acks_puts = true,
	.write_put = write_put,
	.write_take = write_take,
	.parse = parse_echo,
};
