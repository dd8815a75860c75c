/* The daemon's inside with everything that comes to it, in one world: frames, HTTP, users, reloads, the end, and memory
 * and a system that fail; on a virtual clock. After each turn all invariants of the core and of the streams hold; each
 * whole request gets exactly one reply, unless its connection ended (scripted_peer.h); and when all have hung up,
 * nothing is left. The input is lines:
 *
 *   a{"id":1,"op":"ping"}   client a (a to h: they speak frames; they connect when first named) sends this body
 *   pPUT /path {"a":1}      client p (p to s: they speak HTTP) sends this request; what follows the path is its body
 *   p@GET /path             the same, with a token
 *   :a…                     client a sends these bytes as they are; for a client of HTTP, | stands for CR LF
 *   ~a                      client a does not read any more, or does again
 *   .a                      client a ends its side
 *   !a                      client a closes
 *   +250                    250 ms go by
 *   /7                      from now on, requests are sent in pieces of 7 bytes, each in a turn of its own; 0: whole
 *   =uL…                    a reload, in which each letter stands for a part: see reload()
 *   $                       SIGTERM: it drains; the second time, what is parked ends
 *   #m12   #m12,3           the 12th allocation from now fails; and the two after it
 *   #r3   #s3   #a1         the 3rd recv(), send(), accept4() from now fails
 *   #l7   #g3               recv() and send() move at most 7 bytes; one in 3 says EAGAIN or EINTR; 0: no more
 *
 * The first "*" as a whole string of a body, or an asterisk behind a slash in a path, stands for the lease that was
 * given last; "@" for the token of user "token". */
#define _GNU_SOURCE
#include <openssl/sha.h>
#include <sys/socket.h>
#include <unistd.h>

#include "daemon/core/rows.h"
#include "daemon/log.h"
#include "proto/frame.h"
#include "tests/fuzz/fuzz.h"
#include "tests/lib/inside.h"
#include "tests/lib/memory.h"
#include "tests/lib/scripted_peer.h"
#include "tests/lib/system.h"

enum {
	N_FRAME_PEERS = 8,
	N_HTTP_PEERS = 4,
	N_PEERS = N_FRAME_PEERS + N_HTTP_PEERS,
	MAX_LINES = 200,
	MAX_SIZE = 100000,
	MAX_PARK_MS = 5000, /* inside.c's */
	LINGER_MS = 1500,   /* until the daemon has given up a connection that it refused */
};

/* A token that config_token fits: its salt is in it. */
static const char token[] = "mrt_00112233445566778899aabbccddeeff_"
			    "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

static struct config_token config_token = {
	.salt = {0x00, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88, 0x99, 0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff}};

static struct inside inside;
static struct scripted_peer peers[N_PEERS];
static char lease[PEER_LEASE_BYTES]; /* that was given last */
static char http_path[64];
static unsigned piece_bytes, drains;
static bool is_first = true; /* libraries allocate some things once */

/* -- The daemon runs -- */

static void run(void)
{
	memory.is_counting = true;
	inside_run(&inside);
	memory.is_counting = false;
}

/* Until nothing moves any more. */
static void settle(void)
{
	bool moved = true;
	while (moved) {
		run();
		moved = false;
		for (int i = 0; i < N_PEERS; i++) {
			while (peers[i].fd >= 0 && !peers[i].is_deaf && scripted_peer_read(&peers[i], lease))
				moved = true;
		}
	}
}

/* -- Peers -- */

/* NULL: no peer has that name, or it cannot connect. */
static struct scripted_peer *peer_named(int letter)
{
	int i = letter >= 'a' && letter < 'a' + N_FRAME_PEERS  ? letter - 'a'
		: letter >= 'p' && letter < 'p' + N_HTTP_PEERS ? letter - 'p' + N_FRAME_PEERS
							       : -1;
	if (i < 0)
		return NULL;
	struct scripted_peer *peer = &peers[i];
	if (peer->fd < 0) {
		memory.is_counting = true;
		peer->fd = peer->is_http ? inside_connect_http(http_path) : inside_connect(&inside);
		memory.is_counting = false;
	}
	return peer->fd < 0 ? NULL : peer;
}

/* What the daemon does not read is lost: the input goes on elsewhere. */
static void send_bytes(struct scripted_peer *peer, const char *bytes, size_t len)
{
	while (len > 0) {
		ssize_t n = write(peer->fd, bytes, piece_bytes && piece_bytes < len ? piece_bytes : len);
		if (n <= 0) {
			peer->is_inexact = true;
			return;
		}
		bytes += n;
		len -= (size_t)n;
		run();
	}
}

