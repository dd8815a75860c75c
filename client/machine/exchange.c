/* The table of pending requests is a hash table by id with chains: ids count up, so that
 * those in flight spread evenly. */
#include "client/machine/exchange.h"

#include <assert.h>
#include <stdlib.h>

#include "proto/frame.h"

enum {
	FIRST_BUCKETS = 16,
	ROOM_BYTES = 64 * 1024,
	KEPT_BYTES = 256 * 1024, /* an empty buffer that is larger gives its memory back */
};

void exchange_init(struct exchange *exchange)
{
	*exchange = (struct exchange){
		.next_id = 1,
		.max_request_bytes = EXCHANGE_LEAST_FRAME_BYTES,
		.max_reply_bytes = EXCHANGE_LARGEST_FRAME_BYTES + EXCHANGE_REPLY_EXTRA_BYTES,
	};
}

void exchange_finish(struct exchange *exchange)
{
	buffer_finish(&exchange->out);
	buffer_finish(&exchange->in);
	buffer_finish(&exchange->pristine);
	free(exchange->buckets);
	*exchange = (struct exchange){.error = "finished"};
}

int exchange_set_max_frame(struct exchange *exchange, uint64_t bytes)
{
	if (bytes < EXCHANGE_LEAST_FRAME_BYTES || bytes > EXCHANGE_LARGEST_FRAME_BYTES)
		return -1;
	exchange->max_request_bytes = (uint32_t)bytes;
	exchange->max_reply_bytes = (uint32_t)bytes + EXCHANGE_REPLY_EXTRA_BYTES;
	return 0;
}

/* -- pending requests -- */

/* Where the pointer to the request with this id stands, or would: never NULL, but it may point to NULL. */
static struct exchange_request **pending_find(struct exchange *exchange, uint64_t id)
{
	struct exchange_request **at = &exchange->buckets[id & (exchange->n_buckets - 1)];

	while (*at && (*at)->id != id)
		at = &(*at)->next;
	return at;
}

/* Doubles the table. Without memory it stays as it is, and only gets slower, if there is one at all. */
static int pending_grow(struct exchange *exchange)
{
	size_t n_buckets = exchange->n_buckets ? exchange->n_buckets * 2 : FIRST_BUCKETS;
	struct exchange_request **old = exchange->buckets,
				**buckets = calloc(n_buckets, sizeof(struct exchange_request *));
	size_t n_old = exchange->n_buckets;

	if (!buckets)
		return old ? 0 : -1;
	exchange->buckets = buckets;
	exchange->n_buckets = n_buckets;
	for (size_t i = 0; i < n_old; i++) {
		for (struct exchange_request *request = old[i], *next; request; request = next) {
			struct exchange_request **at = &buckets[request->id & (n_buckets - 1)];

			next = request->next;
			request->next = *at;
			*at = request;
		}
	}
	free(old);
	return 0;
}

static struct exchange_request *pending_remove(struct exchange *exchange, uint64_t id)
{
	struct exchange_request **at, *request;

	if (exchange->n_pending == 0)
		return NULL;
	at = pending_find(exchange, id);
	request = *at;
	if (request) {
		*at = request->next;
		request->next = NULL;
		exchange->n_pending--;
	}
	return request;
}

void exchange_forget(struct exchange *exchange, struct exchange_request *request)
{
	if (exchange->n_pending && *pending_find(exchange, request->id) == request)
		pending_remove(exchange, request->id);
}

/* The next id that no pending request has. */
static uint64_t fresh_id(struct exchange *exchange)
{
	uint64_t id;

	do {
		id = exchange->next_id;
		exchange->next_id = id == MESSAGE_MAX_ID ? 0 : id + 1;
	} while (*pending_find(exchange, id));
	return id;
}

/* -- out -- */

static void buffer_trim(struct buffer *buffer)
{
	if (buffer_len(buffer) == 0 && buffer->cap > KEPT_BYTES) {
		buffer_finish(buffer);
		*buffer = (struct buffer){0};
	}
}

static int append_frame(struct exchange *exchange, uint64_t id, enum message_op op, struct slice members,
			struct slice more_members)
{
	struct buffer *out = &exchange->out;
	size_t before = buffer_len(out), mark, body;
	int result = EXCHANGE_OK;

	if (members.len > exchange->max_request_bytes)
		return EXCHANGE_TOO_LARGE;
	buffer_trim(out);
	mark = message_begin_request(out, id, op);
	buffer_append(out, members.bytes, members.len);
	buffer_append(out, more_members.bytes, more_members.len);
	message_end(out, mark);

	body = buffer_len(out) - before - FRAME_HEADER_BYTES;
	if (out->failed)
		result = EXCHANGE_NO_MEMORY;
	else if (body > exchange->max_request_bytes)
		result = EXCHANGE_TOO_LARGE;
	if (result != EXCHANGE_OK) { /* as if nothing had been appended */
		out->end = out->start + before;
		out->failed = false;
	}
	return result;
}

