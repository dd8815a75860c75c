/* The worker pipeline. Each worker takes a value, works on it, and puts the result, until there is no more to take or
 * the pipeline ends.
 *
 * Whatever ends it before its time closes `halt`, a channel of the pipeline's own that every take looks at first: so
 * the daemon wakes all workers that are parked, and none of them takes another value. In order, one worker takes at a
 * time, and the value's number is its place in the row of those who put; every number that was given gets its turn,
 * with a result or without.
 */
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "client/patterns/sources.h"
#include "client/machine/failure.h"

/* The values in hand have at most n numbers, all in a row: each waits for its turn at the place of its number, modulo
 * n. */
struct place {
	pthread_cond_t turned;
	pthread_t thread; /* of a worker; the last one is the caller's own */
};

struct pipeline {
	mr *m;
	const struct mr_pipeline *wants;
	char *halt;
	pthread_mutex_t intake; /* held by who takes, in order; before `lock` */
	pthread_mutex_t lock;   /* guards what follows */
	uint64_t turn;          /* the number of the value that is put next */
	bool is_ending;
	int status;
	char message[512];
	struct mr_pipeline_counts counts;
	struct place *places; /* one for each worker */
};

struct pipeline_value { /* a value in hand */
	struct mr_choice taken;
	uint64_t number;
	bool has_failed;
};

/* -- the end -- */

/* No more is taken. The first reason stays, but an error goes before an end that was asked for. mr_message() has the
 * message of an error. */
static void end(struct pipeline *p, int status)
{
	bool is_first;

	pthread_mutex_lock(&p->lock);
	is_first = p->status == MR_OK && status != MR_OK;
	if (is_first || (status < 0 && p->status > 0)) {
		p->status = status;
		snprintf(p->message, sizeof p->message, "%s", mr_message());
	}
	p->is_ending = true;
	pthread_mutex_unlock(&p->lock);
	if (is_first)
		(void)mr_close(p->m, p->halt); /* if that fails, the connection has, which wakes them too */
}

/* Says that a value has failed, once for each. Returns what is put instead, or NULL. */
static json_t *tell_failed(struct pipeline *p, struct pipeline_value *job, int status)
{
	if (job->has_failed)
		return NULL;
	job->has_failed = true;
	pthread_mutex_lock(&p->lock);
	p->counts.failed++;
	pthread_mutex_unlock(&p->lock);
	if (!p->wants->failed)
		return NULL;
	return p->wants->failed(p->wants->context, job->taken.raw, job->taken.raw_len, status);
}

/* -- one value -- */

static bool take(struct pipeline *p, struct pipeline_value *job)
{
	const char *from = p->wants->from;
	struct sources sources = {.guards = {p->halt, p->wants->stop}, .channels = &from, .n = 1};
	bool in_order = !p->wants->unordered;
	bool is_ending;
	int status = MR_OK;

	*job = (struct pipeline_value){.number = 0};
	if (in_order)
		pthread_mutex_lock(&p->intake);
	pthread_mutex_lock(&p->lock);
	is_ending = p->is_ending;
	pthread_mutex_unlock(&p->lock);
	if (!is_ending)
		status = patterns_take(p->m, &sources, MR_FOREVER, &job->taken);
	if (!is_ending && status == MR_OK) {
		pthread_mutex_lock(&p->lock);
		job->number = p->counts.taken++;
		pthread_mutex_unlock(&p->lock);
	}
	if (in_order)
		pthread_mutex_unlock(&p->intake);
	if (status != MR_OK)
		end(p, status == MR_CLOSED ? MR_OK : status);
	return !is_ending && status == MR_OK;
}

static json_t *work(struct pipeline *p, struct pipeline_value *job)
{
	json_t *result = NULL;
	int status = MR_EJSON;

	if (job->taken.value)
		status = p->wants->work(p->wants->context, job->taken.value, &result);
	if (status == MR_OK)
		return result;
	json_decref(result);
	result = tell_failed(p, job, status);
	if (!p->wants->failed)
		end(p, fail(MR_EFAILED, "a worker failed: status %d (%s)", status, mr_status_name(status)));
	return result;
}

static int put(struct pipeline *p, const json_t *result)
{
	int64_t patience_ms = 0;
	int status;

	do {
		patience_ms = patterns_patience_ms(patience_ms);
		status = mr_put(p->m, p->wants->to, result, patience_ms);
	} while (status == MR_TIMEOUT);

	pthread_mutex_lock(&p->lock);
	p->counts.put += status == MR_OK;
	p->counts.dropped += status == MR_DROPPED;
	pthread_mutex_unlock(&p->lock);
	return status == MR_DROPPED ? MR_OK : status;
}