/* Appends the text, with the first `from` in it replaced. */
static void append_replaced(struct buffer *out, struct slice text, const char *from, const char *to, size_t to_len)
{
	const char *found = text.len ? memmem(text.bytes, text.len, from, strlen(from)) : NULL;
	size_t before = found ? (size_t)(found - text.bytes) + 1 : text.len; /* the quote, or slash, stays */
	buffer_append(out, text.bytes, before);
	if (!found)
		return;
	buffer_append(out, to, to_len);
	buffer_append(out, text.bytes + before + 1, text.len - before - 1);
}

static void send_frame(struct scripted_peer *peer, struct slice line)
{
	struct buffer with_lease = {0}, out = {0};
	append_replaced(&with_lease, line, "\"*\"", lease, sizeof(lease));
	size_t mark = frame_begin(&out);
	append_replaced(&out, buffer_slice(&with_lease), "\"@\"", token, strlen(token));
	frame_end(&out, mark);
	scripted_peer_expect_frame(
		peer, (struct slice){buffer_front(&out) + FRAME_HEADER_BYTES, buffer_len(&out) - FRAME_HEADER_BYTES});
	send_bytes(peer, buffer_front(&out), buffer_len(&out));
	buffer_finish(&with_lease);
	buffer_finish(&out);
}

/* The part of `line` before the first space, which both are cut from it. */
static struct slice cut_word(struct slice *line)
{
	const char *space = line->len ? memchr(line->bytes, ' ', line->len) : NULL;
	size_t len = space ? (size_t)(space - line->bytes) : line->len, used = len + (space != NULL);
	struct slice word = {line->bytes, len};
	line->bytes += used;
	line->len -= used;
	return word;
}

static void send_request(struct scripted_peer *peer, struct slice line)
{
	struct buffer out = {0}, body = {0};
	bool has_token = line.len > 0 && line.bytes[0] == '@';
	line.bytes += has_token;
	line.len -= has_token;
	struct slice method = cut_word(&line), path = cut_word(&line);
	if (method.len == 0 || method.bytes[0] < 'A' || method.bytes[0] > 'Z')
		peer->is_inexact = true; /* no request begins so */
	scripted_peer_expect_response(peer, method);
	append_replaced(&body, line, "\"*\"", lease, sizeof(lease));
	buffer_append(&out, method.bytes, method.len);
	buffer_append(&out, " ", 1);
	append_replaced(&out, path, "/*", lease, sizeof(lease));
	char head[300];
	int len = snprintf(head, sizeof(head),
			   " HTTP/1.1\r\nHost: localhost\r\n%s%s%sContent-Type: application/json\r\nContent-Length: "
			   "%zu\r\n\r\n",
			   has_token ? "Authorization: Bearer " : "", has_token ? token : "", has_token ? "\r\n" : "",
			   buffer_len(&body));
	buffer_append(&out, head, (size_t)len);
	if (buffer_len(&body))
		buffer_append(&out, buffer_front(&body), buffer_len(&body));
	send_bytes(peer, buffer_front(&out), buffer_len(&out));
	buffer_finish(&out);
	buffer_finish(&body);
}

static void send_raw(struct scripted_peer *peer, struct slice line)
{
	struct buffer out = {0};
	for (size_t i = 0; i < line.len; i++) {
		bool is_line_end = peer->is_http && line.bytes[i] == '|';
		buffer_append(&out, is_line_end ? "\r\n" : line.bytes + i, is_line_end ? 2 : 1);
	}
	peer->is_inexact = true;
	if (buffer_len(&out))
		send_bytes(peer, buffer_front(&out), buffer_len(&out));
	buffer_finish(&out);
}

/* -- What the world does -- */

static void step(struct core_event event)
{
	memory.is_counting = true;
	broker_step(&inside.broker, &event);
	memory.is_counting = false;
}

/* A user by uid, who may do everything or only some, and one by token; see reload(). A reload that fails changes
 * nothing, so the users of before stay where they are. */
