/* For the tests of the client's patterns: a daemon, a handle, a few channels, and threads in which a pattern runs until
 * it is asked how it ended. */
#ifndef MILLRACE_TESTS_PATTERNS_FIXTURE_H
#define MILLRACE_TESTS_PATTERNS_FIXTURE_H

#include <pthread.h>
#include <stdbool.h>

#include "client/millrace_patterns.h"
#include "tests/lib/client_fixture.h"
#include "tests/lib/suite.h"

/* The patterns use the handle m, and the test itself this one. Channels: "in", "out" and "other", bounded with room for
 * 100; "meet", unbuffered; "stop", a promise. */
extern mr *eye;

void patterns_setup(void);
void patterns_setup_without_taps(void); /* a daemon that has none to give */
void patterns_setup_impatient(void);    /* nor there, and nobody parks for more than a millisecond */
void patterns_teardown(void);           /* no pattern may have left a channel behind */
void patterns_teardown_killed(void);    /* the same, if the test has killed the daemon */

void channel(const char *name, const char *kind, uint64_t capacity);
void put(const char *name, const char *json);
/* Puts the numbers from first to last. */
void put_numbers(const char *name, int first, int last);
/* Takes all that is there at once, and compares it with a JSON array, "[]" for nothing. */
void expect_values(const char *name, const char *expected);
/* A member of stat, which has to be there. */
json_int_t stat_of(const char *name, const char *member);
bool is_closed(const char *name);
/* Waits until a member of stat, such as parked_takes, has this value. */
void await_stat(const char *name, const char *member, json_int_t value);

/* Waits until so many waiters have come and gone. */
void await_waiters(json_int_t n);

/* A pattern in a thread. */
struct running {
	pthread_t thread;
	int (*run)(void *context);
	void *context;
	int status;
	char message[512];
};
void running_start(struct running *running, int (*run)(void *context), void *context);
int running_join(struct running *running); /* its status, and this thread's patterns_message */
extern char patterns_message[512];

/* How a pattern is asked to run: its callback tells patterns_told what is lost; "stop" stops it, too; or what it puts
 * to stays open. */
extern const struct mr_flow patterns_telling, patterns_stoppable, patterns_keeping;
/* While it waits for values of "in" all that it puts to are closed: it ends by the first value, and another one at
 * once. */
void expect_end_when_all_are_closed(int (*run)(void *flow), const char *const *targets, size_t n_targets,
				    const char *told_then, const char *left);
/* Takes this, where the daemon lets nobody wait for long. */
void take_at_last(const char *name, const char *expected);

/* What the callback `failed` or `lost` was told, in the order of the calls, as lines of "VALUE status". Any
 * thread may call it. */
extern char patterns_told[4096];
void patterns_tell(const char *json, size_t len, int status);

#endif
