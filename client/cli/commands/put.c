/* millrace put: values from the arguments of the call or from lines, into one channel.
 *
 * One request is in flight at a time, with the values that were there when it began; meanwhile the next batch is
 * filled. So what is typed is put at once, a file goes in large batches, and what went in is always a prefix of what
 * was given: nothing overtakes a value that is refused. Where values wait for room, a request has fewer and fewer of
 * them, in the end one: so what is said to have gone in is what did, to a value.
 */
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "client/cli/common/interrupt.h"
#include "client/cli/common/progress.h"
#include "client/cli/commands/put_input.h"
#include "client/cli/common/recovery.h"
#include "client/cli/common/report.h"
#include "client/cli/common/session.h"
#include "client/net/clock.h"

enum {
	BATCH_BYTES = 256 * 1024,
	ENVELOPE_BYTES = 160, /* of a put's frame, beside the channel's name and the values */
	SLOW_MS = 200,        /* a request of several values that takes longer is cut into smaller ones */
	SLOW_CUT = 8,         /* of so much fewer values */
};

struct put {
	const struct call *call;
	const char *channel;
	mr *m;
	struct reconnecting recovery;
	size_t max_batch_bytes;
	int interrupt_fd;
	struct put_input input;

	struct batch batches[2];
	struct batch *filling;
	struct batch *flying;
	size_t n_landed;     /* of the flying batch's values: what became of them is known */
	size_t n_sent;       /* of those that follow: in the request that flies, or flew last */
	size_t max_sent;     /* of the next request */
	mr_request *request; /* NULL: nothing flies */
	int64_t sent_ms;     /* when it was sent */
	bool is_cut;         /* it was cancelled because it is slow */
	int64_t patience_ms; /* when to ask the library what has become of it, whatever has come */

	uint64_t accepted, dropped, evicted;
	int status; /* of the value that stopped it all; MR_OK */
	struct progress progress;
	uint64_t file_bytes;
};

/* -- Batches out -- */

/* Sends what has not landed of the flying batch, or a part of it. */
static void send_rest(struct put *put)
{
	const struct mr_put_options options = {.many = true, .delay_ms = put->call->delay_ms};
	size_t n = put->flying->n - put->n_landed;
	struct slice array;

	put->n_sent = n < put->max_sent ? n : put->max_sent;
	put->is_cut = false;
	put->sent_ms = clock_now_ms();
	put->patience_ms =
		put->call->timeout_ms == MR_FOREVER ? INT64_MAX : put->sent_ms + put->call->timeout_ms + 1000;
	do {
		array = batch_array(put->flying, put->n_landed, put->n_sent);
		put->status = !array.bytes ? MR_EMEMORY
					   : mr_begin_put_with(put->m, &put->request, put->channel, &options,
							       array.bytes, array.len, put->call->timeout_ms);
	} while (put->status != MR_OK && recovery_wait(&put->recovery, put->m, put->status, put->interrupt_fd));
	if (put->status != MR_OK)
		put->request = NULL;
}

static void launch(struct put *put)
{
	struct batch *batch = put->filling;

	put->filling = put->flying;
	put->flying = batch;
	put->n_landed = 0;
	send_rest(put);
}

/* Values that were quick may be more the next time. */
static void adapt(struct put *put)
{
	if (put->is_cut)
		put->max_sent = put->max_sent > SLOW_CUT ? put->max_sent / SLOW_CUT : 1;
	else if (put->status == MR_OK && clock_now_ms() - put->sent_ms < SLOW_MS / 4 && put->max_sent < BATCH_VALUES)
		put->max_sent *= 2;
}

/* Counts what has become of the request's values. */
static void count(struct put *put, const struct mr_result *result)
{
	put->accepted += result->accepted;
	put->evicted += result->evicted;
	put->n_landed += result->accepted;
	put->n_sent -= result->accepted < put->n_sent ? result->accepted : put->n_sent;
	if (put->status == MR_DROPPED) {
		put->dropped += put->n_sent;
		put->n_landed += put->n_sent;
		put->n_sent = 0;
		put->status = MR_OK;
	}
}

/* The flying request has ended, or is made to. */
static void land(struct put *put)
{
	struct mr_result result;
	bool goes_on;

	put->status = mr_wait(put->m, put->request, &result);
	put->request = NULL;
	count(put, &result);
	adapt(put);
	goes_on = put->status == MR_OK || (put->status == MR_CANCELLED && put->is_cut) ||
		  (put->status == MR_TIMEOUT &&
		   result.accepted > 0) || /* values did go in: the next one has its own time */
		  recovery_wait(&put->recovery, put->m, put->status, put->interrupt_fd);
	mr_result_finish(&result);
	if (!goes_on || interrupt_happened())
		return;
	if (put->status == MR_OK)
		recovery_end(&put->recovery);
	put->status = MR_OK;
	if (put->n_landed < put->flying->n)
		send_rest(put);
	else
		batch_clear(put->flying);
}

