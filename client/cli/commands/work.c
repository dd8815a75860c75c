/* millrace work: a command for each value, and its result into another channel. */
#include <stdio.h>
#include <string.h>

#include "client/cli/common/report.h"
#include "client/cli/common/runner.h"

/* Nothing else will remember the value: it is told, all of it. */
static void tell_lost(struct runner *runner, const struct job *job)
{
	struct buffer line = {0};
	const char *text = job->value.bytes;
	size_t len = job->value.len;

	value_text_append_line(&line, job->value, false);
	if (!line.failed) {
		text = line.bytes + line.start;
		len = buffer_len(&line);
	}
	flockfile(stderr);
	report(runner->call, runner->call->args[0], "%s: %s; this value is lost:", runner->call->args[1], job->why);
	report_text(stderr, text, len);
	fputc('\n', stderr);
	funlockfile(stderr);
	buffer_finish(&line);
	runner->n_lost++;
}

/* The value goes back, if it is leased. */
static void give_up(struct runner *runner, struct job *job)
{
	const struct call *call = runner->call;

	if (!runner_return(runner, job))
		tell_lost(runner, job);
	else if (!call->quiet)
		report(call, call->args[0], "%s: %s; the value is back in the channel", call->args[1], job->why);
}

static void fail(struct runner *runner, struct job *job)
{
	const struct call *call = runner->call;
	int status;

	if (!call->failed) {
		give_up(runner, job);
		return;
	}
	status = runner_put(runner, job, call->failed, job->value, MR_FOREVER);
	if (status == MR_OK) {
		if (!call->quiet)
			report(call, call->args[0], "%s: %s; the value is in %s", call->args[1], job->why,
			       call->failed);
		runner_settle(runner, job);
		return;
	}
	if (status != MR_DROPPED && status != MR_CANCELLED)
		runner_stop_for(runner, job->thread->m, call->failed, status);
	give_up(runner, job);
}

static void succeed(struct runner *runner, struct job *job, struct slice result)
{
	const char *to = runner->call->to;
	int status = result.bytes ? runner_put(runner, job, to, result, MR_FOREVER) : MR_OK;

	if (status == MR_OK || status == MR_DROPPED) {
		runner_settle(runner, job);
		runner->n_done++;
		if (status == MR_DROPPED)
			runner->n_dropped++;
		return;
	}
	if (status != MR_CANCELLED)
		runner_stop_for(runner, job->thread->m, to, status);
	snprintf(job->why, sizeof job->why, "its result could not be put into %s", to);
	runner->n_failed++;
	fail(runner, job);
}

static int run_work(const struct call *call, mr *m)
{
	static const struct runner_kind kind = {.succeed = succeed, .fail = fail};

	return runner_run(call, m, &kind);
}

const struct command work_command = {
	.name = "work",
	.arguments = "CHANNEL -- COMMAND [ARGUMENT...]",
	.summary = "run a command for each value of a channel",
	.description =
		"Takes values from CHANNEL, and runs COMMAND once for each, -j of them at a time, until the channel "
		"is closed and empty, or -n values are done. The command gets the value on its standard input, as "
		"one line of JSON; with --string the plain text of a string. It is run without a shell (for one, "
		"write sh -c '...'). A value is taken only when a command can begin with it.\n\n"
		"With --to what the command writes to standard output is put into that channel: one JSON value, or "
		"with --string any text, as a string without the line ends after it. Nothing written, nothing put. "
		"It waits for room there before it takes the next value. Results come in the order in which "
		"commands end. Without --to the commands write to this program's standard output.\n\n"
		"A command fails if its exit status is not 0, if a signal or --limit ends it, or if what it writes "
		"with --to is not JSON. With --retry it is tried again, after a pause. When it has failed for good, "
		"the value is put into the channel of --failed; without that, or if that cannot be, it goes back to "
		"its place in CHANNEL, to be delivered once more after a pause, and the exit code is 1 in the end. "
		"An exit status of 255 is not tried again, and stops all, as with xargs.\n\n"
		"Until its command has done it, a value is only leased, and the lease extended as long as need be: "
		"if this program is killed, or its machine, the value goes back to CHANNEL, so each is done at "
		"least once. How often it is delivered before it goes to a dead letter channel is the definition of "
		"CHANNEL: max_deliveries. With --lease 0 (which a promise needs) a value is taken for good: then "
		"one that has failed is written to standard error, all of it, and one that is being done is lost "
		"with this program.\n\n"
		"Ctrl-C, SIGTERM or SIGHUP: no more values are taken; commands that run go on to their end, and "
		"their results are put; one that waits for its next attempt has it now, and no other. A second "
		"signal ends the commands: SIGTERM, and 5 s later SIGKILL. Their values have failed for good.\n\n"
		"The command finds in its environment: MILLRACE_CHANNEL, where the value came from; "
		"MILLRACE_ATTEMPT, 1 for the first; MILLRACE_DELIVERY, 1 for the first, if it is leased; "
		"MILLRACE_WORKER, 1 to -j, of which no two are the same at a time; MILLRACE_URL, if --url was "
		"given. Other than with xargs, Ctrl-C in a terminal does not reach it. The exit code is 3 if no "
		"value came for --timeout, 130 after Ctrl-C, 0 after SIGTERM. With -o json it prints in the end "
		"{\"done\":N,\"failed\":N,\"dropped\":N,\"lost\":N,\"returned\":N}.\n\n"
		"When the daemon goes away, or the network to it, commands that run go on, and it waits until that "
		"is back. The values that it worked on then are delivered once more.",
	.examples = "  millrace work jobs -j 4 -- ./handle\n"
		    "  millrace work urls --to pages --failed bad-urls -j 8 --retry 3 --limit 30s \\\n"
		    "    -s -- xargs curl -fsS\n"
		    "  millrace work photos -n 100 -- \\\n"
		    "    sh -c 'convert \"$(jq -r .path)\" -resize 50% \"/tmp/$MILLRACE_WORKER.png\"'\n",
	.options = OPTION_BIT(OPTION_JOBS) | OPTION_BIT(OPTION_TO) | OPTION_BIT(OPTION_FAILED) |
		   OPTION_BIT(OPTION_RETRY) | OPTION_BIT(OPTION_BACKOFF) | OPTION_BIT(OPTION_LIMIT) |
		   OPTION_BIT(OPTION_LEASE) | OPTION_BIT(OPTION_NUMBER) | OPTION_BIT(OPTION_TIMEOUT) |
		   OPTION_BIT(OPTION_NO_RECONNECT) | OPTION_BIT(OPTION_STRING),
	.exits = COMMON_EXITS | EXIT_BIT(EXIT_TIMEOUT) | EXIT_BIT(EXIT_CLOSED) | EXIT_BIT(EXIT_NO_CHANNEL) |
		 EXIT_BIT(EXIT_DROPPED),
	.check = runner_check,
	.run_connected = run_work,
};
