#define _GNU_SOURCE
#include "tests/lib/inside.h"

#include <event2/event.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "daemon/core/rows.h"
#include "daemon/http/http_session.h"
#include "daemon/net/stream_workspace.h"
#include "daemon/session/frame_wire.h"
#include "daemon/session/login.h"
#include "daemon/session/sweeps.h"
#include "tests/lib/system.h"

enum { START_US = 1000000, SOCKET_BYTES = 4096, MAX_TURNS = 100000 };

static const struct {
	const char *name;
	struct core_definition definition;
} channels[] = {
	{"a", {.kind = KIND_UNBUFFERED}},
	{"b", {.kind = KIND_BOUNDED, .capacity = 3}},
	{"c", {.kind = KIND_DROPPING, .capacity = 2}},
	{"d", {.kind = KIND_SLIDING, .capacity = 2}},
	{"e", {.kind = KIND_PROMISE, .capacity = 1}},
	{"x", {.kind = KIND_BOUNDED, .capacity = 2, .max_deliveries = 2, .dead_letter = {"b", 1}}},
};

static const struct core_limits core_limits = {
	.max_memory = 200000,
	.max_channels = 8,
	.max_inflight = 6,
	.max_waiters = 10,
	.max_take_bytes = 65536,
	.max_park_ms = 5000,
};

static void on_timer(void *arg)
{
	struct inside *inside = arg;
	struct core_event event = {.op = CORE_TICK};
	broker_step(&inside->broker, &event);
}

static void on_login_timer(void *arg)
{
	struct inside *inside = arg;
	session_end_strangers(&inside->sessions);
}

static void on_turn_end(void *arg)
{
	struct inside *inside = arg;
	loop_timer_set(inside->login_timer, session_strangers_deadline(&inside->sessions));
	loop_timer_set(inside->timer, core_deadline(inside->core));
}

/* Without channels. */
static int start(struct inside *inside)
{
	signal(SIGPIPE, SIG_IGN); /* as the daemon does, and for its peers */
	static const struct core_seed seed = {1, {2, 3}, {4, 5}};
	fake_system.now_us = START_US;
	*inside = (struct inside){.loop = loop_create(), .core = core_create(&core_limits, &seed)};
	if (!inside->loop || !inside->core || !(inside->streams = stream_group_create(inside->loop)) ||
	    !(inside->timer = loop_timer_create(inside->loop, on_timer, inside)) ||
	    !(inside->login_timer = loop_timer_create(inside->loop, on_login_timer, inside)))
		return -1;
	inside->broker = (struct broker){.core = inside->core,
					 .loop = inside->loop,
					 .streams = inside->streams,
					 .deliver = session_deliver,
					 .run_action = session_run_deferred};
	inside->sessions = (struct sessions){
		.loop = inside->loop, .streams = inside->streams, .broker = &inside->broker, .core = inside->core};
#define LIMIT(field, unit, fallback, lowest, highest) inside->sessions.limits.field = fallback;
	LIMITS(LIMIT)
#undef LIMIT
	inside->sessions.limits.max_frame = 65536;
	inside->sessions.limits.max_output = 16384;
	stream_group_set_max_buffers(inside->streams, 400000);
	return 0;
}

int inside_start_in_cluster(struct inside *inside)
{
	if (start(inside) < 0)
		return -1;
	broker_join_cluster(&inside->broker);
	return 0;
}

int inside_start(struct inside *inside)
{
	if (start(inside) < 0)
		return -1;
	for (size_t i = 0; i < sizeof(channels) / sizeof(channels[0]); i++) {
		struct core_event event = {.op = CORE_CREATE,
					   .channel = slice_from(channels[i].name),
					   .definition = channels[i].definition};
		if (broker_step(&inside->broker, &event) != ERROR_NONE)
			return -1;
	}
	return 0;
}

void inside_stop(struct inside *inside)
{
	session_drop_all(&inside->sessions);
	http_stop(inside->http);
	message_decoder_finish(&inside->sessions.decoder);
	core_destroy(inside->core);
	value_pool_clear(&inside->sessions.values);
	loop_timer_destroy(inside->timer);
	loop_timer_destroy(inside->login_timer);
	stream_group_destroy(inside->streams);
	loop_destroy(inside->loop);
	fake_system.now_us = 0;
}