/* -- The loop -- */

/* When the request that flies is to be cut: INT64_MAX: never. */
static int64_t cut_ms(const struct put *put)
{
	return put->n_sent > 1 && !put->is_cut ? put->sent_ms + SLOW_MS : INT64_MAX;
}

static int wait_ms(const struct put *put)
{
	int64_t due_ms = INT64_MAX, left_ms;
	int progress_ms = progress_wait_ms(&put->progress);

	if (put->request && mr_is_done(put->m, put->request))
		return 0; /* what has come with it is not seen by poll() any more */
	if (put->request)
		due_ms = cut_ms(put) < put->patience_ms ? cut_ms(put) : put->patience_ms;
	if (due_ms == INT64_MAX)
		return progress_ms;
	left_ms = due_ms - clock_now_ms();
	left_ms = left_ms < 0 ? 0 : left_ms > INT32_MAX ? INT32_MAX : left_ms;
	return progress_ms >= 0 && progress_ms < left_ms ? progress_ms : (int)left_ms;
}

/* Waits for lines, the reply, Ctrl-C or the next look at the progress, whichever comes first. */
static void await(struct put *put)
{
	struct pollfd fds[] = {
		{.fd = put->interrupt_fd, .events = POLLIN},
		{.fd = put->request ? mr_fd(put->m) : -1, .events = POLLIN},
		{.fd = put_input_fd(&put->input), .events = POLLIN},
	};

	if (poll(fds, 3, wait_ms(put)) > 0 && fds[2].revents && !interrupt_happened())
		put_input_read(&put->input);
}

/* The request that flies, if any: landed, cut, or left alone. */
static void attend(struct put *put)
{
	if (!put->request)
		return;
	if (mr_is_done(put->m, put->request) || clock_now_ms() >= put->patience_ms) {
		land(put);
	} else if (mr_fd(put->m) < 0) { /* lost, and the library is to send it again */
		if (!recovery_wait_lost(&put->recovery, put->m, put->interrupt_fd))
			land(put);
	} else if (clock_now_ms() >= cut_ms(put)) {
		put->is_cut = true;
		(void)mr_cancel(put->m, put->request);
		land(put);
	}
}

static void stream(struct put *put)
{
	while (put->status == MR_OK && !interrupt_happened()) {
		put_input_fill(&put->input, put->filling, put->max_batch_bytes);
		if (!put->request && put->filling->n)
			launch(put);
		else if (!put->request && put->input.ended)
			return;
		if (put->status != MR_OK)
			return;
		await(put);
		attend(put);
		progress_update(&put->progress, put->accepted, put->dropped, put->input.read_bytes, put->file_bytes,
				put->request && clock_now_ms() - put->sent_ms > SLOW_MS);
	}
	if (put->request) { /* Ctrl-C */
		(void)mr_cancel(put->m, put->request);
		land(put);
	}
}

/* -- Around it -- */

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
	put->input.max_value_bytes = (size_t)max_frame - ENVELOPE_BYTES - strlen(put->channel);
	put->max_batch_bytes = put->input.max_value_bytes < BATCH_BYTES ? put->input.max_value_bytes : BATCH_BYTES;
	if (put->input.from_lines && isatty(STDIN_FILENO) && isatty(STDERR_FILENO) && !put->call->quiet)
		report(put->call, put->channel, "type a %s a line; Ctrl-D ends",
		       put->call->strings ? "text" : "JSON value");
	if (put->input.from_lines && fstat(STDIN_FILENO, &about) == 0 && S_ISREG(about.st_mode))
		put->file_bytes = (uint64_t)about.st_size;
	progress_init(&put->progress, isatty(STDERR_FILENO) && !isatty(STDIN_FILENO) && !put->call->quiet);
	put->interrupt_fd = interrupt_catch();
	recovery_init(&put->recovery, put->call);
	return EXIT_OK;
}

