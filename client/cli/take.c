/* millrace take: nothing taken that cannot be printed. While it waits it watches standard output and Ctrl-C too, and
 * then cancels before it ends. A number of values is taken in batches; --follow into a pipe is in follow_pipe.c,
 * elsewhere it has a consumer with a little credit. */
#include "client/cli/follow_pipe.h"
#include "client/cli/interrupt.h"
#include "client/cli/output.h"
#include "client/cli/recovery.h"
#include "client/cli/report.h"
#include "client/cli/session.h"
#include "client/cli/take_watch.h"
#include "client/millrace_stream.h"

enum {
	BATCH = 1000,
	FOLLOW_CREDIT = 16, /* on a terminal, or into a file */
};

/* One request, and its values printed. *n counts them. Returns the library's status; MR_CANCELLED also if it ended in
 * vain, the watch says why. */
static int take_some(const struct call *call, mr *m, size_t max, struct take_watch *watch, uint64_t *n)
{
	const struct mr_take_options options = {
		.max = max == 1 ? 0 : max, .lease_ms = take_lease_ms(call), .sticky = take_lease_ms(call) > 0};
	const char *channel = call->args[0];
	struct mr_result result;
	int status = take_watched(watch, m, NULL, channel, &options, call->timeout_ms, &result);

	if (status == MR_OK && max == 1) {
		output_taken(call, channel, &result);
		*n += 1;
	} else if (status == MR_OK) {
		*n += output_values(call, channel, (struct slice){result.raw, result.raw_len}, result.origin);
	}
	mr_result_finish(&result);
	return status;
}

static int take_number(const struct call *call, mr *m, uint64_t wanted, size_t batch, struct take_watch *watch)
{
	int status = MR_OK;
	uint64_t n = 0;

	while (n < wanted && status == MR_OK && watch->reason == TAKE_GOES_ON) {
		uint64_t left = wanted - n;

		if (output_is_orphaned()) {
			watch->reason = TAKE_ORPHANED;
			break;
		}
		status = take_some(call, m, left < batch ? left : batch, watch, &n);
		if (status == MR_OK && output_flush() < 0)
			break; /* the program's end tells why */
	}
	return status;
}

/* -- Following, elsewhere than into a pipe -- */

/* Prints what has come by now, or comes in time, until there is reason to stop. */
static int follow_values(const struct call *call, mr *m, mr_consumer *consumer, struct take_watch *watch)
{
	uint64_t credit = call->batch ? call->batch : FOLLOW_CREDIT, n = 0;
	struct mr_result result;
	bool is_late = false;
	int status = MR_OK;

	while (watch->reason == TAKE_GOES_ON) {
		status = mr_consumer_next(consumer, &result, 0);
		if (status == MR_OK)
			output_taken(call, call->args[0], &result);
		mr_result_finish(&result);
		if (status != MR_OK || ++n % credit == 0) {
			if (output_flush() < 0)
				return MR_OK; /* the program's end tells why */
			if (output_is_orphaned())
				watch->reason = TAKE_ORPHANED;
		}
		if ((status != MR_OK && status != MR_TIMEOUT) || (status == MR_TIMEOUT && is_late))
			break;
		is_late = false;
		if (status == MR_TIMEOUT && watch->reason == TAKE_GOES_ON)
			is_late = take_watch_wait(watch, m, call->timeout_ms);
		else
			take_watch_look(watch);
	}
	return status;
}

/* What has come since somebody wanted no more: it is printed, or, if nobody reads that and it is leased, given back. */
static void take_rest(const struct call *call, mr *m, mr_consumer *consumer, const struct take_watch *watch)
{
	struct mr_result result;

	if (mr_consumer_cancel(consumer, MR_FOREVER) != MR_OK)
		return;
	while (mr_consumer_next(consumer, &result, MR_FOREVER) == MR_OK) {
		if (watch->reason == TAKE_INTERRUPTED)
			output_taken(call, call->args[0], &result);
		else if (result.lease)
			(void)mr_nack_with(m, result.lease, &(struct mr_nack_options){.uncounted = true});
		mr_result_finish(&result);
	}
}

/* One consumer, from its beginning to its end, or that of its connection. */
static int follow_once(const struct call *call, mr *m, struct take_watch *watch)
{
	const struct mr_consumer_options options = {.credit = call->batch ? call->batch : FOLLOW_CREDIT,
						    .lease_ms = take_lease_ms(call),
						    .sticky = take_lease_ms(call) > 0};
	mr_consumer *consumer;
	int status = mr_consumer_create(&consumer, m, call->args[0], &options);

	if (status != MR_OK)
		return status;
	status = follow_values(call, m, consumer, watch);
	if (watch->reason != TAKE_GOES_ON)
		take_rest(call, m, consumer, watch);
	mr_consumer_destroy(consumer);
	return status;
}