int inside_connect(struct inside *inside)
{
	int pair[2], bytes = SOCKET_BYTES;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair) < 0)
		return -1;
	setsockopt(pair[0], SOL_SOCKET, SO_SNDBUF, &bytes, sizeof(bytes));
	session_accept(&inside->sessions, pair[0], NULL);
	return pair[1];
}

int inside_serve_http(struct inside *inside, const char *path)
{
	char error[HTTP_ERROR_BYTES];
	struct address address = {.scheme = ADDRESS_UNIX, .host = (char *)path};
	fake_system.send_buffer = SOCKET_BYTES;
	inside->http = http_start(&inside->sessions, &address, NULL, NULL, 0, error);
	return inside->http ? 0 : -1;
}

int inside_connect_http(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	if (fd >= 0 && connect(fd, (const struct sockaddr *)&address, sizeof(address)) == 0)
		return fd;
	if (fd >= 0)
		close(fd);
	return -1;
}

int inside_set_users(struct inside *inside, const struct config *config)
{
	bool had_users = users_exist(inside->sessions.users);
	if (users_apply(inside->sessions.users, config) < 0)
		return -1;
	users_set_quotas(inside->sessions.users, &inside->broker);
	session_users_changed(&inside->sessions, had_users);
	return 0;
}

void inside_check(const struct inside *inside)
{
	const char *fault = core_check(inside->core);
	if (fault) {
		fprintf(stderr, "the core: %s\n", fault);
		abort();
	}
	for (const struct session *session = inside->sessions.first; session; session = session->next) {
		fault = stream_check(&session->stream);
		if (!fault)
			continue;
		fprintf(stderr, "the stream of session %llu: %s\n", (unsigned long long)session->number, fault);
		abort();
	}
}

void inside_turn(struct inside *inside)
{
	loop_poll(inside->loop, on_turn_end, inside);
	inside_check(inside);
}

/* Whether the loop would call the stream now. */
static bool is_ready(const struct stream *stream)
{
	const struct event *writing = stream->workspace ? stream->workspace->write_event : NULL;
	struct pollfd polled = {.fd = stream->fd};
	if (event_pending(&stream->read_event, EV_READ, NULL))
		polled.events |= POLLIN;
	if (writing && event_pending(writing, EV_WRITE, NULL))
		polled.events |= POLLOUT;
	return polled.events && poll(&polled, 1, 0) > 0;
}

bool inside_is_settled(const struct inside *inside)
{
	uint64_t now_us = loop_clock_us();
	if (stream_group_is_busy(inside->streams) || core_deadline(inside->core) <= now_us ||
	    session_strangers_deadline(&inside->sessions) <= now_us)
		return false;
	for (const struct session *session = inside->sessions.first; session; session = session->next) {
		if (is_ready(&session->stream))
			return false;
	}
	const struct http_session *session = inside->http ? inside->http->first : NULL;
	for (; session; session = session->next) {
		if (session->job && session->is_due)
			return false;
	}
	return true;
}

/* At least one turn: timers that only libevent knows may be due, and a connection may wait to be accepted. So a turn
 * that asked the system for anything is not the last. */
void inside_run(struct inside *inside)
{
	uint64_t calls;
	unsigned turns = 0;
	do {
		calls = fake_system.calls;
		inside_turn(inside);
		fake_system.now_us += fake_system.now_us != 0; /* turns differ in their time */
		if (++turns == MAX_TURNS) {
			fprintf(stderr, "%u turns, and it is not settled\n", turns);
			abort();
		}
	} while (fake_system.calls != calls || !inside_is_settled(inside));
}

unsigned inside_parked(const struct inside *inside)
{
	struct core_waiter_row row = {0};
	unsigned n = 0;
	while (core_next_waiter(inside->core, SLICE(""), row.seq, &row))
		n += row.cookie != NULL;
	return n;
}
