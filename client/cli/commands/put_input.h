/* The values that `put` puts: from the arguments of the call, or from the lines of standard input as they come. */
#ifndef MILLRACE_CLI_COMMANDS_PUT_INPUT_H
#define MILLRACE_CLI_COMMANDS_PUT_INPUT_H

#include "client/cli/common/batch.h"
#include "client/cli/common/command.h"
#include "client/cli/common/lines.h"
#include "client/cli/common/value_text.h"

struct put_input {
	const struct call *call;
	bool from_lines;
	struct lines lines;
	int next_arg;                          /* without lines */
	struct buffer string;                  /* the value that a --string text became */
	struct slice held;                     /* a value that had no room in the batch yet; bytes NULL: none */
	bool ended;                            /* there are no more values to come */
	char bad[VALUE_TEXT_ERROR_BYTES + 64]; /* why it ended before the input did, or "" */
	size_t max_value_bytes;
	uint64_t read_bytes;
};

void put_input_init(struct put_input *input, const struct call *call);
void put_input_finish(struct put_input *input);

/* Looks at the values among the arguments, before anything is put, so that a mistake in the last leaves nothing done.
 * 0, or -1 and input->bad. */
int put_input_check(struct put_input *input);

/* The descriptor that is to be readable before put_input_read(), or -1: nothing more is wanted now. */
int put_input_fd(const struct put_input *input);

/* Reads once. */
void put_input_read(struct put_input *input);

/* Moves to the batch what is there and has room. */
void put_input_fill(struct put_input *input, struct batch *batch, size_t max_bytes);

#endif