static void set_users(char which)
{
	static char uid_name[] = "uid", token_name[] = "token", star[] = "*", a[] = "a", b[] = "b";
	static char *all[] = {star}, *some[] = {a, b};
	static uint32_t uid;
	static struct config_user generations[2][2];
	static unsigned generation;
	struct config_user *users = generations[generation];
	bool is_some = which == 'r';
	uid = getuid();
	users[0] = (struct config_user){.name = uid_name,
					.uids = &uid,
					.n_uids = which == 't' ? 0 : 1,
					.max_inflight = is_some ? 2 : 0,
					.max_memory = is_some ? 500 : 0};
	users[1] =
		(struct config_user){.name = token_name, .tokens = &config_token, .n_tokens = 1, .max_connections = 2};
	for (int right = 0; right < RIGHT_COUNT; right++) {
		users[0].rights[right] = is_some ? (struct config_texts){some, 2} : (struct config_texts){all, 1};
		users[1].rights[right] = (struct config_texts){all, 1};
	}
	struct config config = {.users = users, .n_users = which == 'n' ? 0 : 2};
	memory.is_counting = true;
	if (inside_set_users(&inside, &config) == 0)
		generation = 1 - generation;
	memory.is_counting = false;
}

static void set_limits(bool are_low)
{
	struct core_limits limits = {.max_memory = are_low ? 2000 : 200000,
				     .max_channels = are_low ? 6 : 8,
				     .max_inflight = are_low ? 2 : 6,
				     .max_waiters = are_low ? 2 : 10,
				     .max_take_bytes = 65536,
				     .max_park_ms = MAX_PARK_MS,
				     .turn_work = are_low ? 2 : 0};
	step((struct core_event){.op = CORE_SET_LIMITS, .limits = &limits});
	inside.sessions.limits.max_connections = are_low ? 3 : N_FRAME_PEERS;
	inside.sessions.limits.max_http_connections = are_low ? 2 : N_HTTP_PEERS;
	stream_group_set_max_buffers(inside.streams, are_low ? 40000 : 400000);
}

static void set_channels(bool are_altered)
{
	struct core_definition b = {.kind = KIND_BOUNDED, .capacity = are_altered ? 1 : 3},
			       d = {.kind = KIND_SLIDING, .capacity = are_altered ? 1 : 2},
			       x = {.kind = KIND_BOUNDED, .capacity = are_altered ? 4 : 2};
	if (!are_altered)
		x.max_deliveries = 2, x.dead_letter = SLICE("b");
	step((struct core_event){.op = CORE_ALTER, .channel = SLICE("b"), .definition = b});
	step((struct core_event){.op = CORE_ALTER, .channel = SLICE("d"), .definition = d});
	step((struct core_event){.op = CORE_ALTER, .channel = SLICE("x"), .definition = x});
	step((struct core_event){.op = CORE_CREATE, .channel = SLICE("new"), .definition = b});
}

/* n: no users; u: all who come by this uid may do everything, and who has the token; r: the former may do little; t:
 * only who has the token comes in. L, l: low limits, or the first ones. C, c: channels are altered, or as at first. */
static void reload(struct slice letters)
{
	for (size_t i = 0; i < letters.len && i < 4; i++) {
		char letter = letters.bytes[i];
		if (letter && strchr("nurt", letter))
			set_users(letter);
		else if (letter == 'L' || letter == 'l')
			set_limits(letter == 'L');
		else if (letter == 'C' || letter == 'c')
			set_channels(letter == 'C');
	}
}

/* The number at the front of `line`, which is cut from it. */
static unsigned cut_number(struct slice *line)
{
	unsigned number = 0;
	for (; line->len > 0 && *line->bytes >= '0' && *line->bytes <= '9'; line->bytes++, line->len--)
		number = number < 100000 ? number * 10 + (unsigned)(*line->bytes - '0') : number;
	return number;
}

static void fail(struct slice line)
{
	char what = line.len > 0 ? line.bytes[0] : '\0';
	if (what == '\0')
		return;
	line.bytes++;
	line.len--;
	unsigned n = cut_number(&line);
	if (what == 'm') {
		memory.countdown = memory_can_fail() ? n : 0;
		memory.run = 1;
		if (line.len > 1 && *line.bytes++ == ',' && line.len--)
			memory.run = cut_number(&line) % 64;
		memory.run += memory.run == 0;
	} else if (what == 'r') {
		fake_system.recv_fails_in = n;
	} else if (what == 's') {
		fake_system.send_fails_in = n;
	} else if (what == 'a') {
		fake_system.accept_fails_in = n;
	} else if (what == 'l') {
		fake_system.max_bytes = n;
	} else if (what == 'g') {
		fake_system.again = n == 1 ? 2 : n;
	}
}

static void fail_no_more(void)
{
	memory.countdown = 0;
	fake_system.recv_fails_in = fake_system.send_fails_in = fake_system.accept_fails_in = 0;
	fake_system.max_bytes = 0;
	fake_system.again = 0;
}

