/* Whole sessions of up to eight clients with the daemon's inside: frames, sessions, core and streams, on a virtual
 * clock. After every line all invariants of the core hold, and what the clients have got is frames of the protocol. The
 * input is lines:
 *
 *   a{"id":1,"op":"ping"}   client a (a to h; it connects when it is first named) sends a frame with this body
 *   :a…                     client a sends these bytes, without a frame
 *   ~a                      client a does not read any more, or does again
 *   .a                      client a ends its side
 *   !a                      client a closes
 *   +250                    250 ms go by
 *
 * The first "*" in a body stands for the lease that was given last.
 */
#define _GNU_SOURCE
#include <sys/socket.h>
#include <unistd.h>

#include "proto/frame.h"
#include "proto/json_scan.h"
#include "tests/fuzz/fuzz.h"
#include "tests/lib/inside.h"
#include "tests/lib/system.h"

enum { N_CLIENTS = 8, MAX_LINES = 200, MAX_SIZE = 100000, READ_BYTES = 65536, TOKEN_BYTES = 32 };

struct peer {
	int fd; /* -1: there is none */
	bool is_deaf;
	struct buffer in;
};

static struct inside inside;
static struct peer peers[N_CLIENTS];
static char token[TOKEN_BYTES]; /* of the lease that was given last */

static void hang_up(struct peer *peer)
{
	if (peer->fd >= 0)
		close(peer->fd);
	buffer_finish(&peer->in);
	*peer = (struct peer){.fd = -1};
}

static void check_reply(struct slice body)
{
	struct json_scan scan;
	struct slice raw;
	struct message_reply reply;
	json_scan_init(&scan, body.bytes, body.len);
	fuzz_assert(json_scan_value(&scan, &raw) == JSON_TYPE_OBJECT && json_scan_at_end(&scan), "%.*s", (int)body.len,
		    body.bytes);
	fuzz_assert(message_decode_reply((char *)body.bytes, body.len, &reply) == 0, "%.*s", (int)body.len, body.bytes);
	fuzz_assert(reply.status != STATUS_ERROR || reply.error != ERROR_INTERNAL, "%.*s", (int)body.len, body.bytes);

	static const char key[] = "\"lease\":\"";
	const char *lease = memmem(body.bytes, body.len, key, strlen(key)), *end = body.bytes + body.len;
	if (lease && (size_t)(end - lease) > strlen(key) + TOKEN_BYTES)
		memcpy(token, lease + strlen(key), TOKEN_BYTES);
}

/* Returns whether anything came. */
static bool read_replies(struct peer *peer)
{
	char bytes[READ_BYTES];
	ssize_t n = read(peer->fd, bytes, sizeof(bytes));
	struct slice body;
	size_t used;
	if (n <= 0)
		return false;
	buffer_append(&peer->in, bytes, (size_t)n);
	while (frame_next((struct slice){peer->in.bytes + peer->in.start, buffer_len(&peer->in)}, 65536 + 1024, &body,
			  &used, NULL) == FRAME_WHOLE) {
		check_reply(body);
		buffer_consume(&peer->in, used);
	}
	return true;
}

/* Until nothing moves any more. */
static void settle(void)
{
	bool moved = true;
	while (moved) {
		inside_run(&inside);
		moved = false;
		for (int i = 0; i < N_CLIENTS; i++) {
			while (peers[i].fd >= 0 && !peers[i].is_deaf && read_replies(&peers[i]))
				moved = true;
		}
	}
	const char *wrong = core_check(inside.core);
	fuzz_assert(!wrong, "%s", wrong);
}

/* What the daemon does not read is lost: the input goes on elsewhere. */
static void send_bytes(struct peer *peer, const uint8_t *bytes, size_t len)
{
	while (len > 0) {
		ssize_t n = write(peer->fd, bytes, len);
		if (n <= 0)
			break;
		bytes += n;
		len -= (size_t)n;
		inside_run(&inside);
	}
}

static struct peer *peer_named(int letter)
{
	if (letter < 'a' || letter >= 'a' + N_CLIENTS)
		return NULL;
	struct peer *peer = &peers[letter - 'a'];
	if (peer->fd < 0)
		peer->fd = inside_connect(&inside);
	return peer->fd < 0 ? NULL : peer;
}

static void pass_time(const uint8_t *digits, size_t len)
{
	uint64_t ms = 0;
	for (size_t i = 0; i < len && digits[i] >= '0' && digits[i] <= '9' && ms < 1000000; i++)
		ms = ms * 10 + (uint64_t)(digits[i] - '0');
	fake_system.now_us += ms * 1000;
}

static void send_frame(struct peer *peer, const uint8_t *body, size_t len)
{
	struct buffer out = {0};
	size_t mark = frame_begin(&out);
	const uint8_t *star = memmem(body, len, "\"*\"", 3);
	size_t before = star ? (size_t)(star - body) + 1 : len;
	buffer_append(&out, body, before);
	if (star) {
		buffer_append(&out, token, TOKEN_BYTES);
		buffer_append(&out, star + 2, len - before - 1);
	}
	frame_end(&out, mark);
	send_bytes(peer, (const uint8_t *)out.bytes, buffer_len(&out));
	buffer_finish(&out);
}

static void carry_out(const uint8_t *line, size_t len)
{
	struct peer *peer = peer_named(line[0]);
	if (peer) {
		send_frame(peer, line + 1, len - 1);
		return;
	}
	if (line[0] == '+')
		pass_time(line + 1, len - 1);
	if (len < 2 || !strchr(":~.!", line[0]) || !(peer = peer_named(line[1])))
		return;
	if (line[0] == ':')
		send_bytes(peer, line + 2, len - 2);
	else if (line[0] == '~')
		peer->is_deaf = !peer->is_deaf;
	else if (line[0] == '.')
		shutdown(peer->fd, SHUT_WR);
	else
		hang_up(peer);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size > MAX_SIZE)
		return 0;
	for (int i = 0; i < N_CLIENTS; i++)
		peers[i] = (struct peer){.fd = -1};
	memset(token, '0', sizeof(token));
	fuzz_assert(inside_start(&inside) == 0, "it does not start");
	const uint8_t *end = data + size;
	for (int n = 0; data < end && n < MAX_LINES; n++) {
		const uint8_t *newline = memchr(data, '\n', (size_t)(end - data)), *stop = newline ? newline : end;
		if (stop > data)
			carry_out(data, (size_t)(stop - data));
		settle();
		data = stop + (newline != NULL);
	}
	for (int i = 0; i < N_CLIENTS; i++)
		hang_up(&peers[i]);
	settle();
	struct core_totals totals;
	core_totals(inside.core, &totals);
	fuzz_assert(inside.sessions.n == 0 && totals.connections == 0 && inside_parked(&inside) == 0,
		    "%d sessions are left", (int)inside.sessions.n);
	fuzz_assert(stream_group_unsent_value_bytes(inside.streams) == 0, "unsent bytes of nobody");
	inside_stop(&inside);
	return 0;
}