/* What is said of a failure beside its reason: which value it was, and how many went in before it. */
static const char *describe(const struct put *put, char text[160])
{
	const char *plural = put->accepted == 1 ? "" : "s";
	bool is_known = put->status != MR_OK && put->n_landed < put->flying->n;

	if (!put->input.from_lines && put->call->n_args == 2 && put->status != MR_UNKNOWN)
		return NULL;
	if (put->status == MR_UNKNOWN && put->n_sent == 1 && put->accepted == 0)
		snprintf(text, 160, "; whether the value went in is not known");
	else if (put->status == MR_UNKNOWN)
		snprintf(text, 160,
			 "; between %" PRIu64 " and %" PRIu64 " values went in, the others from %s %" PRIu64
			 " on did not",
			 put->accepted, put->accepted + put->n_sent, put->input.from_lines ? "line" : "value",
			 put->flying->lines[put->n_landed + put->n_sent - 1] + 1);
	else if (is_known)
		snprintf(text, 160, "; %" PRIu64 " value%s went in, and stopped before %s %" PRIu64, put->accepted,
			 plural, put->input.from_lines ? "line" : "value", put->flying->lines[put->n_landed]);
	else
		snprintf(text, 160, "; %" PRIu64 " value%s went in", put->accepted, plural);
	return text;
}

static int conclude(struct put *put)
{
	char more[160];
	int code = EXIT_OK;

	progress_clear(&put->progress);
	if (interrupt_happened() && (put->status >= 0 || recovery_is_loss(put->status))) {
		report(put->call, put->channel, "interrupted%s", describe(put, more) ? more : "; it did not go in");
		code = interrupt_code();
	} else if (put->status != MR_OK) {
		code = session_report(put->call, put->m, put->channel, put->status, describe(put, more));
	} else if (*put->input.bad) {
		code = report(put->call, put->channel, "%s; %" PRIu64 " value%s before it went in", put->input.bad,
			      put->accepted, put->accepted == 1 ? "" : "s");
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

static int put_all(struct put *put)
{
	int code = session_open(put->call, &put->m);

	if (code == EXIT_OK)
		code = prepare(put);
	if (code == EXIT_OK) {
		stream(put);
		code = conclude(put);
		recovery_finish(&put->recovery);
	}
	mr_destroy(put->m);
	return code;
}

static int run_put(const struct call *call)
{
	struct put put = {.call = call, .channel = call->args[0], .max_sent = BATCH_VALUES};
	int code;

	put.filling = &put.batches[0];
	put.flying = &put.batches[1];
	put_input_init(&put.input, call);
	if (put_input_check(&put.input) < 0)
		code = report_usage(call, "%s: %s", put.channel, put.input.bad);
	else
		code = put_all(&put);
	batch_finish(&put.batches[0]);
	batch_finish(&put.batches[1]);
	put_input_finish(&put.input);
	return code;
}

const struct command put_command = {
	.name = "put",
	.arguments = "CHANNEL [VALUE...]",
	.summary = "put values into a channel",
	.description =
		"Puts each VALUE, which is JSON (but null), in order. Without a VALUE it reads them from standard "
		"input, one a line; empty lines are skipped (with --string they are empty strings). What is typed "
		"is put at once, line by line; from a file or pipe what is there is put in batches. Where a channel "
		"has no room, it waits.\n\n"
		"The values that went in are always the first ones: it stops at a value that cannot go in, and says "
		"which. Only values that a dropping channel sheds do not stop it: they are counted, and the exit "
		"code is 8 in the end. With --timeout it gives up when no value has gone in for that time. On a "
		"terminal it shows how far it is, if that takes longer than a second.\n\n"
		"When the daemon goes away, or the network to it, it waits until that is back, and puts what has "
		"not gone in: nothing goes in twice, as long as the same daemon lives. With --timeout it waits so "
		"long at most. Where it must give up, it says how many values went in, or between which two "
		"numbers.\n\n"
		"A byte order mark at the beginning of standard input is skipped.\n\n"
		"It prints nothing, but with -o json, at the end, {\"accepted\":N,\"dropped\":N,\"evicted\":N}.",
	.examples = "  millrace put jobs '{\"url\":\"http://x/y\"}' '{\"url\":\"http://x/z\"}'\n"
		    "  millrace put -s names Ada Grace\n"
		    "  jq -c '.[]' jobs.json | millrace put jobs\n"
		    "  millrace put reminders --delay 10m '\"tea is ready\"'\n"
		    "  millrace put temperatures -- -5\n",
	.options = OPTION_BIT(OPTION_STRING) | OPTION_BIT(OPTION_PUT_DELAY) | OPTION_BIT(OPTION_TIMEOUT) |
		   OPTION_BIT(OPTION_NO_RECONNECT),
	.exits = COMMON_EXITS | EXIT_BIT(EXIT_TIMEOUT) | EXIT_BIT(EXIT_CLOSED) | EXIT_BIT(EXIT_NO_CHANNEL) |
		 EXIT_BIT(EXIT_DROPPED),
	.run = run_put,
};
