/* millrace alts: exactly one of many takes and puts. */
#include <inttypes.h>
#include <stdio.h>

#include "client/cli/output.h"
#include "client/cli/report.h"
#include "client/cli/session.h"
#include "client/cli/text.h"

/* The arms as the library has them. Strings that are made of words go to `made`, one each, for buffer_finish(). EXIT_OK
 * or EXIT_USAGE, told. */
static int read_arms(const struct call *call, struct mr_arm *arms, struct buffer *made)
{
	char error[TEXT_ERROR_BYTES];

	for (size_t i = 0; i < call->n_arms; i++) {
		const char *word = call->arms[i].value;
		struct slice value = {NULL, 0};
		int result = 0;

		if (session_check_channel(call, call->arms[i].channel) != EXIT_OK)
			return EXIT_USAGE;
		if (word && call->strings) {
			result = text_to_string(slice_from(word), &made[i], error);
			value = (struct slice){made[i].bytes + made[i].start, buffer_len(&made[i])};
		} else if (word) {
			result = text_to_value(slice_from(word), &value, error);
		}
		if (result < 0)
			return report_usage(call, "--put %s: %s", call->arms[i].channel, error);
		arms[i] = (struct mr_arm){
			.channel = call->arms[i].channel, .raw = word ? value.bytes : NULL, .raw_len = value.len};
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

int run_alts(const struct call *call)
{
	struct mr_arm arms[MESSAGE_MAX_ARMS];
	struct buffer made[MESSAGE_MAX_ARMS] = {{0}};
	struct mr_alts_options options = {.priority = call->priority};
	struct mr_choice choice;
	int code, status;
	mr *m;

	if (call->n_arms == 0)
		return report_usage(call, "no arms; give one or more of --take CHANNEL and --put CHANNEL VALUE");
	code = read_arms(call, arms, made);
	if (code != EXIT_OK)
		goto no_session;
	code = session_open(call, &m);
	if (code != EXIT_OK)
		goto no_session;
	if (call->lease_ms != MR_FOREVER) { /* it has to outlive this program */
		options.lease_ms = call->lease_ms;
		options.sticky = true;
	}
	status = mr_alts_with(m, arms, call->n_arms, &options, call->timeout_ms, &choice);
	code = report_status(call, status == MR_CLOSED || status == MR_DROPPED ? call->arms[choice.arm].channel : NULL,
			     status, NULL);
	if (status == MR_OK || status == MR_TIMEOUT || status == MR_CLOSED || status == MR_DROPPED)
		print_choice(call, status, &choice);
	mr_choice_finish(&choice);
	mr_destroy(m);
no_session:
	for (size_t i = 0; i < call->n_arms; i++)
		buffer_finish(&made[i]);
	return code;
}
