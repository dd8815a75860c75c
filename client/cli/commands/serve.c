/* millrace serve: a command answers requests. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "client/cli/common/envelope.h"
#include "client/cli/common/report.h"
#include "client/cli/common/runner.h"

/* A reply channel without room is its owner's mistake, and must not hold up who serves: nothing waits for it. */
enum { ANSWER_TIMEOUT_MS = 0 };

/* Puts the answer. Whoever asked may have gone: that is no error of ours. Returns the status. */
static int answer(struct runner *runner, const struct job *job, struct buffer *text)
{
	const struct call *call = runner->call;
	int status;

	if (text->failed) {
		report(call, call->args[0], "no memory for an answer");
		return MR_EMEMORY;
	}
	status = runner_put(runner, job, job->reply, buffer_slice(text), ANSWER_TIMEOUT_MS);
	if (status == MR_ECONNECTION)
		runner_stop_for(runner, job->thread->m, NULL, status);
	else if (status == MR_ENO_SUCH_CHANNEL && !call->quiet)
		report(call, call->args[0], "whoever asked has gone, with %s", job->reply);
	else if (status != MR_OK && status != MR_ENO_SUCH_CHANNEL)
		(void)report_status(call, job->reply, status, "; the answer was not put");
	return status;
}

static void answer_error(struct runner *runner, const struct job *job, const char *error)
{
	struct buffer text = {0};

	envelope_write_error(&text, error);
	(void)answer(runner, job, &text);
	buffer_finish(&text);
}

static bool open_request(struct runner *runner, struct job *job)
{
	struct envelope_request request;
	const char *wrong = envelope_read_request(job->taken, &request);

	memcpy(job->reply, request.reply_to, sizeof job->reply);
	job->value = request.value;
	if (!wrong)
		return true;
	report(runner->call, runner->call->args[0], "not a request: %s", wrong);
	runner->n_failed++;
	if (*job->reply)
		answer_error(runner, job, wrong);
	return false;
}

static void fail(struct runner *runner, struct job *job)
{
	const struct call *call = runner->call;

	if (!call->quiet)
		report(call, call->args[0], "%s: %s", call->args[1], job->why);
	answer_error(runner, job, job->why);
	runner_settle(runner, job);
}

static void fail_after_all(struct runner *runner, struct job *job, const char *why)
{
	snprintf(job->why, sizeof job->why, "%s", why);
	runner->n_failed++;
	fail(runner, job);
}

static void succeed(struct runner *runner, struct job *job, struct slice result)
{
	struct buffer text = {0};
	int status;

	if (!result.bytes) {
		fail_after_all(runner, job, "the command wrote no answer");
		return;
	}
	envelope_write_reply(&text, result);
	status = answer(runner, job, &text);
	buffer_finish(&text);
	if (status == MR_OK)
		runner->n_done++;
	else if (status == MR_EBAD_VALUE)
		fail_after_all(runner, job,
			       "the answer cannot be put; it is nested too deep"); /* the envelope is one level more */
	runner_settle(runner, job);
}

static int run_serve(const struct call *call, mr *m)
{
	static const struct runner_kind kind = {
		.is_server = true, .open = open_request, .succeed = succeed, .fail = fail};

	return runner_run(call, m, &kind);
}

const struct command serve_command = {
	.name = "serve",
	.arguments = "CHANNEL -- COMMAND [ARGUMENT...]",
	.summary = "answer the requests of a channel by a command",
	.description =
		"Takes requests from CHANNEL, as `millrace request` puts them, and runs COMMAND once for each, -j "
		"of them at a time. What `millrace help work` says of commands, signals and the environment holds "
		"here too. The command gets the value of the request on standard input, and what it writes is the "
		"answer: one JSON value, or with --string any text. A command that fails for good, or writes "
		"nothing, is answered by an error, in words.\n\n"
		"The channel for the answer must be one whose name the daemon made up, and must have room (a "
		"promise has): an answer is not waited with. One that nobody waits for any more is thrown away, and "
		"told. What is no request is told and, if it names a channel for the answer, answered by an error.",
	.examples = "  millrace serve sums -j 4 -- jq -c add\n"
		    "  millrace serve -s greet -- sed 's/^/Hello, /'\n",
	.options = OPTION_BIT(OPTION_JOBS) | OPTION_BIT(OPTION_RETRY) | OPTION_BIT(OPTION_BACKOFF) |
		   OPTION_BIT(OPTION_LIMIT) | OPTION_BIT(OPTION_LEASE) | OPTION_BIT(OPTION_NUMBER) |
		   OPTION_BIT(OPTION_TIMEOUT) | OPTION_BIT(OPTION_NO_RECONNECT) | OPTION_BIT(OPTION_STRING),
	.exits = COMMON_EXITS | EXIT_BIT(EXIT_TIMEOUT) | EXIT_BIT(EXIT_NO_CHANNEL),
	.check = runner_check,
	.run_connected = run_serve,
};
