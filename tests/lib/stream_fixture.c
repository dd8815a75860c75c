#define _GNU_SOURCE
#include "tests/lib/stream_fixture.h"

#include <check.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/lib/system.h"

struct stream_fixture net_fixture;

static struct stream_handlers handlers;

static void no_matter(struct stream *stream)
{
	(void)stream;
}

static void on_gone(struct stream *stream)
{
	net_fixture.is_gone = true;
	stream_finish(stream);
}

void stream_fixture_start(size_t (*on_bytes)(struct stream *stream, char *bytes, size_t len),
			  void (*release)(void *owner), size_t max_output)
{
	int pair[2];
	fake_system.now_us = 1000000;
	handlers = (struct stream_handlers){.on_bytes = on_bytes,
					    .on_sent = no_matter,
					    .on_end = no_matter,
					    .on_gone = on_gone,
					    .release = release};
	net_fixture.loop = loop_create();
	net_fixture.streams = stream_group_create(net_fixture.loop);
	ck_assert(net_fixture.loop && net_fixture.streams);
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair), 0);
	net_fixture.peer = pair[1];
	ck_assert_int_eq(stream_init(&net_fixture.stream, net_fixture.streams, pair[0], NULL, max_output, &handlers),
			 0);
}

void stream_fixture_stop(void)
{
	close(net_fixture.peer);
	fake_system = (struct system){.now_us = 1000000};
	for (int i = 0; !net_fixture.is_gone; i++) {
		turn();
		ck_assert_int_lt(i, 100);
	}
	ck_assert_uint_eq(stream_group_buffer_bytes(net_fixture.streams), 0);
	ck_assert_uint_eq(stream_group_unsent_value_bytes(net_fixture.streams), 0);
	stream_group_destroy(net_fixture.streams);
	loop_destroy(net_fixture.loop);
	fake_system.now_us = 0;
}

static void on_turn_end(void *arg)
{
	(void)arg;
}

int stream_fixture_poll(void)
{
	return loop_poll(net_fixture.loop, on_turn_end, NULL);
}

void turn(void)
{
	ck_assert_int_eq(stream_fixture_poll(), 0);
	const char *fault = net_fixture.is_gone ? NULL : stream_check(&net_fixture.stream);
	ck_assert_msg(!fault, "%s", fault);
}
