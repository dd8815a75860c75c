/* The client's state machine. The table of pending requests is a hash table by id with chains: ids count up, so that
 * those in flight spread evenly. */
#include "client/machine/client.h"

#include <assert.h>
#include <stdlib.h>

#include "proto/frame.h"

enum {
	FIRST_BUCKETS = 16,
	ROOM_BYTES = 64 * 1024,
	KEPT_BYTES = 256 * 1024, /* an empty buffer that is larger gives its memory back */
};

void client_init(struct client *client)
{
	*client = (struct client){
		.next_id = 1,
		.max_request_bytes = CLIENT_LEAST_FRAME_BYTES,
		.max_reply_bytes = CLIENT_LARGEST_FRAME_BYTES + CLIENT_REPLY_EXTRA_BYTES,
	};
}

void client_finish(struct client *client)
{
	buffer_finish(&client->out);
	buffer_finish(&client->in);
	buffer_finish(&client->pristine);
	free(client->buckets);
	*client = (struct client){.error = "finished"};
}

int client_set_max_frame(struct client *client, uint64_t bytes)
{
	if (bytes < CLIENT_LEAST_FRAME_BYTES || bytes > CLIENT_LARGEST_FRAME_BYTES)
		return -1;
	client->max_request_bytes = (uint32_t)bytes;
	client->max_reply_bytes = (uint32_t)bytes + CLIENT_REPLY_EXTRA_BYTES;
	return 0;
}

/* -- pending requests -- */

/* Where the pointer to the request with this id stands, or would: never NULL, but it may point to NULL. */
static struct client_request **pending_find(struct client *client, uint64_t id)
{
	struct client_request **at = &client->buckets[id & (client->n_buckets - 1)];

	while (*at && (*at)->id != id)
		at = &(*at)->next;
	return at;
}

/* Doubles the table. Without memory it stays as it is, and only gets slower, if there is one at all. */
static int pending_grow(struct client *client)
{
	size_t n_buckets = client->n_buckets ? client->n_buckets * 2 : FIRST_BUCKETS;
	struct client_request **old = client->buckets, **buckets = calloc(n_buckets, sizeof(struct client_request *));
	size_t n_old = client->n_buckets;

	if (!buckets)
		return old ? 0 : -1;
	client->buckets = buckets;
	client->n_buckets = n_buckets;
	for (size_t i = 0; i < n_old; i++) {
		for (struct client_request *request = old[i], *next; request; request = next) {
			struct client_request **at = &buckets[request->id & (n_buckets - 1)];

			next = request->next;
			request->next = *at;
			*at = request;
		}
	}
	free(old);
	return 0;
}

static struct client_request *pending_remove(struct client *client, uint64_t id)
{
	struct client_request **at, *request;

	if (client->n_pending == 0)
		return NULL;
	at = pending_find(client, id);
	request = *at;
	if (request) {
		*at = request->next;
		request->next = NULL;
		client->n_pending--;
	}
	return request;
}

void client_forget(struct client *client, struct client_request *request)
{
	if (client->n_pending && *pending_find(client, request->id) == request)
		pending_remove(client, request->id);
}

struct client_request *client_abandon(struct client *client)
{
	if (!client->error)
		client->error = "the connection has ended";
	for (; client->n_pending; client->n_swept++) {
		assert(client->n_swept < client->n_buckets);
		if (client->buckets[client->n_swept])
			return pending_remove(client, client->buckets[client->n_swept]->id);
	}
	return NULL;
}

