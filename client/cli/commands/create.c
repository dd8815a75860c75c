/* millrace create: a channel of a kind. */
#include <stdio.h>
#include <string.h>

#include "client/cli/common/report.h"
#include "client/cli/common/session.h"
#include "client/cli/common/units.h"
#include "proto/suggest.h"

/* The kinds, and whether a channel of them has a capacity. */
static const struct {
	const char *name;
	bool has_capacity;
} kinds[] = {{"unbuffered", false}, {"bounded", true}, {"dropping", true}, {"sliding", true}, {"promise", false}};
enum { N_KINDS = sizeof kinds / sizeof *kinds };

/* The capacity that the arguments say; 0: none, or none that could be. */
static uint64_t capacity_of(const struct call *call)
{
	uint64_t capacity = 0;

	if (call->n_args > 2)
		(void)units_parse_count(call->args[2], 1, COMMAND_MAX_CAPACITY, &capacity);
	return capacity;
}

static int check_create(const struct call *call)
{
	const char *kind = call->args[1];
	struct suggestion suggestion = {.wrong = kind};
	char hint[SUGGEST_MAX_BYTES + 32];
	size_t i = 0;

	if (!call->max_deliveries != !call->dead_letter)
		return report_usage(call, "--max-deliveries and --dead-letter come together");
	for (; i < N_KINDS && strcmp(kind, kinds[i].name) != 0; i++)
		suggest_consider(&suggestion, kinds[i].name);
	if (i == N_KINDS)
		return report_usage(
			call,
			"there is no kind '%s'%s; the kinds are unbuffered, bounded, dropping, sliding and promise",
			kind, suggest_text(&suggestion, hint, sizeof hint));
	if (kinds[i].has_capacity && call->n_args < 3)
		return report_usage(call, "a %s channel needs a capacity: how many values fit into it", kind);
	if (!kinds[i].has_capacity && call->n_args > 2)
		return report_usage(call, "a channel that is %s has no capacity; leave '%s' out",
				    strcmp(kind, "promise") ? kind : "a promise", call->args[2]);
	if (kinds[i].has_capacity && capacity_of(call) == 0)
		return report_usage(call, "'%s' is not a capacity; give a number from 1 to %d", call->args[2],
				    COMMAND_MAX_CAPACITY);
	return EXIT_OK;
}

static int run_create(const struct call *call, mr *m)
{
	const char *channel = call->args[0];
	const struct mr_definition definition = {
		.kind = call->args[1],
		.capacity = capacity_of(call),
		.max_waiters = call->max_waiters,
		.max_deliveries = call->max_deliveries,
		.dead_letter = call->dead_letter,
	};
	bool created;
	int status = mr_create(m, channel, &definition, &created, NULL);

	if (status == MR_OK && call->format == FORMAT_JSON)
		printf("{\"channel\":\"%s\",\"created\":%s}\n", channel, created ? "true" : "false");
	else if (status == MR_OK && !call->quiet)
		puts(created ? "created" : "exists already");
	return session_report(call, m, channel, status, NULL);
}

const struct command create_command = {
	.name = "create",
	.arguments = "CHANNEL KIND [CAPACITY]",
	.summary = "create a channel",
	.description =
		"Creates a channel, or finds that it is there already in the same form. KIND says what happens to a "
		"put when there is no room:\n"
		"  unbuffered  it waits for a take: both happen together\n"
		"  bounded     it waits for room: CAPACITY values fit\n"
		"  dropping    the new value is dropped\n"
		"  sliding     the oldest value is dropped\n"
		"  promise     the first value stays for ever, later ones are dropped\n"
		"bounded, dropping and sliding need a CAPACITY.",
	.examples = "  millrace create jobs bounded 32\n"
		    "  millrace create answer promise\n"
		    "  millrace create jobs bounded 32 --max-deliveries 5 --dead-letter failed\n",
	.options = OPTION_BIT(OPTION_MAX_WAITERS) | OPTION_BIT(OPTION_MAX_DELIVERIES) | OPTION_BIT(OPTION_DEAD_LETTER),
	.exits = COMMON_EXITS,
	.check = check_create,
	.run_connected = run_create,
};
