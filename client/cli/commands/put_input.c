#include "client/cli/commands/put_input.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

void put_input_init(struct put_input *input, const struct call *call)
{
	*input = (struct put_input){
		.call = call,
		.from_lines = call->n_args == 1,
		.next_arg = 1,
		.max_value_bytes = SIZE_MAX,
		.lines.fd = STDIN_FILENO,
	};
}

void put_input_finish(struct put_input *input)
{
	buffer_finish(&input->string);
	lines_finish(&input->lines);
}

static void end_badly(struct put_input *input, uint64_t line, const char *why)
{
	input->ended = true;
	if (input->from_lines)
		snprintf(input->bad, sizeof input->bad, "line %" PRIu64 ": %s", line, why);
	else
		snprintf(input->bad, sizeof input->bad, "%s", why);
}

/* The value that a text stands for, in input->held. -1 and the end, if it is none. */
static int hold_value(struct put_input *input, struct slice text, uint64_t line)
{
	char error[VALUE_TEXT_ERROR_BYTES];
	struct slice value;
	int result = value_text_read(text, input->call->strings, &input->string, &value, error);

	if (result == 0 && value.len > input->max_value_bytes) {
		snprintf(error, sizeof error,
			 "a value of %zu bytes is too long; the daemon takes up to %zu (its max_frame)", value.len,
			 input->max_value_bytes);
		result = -1;
	}
	if (result == 0)
		input->held = value;
	else
		end_badly(input, line, error);
	return result;
}

static bool is_blank(struct slice line)
{
	for (size_t i = 0; i < line.len; i++) {
		if (line.bytes[i] != ' ' && line.bytes[i] != '\t' && line.bytes[i] != '\r')
			return false;
	}
	return true;
}

/* Holds the next value, if it is there already. */
static bool next_value(struct put_input *input)
{
	struct slice line;

	if (!input->from_lines) {
		if (input->next_arg == input->call->n_args) {
			input->ended = true;
			return false;
		}
		input->next_arg++;
		return hold_value(input, slice_from(input->call->args[input->next_arg - 1]),
				  (uint64_t)input->next_arg - 1) == 0;
	}
	while (lines_next(&input->lines, &line)) {
		if (input->call->strings || !is_blank(line))
			return hold_value(input, line, input->lines.number) == 0;
	}
	if (input->lines.at_end)
		input->ended = true;
	else if (lines_pending(&input->lines) >
		 6 * input->max_value_bytes + 6) /* as long as the value could be in any writing */
		end_badly(input, input->lines.number + 1,
			  "it is too long to be a value; are there line ends in the input?");
	return false;
}

void put_input_fill(struct put_input *input, struct batch *batch, size_t max_bytes)
{
	uint64_t line;

	while (input->held.bytes || (!input->ended && next_value(input))) {
		line = input->from_lines ? input->lines.number : (uint64_t)input->next_arg - 1;
		if (!batch_has_room(batch, input->held.len, max_bytes))
			return;
		if (batch_add(batch, input->held, line) < 0)
			end_badly(input, line, "out of memory");
		input->held.bytes = NULL;
	}
}

int put_input_check(struct put_input *input)
{
	for (int i = 1; i < input->call->n_args; i++) {
		if (hold_value(input, slice_from(input->call->args[i]), (uint64_t)i) < 0)
			return -1;
	}
	input->held.bytes = NULL;
	return 0;
}

int put_input_fd(const struct put_input *input)
{
	return input->from_lines && !input->ended && !input->held.bytes ? input->lines.fd : -1;
}

void put_input_read(struct put_input *input)
{
	size_t before = buffer_len(&input->lines.bytes);
	char why[128];

	if (lines_read(&input->lines) < 0) {
		snprintf(why, sizeof why, "cannot be read: %s", strerror(errno));
		end_badly(input, input->lines.number + 1, why);
	}
	input->read_bytes += buffer_len(&input->lines.bytes) - before;
}
