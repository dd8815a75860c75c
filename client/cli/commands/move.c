/* millrace move: values from one channel into another, such as dead letters back to where they came from. */
#include <inttypes.h>
#include <stdio.h>

#include "client/cli/common/report.h"
#include "client/cli/common/session.h"

enum { PAGE = 1000 }; /* values in one step of the daemon */

/* Moves page by page, so many in all as the call asks for. A status of the library. */
static int move_all(const struct call *call, mr *m, const char *to, uint64_t *moved, uint64_t *left)
{
	uint64_t wanted = call->number ? call->number : UINT64_MAX, more;
	int status;

	do {
		uint64_t rest = wanted - *moved;

		status = mr_move(m, call->args[0], to, rest < PAGE ? (size_t)rest : PAGE, &more, left);
		if (status == MR_OK)
			*moved += more;
	} while (status == MR_OK && more > 0 && *left > 0 && *moved < wanted);
	return status;
}

static int run_move(const struct call *call, mr *m)
{
	const char *to = call->n_args > 1 ? call->args[1] : NULL;
	uint64_t moved = 0, left = 0;
	int status = move_all(call, m, to, &moved, &left);
	char more[64];

	if (status == MR_OK && call->format == FORMAT_JSON)
		printf("{\"moved\":%" PRIu64 ",\"left\":%" PRIu64 "}\n", moved, left);
	else if (status == MR_OK && call->format == FORMAT_RAW)
		printf("%" PRIu64 "\t%" PRIu64 "\n", moved, left);
	else if (status == MR_OK && !call->quiet)
		printf("%" PRIu64 " moved, %" PRIu64 " left\n", moved, left);
	snprintf(more, sizeof more, "; %" PRIu64 " moved", moved);
	return session_report(call, m, status == MR_CLOSED && to ? to : NULL, status, more);
}

const struct command move_command = {
	.name = "move",
	.arguments = "FROM [TO]",
	.summary = "move values into another channel, or dead letters back",
	.description =
		"Moves the values that are in the channel FROM into the channel TO, the oldest first, or with -n "
		"the first N of them; as far as TO has room: it does not wait, and nothing is shed for them. "
		"Without TO each dead letter goes back to the channel that gave it up; other values stay. It says "
		"how many were moved, and how many are left.\n\n"
		"json prints {\"moved\":N,\"left\":N}, raw the two numbers with a tab between them.",
	.examples = "  millrace move failed jobs\n"
		    "  millrace move failed -n 1\n",
	.options = OPTION_BIT(OPTION_NUMBER),
	.exits = COMMON_EXITS | EXIT_BIT(EXIT_CLOSED) | EXIT_BIT(EXIT_NO_CHANNEL),
	.run_connected = run_move,
};
