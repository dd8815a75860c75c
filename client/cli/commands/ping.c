/* millrace ping: is the daemon there, and how fast does it answer. */
#include <stdio.h>

#include "client/cli/common/output.h"
#include "client/cli/common/report.h"
#include "client/net/clock.h"

enum { PATIENCE_MS = 5000 };

static int run_ping(const struct call *call, mr *m)
{
	static const char *const forms[] = {
		[FORMAT_TEXT] = "%.3f ms\n", [FORMAT_JSON] = "{\"ms\":%.3f}\n", [FORMAT_RAW] = "%.3f\n"};
	int64_t timeout_ms = call->timeout_ms == MR_FOREVER ? PATIENCE_MS : call->timeout_ms;
	uint64_t n = call->number ? call->number : 1;
	int code = EXIT_OK;

	for (uint64_t i = 0; i < n && code == EXIT_OK; i++) {
		int64_t begin_us = clock_now_us();
		int status = mr_ping(m, timeout_ms);

		code = report_status(call, NULL, status, NULL);
		if (status == MR_OK && !call->quiet)
			printf(forms[call->format], (double)(clock_now_us() - begin_us) / 1e3);
		if (output_flush() < 0)
			break;
	}
	return code;
}

const struct command ping_command = {
	.name = "ping",
	.arguments = "",
	.summary = "see whether the daemon answers, and how fast",
	.description =
		"Asks the daemon for an answer, and prints how many milliseconds that took; with -n N times, one "
		"after the other. Without --timeout it waits 5 s for each.",
	.examples = "  millrace ping\n"
		    "  millrace ping -q && echo it is there\n",
	.options = OPTION_BIT(OPTION_NUMBER) | OPTION_BIT(OPTION_TIMEOUT),
	.exits = COMMON_EXITS | EXIT_BIT(EXIT_TIMEOUT),
	.run_connected = run_ping,
};
