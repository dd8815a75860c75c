/* millrace request: a value to whoever serves a channel, and the answer back. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "client/cli/common/envelope.h"
#include "client/cli/common/lines.h"
#include "client/cli/common/output.h"
#include "client/cli/common/recovery.h"
#include "client/cli/common/report.h"
#include "client/cli/common/session.h"
#include "client/cli/common/value_text.h"
#include "client/net/clock.h"

enum { LONGEST_INPUT = 64 * 1024 * 1024 }; /* more than any daemon takes */

static int read_input(const struct call *call, struct lines *input, struct slice *text)
{
	while (!input->at_end) {
		if (lines_read(input) < 0)
			return report(call, NULL, "standard input cannot be read: %s", strerror(errno));
		if (lines_pending(input) > LONGEST_INPUT)
			return report(call, NULL, "standard input is too long to be a value");
	}
	*text = (struct slice){input->bytes.bytes + input->bytes.start, lines_pending(input)};
	if (call->strings && text->len && text->bytes[text->len - 1] == '\n')
		text->len--;
	return EXIT_OK;
}

/* The value, which is in the arguments, in `input`, or made of text in `string`. EXIT_OK, or another code, told. */
static int read_question(const struct call *call, struct lines *input, struct buffer *string, struct slice *value)
{
	char error[VALUE_TEXT_ERROR_BYTES];
	struct slice text = slice_from(call->n_args > 1 ? call->args[1] : "");
	int code = call->n_args > 1 ? EXIT_OK : read_input(call, input, &text);

	if (code != EXIT_OK)
		return code;
	if (value_text_read(text, call->strings, string, value, error) < 0) {
		if (call->n_args > 1)
			return report_usage(call, "%s", error);
		return report(call, NULL, "%s", error);
	}
	return EXIT_OK;
}

/* Puts, and takes, in what is left of --timeout. The daemon may let nobody park for so long (max_park_ms): then it is
 * asked again. */
static int put_in_time(const struct call *call, mr *m, struct slice value, int64_t begun_ms)
{
	int64_t left;
	int status;

	do {
		left = clock_left_ms(call->timeout_ms, begun_ms);
		status = mr_put_raw(m, call->args[0], value.bytes, value.len, left);
	} while (status == MR_TIMEOUT && left != 0);
	return status;
}

static int take_in_time(const struct call *call, mr *m, const char *reply, int64_t begun_ms, char **text, size_t *len)
{
	int64_t left;
	int status;

	do {
		left = clock_left_ms(call->timeout_ms, begun_ms);
		status = mr_take_raw(m, reply, text, len, left);
	} while (status == MR_TIMEOUT && left != 0);
	return status;
}

/* Puts the request and takes its answer, for mr_free(). A status of the library; *is_put: the request had gone in. */
static int exchange(const struct call *call, mr *m, struct slice value, int64_t begun_ms, char **answer, size_t *len,
		    bool *is_put)
{
	struct mr_definition definition = {.kind = "promise", .ephemeral = true};
	struct buffer text = {0};
	char *reply = NULL;
	int status = mr_create(m, NULL, &definition, NULL, &reply);

	*is_put = false;
	if (status == MR_OK) {
		envelope_write_request(&text, reply, value);
		status = text.failed ? MR_EMEMORY : put_in_time(call, m, buffer_slice(&text), begun_ms);
		*is_put = status == MR_OK;
	}
	if (status == MR_OK)
		status = take_in_time(call, m, reply, begun_ms, answer, len);
	buffer_finish(&text);
	mr_free(reply);
	return status;
}

static int print_answer(const struct call *call, struct slice text)
{
	struct envelope_answer answer;
	const char *wrong = envelope_read_answer(text, &answer);
	struct buffer error = {0};

	if (!wrong && answer.value.bytes) {
		output_value(call, call->args[0], answer.value);
		return EXIT_OK;
	}
	if (!wrong)
		value_text_append_plain(&error, answer.error);
	if (wrong || error.failed)
		report(call, call->args[0], "the answer makes no sense: %s", wrong ? wrong : "no memory for it");
	else
		report(call, call->args[0], "%.*s", (int)buffer_len(&error), error.bytes + error.start);
	buffer_finish(&error);
	return EXIT_ERROR;
}

/* The channel of the answer goes with the connection: when that is lost, the request is put once more. */
static int ask(const struct call *call, mr *m, struct slice value, int64_t begun_ms)
{
	struct reconnecting recovery;
	char *answer = NULL;
	size_t len = 0;
	bool is_put;
	int status, code;

	recovery_init(&recovery, call);
	do {
		status = exchange(call, m, value, begun_ms, &answer, &len, &is_put);
	} while (clock_left_ms(call->timeout_ms, begun_ms) != 0 && recovery_wait(&recovery, m, status, -1));
	code = session_report(call, m, call->args[0], status,
			      is_put ? "; the request had been put, but no answer came" : NULL);
	if (status == MR_OK)
		code = print_answer(call, (struct slice){answer, len});
	mr_free(answer);
	recovery_finish(&recovery);
	return code;
}

static int run_request(const struct call *call)
{
	struct lines input = {.fd = STDIN_FILENO};
	struct buffer string = {0};
	struct slice value;
	int64_t begun_ms;
	mr *m = NULL;
	int code = read_question(call, &input, &string, &value);

	begun_ms = clock_now_ms();
	if (code == EXIT_OK)
		code = session_open(call, &m);
	if (code == EXIT_OK)
		code = ask(call, m, value, begun_ms);
	mr_destroy(m);
	lines_finish(&input);
	buffer_finish(&string);
	return code;
}

const struct command request_command = {
	.name = "request",
	.arguments = "CHANNEL [VALUE]",
	.summary = "ask whoever serves a channel, and print the answer",
	.description =
		"Puts VALUE, which is JSON (but null), into CHANNEL as a request, waits for the answer, and prints "
		"it as `take` would. Without VALUE it reads it from standard input, all of that. --timeout is for "
		"the whole.\n\n"
		"What is put is {\"reply_to\":NAME,\"request\":VALUE}; NAME is a channel made for this one answer, "
		"which goes away with this program. Whoever takes the request puts {\"reply\":VALUE} into it, or "
		"{\"error\":TEXT}: then that is told, and the exit code is 1. `millrace serve` does so.\n\n"
		"When the daemon goes away, or the network to it, it waits until that is back, and asks again: "
		"whoever serves may then have the request twice.",
	.examples = "  millrace request sums '[1, 2, 3]' --timeout 5s\n"
		    "  millrace request -s greet Ada\n",
	.options = OPTION_BIT(OPTION_TIMEOUT) | OPTION_BIT(OPTION_NO_RECONNECT) | OPTION_BIT(OPTION_STRING),
	.exits = COMMON_EXITS | EXIT_BIT(EXIT_TIMEOUT) | EXIT_BIT(EXIT_CLOSED) | EXIT_BIT(EXIT_NO_CHANNEL) |
		 EXIT_BIT(EXIT_DROPPED),
	.run = run_request,
};
