/* The client library in tests: calls whose status has to be what is said, and what they are asked for again and
 * again. */
#ifndef MILLRACE_TESTS_CLIENT_H
#define MILLRACE_TESTS_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "client/millrace.h"
#include "tests/lib/daemon.h"

/* The call has to return this status; FAILS: an error whose words have `needle`. */
#define IS(expected, call)            client_is((call), (expected), #call)
#define FAILS(expected, needle, call) client_fails((call), (expected), (needle), #call)
void client_is(int status, int expected, const char *call);
void client_fails(int status, int expected, const char *needle, const char *call);

mr *client_connect(const char *url);

/* Creates one that was not there. */
void client_channel(mr *m, const char *name, const char *kind, uint64_t capacity);

void client_put(mr *m, const char *channel, const char *json);
void client_take(mr *m, const char *channel, const char *expected);

/* Whether the daemon has told of such a feature. */
bool client_knows(mr *m, const char *feature);

/* A counter of the channel, as stat tells it. */
int64_t client_stat(mr *m, const char *channel, const char *key);

/* Waits until the counter has this value. */
void client_stat_wait(mr *m, const char *channel, const char *key, int64_t value);

/* Waits until so many are parked on the daemon, without which a test could not know. */
void client_await_parked(mr *m, size_t n);

#endif
