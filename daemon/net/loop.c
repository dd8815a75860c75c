/* Turns of libevent's loop, with the clock, timers and signals. */
#include "daemon/net/loop.h"

#include <assert.h>
#include <event2/event.h>
#include <stdlib.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "daemon/net/loop_base.h"

struct loop {
	struct event_base *base;
	loop_cb *flush;
	void *flush_arg;
	bool wants_flush;
	bool is_running, is_stopped;
	bool now_is_read; /* in this turn */
	uint32_t spin_us;
	uint64_t now_us;
	struct loop_turns turns;
	uint64_t busy_until_us; /* the processor's time of this thread, when it was last measured */
	uint64_t measured_us;   /* and when that was */
	struct longest_turn {
		uint64_t slot; /* which part of a minute, since the clock began */
		uint64_t us;
	} longest[LOOP_MINUTE_SLOTS];
	struct loop_signal *signals;
	struct loop_timer *timers; /* all of them: there are few */
	struct event *timer_event; /* of timer_fd, which can be read once armed_us has come */
	int timer_fd;
	uint64_t armed_us; /* never later than the first that is to fire; UINT64_MAX: it is not armed */
};

struct loop_signal {
	struct loop_signal *next;
	struct event *event;
	loop_signal_cb *cb;
	void *arg;
};

struct loop_timer {
	struct loop *loop;
	struct loop_timer *next;
	loop_cb *cb;
	void *arg;
	uint64_t at_us;
	bool is_due;
};

static void on_timer_fd(evutil_socket_t fd, short what, void *arg);

struct loop *loop_create(void)
{
	struct loop *loop = calloc(1, sizeof(*loop));
	if (!loop)
		return NULL;
	loop->armed_us = UINT64_MAX;
	loop->timer_fd = -1;
	struct event_config *config = event_config_new();
	if (!config)
		goto failed;
	loop->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
	event_config_set_flag(config, EVENT_BASE_FLAG_NOLOCK); /* one thread needs no locks */
	loop->base = event_base_new_with_config(config);
	if (loop->timer_fd < 0 || !loop->base)
		goto failed;
	loop->timer_event = event_new(loop->base, loop->timer_fd, EV_READ | EV_PERSIST, on_timer_fd, loop);
	if (!loop->timer_event || event_add(loop->timer_event, NULL) < 0)
		goto failed;
	event_config_free(config);
	return loop;

failed:
	if (config)
		event_config_free(config);
	loop_destroy(loop);
	return NULL;
}

void loop_destroy(struct loop *loop)
{
	if (!loop)
		return;
	struct loop_signal *signal = loop->signals, *next;
	for (; signal; signal = next) {
		next = signal->next;
		event_free(signal->event);
		free(signal);
	}
	if (loop->timer_event)
		event_free(loop->timer_event);
	if (loop->base)
		event_base_free(loop->base);
	if (loop->timer_fd >= 0)
		close(loop->timer_fd);
	free(loop);
}

uint64_t loop_clock_us(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

const uint64_t loop_turn_bounds_us[LOOP_TURN_BOUNDS] = {20, 50, 100, 200, 500, 1000, 2000, 5000, 20000, 100000};

enum { SLOT_US = 60 * 1000000 / LOOP_MINUTE_SLOTS };

/* The processor's time of this thread. What passes between two turns is next to nothing. */
static uint64_t busy_us(void)
{
	struct timespec busy;
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &busy);
	return (uint64_t)busy.tv_sec * 1000000 + (uint64_t)busy.tv_nsec / 1000;
}

/* To ask for the processor's time is dear to a short turn: turns are measured together until they have lasted
 * LOOP_TOGETHER_US. A long one seems by as much longer, at most. */
static void measure_turn(struct loop *loop, uint64_t ended_us)
{
	if (ended_us - loop->measured_us < LOOP_TOGETHER_US)
		return;
	uint64_t until_us = busy_us(), us = until_us - loop->busy_until_us, slot = loop->now_us / SLOT_US;
	struct longest_turn *longest = &loop->longest[slot % LOOP_MINUTE_SLOTS];
	loop->busy_until_us = until_us;
	loop->measured_us = ended_us;
	if (longest->slot != slot)
		*longest = (struct longest_turn){.slot = slot};
	if (us > longest->us)
		longest->us = us;
	if (us > loop->turns.longest_us)
		loop->turns.longest_us = us;
}

