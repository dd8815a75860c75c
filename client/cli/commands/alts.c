/* millrace alts: exactly one of many takes and puts. */
#include <inttypes.h>
#include <stdio.h>

#include "client/cli/commands/take_watch.h"
#include "client/cli/common/output.h"
#include "client/cli/common/recovery.h"
#include "client/cli/common/report.h"
#include "client/cli/common/session.h"
#include "client/cli/common/value_text.h"
#include "client/net/clock.h"

/* The arms as the library has them. Strings that are made of words go to `made`, one each, for buffer_finish(). EXIT_OK
 * or EXIT_USAGE, told. */
static int read_arms(const struct call *call, struct mr_arm *arms, struct buffer *made)
{
	char error[VALUE_TEXT_ERROR_BYTES];

	for (size_t i = 0; i < call->n_arms; i++) {
		const char *word = call->arms[i].value;
		struct slice value = {NULL, 0};

		if (word && value_text_read(slice_from(word), call->strings, &made[i], &value, error) < 0)
			return report_usage(call, "--put %s: %s", call->arms[i].channel, error);
		arms[i] = (struct mr_arm){.channel = call->arms[i].channel, .raw = value.bytes, .raw_len = value.len};
	}
	return EXIT_OK;
}

static void print_choice(const struct call *call, int status, const struct mr_choice *choice)
{
	const char *channel = status == MR_TIMEOUT ? NULL : call->arms[choice->arm].channel;
	struct slice value = {choice->raw, choice->raw_len};

	switch (call->format) {
	case FORMAT_TEXT:
		if (status != MR_OK)
			return;
		printf("%zu %s%s", choice->arm, channel, value.bytes ? " " : "");
		if (choice->lease)
			printf("%s %" PRIu64 " ", choice->lease, choice->deliveries);
		if (value.bytes)
			output_bare(call, value);
		break;
	case FORMAT_RAW:
		if (!value.bytes)
			return;
		if (choice->lease)
			printf("%s\t%" PRIu64 "\t", choice->lease, choice->deliveries);
		output_bare(call, value);
		break;
	case FORMAT_JSON:
		putchar('{');
		if (channel)
			printf("\"arm\":%zu,\"channel\":\"%s\",", choice->arm, channel);
		if (value.bytes) {
			fputs("\"value\":", stdout);
			output_bare(call, value);
			putchar(',');
		}
		if (choice->lease)
			printf("\"lease\":\"%s\",\"deliveries\":%" PRIu64 ",", choice->lease, choice->deliveries);
		printf("\"status\":\"%s\"}", mr_status_name(status));
		break;
	}
	putchar('\n');
}

/* A put arm whose connection was lost has happened or has not: that is for whoever called to find out. */
static int choose(const struct call *call, mr *m, const struct mr_arm *arms, const struct mr_alts_options *options,
		  struct mr_choice *choice)
{
	int64_t begun_ms = clock_now_ms();
	struct reconnecting recovery;
	int status;

	recovery_init(&recovery, call);
	do {
		status =
			mr_alts_with(m, arms, call->n_arms, options, clock_left_ms(call->timeout_ms, begun_ms), choice);
	} while (recovery_wait(&recovery, m, status, -1));
	recovery_finish(&recovery);
	return status;
}

static int check_alts(const struct call *call)
{
	if (call->n_arms == 0)
		return report_usage(call, "no arms; give one or more of --take CHANNEL and --put CHANNEL VALUE");
	return EXIT_OK;
}

static int choose_and_tell(const struct call *call, mr *m, const struct mr_arm *arms)
{
	const struct mr_alts_options options = {
		.priority = call->priority, .lease_ms = take_lease_ms(call), .sticky = take_lease_ms(call) > 0};
	struct mr_choice choice;
	int status = choose(call, m, arms, &options, &choice);
	bool is_of_arm = status == MR_CLOSED || status == MR_DROPPED;
	int code = session_report(call, m, is_of_arm ? call->arms[choice.arm].channel : NULL, status, NULL);

	if (is_of_arm || status == MR_OK || status == MR_TIMEOUT)
		print_choice(call, status, &choice);
	mr_choice_finish(&choice);
	return code;
}

static int run_alts(const struct call *call)
{
	struct mr_arm arms[MESSAGE_MAX_ARMS];
	struct buffer made[MESSAGE_MAX_ARMS] = {{0}};
	int code = read_arms(call, arms, made);
	mr *m = NULL;

	if (code == EXIT_OK)
		code = session_open(call, &m);
	if (code == EXIT_OK)
		code = choose_and_tell(call, m, arms);
	mr_destroy(m);
	for (size_t i = 0; i < call->n_arms; i++)
		buffer_finish(&made[i]);
	return code;
}

const struct command alts_command = {
	.name = "alts",
	.arguments = "--take CHANNEL | --put CHANNEL VALUE ...",
	.summary = "take or put on one of many channels, whichever can first",
	.description =
		"Waits until one of its arms can happen, and does that one alone. An arm takes from a channel, or "
		"puts a value (JSON) into one; there may be 64 of them. If several can, any of them happens, or "
		"with --priority the first.\n\n"
		"text prints the arm's number (from 0), its channel and the value that was taken; raw prints only "
		"the value, as `take` does; json prints "
		"{\"arm\":N,\"channel\":NAME,\"value\":VALUE,\"status\":WORD}. With --lease what is taken is only "
		"leased, as with `take`, and its lease and how often it was delivered stand before it (json: "
		"\"lease\", \"deliveries\").\n\n"
		"When the daemon goes away, or the network to it, it waits until that is back, unless a put may "
		"have happened just then.",
	.examples = "  millrace alts --take requests --take control --timeout 250\n"
		    "  millrace alts --priority --put log '\"ready\"' --take stop\n",
	.options = OPTION_BIT(OPTION_TAKE) | OPTION_BIT(OPTION_PUT) | OPTION_BIT(OPTION_PRIORITY) |
		   OPTION_BIT(OPTION_STRING) | OPTION_BIT(OPTION_TIMEOUT) | OPTION_BIT(OPTION_NO_RECONNECT) |
		   OPTION_BIT(OPTION_LEASED),
	.exits = COMMON_EXITS | EXIT_BIT(EXIT_TIMEOUT) | EXIT_BIT(EXIT_CLOSED) | EXIT_BIT(EXIT_NO_CHANNEL) |
		 EXIT_BIT(EXIT_DROPPED),
	.check = check_alts,
	.run = run_alts,
};
