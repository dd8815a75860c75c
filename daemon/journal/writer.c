/* One thread, which waits for a run, writes it, tells, and then looks after the log: a new spare, segments to drop. The
 * lock is held only to hand things over, never during a call to the disk. */
#include "daemon/journal/writer.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

enum { FULL_RETRY_S = 1 };

struct writer {
	struct carrier carrier;
	struct segment_log *log; /* the thread's */
	int event;
	pthread_t thread;
	pthread_mutex_t lock; /* of all below */
	pthread_cond_t wake;
	char *run; /* NULL: none */
	size_t run_len, run_done;
	uint64_t run_last;
	uint64_t drop_before;
	bool is_ending;
	struct carrier_status status;
};

static uint64_t now_us(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

/* With the lock, which is given up meanwhile: the loop's thread would wait for it. */
static void tell(struct writer *writer)
{
	uint64_t one = 1;
	pthread_mutex_unlock(&writer->lock);
	while (write(writer->event, &one, sizeof(one)) < 0 && errno == EINTR)
		;
	pthread_mutex_lock(&writer->lock);
}

/* With the lock. */
static void describe_log(struct writer *writer, bool is_full)
{
	const struct segment_log *log = writer->log;
	const struct segment *last = &log->segments[log->n_segments - 1];
	writer->status.bytes = segment_log_bytes(log) - last->size + log->at;
	writer->status.segments = log->n_segments;
	writer->status.left = last->size - log->at;
	writer->status.is_full = is_full;
}

/* With the lock. */
static void fail(struct writer *writer, int result)
{
	writer->status.failure = writer->log->doing;
	writer->status.failure_errno = -result;
	tell(writer);
}

/* With the lock, which is given up meanwhile. */
static void write_run(struct writer *writer)
{
	char *run = writer->run;
	size_t len = writer->run_len;
	pthread_mutex_unlock(&writer->lock);
	uint64_t begin_us = now_us();
	int result = segment_log_append(writer->log, run, len, &writer->run_done);
	uint64_t us = now_us() - begin_us;
	pthread_mutex_lock(&writer->lock);
	if (result > 0) {
		writer->status.waits_for_room = true;
		describe_log(writer, true);
		tell(writer);
		return;
	}
	writer->run = NULL;
	writer->run_done = 0;
	if (result < 0) {
		fail(writer, result);
		return;
	}
	size_t i = 0;
	while (i < CARRIER_BOUNDS && us > carrier_bounds_us[i])
		i++;
	writer->status.commits[i]++;
	writer->status.commits_us += us;
	writer->status.committed = writer->run_last;
	describe_log(writer, writer->status.is_full);
	tell(writer);
}

/* With the lock, which is given up meanwhile. */
static void look_after_log(struct writer *writer)
{
	uint64_t drop_before = writer->drop_before;
	writer->drop_before = 0;
	pthread_mutex_unlock(&writer->lock);
	int result = drop_before ? segment_log_drop_before(writer->log, drop_before) : 0, spare = 0;
	if (result == 0)
		result = segment_log_fill_ahead(writer->log);
	if (result == 0)
		spare = segment_log_make_spare(writer->log);
	bool is_full = segment_log_lacks_room(spare);
	pthread_mutex_lock(&writer->lock);
	bool was_full = writer->status.is_full;
	writer->status.waits_for_room = writer->status.waits_for_room && is_full;
	describe_log(writer, is_full);
	if (result < 0 || (spare < 0 && !is_full))
		fail(writer, result < 0 ? result : spare);
	else if (drop_before || was_full != is_full)
		tell(writer);
}

/* With the lock: whether there is a run, and room for it. */
static bool has_run(const struct writer *writer)
{
	return writer->run && !writer->status.waits_for_room;
}

/* With the lock: waits until there is something to do, or it is time to see whether there is room again. */
static void wait_for_work(struct writer *writer)
{
	struct timespec until;
	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += FULL_RETRY_S;
	while (!has_run(writer) && !writer->drop_before && !writer->is_ending)
		if (!writer->status.is_full)
			pthread_cond_wait(&writer->wake, &writer->lock);
		else if (pthread_cond_timedwait(&writer->wake, &writer->lock, &until) == ETIMEDOUT)
			return;
}

static void *run_writer(void *arg)
{
	struct writer *writer = arg;
	pthread_mutex_lock(&writer->lock);
	while (!writer->status.failure) {
		look_after_log(writer);
		if (writer->is_ending && !has_run(writer) && !writer->drop_before)
			break;
		wait_for_work(writer);
		if (has_run(writer) && !writer->status.failure)
			write_run(writer);
	}
	pthread_mutex_unlock(&writer->lock);
	return NULL;
}

static void append(struct carrier *carrier, char *run, size_t len, uint64_t last)
{
	struct writer *writer = (struct writer *)carrier;
	pthread_mutex_lock(&writer->lock);
	assert(!writer->run);
	writer->run = run;
	writer->run_len = len;
	writer->run_last = last;
	pthread_mutex_unlock(&writer->lock);
	pthread_cond_signal(&writer->wake); /* without the lock, for which whoever wakes up would wait again */
}

static void drop_before(struct carrier *carrier, uint64_t number)
{
	struct writer *writer = (struct writer *)carrier;
	pthread_mutex_lock(&writer->lock);
	writer->drop_before = number;
	pthread_mutex_unlock(&writer->lock);
	pthread_cond_signal(&writer->wake); /* without the lock, for which whoever wakes up would wait again */
}

static void status(struct carrier *carrier, struct carrier_status *out)
{
	struct writer *writer = (struct writer *)carrier;
	pthread_mutex_lock(&writer->lock);
	*out = writer->status;
	pthread_mutex_unlock(&writer->lock);
}

static const struct carrier_calls calls = {append, drop_before, status};

/* The loop's thread alone gets signals. */
static int start(struct writer *writer)
{
	sigset_t all, before;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	int result = pthread_create(&writer->thread, NULL, run_writer, writer);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return result;
}

struct writer *writer_create(struct segment_log *log)
{
	struct writer *writer = calloc(1, sizeof(*writer));
	pthread_condattr_t monotonic;
	if (!writer)
		return NULL;
	writer->carrier.calls = &calls;
	writer->log = log;
	writer->status.committed = log->next - 1;
	int spare = segment_log_make_spare(log);
	describe_log(writer, segment_log_lacks_room(spare)); /* another failure comes again, in the thread */
	writer->event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_mutex_init(&writer->lock, NULL);
	pthread_cond_init(&writer->wake, &monotonic);
	pthread_condattr_destroy(&monotonic);
	int result = writer->event < 0 ? errno : start(writer);
	if (result == 0)
		return writer;
	if (writer->event >= 0)
		close(writer->event);
	pthread_cond_destroy(&writer->wake);
	pthread_mutex_destroy(&writer->lock);
	free(writer);
	errno = result;
	return NULL;
}

void writer_destroy(struct writer *writer)
{
	if (!writer)
		return;
	pthread_mutex_lock(&writer->lock);
	writer->is_ending = true;
	pthread_cond_signal(&writer->wake);
	pthread_mutex_unlock(&writer->lock);
	pthread_join(writer->thread, NULL);
	close(writer->event);
	pthread_cond_destroy(&writer->wake);
	pthread_mutex_destroy(&writer->lock);
	free(writer);
}

struct carrier *writer_carrier(struct writer *writer)
{
	return &writer->carrier;
}

int writer_descriptor(const struct writer *writer)
{
	return writer->event;
}

void writer_hear(struct writer *writer)
{
	uint64_t n;
	while (read(writer->event, &n, sizeof(n)) < 0 && errno == EINTR)
		;
}
