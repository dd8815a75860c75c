/* For tests of one stream: it is over a pair of sockets, of which the test holds the other end, on a loop that turns
 * when the test says so. The clock stands still. */
#ifndef MILLRACE_TESTS_STREAM_FIXTURE_H
#define MILLRACE_TESTS_STREAM_FIXTURE_H

#include "daemon/net/loop.h"
#include "daemon/net/stream.h"
#include "daemon/net/stream_group.h"

extern struct stream_fixture {
	struct loop *loop;
	struct stream_group *streams;
	struct stream stream;
	int peer;
	bool is_gone;
} net_fixture;

/* The stream's handlers are these; `release` may be NULL. */
void stream_fixture_start(size_t (*on_bytes)(struct stream *stream, char *bytes, size_t len),
			  void (*release)(void *owner), size_t max_output);
/* The peer goes, and so does the stream, of which nothing is left. */
void stream_fixture_stop(void);

/* A turn of the loop, without looking at what has become of it: as loop_poll(). */
int stream_fixture_poll(void);
/* A turn, after which stream_check() holds. */
void turn(void);

#endif
