/* AMQP 0-9-1, as far as the workloads need it of RabbitMQ: a durable queue, persistent messages, publisher confirms,
 * and consumers that acknowledge each message. Nothing answers an acknowledgement, so a hand-off is done when the
 * message has come; and the broker may leave a message unsynced that was acknowledged in time. Both are in its favour.
 */
#include "tests/bench/protocols.h"

#include <stdlib.h>
#include <string.h>

#include "proto/slice.h"

enum { FRAME_METHOD = 1, FRAME_HEADER = 2, FRAME_BODY = 3, FRAME_END = 0xce };
enum { FRAME_HEAD_BYTES = 7, FRAME_EXTRA_BYTES = FRAME_HEAD_BYTES + 1, FRAME_MAX = 131072 };
enum { HAS_DELIVERY_MODE = 0x1000, PERSISTENT = 2, DURABLE = 2, PREFETCH = 1000 };

/* Class and method. */
enum {
	CONNECTION_START_OK = 10 << 16 | 11,
	CONNECTION_TUNE_OK = 10 << 16 | 31,
	CONNECTION_OPEN = 10 << 16 | 40,
	CONNECTION_CLOSE = 10 << 16 | 50,
	CHANNEL_OPEN = 20 << 16 | 10,
	CHANNEL_CLOSE = 20 << 16 | 40,
	QUEUE_DECLARE = 50 << 16 | 10,
	BASIC_QOS = 60 << 16 | 10,
	BASIC_CONSUME = 60 << 16 | 20,
	BASIC_PUBLISH = 60 << 16 | 40,
	BASIC_DELIVER = 60 << 16 | 60,
	BASIC_ACK = 60 << 16 | 80,
	BASIC_NACK = 60 << 16 | 120,
	CONFIRM_SELECT = 85 << 16 | 10,
	CONFIRM_SELECT_OK = 85 << 16 | 11,
};

/* -- Writing -- */

static void put_number(struct buffer *out, uint64_t number, unsigned bytes)
{
	while (bytes--) {
		char byte = (char)(number >> bytes * 8);
		buffer_append(out, &byte, 1);
	}
}

static void put_short_text(struct buffer *out, const char *text)
{
	put_number(out, strlen(text), 1);
	add(out, text);
}

static void put_frame(struct buffer *out, unsigned type, unsigned channel, const struct buffer *payload)
{
	put_number(out, type, 1);
	put_number(out, channel, 2);
	put_number(out, buffer_len(payload), 4);
	buffer_append(out, payload->bytes + payload->start, buffer_len(payload));
	put_number(out, FRAME_END, 1);
}

/* The method's arguments are written into `method` between these two. */
static void begin_method(struct buffer *method, unsigned number)
{
	buffer_clear(method);
	put_number(method, number, 4);
}

static void end_method(struct buffer *out, struct buffer *method)
{
	bool is_of_connection = method->bytes[method->start + 1] == 10;
	put_frame(out, FRAME_METHOD, is_of_connection ? 0 : 1, method);
}

static void log_in(struct buffer *out, struct buffer *method)
{
	static const char response[] = "\0guest\0guest";
	buffer_append(out, "AMQP\0\0\x09\x01", 8);
	begin_method(method, CONNECTION_START_OK);
	put_number(method, 0, 4); /* no properties */
	put_short_text(method, "PLAIN");
	put_number(method, sizeof(response) - 1, 4);
	buffer_append(method, response, sizeof(response) - 1);
	put_short_text(method, "en_US");
	end_method(out, method);
	begin_method(method, CONNECTION_TUNE_OK);
	put_number(method, 1, 2); /* channels */
	put_number(method, FRAME_MAX, 4);
	put_number(method, 0, 2); /* no heartbeats */
	end_method(out, method);
	begin_method(method, CONNECTION_OPEN);
	put_short_text(method, "/");
	put_number(method, 0, 2); /* reserved */
	end_method(out, method);
	begin_method(method, CHANNEL_OPEN);
	put_short_text(method, "");
	end_method(out, method);
}

static void consume(struct buffer *out, struct buffer *method)
{
	begin_method(method, BASIC_QOS);
	put_number(method, 0, 4); /* any number of bytes */
	put_number(method, PREFETCH, 2);
	put_number(method, 0, 1);
	end_method(out, method);
	begin_method(method, BASIC_CONSUME);
	put_number(method, 0, 2);
	put_short_text(method, queue);
	put_short_text(method, "");
	put_number(method, 0, 1); /* with acknowledgements, not alone, with an answer */
	put_number(method, 0, 4);
	end_method(out, method);
}

/* All of it is sent at once; the broker's answers are not looked at, but for the last. */
static void greet(struct connection *connection)
{
	struct buffer *out = &connection->out, method = {0};
	log_in(out, &method);
	begin_method(&method, QUEUE_DECLARE);
	put_number(&method, 0, 2);
	put_short_text(&method, queue);
	put_number(&method, DURABLE, 1);
	put_number(&method, 0, 4);
	end_method(out, &method);
	if (connection->role != ROLE_PRODUCER)
		consume(out, &method);
	begin_method(&method, CONFIRM_SELECT);
	put_number(&method, 0, 1);
	end_method(out, &method);
	buffer_finish(&method);
}

