/* The event loop: sockets, signals and timers over libevent, and the one clock. Everything runs in its one thread, a
 * turn at a time: whatever is ready is handled, then the flush that was registered sends what the turn has written,
 * then `on_turn_end` is called. The loop knows nobody above it: who wants something of a turn registers a function. */
#ifndef MILLRACE_NET_LOOP_H
#define MILLRACE_NET_LOOP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct loop;
struct loop_timer;
struct loop_watch;

typedef void loop_cb(void *arg);
typedef void loop_signal_cb(void *arg, int signal_number);

struct loop *loop_create(void); /* NULL without memory or descriptors */
void loop_destroy(struct loop *loop);

/* Runs turns until loop_stop(), which may come first, the last one to its end. -1 if libevent fails. */
int loop_run(struct loop *loop, loop_cb *on_turn_end, void *arg);
void loop_stop(struct loop *loop);
/* Whether other turns come behind this one: in loop_run(), until loop_stop(). */
bool loop_goes_on(const struct loop *loop);

/* Runs one turn with the events that are there now, without waiting for any. -1 if libevent fails. */
int loop_poll(struct loop *loop, loop_cb *on_turn_end, void *arg);

/* Sets how long the loop polls, once nothing has come, before it blocks: what comes in that time need not wake it. The
 * price is a core. 0: not at all. */
void loop_set_spin(struct loop *loop, uint32_t spin_us);

/* The time in microseconds of a monotonic clock, read once a turn. */
uint64_t loop_now_us(struct loop *loop);

/* Registers what is called at the end of each turn, before `on_turn_end`. A loop has one flush; NULL: none. */
void loop_set_flush(struct loop *loop, loop_cb *flush, void *arg);

/* Says that something is to be flushed, for which a loop that polls ends its turn. */
void loop_want_flush(struct loop *loop);

/* Whether this turn has lasted so long (LOOP_LONG_TURN_US) that what is not begun yet had better wait for the next. */
enum { LOOP_LONG_TURN_US = 2000 };
bool loop_turn_is_long(const struct loop *loop);
/* Whether it has lasted for longer than that. A turn begins when its time is first read. */
bool loop_turn_has_lasted(const struct loop *loop, uint64_t us);

/* The same clock as loop_now_us(), read now. */
uint64_t loop_clock_us(void);

/* How long turns were busy, from when their time was read until all was sent: n[i] is how many took at most
 * loop_turn_bounds_us[i], and more than the bound before; the last one, how many took longer. */
enum { LOOP_TURN_BOUNDS = 10, LOOP_TOGETHER_US = 300 };
extern const uint64_t loop_turn_bounds_us[LOOP_TURN_BOUNDS];
struct loop_turns {
	uint64_t n[LOOP_TURN_BOUNDS + 1];
	uint64_t sum_us;
	uint64_t longest_us; /* of the processor's time, so that others on the machine do not count; LOOP_TOGETHER_US
				more than it was, at most */
};
const struct loop_turns *loop_turns(const struct loop *loop);
/* The longest turn of the last minute, likewise: to within LOOP_MINUTE_SLOTS parts of it. */
enum { LOOP_MINUTE_SLOTS = 6 };
uint64_t loop_longest_turn_us(const struct loop *loop);

/* Calls back for each arrival of that signal, in a turn. -1: no memory. */
int loop_on_signal(struct loop *loop, int signal_number, loop_signal_cb *cb, void *arg);

/* A timer that fires once at, or shortly after, the time it is set to. NULL without memory. */
struct loop_timer *loop_timer_create(struct loop *loop, loop_cb *cb, void *arg);
void loop_timer_destroy(struct loop_timer *timer);
void loop_timer_set(struct loop_timer *timer, uint64_t at_us); /* UINT64_MAX: not at all */

/* Calls back in each turn in which the descriptor can be read, until loop_watch_destroy(), which may be called within.
 * NULL without memory. */
struct loop_watch *loop_watch_create(struct loop *loop, int fd, loop_cb *cb, void *arg);
/* From now on it calls back when the descriptor can be read, or written, or either, or not at all. -1 without memory:
 * then not at all. */
int loop_watch_for(struct loop_watch *watch, bool reads, bool writes);
void loop_watch_destroy(struct loop_watch *watch); /* NULL is fine */

const char *loop_library_version(void); /* libevent's */

#endif
