/* millrace put: values from the words of the call or from lines, into one channel.
 *
 * One request is in flight at a time, with all the values that were there when it began; meanwhile the next batch is
 * filled. So what is typed is put at once, a file goes in large batches, and what went in is always a prefix of what
 * was given: nothing overtakes a value that is refused.
 */
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "client/cli/batch.h"
#include "client/cli/clock.h"
#include "client/cli/interrupt.h"
#include "client/cli/lines.h"
#include "client/cli/progress.h"
#include "client/cli/report.h"
#include "client/cli/session.h"
#include "client/cli/value_text.h"

enum {
	BATCH_BYTES = 256 * 1024,
	ENVELOPE_BYTES = 96, /* of a put's frame, beside the channel's name and the values */
};

struct put {
	const struct call *call;
	const char *channel;
	mr *m;
	size_t max_value_bytes;
	size_t max_batch_bytes;
	int interrupt_fd;

	bool from_lines;
	struct lines lines;
	int next_arg;                          /* without lines */
	struct buffer string;                  /* the value that a --string text became */
	struct slice held;                     /* a value that had no room in `filling`; bytes NULL: none */
	bool ended;                            /* there are no more values to come */
	char bad[VALUE_TEXT_ERROR_BYTES + 64]; /* why it ended before the input did, or "" */

	struct batch batches[2];
	struct batch *filling;
	struct batch *flying;
	size_t n_landed;     /* of the flying batch's values */
	mr_request *request; /* NULL: nothing flies */
	int64_t patience_ms; /* when to ask the library what has become of it, whatever has come */

	uint64_t accepted, dropped, evicted;
	int status; /* of the value that stopped it all; MR_OK */
	struct progress progress;
	uint64_t file_bytes, read_bytes;
};

/* -- Values in -- */

static void end_badly(struct put *put, uint64_t line, const char *why)
{
	put->ended = true;
	if (put->from_lines)
		snprintf(put->bad, sizeof put->bad, "line %" PRIu64 ": %s", line, why);
	else
		snprintf(put->bad, sizeof put->bad, "%s", why);
}

