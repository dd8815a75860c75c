/* millrace leases: who works on what, and since when. */
#include "client/cli/common/listing.h"

static const struct listing leases_listing = {
	.fetch = mr_leases,
	.is_of_channel = true,
	.columns =
		{
			{"SEQ", "seq", true, 9},
			{"CHANNEL", "channel", false, 2},
			{"VALUES", "values", true, 5},
			{"DELIVERIES", "deliveries", true, 4},
			{"NAME", "name", false, 0},
			{"PEER", "peer", false, 6},
			{"USER", "user", false, 7},
			{"CONNECTION", "connection", true, 8},
			{"STICKY", "sticky", false, 10},
			{"AGE_MS", "age_ms", true, 1},
			{"LEFT_MS", "left_ms", true, 3},
		},
};

const struct command leases_command = {
	.name = "leases",
	.arguments = "[CHANNEL]",
	.summary = "show who works on what, and since when",
	.description =
		"Lists the leases of one channel or of all, the oldest first: how many values each holds, the "
		"highest number of their deliveries, who took them, how long ago, and how much time the lease has "
		"left. The token of a lease is never shown. json prints one object a line, raw the same columns "
		"with tabs between them and no heading.",
	.examples = "  millrace leases\n"
		    "  millrace leases jobs -o json | jq 'select(.age_ms > 60000).name'\n",
	.exits = COMMON_EXITS | EXIT_BIT(EXIT_NO_CHANNEL),
	.run_connected = listing_run,
	.listing = &leases_listing,
};
