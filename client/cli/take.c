/* millrace take: nothing taken that cannot be printed, as far as that can be known: while it waits it watches standard
 * output and Ctrl-C too, and then cancels before it ends. A number of values is taken in batches; --follow has a
 * consumer with little credit, which is what can be lost at most. */
#include <poll.h>
#include <unistd.h>

#include "client/cli/interrupt.h"
#include "client/cli/output.h"
#include "client/cli/session.h"
#include "client/millrace_stream.h"

enum {
	BATCH = 1000,
	FOLLOW_CREDIT = 16, /* what may be lost if the reader of our output goes away just then */
};

enum wake { WAKE_DONE, WAKE_INTERRUPTED, WAKE_ORPHANED };

/* What the waiting looks at. */
struct watch {
	struct pollfd fds[3];
};

static void watch_init(struct watch *watch)
{
	*watch = (struct watch){
		{{.fd = interrupt_catch(), .events = POLLIN}, {.fd = STDOUT_FILENO}, {.events = POLLIN}}};
}

/* Waits until something has come, or the time is over, or there is no more use in waiting. *is_late: the time is over.
 */
static enum wake watch_wait(struct watch *watch, mr *m, int patience_ms, bool *is_late)
{
	watch->fds[2].fd = mr_fd(m);
	*is_late = poll(watch->fds, 3, patience_ms) == 0;
	if (interrupt_happened())
		return WAKE_INTERRUPTED;
	if (watch->fds[1].revents & (POLLERR | POLLHUP))
		return WAKE_ORPHANED;
	if (watch->fds[1].revents & POLLNVAL)
		watch->fds[1].fd = -1;
	return WAKE_DONE;
}

/* Waits until the request is done. With a time-out it ends soon after that: the library tells what is wrong then. */
static enum wake wait_done(struct watch *watch, mr *m, mr_request *request, int64_t timeout_ms)
{
	int patience_ms = timeout_ms == MR_FOREVER || timeout_ms > INT32_MAX - 1000 ? -1 : (int)timeout_ms + 1000;
	enum wake wake = WAKE_DONE;
	bool is_late = false;

	while (wake == WAKE_DONE && !is_late && !mr_is_done(m, request))
		wake = watch_wait(watch, m, patience_ms, &is_late);
	return wake;
}

/* How long what is taken is leased; 0: it is not. A lease has to outlive this program, so it is sticky. */
static int64_t lease_ms(const struct call *call)
{
	return call->lease_ms == MR_FOREVER ? 0 : call->lease_ms;
}

static void print(const struct call *call, const struct mr_result *result)
{
	struct slice value = {result->raw, result->raw_len};

	if (result->lease)
		output_leased(call, call->args[0], value, result->lease, result->deliveries);
	else
		output_value(call, call->args[0], value);
}

/* One request, and its values printed. *n counts them. Returns the library's status; MR_CANCELLED also if it ended in
 * vain, *wake says why. */
static int take_some(const struct call *call, mr *m, size_t max, struct watch *watch, enum wake *wake, uint64_t *n)
{
	const struct mr_take_options options = {
		.max = max == 1 ? 0 : max, .lease_ms = lease_ms(call), .sticky = lease_ms(call) > 0};
	const char *channel = call->args[0];
	struct mr_result result;
	mr_request *request;
	int status = mr_begin_take_with(m, &request, channel, &options, call->timeout_ms);

	if (status != MR_OK)
		return status;
	*wake = wait_done(watch, m, request, call->timeout_ms);
	if (*wake != WAKE_DONE)
		(void)mr_cancel(m, request); /* if a value was faster, it is printed */
	status = mr_wait(m, request, &result);
	if (status == MR_OK) {
		if (max == 1) {
			print(call, &result);
			*n += 1;
		} else {
			*n += output_values(call, channel, (struct slice){result.raw, result.raw_len});
		}
	}
	mr_result_finish(&result);
	return status;
}

static int take_number(const struct call *call, mr *m, uint64_t wanted, size_t batch, struct watch *watch,
		       enum wake *wake)
{
	int status = MR_OK;
	uint64_t n = 0;

	while (n < wanted && status == MR_OK && *wake == WAKE_DONE) {
		uint64_t left = wanted - n;

		if (output_is_orphaned()) {
			*wake = WAKE_ORPHANED;
			break;
		}
		status = take_some(call, m, left < batch ? left : batch, watch, wake, &n);
		if (status == MR_OK && output_flush() < 0)
			break; /* the program's end tells why */
	}
	return status;
}