static int follow(const struct call *call, mr *m, struct take_watch *watch)
{
	struct recovery recovery;
	bool is_pipe = output_is_pipe() && !call->batch;
	int status;

	recovery_init(&recovery, call);
	do {
		status = is_pipe ? follow_pipe(call, m, watch, &recovery) : follow_once(call, m, watch);
	} while (watch->reason == TAKE_GOES_ON && recovery_wait(&recovery, m, status, watch->fds[0].fd));
	recovery_finish(&recovery);
	if (status == MR_EBAD_REQUEST &&
	    !take_lease_ms(call)) /* a promise: it has one value, for as many requests as one likes */
		status = take_number(call, m, UINT64_MAX, 1, watch);
	return status;
}

static int run_take(const struct call *call)
{
	struct take_watch watch;
	int status, code;
	mr *m;

	if (call->batch && !call->follow)
		return report_usage(call, "--batch is for --follow; -n takes in batches by itself");
	code = session_open_for(call, call->args[0], &m);
	if (code != EXIT_OK)
		return code;
	take_watch_init(&watch);
	if (call->follow && !call->number)
		status = follow(call, m, &watch);
	else
		status = take_number(call, m, call->number ? call->number : 1, take_lease_ms(call) ? 1 : BATCH, &watch);
	if (watch.reason == TAKE_INTERRUPTED || (interrupt_happened() && status == MR_ECONNECTION))
		code = interrupt_code();
	else if (watch.reason == TAKE_ORPHANED)
		code = EXIT_OK;
	else if (status == MR_CLOSED && call->follow)
		code = EXIT_OK;
	else
		code = session_report(call, m, call->args[0], status, NULL);
	mr_destroy(m);
	return code;
}

const struct command take_command = {
	.name = "take",
	.arguments = "CHANNEL",
	.summary = "take values from a channel",
	.description = "Takes a value, or with -n up to N, and prints each on a line of its own as soon as it has "
		       "come. It waits while there is none; with --timeout at most that long for each. With --follow "
		       "it goes on until the channel is closed, which is then a success. (A promise gives its one "
		       "value again and again.) When whoever reads its output goes away, it ends, and takes no more.\n"
		       "\n"
		       "Into a pipe --follow writes a value when the one before has been read, and only then it is "
		       "gone from the daemon: `millrace take jobs --follow | head -3` leaves the fourth where it is. "
		       "That costs two round trips for each value; with --batch N, N of them may be on their way at "
		       "a time, which is many times faster, and so many are lost if the reader goes away.\n"
		       "\n"
		       "When the daemon goes away, or the network to it, --follow waits until that is back, and goes "
		       "on. A value that was written just then may come a second time.\n"
		       "\n"
		       "text prints a value as it was put (but never on more than one line), raw prints strings "
		       "without quotes and escapes and other values as they are, json prints "
		       "{\"channel\":NAME,\"value\":VALUE}, and of a dead letter \"origin\", where it comes from and "
		       "why.\n"
		       "\n"
		       "With --lease each value is only leased, and stands behind its lease and a number, how often "
		       "it was delivered: LEASE N VALUE (json: \"lease\" and \"deliveries\"; raw: with tabs). The "
		       "lease goes on when this program has ended. What becomes of it is said by `millrace ack "
		       "LEASE`, `nack` and `extend`; when its time is over, the value is back in the channel.",
	.examples = "  millrace take jobs\n"
		    "  millrace take jobs -n 10 --timeout 5s\n"
		    "  millrace take jobs --lease 1m |\n"
		    "    while read -r lease n job; do handle \"$job\" && millrace ack \"$lease\"; done\n"
		    "  millrace take jobs --follow | while read -r job; do handle \"$job\"; done\n",
	.options = OPTION_BIT(OPTION_NUMBER) | OPTION_BIT(OPTION_FOLLOW) | OPTION_BIT(OPTION_FOLLOW_BATCH) |
		   OPTION_BIT(OPTION_NO_RECONNECT) | OPTION_BIT(OPTION_TIMEOUT) | OPTION_BIT(OPTION_LEASED),
	.exits = COMMON_EXITS | EXIT_BIT(EXIT_TIMEOUT) | EXIT_BIT(EXIT_CLOSED) | EXIT_BIT(EXIT_NO_CHANNEL),
	.min_args = 1,
	.max_args = 1,
	.run = run_take,
};
