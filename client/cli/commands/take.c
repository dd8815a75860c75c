/* millrace take: nothing taken that cannot be printed. While it waits it watches standard output and Ctrl-C too, and
 * then cancels before it ends. A number of values is taken in batches; --follow is in follow.c. */
#include "client/cli/commands/follow.h"
#include "client/cli/common/output.h"
#include "client/cli/common/report.h"
#include "client/cli/commands/take_watch.h"

enum { BATCH = 1000 };

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

/* A promise has one value, for as many requests as one likes, and no consumers. */
static int follow_channel(const struct call *call, mr *m, struct take_watch *watch)
{
	struct reconnecting recovery;
	int status;

	recovery_init(&recovery, call);
	do
		status = follow(call, m, watch, &recovery);
	while (watch->reason == TAKE_GOES_ON && recovery_wait(&recovery, m, status, watch->fds[0].fd));
	recovery_finish(&recovery);
	if (status == MR_EBAD_REQUEST && !take_lease_ms(call))
		status = take_number(call, m, UINT64_MAX, 1, watch);
	return status;
}

static int check_take(const struct call *call)
{
	if (call->batch && !call->follow)
		return report_usage(call, "--batch is for --follow; -n takes in batches by itself");
	return EXIT_OK;
}

static int run_take(const struct call *call, mr *m)
{
	struct take_watch watch;
	int status;

	take_watch_init(&watch, call->args[0]);
	if (call->follow && !call->number)
		status = follow_channel(call, m, &watch);
	else
		status = take_number(call, m, call->number ? call->number : 1, take_lease_ms(call) ? 1 : BATCH, &watch);
	return follow_conclude(call, m, &watch, status, call->follow);
}

const struct command take_command = {
	.name = "take",
	.arguments = "CHANNEL",
	.summary = "take values from a channel",
	.description =
		"Takes a value, or with -n up to N, and prints each on a line of its own as soon as it has come. It "
		"waits while there is none; with --timeout at most that long for each. With --follow it goes on "
		"until the channel is closed, which is then a success. (A promise gives its one value again and "
		"again.) When whoever reads its output goes away, it ends, and takes no more.\n\n"
		"Into a pipe --follow writes a value when the one before has been read, and only then it is gone "
		"from the daemon: `millrace take jobs --follow | head -3` leaves the fourth where it is. That costs "
		"two round trips for each value; with --batch N, N of them may be on their way at a time, which is "
		"many times faster, and so many are lost if the reader goes away.\n\n"
		"When the daemon goes away, or the network to it, --follow waits until that is back, and goes on. A "
		"value that was written just then may come a second time.\n\n"
		"text prints a value as it was put (but never on more than one line), raw prints strings without "
		"quotes and escapes and other values as they are, json prints {\"channel\":NAME,\"value\":VALUE}, "
		"and of a dead letter \"origin\", where it comes from and why.\n\n"
		"With --lease each value is only leased, and stands behind its lease and a number, how often it was "
		"delivered: LEASE N VALUE (json: \"lease\" and \"deliveries\"; raw: with tabs). The lease goes on "
		"when this program has ended. What becomes of it is said by `millrace ack LEASE`, `nack` and "
		"`extend`; when its time is over, the value is back in the channel.",
	.examples = "  millrace take jobs\n"
		    "  millrace take jobs -n 10 --timeout 5s\n"
		    "  millrace take jobs --lease 1m |\n"
		    "    while read -r lease n job; do handle \"$job\" && millrace ack \"$lease\"; done\n"
		    "  millrace take jobs --follow | while read -r job; do handle \"$job\"; done\n",
	.options = OPTION_BIT(OPTION_NUMBER) | OPTION_BIT(OPTION_FOLLOW) | OPTION_BIT(OPTION_FOLLOW_BATCH) |
		   OPTION_BIT(OPTION_NO_RECONNECT) | OPTION_BIT(OPTION_TIMEOUT) | OPTION_BIT(OPTION_LEASED),
	.exits = COMMON_EXITS | EXIT_BIT(EXIT_TIMEOUT) | EXIT_BIT(EXIT_CLOSED) | EXIT_BIT(EXIT_NO_CHANNEL),
	.check = check_take,
	.run_connected = run_take,
};