/* The next id that no pending request has. */
static uint64_t fresh_id(struct client *client)
{
	uint64_t id;

	do {
		id = client->next_id;
		client->next_id = id == MESSAGE_MAX_ID ? 0 : id + 1;
	} while (*pending_find(client, id));
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

static int append_frame(struct client *client, uint64_t id, enum message_op op, struct slice members)
{
	struct buffer *out = &client->out;
	size_t before = buffer_len(out), mark, body;
	int result = CLIENT_OK;

	if (members.len > client->max_request_bytes)
		return CLIENT_TOO_LARGE;
	buffer_trim(out);
	mark = message_begin_request(out, id, op);
	buffer_append(out, members.bytes, members.len);
	message_end(out, mark);

	body = buffer_len(out) - before - FRAME_HEADER_BYTES;
	if (out->failed)
		result = CLIENT_NO_MEMORY;
	else if (body > client->max_request_bytes)
		result = CLIENT_TOO_LARGE;
	if (result != CLIENT_OK) { /* as if nothing had been appended */
		out->end = out->start + before;
		out->failed = false;
	}
	return result;
}

static int begin(struct client *client, struct client_request *request, enum message_op op, struct slice members,
		 uint64_t n_replies)
{
	int result;

	if (client->error)
		return CLIENT_ENDED;
	if (client->n_pending >= client->n_buckets && pending_grow(client) < 0)
		return CLIENT_NO_MEMORY;
	request->id = fresh_id(client);
	result = append_frame(client, request->id, op, members);
	if (result != CLIENT_OK)
		return result;
	request->left = n_replies;
	request->next = NULL;
	*pending_find(client, request->id) = request;
	client->n_pending++;
	return CLIENT_OK;
}

int client_begin(struct client *client, struct client_request *request, enum message_op op, struct slice members)
{
	return begin(client, request, op, members, 1);
}

int client_begin_count(struct client *client, struct client_request *request, struct slice members, uint64_t count)
{
	return begin(client, request, OP_TAKE, members, count);
}

int client_tell(struct client *client, enum message_op op, struct slice members)
{
	if (client->error)
		return CLIENT_ENDED;
	if (client->n_buckets == 0 && pending_grow(client) < 0)
		return CLIENT_NO_MEMORY;
	return append_frame(client, op == OP_PUT ? MESSAGE_NO_ID : fresh_id(client), op, members);
}

/* -- in -- */

static enum client_event client_fail(struct client *client, const char *error)
{
	client->error = error;
	return CLIENT_FAILED;
}

/* The frame that the last reply pointed into is done with. */
static void drop_used(struct client *client)
{
	buffer_consume(&client->in, client->used);
	client->used = 0;
	buffer_trim(&client->in);
	buffer_clear(&client->pristine);
	buffer_trim(&client->pristine);
}

char *client_room(struct client *client, size_t *len)
{
	char *room;

	drop_used(client);
	room = buffer_reserve(&client->in, ROOM_BYTES);
	*len = room ? ROOM_BYTES : 0;
	if (!room)
		client_fail(client, "not enough memory to read a reply");
	return room;
}

void client_fed(struct client *client, size_t len)
{
	assert(len <= ROOM_BYTES);
	buffer_commit(&client->in, len);
}

bool client_feed(struct client *client, const void *bytes, size_t len)
{
	drop_used(client);
	buffer_append(&client->in, bytes, len);
	if (client->in.failed)
		client_fail(client, "not enough memory to read a reply");
	return !client->in.failed;
}

/* Decoding unescapes strings where they stand. If there is anything to unescape, the body is copied first, so that it
 * can be given as it was. */
static int decode(struct client *client, char *body, size_t len, struct message_reply *reply)
{
	struct buffer *pristine = &client->pristine;

	if (memchr(body, '\\', len)) {
		buffer_append(pristine, body, len);
		if (pristine->failed) {
			client_fail(client, "not enough memory to read a reply");
			return -1;
		}
	}
	if (message_decode_reply(body, len, reply) < 0) {
		client_fail(client, "a frame came that is no reply of this protocol");
		return -1;
	}
	reply->body = (struct slice){body, len};
	if (buffer_len(pristine))
		reply->body.bytes = pristine->bytes + pristine->start;
	return 0;
}

/* Whose reply it is, and whether the last: CLIENT_REPLY, CLIENT_PART, CLIENT_FAILED; CLIENT_MORE if it is nobody's. */
static enum client_event pending_reply(struct client *client, const struct message_reply *reply,
				       struct client_request **request)
{
	*request = client->n_pending ? *pending_find(client, reply->id) : NULL;
	if (!*request)
		return CLIENT_MORE;
	if ((*request)->left <= 1 || reply->status != STATUS_OK) {
		pending_remove(client, reply->id);
		return CLIENT_REPLY;
	}
	if (!reply->has_left || reply->left != (*request)->left - 1) /* so that nobody gets more than he asked for */
		return client_fail(client, "a reply to a take with count does not say how many are left");
	(*request)->left--;
	return CLIENT_PART;
}

enum client_event client_next(struct client *client, struct client_request **request, struct message_reply *reply)
{
	struct slice body;

	*request = NULL;
	while (!client->error) {
		enum client_event event;
		char *front;

		drop_used(client);
		front = buffer_front(&client->in);
		switch (frame_next((struct slice){front, buffer_len(&client->in)}, client->max_reply_bytes, &body,
				   &client->used, NULL)) {
		case FRAME_MORE:
			client->used = 0;
			return CLIENT_MORE;
		case FRAME_TOO_LARGE:
			client->used = 0;
			return client_fail(client, "a frame came that is longer than any reply of this protocol");
		case FRAME_WHOLE:
			break;
		}
		if (decode(client, front + FRAME_HEADER_BYTES, body.len, reply) < 0)
			break;
		if (!reply->has_id)
			return CLIENT_NOTICE;
		event = pending_reply(client, reply, request);
		if (event != CLIENT_MORE)
			return event;
	}
	return CLIENT_FAILED;
}

const char *client_error(const struct client *client)
{
	return client->error;
}