uint64_t loop_longest_turn_us(const struct loop *loop)
{
	uint64_t longest_us = 0, slot = loop_clock_us() / SLOT_US;
	for (int i = 0; i < LOOP_MINUTE_SLOTS; i++)
		if (loop->longest[i].slot + LOOP_MINUTE_SLOTS > slot && loop->longest[i].us > longest_us)
			longest_us = loop->longest[i].us;
	return longest_us;
}

static void count_turn(struct loop *loop, uint64_t ended_us)
{
	uint64_t us = ended_us - loop->now_us;
	size_t i = 0;
	while (i < LOOP_TURN_BOUNDS && us > loop_turn_bounds_us[i])
		i++;
	loop->turns.n[i]++;
	loop->turns.sum_us += us;
}

const struct loop_turns *loop_turns(const struct loop *loop)
{
	return &loop->turns;
}

static void end_turn(struct loop *loop, loop_cb *on_turn_end, void *arg)
{
	loop->wants_flush = false;
	if (loop->flush)
		loop->flush(loop->flush_arg);
	on_turn_end(arg);
	if (loop->now_is_read) {
		uint64_t ended_us = loop_clock_us();
		count_turn(loop, ended_us);
		measure_turn(loop, ended_us);
	}
	loop->now_is_read = false;
}

void loop_set_spin(struct loop *loop, uint32_t spin_us)
{
	loop->spin_us = spin_us;
}

void loop_set_flush(struct loop *loop, loop_cb *flush, void *arg)
{
	assert(!loop->flush || !flush);
	loop->flush = flush;
	loop->flush_arg = arg;
}

void loop_want_flush(struct loop *loop)
{
	loop->wants_flush = true;
}

bool loop_turn_has_lasted(const struct loop *loop, uint64_t us)
{
	return loop->now_is_read && loop_clock_us() - loop->now_us > us;
}

bool loop_turn_is_long(const struct loop *loop)
{
	return loop_turn_has_lasted(loop, LOOP_LONG_TURN_US);
}

/* Whether anything has happened that the turn's end has to look after: something to send, or anything for which the
 * time was read. */
static bool has_happened(const struct loop *loop)
{
	return loop->now_is_read || loop->wants_flush || loop->is_stopped;
}

/* Handles the events that are there now, each once. Without EVLOOP_ONCE libevent would go round for as long as any
 * descriptor is ready, while nothing is sent and time stands still. */
static int handle_ready(struct loop *loop)
{
	return event_base_loop(loop->base, EVLOOP_NONBLOCK | EVLOOP_ONCE) < 0 ? -1 : 0;
}

/* Waits for events, and handles them. */
static int wait_and_handle(struct loop *loop)
{
	if (loop->spin_us > 0) {
		uint64_t end_us = loop_clock_us() + loop->spin_us;
		do {
			if (handle_ready(loop) < 0)
				return -1;
			if (has_happened(loop))
				return 0;
		} while (loop_clock_us() < end_us);
	}
	return event_base_loop(loop->base, EVLOOP_ONCE) < 0 ? -1 : 0;
}

int loop_run(struct loop *loop, loop_cb *on_turn_end, void *arg)
{
	loop->is_running = true;
	loop->busy_until_us = busy_us(); /* what came before, the start of the daemon, is no turn */
	int result = 0;
	end_turn(loop, on_turn_end, arg);
	while (!loop->is_stopped && result == 0) {
		result = wait_and_handle(loop);
		end_turn(loop, on_turn_end, arg);
	}
	loop->is_running = false;
	if (loop->flush) /* what had been put off to a turn that does not come */
		loop->flush(loop->flush_arg);
	loop->is_stopped = false;
	return result;
}

int loop_poll(struct loop *loop, loop_cb *on_turn_end, void *arg)
{
	int result = handle_ready(loop);
	end_turn(loop, on_turn_end, arg);
	return result;
}

void loop_stop(struct loop *loop)
{
	loop->is_stopped = true;
}

bool loop_goes_on(const struct loop *loop)
{
	return loop->is_running && !loop->is_stopped;
}

uint64_t loop_now_us(struct loop *loop)
{
	if (!loop->now_is_read) {
		loop->now_us = loop_clock_us();
		loop->now_is_read = true;
	}
	return loop->now_us;
}

static void on_signal(evutil_socket_t number, short what, void *arg)
{
	(void)what;
	struct loop_signal *signal = arg;
	signal->cb(signal->arg, (int)number);
}