static void write_put(struct request *request, const struct shape *shape)
{
	struct buffer part = {0};
	begin_method(&part, BASIC_PUBLISH);
	put_number(&part, 0, 2);
	put_short_text(&part, ""); /* the exchange that knows queues by their names */
	put_short_text(&part, queue);
	put_number(&part, 0, 1);
	end_method(&request->bytes, &part);
	buffer_clear(&part);
	put_number(&part, BASIC_PUBLISH >> 16, 2);
	put_number(&part, 0, 2);
	put_number(&part, shape->len, 8);
	put_number(&part, HAS_DELIVERY_MODE, 2);
	put_number(&part, PERSISTENT, 1);
	put_frame(&request->bytes, FRAME_HEADER, 1, &part);
	buffer_clear(&part);
	buffer_append(&part, shape->value, shape->len);
	put_frame(&request->bytes, FRAME_BODY, 1, &part);
	buffer_finish(&part);
}

static bool acknowledge(struct connection *connection, const struct reply *reply)
{
	struct buffer method = {0};
	begin_method(&method, BASIC_ACK);
	put_number(&method, reply->job, 8);
	put_number(&method, 0, 1);
	end_method(&connection->out, &method);
	buffer_finish(&method);
	return false;
}

/* -- Reading -- */

static uint64_t get_number(const char *bytes, unsigned n)
{
	uint64_t number = 0;
	while (n--)
		number = number << 8 | (unsigned char)*bytes++;
	return number;
}

/* The payload of the frame at the front. Returns the frame's length, or 0 if it is not whole. */
static size_t get_frame(const char *bytes, size_t len, struct slice *payload)
{
	if (len < FRAME_EXTRA_BYTES)
		return 0;
	*payload = (struct slice){bytes + FRAME_HEAD_BYTES, get_number(bytes + 3, 4)};
	return len < payload->len + FRAME_EXTRA_BYTES ? 0 : payload->len + FRAME_EXTRA_BYTES;
}

/* A message is three frames: the method, a header, and, as all of the driver's are small, one of the body. */
static size_t parse_delivery(const char *bytes, size_t len, struct reply *reply)
{
	struct slice method, header, body;
	size_t at = get_frame(bytes, len, &method), used = get_frame(bytes + at, len - at, &header);
	at += used;
	if (used == 0 || (used = get_frame(bytes + at, len - at, &body)) == 0)
		return 0;
	const char *tag = method.bytes + 5 + (unsigned char)method.bytes[4]; /* behind the consumer's name */
	*reply = (struct reply){
		.kind = REPLY_TAKEN, .n = 1, .value = body.bytes, .value_len = body.len, .job = get_number(tag, 8)};
	return at + used;
}

static size_t parse(const char *bytes, size_t len, struct reply *reply)
{
	struct slice method;
	size_t used = get_frame(bytes, len, &method);
	if (used == 0)
		return 0;
	*reply = (struct reply){.kind = REPLY_OTHER};
	switch (get_number(method.bytes, 4)) {
	case BASIC_DELIVER:
		return parse_delivery(bytes, len, reply);
	case BASIC_ACK:
		*reply = (struct reply){.kind = REPLY_PUT,
					.job = get_number(method.bytes + 4, 8),
					.is_of_all_before = method.bytes[12] & 1};
		break;
	case CONFIRM_SELECT_OK:
		reply->kind = REPLY_READY;
		break;
	case BASIC_NACK:
		fail("rabbitmq: a message was refused");
	case CONNECTION_CLOSE:
	case CHANNEL_CLOSE:
		fail("rabbitmq: %.*s", (unsigned char)method.bytes[6], method.bytes + 7);
	}
	return used;
}

/* -- Confirms: of one put, or of all up to it that were not confirmed yet -- */

enum { MAX_AHEAD = 1 << 16 };

struct confirms {
	uint64_t up_to;        /* all puts up to this one are confirmed */
	bool ahead[MAX_AHEAD]; /* these too, by their number modulo MAX_AHEAD */
};

static unsigned count_confirmed(struct connection *connection, const struct reply *reply)
{
	struct confirms *confirms = connection->own ? connection->own : calloc(1, sizeof(*confirms));
	unsigned n = reply->is_of_all_before ? 0 : 1;
	if (!confirms || reply->job > confirms->up_to + MAX_AHEAD)
		fail("rabbitmq: no room for a confirm");
	connection->own = confirms;
	if (n)
		confirms->ahead[reply->job % MAX_AHEAD] = true;
	for (;;) {
		bool *is_ahead = &confirms->ahead[(confirms->up_to + 1) % MAX_AHEAD];
		bool is_among = reply->is_of_all_before && confirms->up_to < reply->job;
		if (!*is_ahead && !is_among)
			return n;
		n += !*is_ahead;
		*is_ahead = false;
		confirms->up_to++;
	}
}

const struct protocol protocol_amqp = {
	.name = "amqp",
	.is_push = true,
	.acks_puts = true,
	.has_own_queue = true,
	.greet = greet,
	.write_put = write_put,
	.done = acknowledge,
	.confirmed = count_confirmed,
	.parse = parse,
};