static void pass_time(unsigned ms)
{
	fake_system.now_us += (uint64_t)ms * 1000;
}

/* -- The script -- */

static void act_on_peer(char what, struct scripted_peer *peer, struct slice rest)
{
	if (what == ':')
		send_raw(peer, rest);
	else if (what == '~')
		peer->is_deaf = !peer->is_deaf;
	else if (what == '.')
		shutdown(peer->fd, SHUT_WR);
	else
		scripted_peer_hang_up(peer);
}

static void carry_out(struct slice line)
{
	char what = line.bytes[0];
	struct scripted_peer *peer = peer_named(what);
	line.bytes++;
	line.len--;
	if (peer && peer->is_http)
		send_request(peer, line);
	else if (peer)
		send_frame(peer, line);
	else if (what == '+')
		pass_time(cut_number(&line));
	else if (what == '/')
		piece_bytes = cut_number(&line);
	else if (what == '=')
		reload(line);
	else if (what == '$')
		step((struct core_event){.op = drains++ == 0 ? CORE_DRAIN : CORE_ABANDON});
	else if (what == '#')
		fail(line);
	else if (what && strchr(":~.!", what) && line.len > 0 && (peer = peer_named(line.bytes[0])))
		act_on_peer(what, peer, (struct slice){line.bytes + 1, line.len - 1});
}

static void play(const char *data, size_t size)
{
	const char *end = data + size;
	for (int n = 0; data < end && n < MAX_LINES; n++) {
		const char *newline = memchr(data, '\n', (size_t)(end - data)), *stop = newline ? newline : end;
		if (stop > data)
			carry_out((struct slice){data, (size_t)(stop - data)});
		settle();
		data = stop + (newline != NULL);
	}
}

static void start(void)
{
	static struct config no_users;
	if (!http_path[0])
		snprintf(http_path, sizeof(http_path), "/tmp/millrace-fuzz-%d.sock", (int)getpid());
	for (int i = 0; i < N_PEERS; i++)
		peers[i] = (struct scripted_peer){.fd = -1, .is_http = i >= N_FRAME_PEERS};
	memset(lease, '0', sizeof(lease));
	piece_bytes = drains = 0;
	fake_system.random = 0;
	log_setup(false, LOG_LEVEL_ERROR);
	SHA256((const unsigned char *)token, strlen(token), config_token.hash); /* before any memory fails */
	fuzz_assert(inside_start(&inside) == 0, "it does not start");
	fuzz_assert((inside.sessions.users = users_create()) && users_apply(inside.sessions.users, &no_users) == 0,
		    "no users");
	fuzz_assert(inside_serve_http(&inside, http_path) == 0, "no HTTP at %s", http_path);
}

/* Nothing fails any more, and all read: so whatever waits ends in time. */
static void answer_all(void)
{
	bool any_waits = true;
	fail_no_more();
	for (int i = 0; i < N_PEERS; i++)
		peers[i].is_deaf = false;
	for (int n = 0; any_waits && n < MAX_LINES + 1; n++) {
		any_waits = false;
		settle();
		for (int i = 0; i < N_PEERS; i++)
			any_waits = any_waits || scripted_peer_waits(&peers[i]);
		pass_time(any_waits ? MAX_PARK_MS + 1 : 0);
	}
	for (int i = 0; i < N_PEERS; i++)
		scripted_peer_check_end(&peers[i]);
}

static void stop(void)
{
	for (int i = 0; i < N_PEERS; i++)
		scripted_peer_hang_up(&peers[i]);
	settle();
	pass_time(LINGER_MS);
	settle();
	struct core_totals totals;
	core_totals(inside.core, &totals);
	fuzz_assert(inside.sessions.n == 0 && inside.sessions.n_http == 0 && totals.connections == 0 &&
			    inside_parked(&inside) == 0,
		    "%d sessions are left", (int)inside.sessions.n);
	fuzz_assert(!inside.sessions.first_stranger, "a stranger is left");
	fuzz_assert(stream_group_unsent_value_bytes(inside.streams) == 0, "unsent bytes of nobody");
	fuzz_assert(stream_group_buffer_bytes(inside.streams) == 0, "buffers of nobody");
	struct users *users = inside.sessions.users;
	inside_stop(&inside);
	users_destroy(users);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	long live = memory.live;
	if (size > MAX_SIZE)
		return 0;
	start();
	play((const char *)data, size);
	answer_all();
	stop();
	fuzz_assert(memory.live == live || is_first, "%ld blocks are left", memory.live - live);
	is_first = false;
	return 0;
}
