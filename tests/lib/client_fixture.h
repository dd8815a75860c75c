/* For the tests of the client library: a daemon, a handle, and a channel of each kind. */
#ifndef MILLRACE_TESTS_CLIENT_FIXTURE_H
#define MILLRACE_TESTS_CLIENT_FIXTURE_H

#include "tests/lib/client.h"

extern struct daemon *d;
extern mr *m;

/* Channels: "jobs", bounded with room for 4; "meet", unbuffered; "drop", dropping, and "latest", sliding, with room for
 * 1; "answer", a promise. */
void client_setup(void);
void client_teardown(void);

/* Takes `actual` over. */
void assert_json(json_t *actual, const char *expected);

/* Waits until the handle's connection has something to read. */
void poll_readable(mr *of);

#endif
