/* millrace waiters: who waits, and for what. */
#include "client/cli/common/listing.h"

static const struct listing waiters_listing = {
	.fetch = mr_waiters,
	.is_of_channel = true,
	.columns =
		{
			{"SEQ", "seq", true, 8},
			{"NAME", "name", false, 0},
			{"PEER", "peer", false, 5},
			{"CONNECTION", "connection", true, 6},
			{"REQUEST", "request", true, 7},
			{"OP", "op", false, 1},
			{"ARMS", "arms", false, 2},
			{"AGE_MS", "age_ms", true, 3},
			{"DEADLINE_MS", "deadline_ms", true, 4},
		},
};

const struct command waiters_command = {
	.name = "waiters",
	.arguments = "[CHANNEL]",
	.summary = "show who waits",
	.description =
		"Lists the requests that wait, on one channel or on all, the oldest first. json prints one object a "
		"line, raw the same columns with tabs between them and no heading.",
	.examples = "  millrace waiters\n"
		    "  millrace waiters jobs -o json | jq .name\n",
	.exits = COMMON_EXITS | EXIT_BIT(EXIT_NO_CHANNEL),
	.run_connected = listing_run,
	.listing = &waiters_listing,
};
