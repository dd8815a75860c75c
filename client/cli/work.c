/* millrace work: a command for each value, and its result into another channel. */
#include <stdio.h>
#include <string.h>

#include "client/cli/report.h"
#include "client/cli/worker.h"

static bool open_value(struct worker *worker, struct job *job)
{
	(void)worker;
	(void)job;
	return true;
}

/* Nothing else will remember the value: it is told, all of it. */
static void tell_lost(struct worker *worker, const struct job *job)
{
	struct buffer line = {0};
	const char *text = job->value.bytes;
	size_t len = job->value.len;

	text_append_line(&line, job->value, false);
	if (!line.failed) {
		text = line.bytes + line.start;
		len = buffer_len(&line);
	}
	flockfile(stderr);
	report(worker->call, worker->call->args[0], "%s: %s; this value is lost:", worker->call->args[1], job->why);
	report_text(stderr, text, len);
	fputc('\n', stderr);
	funlockfile(stderr);
	buffer_finish(&line);
	worker_count(worker, &worker->n_lost);
}

/* The value goes back, if it is leased. */
static void give_up(struct worker *worker, struct job *job)
{
	const struct call *call = worker->call;

	if (!worker_return(worker, job))
		tell_lost(worker, job);
	else if (!call->quiet)
		report(call, call->args[0], "%s: %s; the value is back in the channel", call->args[1], job->why);
}

static void fail(struct worker *worker, struct job *job)
{
	const struct call *call = worker->call;
	int status;

	if (!call->failed) {
		give_up(worker, job);
		return;
	}
	status = worker_put(worker, call->failed, job->value, MR_FOREVER);
	if (status == MR_OK) {
		if (!call->quiet)
			report(call, call->args[0], "%s: %s; the value is in %s", call->args[1], job->why,
			       call->failed);
		worker_settle(worker, job);
		return;
	}
	if (status != MR_DROPPED && status != MR_CANCELLED)
		worker_stop_for(worker, call->failed, status);
	give_up(worker, job);
}

static void succeed(struct worker *worker, struct job *job, struct slice result)
{
	const char *to = worker->call->to;
	int status = result.bytes ? worker_put(worker, to, result, MR_FOREVER) : MR_OK;

	if (status == MR_OK || status == MR_DROPPED) {
		worker_settle(worker, job);
		worker_count(worker, &worker->n_done);
		if (status == MR_DROPPED)
			worker_count(worker, &worker->n_dropped);
		return;
	}
	if (status != MR_CANCELLED)
		worker_stop_for(worker, to, status);
	snprintf(job->why, sizeof job->why, "its result could not be put into %s", to);
	worker_count(worker, &worker->n_failed);
	fail(worker, job);
}

int run_work(const struct call *call)
{
	static const struct worker_kind kind = {.open = open_value, .succeed = succeed, .fail = fail};

	return worker_run(call, &kind);
}
