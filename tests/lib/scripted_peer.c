#define _GNU_SOURCE
#include "tests/lib/scripted_peer.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "proto/frame.h"
#include "proto/json_scan.h"
#include "proto/message.h"

enum { READ_BYTES = 65536, MAX_REPLY_BYTES = 65536 + 1024, HEAD_BYTES = 4096 };

#define must(truth, ...)                                                                                               \
	do {                                                                                                           \
		if (!(truth)) {                                                                                        \
			fprintf(stderr, "%s:%d: %s does not hold: ", __FILE__, __LINE__, #truth);                      \
			fprintf(stderr, __VA_ARGS__);                                                                  \
			fputc('\n', stderr);                                                                           \
			abort();                                                                                       \
		}                                                                                                      \
	} while (0)

void scripted_peer_hang_up(struct scripted_peer *peer)
{
	if (peer->fd >= 0)
		close(peer->fd);
	buffer_finish(&peer->in);
	*peer = (struct scripted_peer){.fd = -1, .is_http = peer->is_http};
}

/* -- What is awaited -- */

static void await(struct scripted_peer *peer, uint64_t what)
{
	must(peer->n_awaited < PEER_MAX_REQUESTS, "the script is too long");
	peer->awaited[peer->n_awaited++] = what;
}

void scripted_peer_expect_frame(struct scripted_peer *peer, struct slice body)
{
	struct message_decoder *decoder = calloc(1, sizeof(*decoder));
	struct message_request request;
	char *copy = malloc(body.len + 1);
	must(decoder && copy, "no memory");
	memcpy(copy, body.bytes, body.len);
	/* What has no id that could be read is answered with null, if at all. */
	message_decode_request(decoder, copy, body.len, &request);
	if (request.has_id)
		await(peer, request.id);
	message_decoder_finish(decoder);
	free(decoder);
	free(copy);
}

void scripted_peer_expect_response(struct scripted_peer *peer, struct slice method)
{
	await(peer, slice_equal(method, SLICE("HEAD")));
}

bool scripted_peer_waits(const struct scripted_peer *peer)
{
	return peer->fd >= 0 && !peer->has_ended && !peer->is_inexact && peer->n_awaited > 0 && !peer->is_in_long;
}

void scripted_peer_check_end(const struct scripted_peer *peer)
{
	must(!scripted_peer_waits(peer), "%zu requests have got no reply, the first %llu", peer->n_awaited,
	     (unsigned long long)peer->awaited[0]);
	must(peer->fd < 0 || !peer->must_end || peer->has_ended, "it was told something unasked, and may go on");
}

/* -- Frames -- */

static void find_lease(struct slice body, char lease[PEER_LEASE_BYTES])
{
	static const char key[] = "\"lease\":\"";
	const char *found = body.len ? memmem(body.bytes, body.len, key, strlen(key)) : NULL;
	if (found && (size_t)(body.bytes + body.len - found) > strlen(key) + PEER_LEASE_BYTES)
		memcpy(lease, found + strlen(key), PEER_LEASE_BYTES);
}

/* A take with a count goes on until nothing is left. What a move has left stays where it was. */
static bool is_last(const struct message_reply *reply, struct slice body)
{
	static const char moved[] = "\"moved\":";
	return reply->status != STATUS_OK || !reply->has_left || reply->left == 0 ||
	       (!reply->value.len && memmem(body.bytes, body.len, moved, strlen(moved)));
}

static void check_id(struct scripted_peer *peer, const struct message_reply *reply, struct slice body)
{
	size_t i = 0;
	if (!reply->has_id || peer->is_inexact)
		return;
	while (i < peer->n_awaited && peer->awaited[i] != reply->id)
		i++;
	must(i < peer->n_awaited, "nobody has asked for %.*s", (int)body.len, body.bytes);
	if (is_last(reply, body))
		peer->awaited[i] = peer->awaited[--peer->n_awaited];
}

static void check_frame(struct scripted_peer *peer, struct slice body)
{
	struct json_scan scan;
	struct slice raw;
	struct message_reply reply;
	json_scan_init(&scan, body.bytes, body.len);
	must(json_scan_value(&scan, &raw) == JSON_TYPE_OBJECT && json_scan_at_end(&scan), "%.*s", (int)body.len,
	     body.bytes);
	must(message_decode_reply((char *)body.bytes, body.len, &reply) == 0, "%.*s", (int)body.len, body.bytes);
	must(reply.status != STATUS_ERROR || reply.error != ERROR_INTERNAL, "%.*s", (int)body.len, body.bytes);
	check_id(peer, &reply, body);
}

static void read_frames(struct scripted_peer *peer, char lease[PEER_LEASE_BYTES])
{
	struct slice body;
	size_t used;
	enum frame_result result;
	while ((result = frame_next(buffer_slice(&peer->in), MAX_REPLY_BYTES, &body, &used, NULL)) == FRAME_WHOLE) {
		find_lease(body, lease);
		check_frame(peer, body);
		buffer_consume(&peer->in, used);
	}
	must(result != FRAME_TOO_LARGE, "a reply is longer than max_frame, or is no frame");
}

/* -- HTTP -- */

/* Where the value of that header begins, in a head that ends with an empty line; NULL: it is not there. */
static const char *header(const char *head, const char *name)
{
	const char *found = strcasestr(head, name);
	return found ? found + strlen(name) : NULL;
}

static void end_response(struct scripted_peer *peer)
{
	peer->is_in_long = false;
	if (peer->n_awaited == 0) {
		peer->must_end = true;
		return;
	}
	memmove(peer->awaited, peer->awaited + 1, --peer->n_awaited * sizeof(peer->awaited[0]));
}

/* How many bytes of `in` the next chunk is; 0: it is not whole yet. */
static size_t read_chunk(struct scripted_peer *peer, struct slice in, char lease[PEER_LEASE_BYTES])
{
	const char *line_end = in.len > 0 ? memmem(in.bytes, in.len, "\r\n", 2) : NULL;
	if (!line_end)
		return 0;
	char *end;
	size_t len = strtoul(in.bytes, &end, 16), start = (size_t)(line_end - in.bytes) + 2;
	must(end == line_end && end > in.bytes, "no chunk: %.*s", (int)(line_end - in.bytes), in.bytes);
	if (in.len < start + len + 2)
		return 0;
	must(memcmp(in.bytes + start + len, "\r\n", 2) == 0, "a chunk of %zu bytes has another length", len);
	find_lease((struct slice){in.bytes + start, len}, lease);
	if (len == 0)
		end_response(peer);
	return start + len + 2;
}

/* How many bytes of `in` the next response is, or its head if chunks follow; 0: it is not whole yet. */
static size_t read_response(struct scripted_peer *peer, struct slice in, char lease[PEER_LEASE_BYTES])
{
	char head[HEAD_BYTES];
	const char *head_end = in.len > 0 ? memmem(in.bytes, in.len, "\r\n\r\n", 4) : NULL, *found;
	if (!head_end)
		return 0;
	size_t head_len = (size_t)(head_end - in.bytes) + 4, len = 0;
	must(head_len < sizeof(head), "a head of %zu bytes", head_len);
	memcpy(head, in.bytes, head_len);
	head[head_len] = '\0';
	must(strncmp(head, "HTTP/1.1 ", 9) == 0, "no response: %s", head);
	int code = atoi(head + 9);
	must(code >= 100 && code < 600 && code != 500, "%s", head);
	bool has_body = code != 204 && !(peer->n_awaited > 0 && peer->awaited[0]);
	if (code == 100)
		return head_len;
	if (has_body && (found = header(head, "\r\nContent-Length: ")))
		len = strtoul(found, NULL, 10);
	else if (has_body && header(head, "\r\nTransfer-Encoding: chunked")) {
		must(peer->n_awaited > 0, "nobody has asked for %s", head);
		peer->is_in_long = true;
		return head_len;
	}
	if (in.len < head_len + len)
		return 0;
	find_lease((struct slice){in.bytes + head_len, len}, lease);
	end_response(peer);
	return head_len + len;
}

static void read_responses(struct scripted_peer *peer, char lease[PEER_LEASE_BYTES])
{
	size_t used;
	do {
		struct slice in = buffer_slice(&peer->in);
		used = in.len == 0        ? 0
		       : peer->is_in_long ? read_chunk(peer, in, lease)
					  : read_response(peer, in, lease);
		if (used)
			buffer_consume(&peer->in, used);
	} while (used);
}

bool scripted_peer_read(struct scripted_peer *peer, char lease[PEER_LEASE_BYTES])
{
	static char bytes[READ_BYTES];
	ssize_t n = read(peer->fd, bytes, sizeof(bytes));
	if (n == 0 || (n < 0 && errno != EAGAIN))
		peer->has_ended = true;
	if (n <= 0)
		return false;
	if (peer->is_http && peer->is_inexact) /* it may be a frame as well */
		return true;
	buffer_append(&peer->in, bytes, (size_t)n);
	must(!peer->in.failed, "no memory");
	if (peer->is_http)
		read_responses(peer, lease);
	else
		read_frames(peer, lease);
	return true;
}
