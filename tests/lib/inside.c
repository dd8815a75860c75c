#define _GNU_SOURCE
#include "tests/lib/inside.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "daemon/session/frames.h"
#include "tests/lib/system.h"

enum { START_US = 1000000, SOCKET_BYTES = 4096 };

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

static void on_turn_end(void *arg)
{
	struct inside *inside = arg;
	loop_timer_set(inside->timer, core_deadline(inside->core));
}

int inside_start(struct inside *inside)
{
	signal(SIGPIPE, SIG_IGN); /* as the daemon does, and for its peers */
	static const struct core_seed seed = {1, {2, 3}, {4, 5}};
	fake_system.now_us = START_US;
	*inside = (struct inside){.loop = loop_create(), .core = core_create(&core_limits, &seed)};
	if (!inside->loop || !inside->core || !(inside->streams = stream_group_create(inside->loop)) ||
	    !(inside->timer = loop_timer_create(inside->loop, on_timer, inside)))
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
	message_decoder_finish(&inside->sessions.decoder);
	core_destroy(inside->core);
	loop_timer_destroy(inside->timer);
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

void inside_check(const struct inside *inside)
{
	for (const struct session *session = inside->sessions.first; session; session = session->next) {
		const char *fault = stream_check(&session->stream);
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

void inside_run(struct inside *inside)
{
	uint64_t calls;
	unsigned quiet = 0;
	while (quiet < 2) { /* an end is told in the turn after the one in which it was seen */
		calls = fake_system.calls;
		inside_turn(inside);
		fake_system.now_us += fake_system.now_us != 0; /* turns differ in their time */
		bool is_quiet = fake_system.calls == calls && !stream_group_is_busy(inside->streams);
		quiet = is_quiet ? quiet + 1 : 0;
	}
}

unsigned inside_parked(const struct inside *inside)
{
	struct core_waiter_row row = {0};
	unsigned n = 0;
	while (core_next_waiter(inside->core, SLICE(""), row.seq, &row))
		n += row.cookie != NULL;
	return n;
}
