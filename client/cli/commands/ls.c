/* millrace ls: the channels there are. */
#include "client/cli/common/listing.h"

static const struct listing ls_listing = {
	.fetch = mr_list,
	.columns =
		{
			{"NAME", "channel", false, 0},
			{"KIND", "kind", false, 5},
			{"CAPACITY", "capacity", true, 4},
			{"BUFFERED", "buffered", true, 1},
			{"LEASED", "leased", true, 2},
			{"PUTS", "parked_puts", true, 3},
			{"TAKES", "parked_takes", true, 3},
			{"ACCEPTED", "accepted", true, 8},
			{"TAKEN", "taken", true, 8},
			{"DROPPED", "dropped", true, 6},
			{"EVICTED", "evicted", true, 7},
			{"CLOSED", "closed", false, 9},
		},
};

const struct command ls_command = {
	.name = "ls",
	.arguments = "[GLOB]",
	.summary = "list channels",
	.description =
		"Lists the channels whose names match GLOB (* any text, ? any one character, [a-z] one of these), "
		"or all. BUFFERED values are there to be taken, LEASED ones are worked on, or come later. PUTS and "
		"TAKES wait now; ACCEPTED, TAKEN, DROPPED and EVICTED count from the channel's beginning. json "
		"prints one object a line, raw the same columns with tabs between them and no heading.",
	.examples = "  millrace ls\n"
		    "  millrace ls 'jobs.*'\n"
		    "  millrace ls -o json | jq -r 'select(.dropped > 0).channel'\n",
	.exits = COMMON_EXITS,
	.run_connected = listing_run,
	.listing = &ls_listing,
};