/* Whether it is this value's fault that it cannot be put, and another may be. */
static bool is_unfit(int status)
{
	return status == MR_EBAD_VALUE || status == MR_EARGUMENT;
}

/* Puts the result, or what `failed` gives instead. The result is freed. */
static void deliver(struct pipeline *p, struct pipeline_value *job, json_t *result)
{
	int status = put(p, result);

	json_decref(result);
	if (status == MR_OK)
		return;
	if (!is_unfit(status) || !p->wants->failed)
		end(p, status);
	result = tell_failed(p, job, status);
	if (!result)
		return;
	status = is_unfit(status) ? put(p, result) : MR_OK;
	json_decref(result);
	if (status != MR_OK)
		end(p, status);
}

static void await_turn(struct pipeline *p, uint64_t number)
{
	pthread_mutex_lock(&p->lock);
	while (p->turn != number)
		pthread_cond_wait(&p->places[number % p->wants->n].turned, &p->lock);
	pthread_mutex_unlock(&p->lock);
}

static void pass_turn(struct pipeline *p)
{
	pthread_mutex_lock(&p->lock);
	p->turn++;
	pthread_cond_signal(&p->places[p->turn % p->wants->n].turned);
	pthread_mutex_unlock(&p->lock);
}

static void *worker(void *argument)
{
	struct pipeline *p = argument;
	struct pipeline_value job;

	while (take(p, &job)) {
		json_t *result = work(p, &job);

		if (!p->wants->unordered)
			await_turn(p, job.number);
		if (result && p->wants->to)
			deliver(p, &job, result);
		else
			json_decref(result);
		if (!p->wants->unordered)
			pass_turn(p);
		mr_choice_finish(&job.taken);
	}
	return NULL;
}

/* -- all of it -- */

/* Starts the other workers, with no signals: they are the program's own threads' business. None takes anything before
 * all are there. Returns how many. */
static size_t start(struct pipeline *p, size_t n)
{
	sigset_t all, old;
	size_t started = 0;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	pthread_mutex_lock(&p->lock);
	while (started < n && pthread_create(&p->places[started].thread, NULL, worker, p) == 0)
		started++;
	p->is_ending = started < n;
	pthread_mutex_unlock(&p->lock);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return started;
}

/* The caller's thread is a worker, too. What has ended it is in p->status. */
static void run(struct pipeline *p)
{
	size_t n = p->wants->n - 1, started = start(p, n);

	if (started < n)
		end(p, fail(MR_EMEMORY, "not enough memory for the threads of %zu workers", p->wants->n));
	worker(p);
	for (size_t i = 0; i < started; i++)
		pthread_join(p->places[i].thread, NULL);
	if (p->status == MR_OK && p->wants->to && !p->wants->keep_open)
		end(p, mr_close(p->m, p->wants->to));
	(void)mr_delete(p->m, p->halt, true, NULL);
}

static int check(mr *m, const struct mr_pipeline *wants)
{
	if (!wants || !wants->from || !wants->work)
		return fail(MR_EARGUMENT, "a pipeline needs `from` and `work`");
	if (wants->n < 1 || wants->n > MR_MAX_WORKERS)
		return fail(MR_EARGUMENT, "a pipeline has 1 to %d workers", MR_MAX_WORKERS);
	return wants->to ? patterns_find(m, wants->to) : MR_OK;
}

static int init(struct pipeline *p)
{
	size_t n = p->wants->n;

	p->places = calloc(n, sizeof(*p->places));
	if (!p->places)
		return fail(MR_EMEMORY, "not enough memory for %zu workers", n);
	for (size_t i = 0; i < n; i++)
		pthread_cond_init(&p->places[i].turned, NULL);
	pthread_mutex_init(&p->intake, NULL);
	pthread_mutex_init(&p->lock, NULL);
	return mr_create(p->m, NULL, &(struct mr_definition){.kind = "promise", .ephemeral = true}, NULL, &p->halt);
}

static void finish(struct pipeline *p)
{
	if (!p->places)
		return;
	for (size_t i = 0; i < p->wants->n; i++)
		pthread_cond_destroy(&p->places[i].turned);
	pthread_mutex_destroy(&p->lock);
	pthread_mutex_destroy(&p->intake);
	mr_free(p->halt);
	free(p->places);
}

int mr_pipeline(mr *m, const struct mr_pipeline *pipeline, struct mr_pipeline_counts *counts)
{
	struct pipeline p = {.m = m, .wants = pipeline};
	int status = check(m, pipeline);

	if (status == MR_OK)
		status = init(&p);
	if (status == MR_OK) {
		run(&p);
		status = p.status < 0 ? fail(p.status, "%s", p.message) : p.status;
	}
	finish(&p);
	if (counts)
		*counts = p.counts;
	return status;
}
