/* millrace tap, untap, taps: what is carried inside the daemon. */
#include <stdio.h>

#include "client/cli/listing.h"
#include "client/cli/session.h"

/* Connects, if both names can be channels'. */
static int open_for_both(const struct call *call, mr **m)
{
	int code = session_check_channel(call, call->args[1]);

	return code == EXIT_OK ? session_open_for(call, call->args[0], m) : code;
}

static int run_tap(const struct call *call)
{
	bool created = false;
	int code, status;
	mr *m;

	code = open_for_both(call, &m);
	if (code != EXIT_OK)
		return code;
	status = mr_tap(m, call->args[0], call->args[1], NULL, &created, NULL);
	code = session_report(call, m, call->args[0], status, NULL);
	if (status == MR_OK && call->format == FORMAT_JSON)
		printf("{\"from\":\"%s\",\"to\":\"%s\",\"created\":%s}\n", call->args[0], call->args[1],
		       created ? "true" : "false");
	else if (status == MR_OK && !call->quiet)
		puts(created ? "tapped" : "it was there");
	mr_destroy(m);
	return code;
}

const struct command tap_command = {
	.name = "tap",
	.arguments = "SOURCE TARGET",
	.summary = "carry what enters a channel to another, inside the daemon",
	.description =
		"Taps a channel: from now on what enters SOURCE is carried to TARGET, and each keeps its overload "
		"policy. Several taps of one source each get every\n"
		"value. When SOURCE is closed and empty, TARGET closes too, unless something else is tapped to "
		"it.",
	.examples = "  millrace tap events audit\n",
	.exits = COMMON_EXITS | EXIT_BIT(EXIT_NO_CHANNEL) | EXIT_BIT(EXIT_CLOSED),
	.min_args = 2,
	.max_args = 2,
	.run = run_tap,
};

static int run_untap(const struct call *call)
{
	int code, status;
	mr *m;

	code = open_for_both(call, &m);
	if (code != EXIT_OK)
		return code;
	status = mr_untap(m, call->args[0], call->args[1]);
	code = session_report(call, m, call->args[0], status, NULL);
	if (status == MR_OK && call->format != FORMAT_JSON && !call->quiet)
		puts("untapped");
	mr_destroy(m);
	return code;
}

const struct command untap_command = {
	.name = "untap",
	.arguments = "SOURCE TARGET",
	.summary = "end a tap; closes nothing",
	.description = "Ends the tap from SOURCE to TARGET. What it holds goes back to SOURCE if nobody got it.",
	.examples = "  millrace untap events audit\n",
	.exits = COMMON_EXITS | EXIT_BIT(EXIT_NO_CHANNEL),
	.min_args = 2,
	.max_args = 2,
	.run = run_untap,
};

static int run_taps(const struct call *call)
{
	static const struct column columns[] = {
		{"FROM", "from", false, 0},   {"TO", "to", false, 1},          {"MATCH", "match", false, 5},
		{"STATE", "state", false, 2}, {"CARRIED", "carried", true, 3}, {"UNMATCHED", "unmatched", true, 7},
		{"MUTED", "muted", true, 8},  {"HELD", "held", true, 4},       {"HELD_MS", "held_ms", true, 6},
	};
	const char *channel = call->n_args ? call->args[0] : NULL;
	json_t *rows = NULL;
	int code, status;
	mr *m;

	code = channel ? session_open_for(call, channel, &m) : session_open(call, &m);
	if (code != EXIT_OK)
		return code;
	status = mr_taps(m, channel, &rows);
	return listing_end(call, m, channel, status, columns, sizeof columns / sizeof *columns, rows);
}

const struct command taps_command = {
	.name = "taps",
	.arguments = "[CHANNEL]",
	.summary = "show what is carried where, and what is held up",
	.description =
		"Lists the taps, from or to one channel or all, the oldest first. HELD is 1 while the target has no "
		"room for the tap's value. json prints one object a\n"
		"line, raw the same columns with tabs between them and no heading.",
	.examples = "  millrace taps\n"
		    "  millrace taps events -o json | jq .carried\n",
	.exits = COMMON_EXITS | EXIT_BIT(EXIT_NO_CHANNEL),
	.min_args = 0,
	.max_args = 1,
	.run = run_taps,
};
