/* Each worker keeps a ring of requests in flight: when it is full, the oldest is waited for, and the next begun. Values
 * are strings that begin with the time at which they were put; both ends are in this process, and so have the same
 * clock. */
#include "client/cli/common/load.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/cli/common/report.h"
#include "client/cli/common/session.h"
#include "client/net/clock.h"
#include "proto/buffer.h"

enum { TIME_DIGITS = 20 };

struct load_worker {
	struct load *load;
	mr *m;
	bool is_producer;
	bool is_started;
	pthread_t thread;
	mr_request **ring;
	size_t head, n;     /* of the ring: the oldest, and how many are in flight */
	struct buffer text; /* of a put: its value, or array of values */
	atomic_uint_fast64_t taken, dropped, evicted;
	struct histogram latencies;
};

static void count(atomic_uint_fast64_t *counter, uint64_t n)
{
	atomic_fetch_add_explicit(counter, n, memory_order_relaxed);
}

static void fail(struct load *load, int status)
{
	pthread_mutex_lock(&load->lock);
	if (load->status == MR_OK) {
		load->status = status;
		snprintf(load->message, sizeof load->message, "%s",
			 status < 0 ? mr_message() : "the channel was closed by somebody else");
	}
	pthread_mutex_unlock(&load->lock);
	atomic_store(&load->is_over, true);
}

/* -- Producers -- */

/* As JSON: a string of `size` bytes, or an array of so many such. The bytes are written once; then only the times
 * change. */
static bool prepare_text(struct load_worker *worker)
{
	const struct call *call = worker->load->call;

	for (uint64_t i = 0; i < call->batch; i++) {
		char *to;

		if (call->batch > 1)
			buffer_append(&worker->text, i ? "," : "[", 1);
		if (!(to = buffer_reserve(&worker->text, call->size)))
			return false;
		memset(to, 'x', call->size);
		to[0] = to[call->size - 1] = '"';
		buffer_commit(&worker->text, call->size);
	}
	if (call->batch > 1)
		buffer_append(&worker->text, "]", 1);
	return !worker->text.failed;
}

static int begin_put(struct load_worker *worker, mr_request **request)
{
	const struct call *call = worker->load->call;
	size_t first = call->batch > 1 ? 2 : 1, len = buffer_len(&worker->text);
	char digits[TIME_DIGITS + 1], *text = worker->text.bytes;

	snprintf(digits, sizeof digits, "%0*" PRId64, TIME_DIGITS, clock_now_ns());
	for (uint64_t i = 0; i < call->batch; i++)
		memcpy(text + first + i * (call->size + 1), digits, TIME_DIGITS);
	if (call->batch > 1)
		return mr_begin_put_many(worker->m, request, worker->load->channel, text, len, MR_FOREVER);
	return mr_begin_put(worker->m, request, worker->load->channel, text, len, MR_FOREVER);
}

/* A put has ended. Whether the worker goes on. */
static bool end_put(struct load_worker *worker, int status, const struct mr_result *result)
{
	uint64_t batch = worker->load->call->batch;

	if (status == MR_OK) {
		count(&worker->evicted, result->evicted);
		return true;
	}
	if (status == MR_DROPPED) {
		count(&worker->dropped, batch > 1 ? batch - result->accepted : 1);
		return true;
	}
	if (!atomic_load(&worker->load->is_over))
		fail(worker->load, status);
	return false;
}

/* -- Consumers -- */

static int begin_take(struct load_worker *worker, mr_request **request)
{
	const struct call *call = worker->load->call;

	return mr_begin_take(worker->m, request, worker->load->channel, call->batch > 1 ? call->batch : 0, MR_FOREVER);
}

/* All values have one size, so each one's place is known. */
static void read_values(struct load_worker *worker, const char *text, size_t len)
{
	const struct call *call = worker->load->call;
	size_t at = call->batch > 1 ? 1 : 0;
	int64_t now = clock_now_ns();
	uint64_t n = 0;

	for (; at + call->size <= len; at += call->size + 1, n++) {
		int64_t put_at = strtoll(text + at + 1, NULL, 10);

		histogram_add(&worker->latencies, now > put_at ? (uint64_t)(now - put_at) : 0);
	}
	count(&worker->taken, n);
}

static bool end_take(struct load_worker *worker, int status, const struct mr_result *result)
{
	if (status == MR_OK) {
		read_values(worker, result->raw, result->raw_len);
		return true;
	}
	if (status != MR_CLOSED || !atomic_load(&worker->load->is_over))
		fail(worker->load, status);
	return false;
}

/* -- Workers -- */

