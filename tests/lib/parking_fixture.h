/* For the tests of the parking client: a daemon, a client on an event loop that runs until something has come, and what
 * its callbacks were told. */
#ifndef MILLRACE_TESTS_PARKING_FIXTURE_H
#define MILLRACE_TESTS_PARKING_FIXTURE_H

#include <check.h>
#include <event2/event.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "client/millrace_parking.h"
#include "tests/lib/client_fixture.h"

/* Besides the daemon d, and m, another client, which is blocking. */
extern struct event_base *base;
extern mr_parking *p;
extern char url[64]; /* the daemon's, which it keeps when it is started again */

/* Channels: "jobs", bounded with room for 4; "meet", unbuffered; "latest", sliding with room for 1; "answer", a
 * promise. */
void parking_setup(void);
void parking_teardown(void);
void kill_daemon(void);
void restart_daemon(void); /* with the channels */

/* How often each of the news came. */
extern int n_connected, n_disconnected, n_failed, n_lost, n_put_failed, n_room;
extern int put_failed_status;
extern char put_failed_channel[64];

/* They count the news, and do not wait long before they connect again. */
extern const struct mr_parking_options parking_options;
mr_parking *make_client(const char *urls, const struct mr_parking_options *chosen);

/* The call succeeds, and calls nobody back before it returns. */
extern bool parking_is_calling;
#define MAKES(call)                                                                                                    \
	do {                                                                                                           \
		parking_is_calling = true;                                                                             \
		IS(MR_OK, call);                                                                                       \
		parking_is_calling = false;                                                                            \
	} while (0)

/* Runs the loop until then. */
#define LOOP_UNTIL(condition)                                                                                          \
	do {                                                                                                           \
		struct event *late = evtimer_new(base, parking_on_late, (char[]){#condition});                         \
		evtimer_add(late, &(struct timeval){.tv_sec = DAEMON_DEADLINE_MS / 1000});                             \
		while (!(condition))                                                                                   \
			ck_assert_int_eq(event_base_loop(base, EVLOOP_ONCE), 0);                                       \
		event_free(late);                                                                                      \
	} while (0)
void parking_on_late(evutil_socket_t fd, short what, void *condition);

/* The same for what the loop is not told of. */
#define TURN_UNTIL(condition)                                                                                          \
	do {                                                                                                           \
		uint64_t deadline_ms = test_now_ms() + DAEMON_DEADLINE_MS;                                             \
		while (!(condition)) {                                                                                 \
			ck_assert_msg(test_now_ms() < deadline_ms, "the loop has turned too long for: %s",             \
				      #condition);                                                                     \
			event_base_loop(base, EVLOOP_NONBLOCK);                                                        \
		}                                                                                                      \
	} while (0)

/* What a request's callback was told: the last, unless it says otherwise. */
struct seen {
	int n; /* callbacks */
	int n_last;
	int status;
	char raw[128];
	size_t arm;
	uint64_t accepted, evicted, left;
	char message[128];
	json_t *body;
	mr_parked *request;
};
void seen_clear(struct seen *one);
void on_seen(mr_parking *of, const struct mr_outcome *outcome, void *one);
/* Runs the loop until it has ended, which it has to do so. */
void ends(struct seen *one, int status);

extern struct seen seen, other_seen;
void clear(void); /* both */

#define PUT(channel, json, timeout_ms, seen)                                                                           \
	MAKES(mr_park_put(p, channel, json, strlen(json), timeout_ms, on_seen, seen, &(seen)->request))
#define TAKE(channel, timeout_ms, seen)                                                                                \
	MAKES(mr_park_take(p, channel, NULL, timeout_ms, on_seen, seen, &(seen)->request))

#endif
