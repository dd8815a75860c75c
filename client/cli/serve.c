/* millrace serve: a command answers requests. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "client/cli/envelope.h"
#include "client/cli/report.h"
#include "client/cli/worker.h"

/* A reply channel without room is its owner's mistake, and must not hold up who serves: nothing waits for it. */
enum { ANSWER_TIMEOUT_MS = 0 };

/* Puts the answer. Whoever asked may have gone: that is no error of ours. Returns the status. */
static int answer(struct worker *worker, const struct job *job, struct buffer *text)
{
	const struct call *call = worker->call;
	int status;

	if (text->failed) {
		report(call, call->args[0], "no memory for an answer");
		return MR_EMEMORY;
	}
	status = worker_put(worker, job->reply, (struct slice){text->bytes + text->start, buffer_len(text)},
			    ANSWER_TIMEOUT_MS);
	if (status == MR_ECONNECTION)
		worker_stop_for(worker, NULL, status);
	else if (status == MR_ENO_SUCH_CHANNEL && !call->quiet)
		report(call, call->args[0], "whoever asked has gone, with %s", job->reply);
	else if (status != MR_OK && status != MR_ENO_SUCH_CHANNEL)
		(void)report_status(call, job->reply, status, "; the answer was not put");
	return status;
}

static void answer_error(struct worker *worker, const struct job *job, const char *error)
{
	struct buffer text = {0};

	envelope_write_error(&text, error);
	(void)answer(worker, job, &text);
	buffer_finish(&text);
}

static bool open_request(struct worker *worker, struct job *job)
{
	struct envelope_request request;
	const char *wrong = envelope_read_request(job->taken, &request);

	memcpy(job->reply, request.reply_to, sizeof job->reply);
	job->value = request.value;
	if (!wrong)
		return true;
	report(worker->call, worker->call->args[0], "not a request: %s", wrong);
	worker_count(worker, &worker->n_failed);
	if (*job->reply)
		answer_error(worker, job, wrong);
	return false;
}

static void fail(struct worker *worker, struct job *job)
{
	const struct call *call = worker->call;

	if (!call->quiet)
		report(call, call->args[0], "%s: %s", call->args[1], job->why);
	answer_error(worker, job, job->why);
	worker_settle(worker, job);
}

static void fail_after_all(struct worker *worker, struct job *job, const char *why)
{
	snprintf(job->why, sizeof job->why, "%s", why);
	worker_count(worker, &worker->n_failed);
	fail(worker, job);
}

static void succeed(struct worker *worker, struct job *job, struct slice result)
{
	struct buffer text = {0};
	int status;

	if (!result.bytes) {
		fail_after_all(worker, job, "the command wrote no answer");
		return;
	}
	envelope_write_reply(&text, result);
	status = answer(worker, job, &text);
	buffer_finish(&text);
	if (status == MR_OK)
		worker_count(worker, &worker->n_done);
	else if (status == MR_EBAD_VALUE)
		fail_after_all(worker, job,
			       "the answer cannot be put; it is nested too deep"); /* the envelope is one level more */
	worker_settle(worker, job);
}

int run_serve(const struct call *call)
{
	static const struct worker_kind kind = {
		.is_server = true, .open = open_request, .succeed = succeed, .fail = fail};

	return worker_run(call, &kind);
}