/* Waits for the oldest request. Whether the worker goes on. */
static bool end_oldest(struct load_worker *worker)
{
	struct mr_result result;
	int status = mr_wait(worker->m, worker->ring[worker->head], &result);
	bool goes_on = worker->is_producer ? end_put(worker, status, &result) : end_take(worker, status, &result);

	mr_result_finish(&result);
	worker->head = (worker->head + 1) % worker->load->call->window;
	worker->n--;
	return goes_on;
}

static bool begin_next(struct load_worker *worker)
{
	mr_request **request = &worker->ring[(worker->head + worker->n) % worker->load->call->window];
	int status = worker->is_producer ? begin_put(worker, request) : begin_take(worker, request);

	if (status != MR_OK) {
		fail(worker->load, status);
		return false;
	}
	worker->n++;
	return true;
}

static void *work(void *arg)
{
	struct load_worker *worker = arg;
	struct load *load = worker->load;
	bool goes_on = true;

	pthread_mutex_lock(&load->lock); /* held until all are there */
	pthread_mutex_unlock(&load->lock);
	while (goes_on && !(worker->is_producer && atomic_load(&load->is_over))) {
		goes_on = begin_next(worker);
		if (goes_on && worker->n == load->call->window)
			goes_on = end_oldest(worker);
	}
	while (worker->n > 0)
		(void)end_oldest(worker);
	return NULL;
}

static int connect_worker(struct load *load, struct load_worker *worker, bool is_producer)
{
	worker->load = load;
	worker->is_producer = is_producer;
	worker->ring = calloc(load->call->window, sizeof(mr_request *));
	if (!worker->ring || (is_producer && !prepare_text(worker)))
		return report(load->call, NULL, "not enough memory");
	return session_open(load->call, &worker->m);
}

static int start_worker(struct load_worker *worker)
{
	worker->is_started = pthread_create(&worker->thread, NULL, work, worker) == 0;
	if (worker->is_started)
		return EXIT_OK;
	return report(worker->load->call, NULL, "no more threads can be started; try fewer producers and consumers");
}

/* -- The whole -- */

int load_begin(struct load *load)
{
	size_t n = (size_t)(load->call->producers + load->call->consumers);
	int code = EXIT_OK;

	pthread_mutex_init(&load->lock, NULL);
	load->workers = calloc(n, sizeof *load->workers);
	if (!load->workers)
		return report(load->call, NULL, "not enough memory");
	for (; load->n_workers < n && code == EXIT_OK; load->n_workers++)
		code = connect_worker(load, &load->workers[load->n_workers], load->n_workers < load->call->producers);
	pthread_mutex_lock(&load->lock);
	for (size_t i = 0; i < n && code == EXIT_OK; i++)
		code = start_worker(&load->workers[i]);
	atomic_store(&load->is_over, code != EXIT_OK);
	pthread_mutex_unlock(&load->lock);
	return code;
}

struct load_sums load_sums(const struct load *load)
{
	struct load_sums sums = {0};

	for (size_t i = 0; i < load->n_workers; i++) {
		struct load_worker *worker = &load->workers[i];

		sums.taken += atomic_load_explicit(&worker->taken, memory_order_relaxed);
		sums.dropped += atomic_load_explicit(&worker->dropped, memory_order_relaxed);
		sums.evicted += atomic_load_explicit(&worker->evicted, memory_order_relaxed);
	}
	return sums;
}

bool load_has_failed(const struct load *load)
{
	return atomic_load(&load->is_over); /* before load_end(), only a failure sets it */
}

static void join(struct load *load, bool producers)
{
	for (size_t i = 0; i < load->n_workers; i++) {
		struct load_worker *worker = &load->workers[i];

		if (worker->is_started && worker->is_producer == producers) {
			pthread_join(worker->thread, NULL);
			worker->is_started = false;
		}
	}
}

void load_end(struct load *load, mr *control)
{
	bool has_failed = load_has_failed(load);

	atomic_store(&load->is_over, true);
	if (has_failed)
		(void)mr_delete(control, load->channel, true, NULL);
	join(load, true);
	if (!has_failed)
		(void)mr_close(control, load->channel);
	join(load, false);
}

void load_latencies(const struct load *load, struct histogram *histogram)
{
	for (size_t i = 0; i < load->n_workers; i++)
		histogram_merge(histogram, &load->workers[i].latencies);
}

void load_finish(struct load *load)
{
	for (size_t i = 0; i < load->n_workers; i++) {
		mr_destroy(load->workers[i].m);
		free(load->workers[i].ring);
		buffer_finish(&load->workers[i].text);
	}
	free(load->workers);
	pthread_mutex_destroy(&load->lock);
}