/* Prints what has come by now, or comes in time, until there is reason to stop. */
static int follow_values(const struct call *call, mr *m, mr_consumer *consumer, struct watch *watch, enum wake *wake)
{
	int patience_ms = call->timeout_ms == MR_FOREVER || call->timeout_ms > INT32_MAX ? -1 : (int)call->timeout_ms;
	struct mr_result result;
	bool is_late = false;
	int status = MR_OK;

	for (int n = 0; *wake == WAKE_DONE; n++) {
		status = mr_consumer_next(consumer, &result, 0);
		if (status == MR_OK)
			print(call, &result);
		mr_result_finish(&result);
		if (status != MR_OK || n % FOLLOW_CREDIT == FOLLOW_CREDIT - 1) {
			if (output_flush() < 0)
				return MR_OK; /* the program's end tells why */
			if (output_is_orphaned())
				*wake = WAKE_ORPHANED;
		}
		if ((status != MR_OK && status != MR_TIMEOUT) || (status == MR_TIMEOUT && is_late))
			break;
		is_late = false;
		if (status == MR_TIMEOUT && *wake == WAKE_DONE)
			*wake = watch_wait(watch, m, patience_ms, &is_late);
		else if (interrupt_happened())
			*wake = WAKE_INTERRUPTED;
	}
	return status;
}

/* What has come since somebody wanted no more: it is printed, or, if nobody reads that and it is leased, given back. */
static void take_rest(const struct call *call, mr *m, mr_consumer *consumer, enum wake wake)
{
	struct mr_result result;

	if (mr_consumer_cancel(consumer, MR_FOREVER) != MR_OK)
		return;
	while (mr_consumer_next(consumer, &result, MR_FOREVER) == MR_OK) {
		if (wake == WAKE_INTERRUPTED)
			print(call, &result);
		else if (result.lease)
			(void)mr_nack(m, result.lease, 0);
		mr_result_finish(&result);
	}
}

static int follow(const struct call *call, mr *m, struct watch *watch, enum wake *wake)
{
	const struct mr_consumer_options options = {
		.credit = FOLLOW_CREDIT, .lease_ms = lease_ms(call), .sticky = lease_ms(call) > 0};
	mr_consumer *consumer;
	int status = mr_consumer_create(&consumer, m, call->args[0], &options);

	if (status != MR_OK)
		return status;
	status = follow_values(call, m, consumer, watch, wake);
	if (*wake == WAKE_INTERRUPTED || *wake == WAKE_ORPHANED)
		take_rest(call, m, consumer, *wake);
	mr_consumer_destroy(consumer);
	return status;
}

static int run_take(const struct call *call)
{
	enum wake wake = WAKE_DONE;
	int status, code;
	struct watch watch;
	mr *m;

	code = session_open_for(call, call->args[0], &m);
	if (code != EXIT_OK)
		return code;
	watch_init(&watch);
	if (call->follow && !call->number)
		status = follow(call, m, &watch, &wake);
	else
		status = take_number(call, m, call->number ? call->number : 1, lease_ms(call) ? 1 : BATCH, &watch,
				     &wake);
	if (status == MR_EBAD_REQUEST && call->follow &&
	    !lease_ms(call)) /* a promise: it has one value, for as many requests as one likes */
		status = take_number(call, m, UINT64_MAX, 1, &watch, &wake);
	if (wake == WAKE_ORPHANED)
		code = EXIT_OK;
	else if (wake == WAKE_INTERRUPTED)
		code = EXIT_INTERRUPTED;
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
		       "come. It waits while there is none; with\n"
		       "--timeout at most that long for each. With --follow it goes on until the channel is closed, "
		       "which is then a success. (A promise\n"
		       "gives its one value again and again.) When whoever reads its output goes away, it ends, and "
		       "takes no more; with --follow up to 32\n"
		       "values may be on their way to it then, and are lost.\n"
		       "\n"
		       "text prints a value as it was put (but never on more than one line), raw prints strings "
		       "without quotes and escapes and other values\n"
		       "as they are, json prints {\"channel\":NAME,\"value\":VALUE}.\n"
		       "\n"
		       "With --lease each value is only leased, and stands behind its lease and a number, how often "
		       "it was delivered: LEASE N VALUE (json:\n"
		       "\"lease\" and \"deliveries\"; raw: with tabs). The lease goes on when this program has ended. "
		       "What becomes of it is said by `millrace\n"
		       "ack LEASE`, `nack` and `extend`; when its time is over, the value is back in the channel.",
	.examples = "  millrace take jobs\n"
		    "  millrace take jobs -n 10 --timeout 5s\n"
		    "  millrace take jobs --lease 1m |\n"
		    "    while read -r lease n job; do handle \"$job\" && millrace ack \"$lease\"; done\n"
		    "  millrace take jobs --follow | while read -r job; do handle \"$job\"; done\n",
	.options = OPTION_BIT(OPTION_NUMBER) | OPTION_BIT(OPTION_FOLLOW) | OPTION_BIT(OPTION_TIMEOUT) |
		   OPTION_BIT(OPTION_LEASED),
	.exits = COMMON_EXITS | EXIT_BIT(EXIT_TIMEOUT) | EXIT_BIT(EXIT_CLOSED) | EXIT_BIT(EXIT_NO_CHANNEL),
	.min_args = 1,
	.max_args = 1,
	.run = run_take,
};