/* The value that a text stands for, in put->held. -1 and the end, if it is none. */
static int hold_value(struct put *put, struct slice text, uint64_t line)
{
	char error[VALUE_TEXT_ERROR_BYTES];
	struct slice value;

	if (put->call->strings) {
		buffer_clear(&put->string);
		if (value_text_quote(text, &put->string, error) < 0)
			goto bad;
		value = (struct slice){put->string.bytes + put->string.start, buffer_len(&put->string)};
	} else if (value_text_parse(text, &value, error) < 0) {
		goto bad;
	}
	if (value.len > put->max_value_bytes) {
		snprintf(error, sizeof error,
			 "a value of %zu bytes is too long; the daemon takes up to %zu (its max_frame)", value.len,
			 put->max_value_bytes);
		goto bad;
	}
	put->held = value;
	return 0;
bad:
	end_badly(put, line, error);
	return -1;
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
static bool next_value(struct put *put)
{
	struct slice line;

	if (!put->from_lines) {
		if (put->next_arg == put->call->n_args) {
			put->ended = true;
			return false;
		}
		put->next_arg++;
		return hold_value(put, slice_from(put->call->args[put->next_arg - 1]), (uint64_t)put->next_arg - 1) ==
		       0;
	}
	while (lines_next(&put->lines, &line)) {
		if (put->call->strings || !is_blank(line))
			return hold_value(put, line, put->lines.number) == 0;
	}
	if (put->lines.at_end)
		put->ended = true;
	else if (lines_pending(&put->lines) >
		 6 * put->max_value_bytes + 6) /* as long as the value could be in any writing */
		end_badly(put, put->lines.number + 1,
			  "it is too long to be a value; are there line ends in the input?");
	return false;
}

/* Moves to the batch what is there and has room. */
static void fill(struct put *put)
{
	uint64_t line;

	while (put->held.bytes || (!put->ended && next_value(put))) {
		line = put->from_lines ? put->lines.number : (uint64_t)put->next_arg - 1;
		if (!batch_has_room(put->filling, put->held.len, put->max_batch_bytes))
			return;
		if (batch_add(put->filling, put->held, line) < 0)
			end_badly(put, line, "out of memory");
		put->held.bytes = NULL;
	}
}

/* -- Batches out -- */

static void fly(struct put *put, size_t from)
{
	struct slice array = batch_array(put->flying, from);

	put->n_landed = from;
	put->patience_ms = put->call->timeout_ms == MR_FOREVER ? INT64_MAX : clock_ms() + put->call->timeout_ms + 1000;
	put->status = !array.bytes ? MR_EMEMORY
				   : mr_begin_put_many(put->m, &put->request, put->channel, array.bytes, array.len,
						       put->call->timeout_ms);
	if (put->status != MR_OK)
		put->request = NULL;
}

static void launch(struct put *put)
{
	struct batch *batch = put->filling;

	put->filling = put->flying;
	put->flying = batch;
	fly(put, 0);
}

/* The flying request has ended, or is made to. */
static void land(struct put *put)
{
	struct mr_result result;
	size_t n_left;

	put->status = mr_wait(put->m, put->request, &result);
	put->request = NULL;
	put->accepted += result.accepted;
	put->evicted += result.evicted;
	put->n_landed += result.accepted;
	n_left = put->flying->n - put->n_landed;
	if (put->status == MR_DROPPED) {
		put->dropped += n_left;
		put->status = MR_OK;
		n_left = 0;
	}
	mr_result_finish(&result);
	if (put->status == MR_TIMEOUT && result.accepted > 0 && n_left > 0 && !interrupt_happened()) {
		fly(put, put->n_landed); /* values did go in: the next one has its own time */
		return;
	}
	if (put->status == MR_OK)
		batch_clear(put->flying);
}

/* -- The loop -- */

static int patience_left_ms(const struct put *put)
{
	int64_t left = put->patience_ms - clock_ms();

	return left < 0 ? 0 : left > INT32_MAX ? INT32_MAX : (int)left;
}

/* Waits for lines, the reply, Ctrl-C or the next look at the progress, whichever comes first. */
static void await(struct put *put)
{
	bool wants_lines = put->from_lines && !put->ended && !put->held.bytes;
	struct pollfd fds[] = {
		{.fd = put->interrupt_fd, .events = POLLIN},
		{.fd = put->request ? mr_fd(put->m) : -1, .events = POLLIN},
		{.fd = wants_lines ? put->lines.fd : -1, .events = POLLIN},
	};
	int wait_ms = progress_wait_ms(&put->progress);

	if (put->request && put->patience_ms != INT64_MAX && wait_ms < 0)
		wait_ms = patience_left_ms(put);
	if (put->request && mr_is_done(put->m, put->request))
		wait_ms = 0; /* what has come with it is not seen by poll() any more */
	if (poll(fds, 3, wait_ms) > 0 && fds[2].revents && !interrupt_happened()) {
		size_t before = buffer_len(&put->lines.bytes);

		if (lines_read(&put->lines) < 0) {
			char why[128];

			snprintf(why, sizeof why, "cannot be read: %s", strerror(errno));
			end_badly(put, put->lines.number + 1, why);
		}
		put->read_bytes += buffer_len(&put->lines.bytes) - before;
	}
}

static void stream(struct put *put)
{
	while (put->status == MR_OK && !interrupt_happened()) {
		fill(put);
		if (!put->request && put->filling->n)
			launch(put);
		else if (!put->request && put->ended)
			return;
		if (put->status != MR_OK)
			return;
		await(put);
		if (put->request && (mr_is_done(put->m, put->request) || clock_ms() >= put->patience_ms))
			land(put);
		progress_update(&put->progress, put->accepted, put->dropped, put->read_bytes, put->file_bytes,
				put->request != NULL);
	}
	if (put->request) { /* Ctrl-C */
		(void)mr_cancel(put->m, put->request);
		land(put);
	}
}

/* -- Around it -- */

/* Before anything is put: so that a mistake in the last word leaves nothing done. */
static int check_words(struct put *put)
{
	for (int i = 1; i < put->call->n_args; i++) {
		if (hold_value(put, slice_from(put->call->args[i]), (uint64_t)i) < 0)
			return report_usage(put->call, "%s: %s", put->channel, put->bad);
	}
	put->held.bytes = NULL;
	return EXIT_OK;
}

static int prepare(struct put *put)
{
	json_t *hello = NULL;
	int status = mr_hello(put->m, &hello);
	json_int_t max_frame = json_integer_value(json_object_get(hello, "max_frame_bytes"));
	struct stat about;

	json_decref(hello);
	if (status != MR_OK)
		return report_status(put->call, NULL, status, NULL);
	if (max_frame < 1024) /* it always says; this is the least that one may rely on */
		max_frame = 64 * 1024;
	put->max_value_bytes = (size_t)max_frame - ENVELOPE_BYTES - strlen(put->channel);
	put->max_batch_bytes = put->max_value_bytes < BATCH_BYTES ? put->max_value_bytes : BATCH_BYTES;
	if (put->from_lines && isatty(STDIN_FILENO) && isatty(STDERR_FILENO) && !put->call->quiet)
		report(put->call, put->channel, "type a %s a line; Ctrl-D ends",
		       put->call->strings ? "text" : "JSON value");
	if (put->from_lines && fstat(STDIN_FILENO, &about) == 0 && S_ISREG(about.st_mode))
		put->file_bytes = (uint64_t)about.st_size;
	progress_init(&put->progress, isatty(STDERR_FILENO) && !isatty(STDIN_FILENO) && !put->call->quiet);
	put->interrupt_fd = interrupt_catch();
	return EXIT_OK;
}

/* What is said of a failure beside its reason: which value it was, and how many went in before it. */
static const char *describe(const struct put *put, char text[128])
{
	const char *plural = put->accepted == 1 ? "" : "s";
	bool is_known = put->status != MR_OK && put->n_landed < put->flying->n;

	if (!put->from_lines && put->call->n_args == 2)
		return NULL;
	if (is_known)
		snprintf(text, 128, "; %" PRIu64 " value%s went in, and stopped before %s %" PRIu64, put->accepted,
			 plural, put->from_lines ? "line" : "value", put->flying->lines[put->n_landed]);
	else
		snprintf(text, 128, "; %" PRIu64 " value%s went in", put->accepted, plural);
	return text;
}

static int conclude(struct put *put)
{
	char more[128];
	int code = EXIT_OK;

	progress_clear(&put->progress);
	if (interrupt_happened() && put->status >= 0) {
		report(put->call, put->channel, "interrupted%s", describe(put, more) ? more : "; it did not go in");
		code = EXIT_INTERRUPTED;
	} else if (put->status != MR_OK) {
		code = session_report(put->call, put->m, put->channel, put->status, describe(put, more));
	} else if (*put->bad) {
		report(put->call, put->channel, "%s; %" PRIu64 " value%s before it went in", put->bad, put->accepted,
		       put->accepted == 1 ? "" : "s");
		code = EXIT_ERROR;
	} else if (put->dropped) {
		if (!put->call->quiet)
			report(put->call, put->channel,
			       "%" PRIu64 " of %" PRIu64 " values dropped: the channel had no room for them",
			       put->dropped, put->accepted + put->dropped);
		code = EXIT_DROPPED;
	}
	if (put->call->format == FORMAT_JSON)
		printf("{\"accepted\":%" PRIu64 ",\"dropped\":%" PRIu64 ",\"evicted\":%" PRIu64 "}\n", put->accepted,
		       put->dropped, put->evicted);
	return code;
}

static int run_put(const struct call *call)
{
	struct put *put = calloc(1, sizeof *put);
	int code;

	if (!put) {
		report(call, NULL, "out of memory");
		return EXIT_ERROR;
	}
	put->call = call;
	put->channel = call->args[0];
	put->from_lines = call->n_args == 1;
	put->next_arg = 1;
	put->max_value_bytes = SIZE_MAX;
	put->filling = &put->batches[0];
	put->flying = &put->batches[1];
	code = session_check_channel(call, put->channel);
	if (code == EXIT_OK)
		code = check_words(put);
	if (code == EXIT_OK)
		code = session_open(call, &put->m);
	if (code == EXIT_OK)
		code = prepare(put);
	if (code == EXIT_OK) {
		stream(put);
		code = conclude(put);
	}
	mr_destroy(put->m);
	batch_finish(&put->batches[0]);
	batch_finish(&put->batches[1]);
	buffer_finish(&put->string);
	lines_finish(&put->lines);
	free(put);
	return code;
}

const struct command put_command = {
	.name = "put",
	.arguments = "CHANNEL [VALUE...]",
	.summary = "put values into a channel",
	.description = "Puts each VALUE, which is JSON (but null), in order. Without a VALUE it reads them "
		       "from standard input, one a line; empty lines are\n"
		       "skipped (with --string they are empty strings). What is typed is put at once, line by "
		       "line; from a file or pipe what is there is put\n"
		       "in batches. Where a channel has no room, it waits.\n"
		       "\n"
		       "The values that went in are always the first ones: it stops at a value that cannot go "
		       "in, and says which. Only values that a\n"
		       "dropping channel sheds do not stop it: they are counted, and the exit code is 8 in the "
		       "end. With --timeout it gives up when no\n"
		       "value has gone in for that time. On a terminal it shows how far it is, if that takes "
		       "longer than a second.\n"
		       "\n"
		       "It prints nothing, but with -o json, at the end, "
		       "{\"accepted\":N,\"dropped\":N,\"evicted\":N}.",
	.examples = "  millrace put jobs '{\"url\":\"http://x/y\"}' '{\"url\":\"http://x/z\"}'\n"
		    "  millrace put -s names Ada Grace\n"
		    "  jq -c '.[]' jobs.json | millrace put jobs\n"
		    "  millrace put temperatures -- -5\n",
	.options = OPTION_BIT(OPTION_STRING) | OPTION_BIT(OPTION_TIMEOUT),
	.exits = COMMON_EXITS | EXIT_BIT(EXIT_TIMEOUT) | EXIT_BIT(EXIT_CLOSED) | EXIT_BIT(EXIT_NO_CHANNEL) |
		 EXIT_BIT(EXIT_DROPPED),
	.min_args = 1,
	.max_args = -1,
	.run = run_put,
};