int loop_on_signal(struct loop *loop, int signal_number, loop_signal_cb *cb, void *arg)
{
	struct loop_signal *signal = calloc(1, sizeof(*signal));
	if (!signal)
		return -1;
	*signal = (struct loop_signal){.next = loop->signals, .cb = cb, .arg = arg};
	signal->event = evsignal_new(loop->base, signal_number, on_signal, signal);
	if (!signal->event || event_add(signal->event, NULL) < 0) {
		if (signal->event)
			event_free(signal->event);
		free(signal);
		return -1;
	}
	loop->signals = signal;
	return 0;
}

struct loop_watch {
	struct event_base *base;
	struct event *event;
	loop_cb *cb;
	void *arg;
	int fd;
};

static void on_watched(evutil_socket_t fd, short what, void *arg)
{
	(void)fd, (void)what;
	struct loop_watch *watch = arg;
	watch->cb(watch->arg);
}

int loop_watch_for(struct loop_watch *watch, bool reads, bool writes)
{
	short what = (short)((reads ? EV_READ : 0) | (writes ? EV_WRITE : 0));
	event_del(watch->event);
	if (!what)
		return 0;
	event_assign(watch->event, watch->base, watch->fd, what | EV_PERSIST, on_watched, watch);
	return event_add(watch->event, NULL);
}

struct loop_watch *loop_watch_create(struct loop *loop, int fd, loop_cb *cb, void *arg)
{
	struct loop_watch *watch = calloc(1, sizeof(*watch));
	if (!watch)
		return NULL;
	*watch = (struct loop_watch){.base = loop->base, .cb = cb, .arg = arg, .fd = fd};
	watch->event = event_new(loop->base, fd, 0, on_watched, watch);
	if (watch->event && loop_watch_for(watch, true, false) == 0)
		return watch;
	loop_watch_destroy(watch);
	return NULL;
}

void loop_watch_destroy(struct loop_watch *watch)
{
	if (watch && watch->event)
		event_free(watch->event);
	free(watch);
}

/* -- Timers: libevent's own would have it ask the system for each turn anew -- */

static void arm(struct loop *loop, uint64_t at_us)
{
	/* Zero would mean never. */
	struct itimerspec at = {
		.it_value = {.tv_sec = (time_t)(at_us / 1000000), .tv_nsec = (long)(at_us % 1000000 * 1000) + 1}};
	loop->armed_us = at_us;
	timerfd_settime(loop->timer_fd, TFD_TIMER_ABSTIME, &at, NULL);
}

/* What a timer's function sets fires in a turn to come. */
static void on_timer_fd(evutil_socket_t fd, short what, void *arg)
{
	(void)what;
	struct loop *loop = arg;
	struct loop_timer *timer;
	uint64_t n_times, now_us = loop_clock_us(), first_us = UINT64_MAX;
	if (read(fd, &n_times, sizeof(n_times)) < 0)
		return;
	loop->armed_us = UINT64_MAX;
	for (timer = loop->timers; timer; timer = timer->next)
		timer->is_due = timer->at_us <= now_us;
	for (timer = loop->timers; timer;) {
		if (!timer->is_due) {
			timer = timer->next;
			continue;
		}
		timer->is_due = false;
		timer->at_us = UINT64_MAX;
		timer->cb(timer->arg);
		timer = loop->timers; /* it may have destroyed some */
	}
	for (timer = loop->timers; timer; timer = timer->next)
		first_us = timer->at_us < first_us ? timer->at_us : first_us;
	if (first_us < loop->armed_us)
		arm(loop, first_us);
}

struct loop_timer *loop_timer_create(struct loop *loop, loop_cb *cb, void *arg)
{
	struct loop_timer *timer = malloc(sizeof(*timer));
	if (!timer)
		return NULL;
	*timer = (struct loop_timer){.loop = loop, .next = loop->timers, .cb = cb, .arg = arg, .at_us = UINT64_MAX};
	loop->timers = timer;
	return timer;
}

void loop_timer_destroy(struct loop_timer *timer)
{
	if (!timer)
		return;
	struct loop_timer **at = &timer->loop->timers;
	while (*at != timer)
		at = &(*at)->next;
	*at = timer->next;
	free(timer);
}

void loop_timer_set(struct loop_timer *timer, uint64_t at_us)
{
	timer->at_us = at_us;
	timer->is_due = false;
	if (at_us < timer->loop->armed_us) /* else it is armed for an earlier time, and then for this one */
		arm(timer->loop, at_us);
}

const char *loop_library_version(void)
{
	return event_get_version();
}

struct event_base *loop_base(struct loop *loop)
{
	return loop->base;
}
