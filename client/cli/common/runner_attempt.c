/* One run of a runner's command for a value, and what is to be thought of it. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/cli/common/child.h"
#include "client/cli/common/runner.h"

enum {
	STOPPING_STATUS = 255, /* a command's exit status that stops all, as xargs has it */
	PADDING_BYTES = 1024,  /* white space that a result may have around it */
};

static void write_input(struct runner *runner, const struct job *job, struct buffer *input)
{
	if (runner->call->strings)
		value_text_append_plain(input, job->value);
	else
		value_text_append_line(input, job->value, false);
	buffer_append(input, "\n", 1);
}

/* The command with its input and environment. What it wrote is in *output. */
static enum child_end run_command(struct runner *runner, const struct job *job, struct buffer *output, int *detail)
{
	const struct call *call = runner->call;
	char where[1024], channel[NAME_MAX_BYTES + 32], attempt[64], delivery[64];
	char *settings[] = {channel, attempt, delivery, (char *)job->thread->number, where};
	struct buffer input = {0};
	enum child_end end = CHILD_IMPOSSIBLE;
	char **environment;

	snprintf(channel, sizeof channel, "MILLRACE_CHANNEL=%s", call->args[0]);
	snprintf(attempt, sizeof attempt, "MILLRACE_ATTEMPT=%" PRIu64, job->attempt);
	snprintf(delivery, sizeof delivery, "MILLRACE_DELIVERY=%" PRIu64, job->delivery);
	snprintf(where, sizeof where, "%s=%s", call->url ? "MILLRACE_URL" : "MILLRACE_CONTEXT",
		 call->url       ? call->url
		 : call->context ? call->context
				 : "");
	environment = child_environment(settings, call->url || call->context ? 5 : 4);
	write_input(runner, job, &input);
	*detail = ENOMEM;
	if (environment && !input.failed) {
		struct child_task task = {
			.argv = call->args + 1,
			.environment = environment,
			.input = buffer_slice(&input),
			.output = runner->kind->is_server || call->to ? output : NULL,
			.max_output = runner->max_value_bytes + PADDING_BYTES,
			.limit_ms = call->limit_ms,
			.stop_fd = runner->abort.fd,
		};

		end = child_run(&task, detail);
	}
	free(environment);
	buffer_finish(&input);
	return end;
}

/* Whether the command ended well; else job->why. */
static bool judge(struct runner *runner, struct job *job, enum child_end end, int detail)
{
	switch (end) {
	case CHILD_EXITED:
		if (detail == 0)
			return true;
		snprintf(job->why, sizeof job->why, "exit status %d", detail);
		job->is_hopeless = detail == STOPPING_STATUS;
		break;
	case CHILD_SIGNALLED:
		snprintf(job->why, sizeof job->why, "ended by signal %d, %s", detail, strsignal(detail));
		break;
	case CHILD_LATE:
		snprintf(job->why, sizeof job->why, "not done within %" PRId64 " ms", runner->call->limit_ms);
		break;
	case CHILD_STOPPED:
		snprintf(job->why, sizeof job->why, "ended by a second signal to millrace");
		break;
	case CHILD_WORDY:
		snprintf(job->why, sizeof job->why, "it wrote more than the %zu bytes that a value may have",
			 runner->max_value_bytes);
		break;
	case CHILD_IMPOSSIBLE:
		snprintf(job->why, sizeof job->why, "cannot be run: %s", strerror(detail));
		job->is_hopeless = true; /* for all values: that is no reason to use them up */
		break;
	}
	if (job->is_hopeless)
		runner_stop_with(runner, EXIT_ERROR);
	return false;
}

/* Of the end of what a command wrote: all white space, or as with the shell's $(), only the ends of lines. */
static bool is_padding(char c, bool in_text)
{
	return c == '\n' || (!in_text && (c == ' ' || c == '\t' || c == '\r'));
}

/* Finds the one value in what the command wrote; with --string it is made of that. bytes are NULL if it wrote nothing.
 * False, and job->why, if it is none. */
static bool read_result(struct runner *runner, struct job *job, struct buffer *output, struct buffer *made,
			struct slice *result)
{
	struct slice text = buffer_slice(output);
	char error[VALUE_TEXT_ERROR_BYTES];

	*result = (struct slice){NULL, 0};
	if (output->failed) {
		snprintf(job->why, sizeof job->why, "no memory for what it wrote");
		return false;
	}
	while (text.len && is_padding(text.bytes[text.len - 1], runner->call->strings))
		text.len--;
	if (text.len == 0)
		return true;
	if (runner->kind->is_server && !runner->call->strings && slice_equal(text, SLICE("null"))) {
		*result = text;
		return true;
	}
	if (value_text_read(text, runner->call->strings, made, result, error) < 0) {
		snprintf(job->why, sizeof job->why, "what it wrote is no result: %s", error);
		return false;
	}
	if (result->len > runner->max_value_bytes) {
		snprintf(job->why, sizeof job->why, "what it wrote is longer than the %zu bytes that a value may have",
			 runner->max_value_bytes);
		return false;
	}
	return true;
}

bool runner_attempt(struct runner *runner, struct job *job)
{
	struct buffer output = {0}, made = {0};
	struct slice result;
	int detail;
	enum child_end end = run_command(runner, job, &output, &detail);
	bool is_good = judge(runner, job, end, detail) && read_result(runner, job, &output, &made, &result);

	if (is_good)
		runner->kind->succeed(runner, job, result);
	buffer_finish(&output);
	buffer_finish(&made);
	return is_good;
}