int exchange_begin(struct exchange *exchange, struct exchange_request *request, enum message_op op,
		   struct slice members, struct slice more_members, uint64_t n_replies)
{
	int result;

	if (exchange->error)
		return EXCHANGE_ENDED;
	if (exchange->n_pending >= exchange->n_buckets && pending_grow(exchange) < 0)
		return EXCHANGE_NO_MEMORY;
	request->id = fresh_id(exchange);
	result = append_frame(exchange, request->id, op, members, more_members);
	if (result != EXCHANGE_OK)
		return result;
	request->left = n_replies;
	request->next = NULL;
	*pending_find(exchange, request->id) = request;
	exchange->n_pending++;
	return EXCHANGE_OK;
}

int exchange_tell(struct exchange *exchange, enum message_op op, struct slice members, struct slice more_members)
{
	if (exchange->error)
		return EXCHANGE_ENDED;
	if (exchange->n_buckets == 0 && pending_grow(exchange) < 0)
		return EXCHANGE_NO_MEMORY;
	return append_frame(exchange, op == OP_PUT ? MESSAGE_NO_ID : fresh_id(exchange), op, members, more_members);
}

/* -- in -- */

static enum exchange_event exchange_fail(struct exchange *exchange, const char *error)
{
	exchange->error = error;
	return EXCHANGE_FAILED;
}

/* The frame that the last reply pointed into is done with. */
static void drop_used(struct exchange *exchange)
{
	buffer_consume(&exchange->in, exchange->used);
	exchange->used = 0;
	buffer_trim(&exchange->in);
	buffer_clear(&exchange->pristine);
	buffer_trim(&exchange->pristine);
}

char *exchange_room(struct exchange *exchange, size_t *len)
{
	char *room;

	drop_used(exchange);
	room = buffer_reserve(&exchange->in, ROOM_BYTES);
	*len = room ? ROOM_BYTES : 0;
	if (!room)
		exchange_fail(exchange, "not enough memory to read a reply");
	return room;
}

void exchange_fed(struct exchange *exchange, size_t len)
{
	assert(len <= ROOM_BYTES);
	buffer_commit(&exchange->in, len);
}

/* Decoding unescapes strings where they stand. If there is anything to unescape, the body is copied first, so that it
 * can be given as it was. */
static int decode(struct exchange *exchange, char *body, size_t len, struct message_reply *reply)
{
	struct buffer *pristine = &exchange->pristine;

	if (memchr(body, '\\', len)) {
		buffer_append(pristine, body, len);
		if (pristine->failed) {
			exchange_fail(exchange, "not enough memory to read a reply");
			return -1;
		}
	}
	if (message_decode_reply(body, len, reply) < 0) {
		exchange_fail(exchange, "a frame came that is no reply of this protocol");
		return -1;
	}
	reply->body = (struct slice){body, len};
	if (buffer_len(pristine))
		reply->body.bytes = pristine->bytes + pristine->start;
	return 0;
}

/* Whose reply it is, and whether the last: EXCHANGE_REPLY, EXCHANGE_PART, EXCHANGE_FAILED; EXCHANGE_MORE if it is
 * nobody's. */
static enum exchange_event pending_reply(struct exchange *exchange, const struct message_reply *reply,
					 struct exchange_request **request)
{
	*request = exchange->n_pending ? *pending_find(exchange, reply->id) : NULL;
	if (!*request)
		return EXCHANGE_MORE;
	if ((*request)->left <= 1 || reply->status != STATUS_OK) {
		pending_remove(exchange, reply->id);
		return EXCHANGE_REPLY;
	}
	if (!reply->has_left || reply->left != (*request)->left - 1) /* so that nobody gets more than he asked for */
		return exchange_fail(exchange, "a reply to a take with count does not say how many are left");
	(*request)->left--;
	return EXCHANGE_PART;
}

enum exchange_event exchange_next(struct exchange *exchange, struct exchange_request **request,
				  struct message_reply *reply)
{
	struct slice body;

	*request = NULL;
	while (!exchange->error) {
		enum exchange_event event;
		char *front;

		drop_used(exchange);
		front = buffer_front(&exchange->in);
		switch (frame_next((struct slice){front, buffer_len(&exchange->in)}, exchange->max_reply_bytes, &body,
				   &exchange->used, NULL)) {
		case FRAME_MORE:
			exchange->used = 0;
			return EXCHANGE_MORE;
		case FRAME_TOO_LARGE:
			exchange->used = 0;
			return exchange_fail(exchange, "a frame came that is longer than any reply of this protocol");
		case FRAME_WHOLE:
			break;
		}
		if (decode(exchange, front + FRAME_HEADER_BYTES, body.len, reply) < 0)
			break;
		if (!reply->has_id)
			return EXCHANGE_NOTICE;
		event = pending_reply(exchange, reply, request);
		if (event != EXCHANGE_MORE)
			return event;
	}
	return EXCHANGE_FAILED;
}

const char *exchange_error(const struct exchange *exchange)
{
	return exchange->error;
}
