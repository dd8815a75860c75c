/* Many streams to which something is sent at once: what a turn of the loop does of that. */
#define _GNU_SOURCE
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/lib/stream_fixture.h"
#include "tests/lib/suite.h"
#include "tests/lib/system.h"

enum { STREAMS = 100, SEND_US = 100 };

static struct {
	struct stream stream;
	int peer;
} told[STREAMS];
static unsigned n_sent, n_sent_before, most_in_turn;
static bool stops_at_once;

static size_t ignore(struct stream *stream, char *bytes, size_t len)
{
	(void)stream, (void)bytes;
	return len;
}

static void no_matter(struct stream *stream)
{
	(void)stream;
}

static void take_a_while(struct stream *stream)
{
	(void)stream;
	fake_system.now_us += SEND_US;
	n_sent++;
}

static const struct stream_handlers handlers = {
	.on_bytes = ignore, .on_sent = take_a_while, .on_end = no_matter, .on_gone = no_matter};

static void setup(void)
{
	int pair[2];
	stream_fixture_start(ignore, NULL, 1 << 20);
	n_sent = n_sent_before = most_in_turn = 0;
	for (int i = 0; i < STREAMS; i++) {
		ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair), 0);
		ck_assert_int_eq(stream_init(&told[i].stream, net_fixture.streams, pair[0], NULL, 1 << 20, &handlers),
				 0);
		told[i].peer = pair[1];
		buffer_append(stream_output(&told[i].stream, 0), "reply", 5);
	}
}

static void teardown(void)
{
	for (int i = 0; i < STREAMS; i++) {
		stream_finish(&told[i].stream);
		close(told[i].peer);
	}
	stream_fixture_stop();
}

static void on_turn_end(void *arg)
{
	(void)arg;
	unsigned n = n_sent - n_sent_before;
	most_in_turn = n > most_in_turn ? n : most_in_turn;
	n_sent_before = n_sent;
	if (stops_at_once || n_sent == STREAMS)
		loop_stop(net_fixture.loop);
}

static void run(bool stops)
{
	stops_at_once = stops;
	ck_assert_int_eq(loop_run(net_fixture.loop, on_turn_end, NULL), 0);
	ck_assert_uint_lt(most_in_turn, STREAMS);
	ck_assert_uint_eq(n_sent, STREAMS);
}

START_TEST(a_turn_sends_to_some_and_the_next_to_others)
{
	run(false);
}
END_TEST

START_TEST(who_waits_for_another_turn_is_sent_to_when_the_loop_ends)
{
	run(true);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		a_turn_sends_to_some_and_the_next_to_others,
		who_waits_for_another_turn_is_sent_to_when_the_loop_ends,
		NULL,
	};
	Suite *suite = suite_create("net: many are told at once");
	suite_case(suite, "sending", setup, teardown, tests);
	return suite_run(suite);
}
