/* millrace create, close, delete. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "client/cli/report.h"
#include "client/cli/session.h"
#include "client/cli/units.h"

enum { HIGHEST_CAPACITY = 1000000000 }; /* what the daemon allows may be less */

static int read_definition(const struct call *call, struct mr_definition *definition)
{
	static const struct {
		const char *name;
		bool has_capacity;
	} kinds[] = {
		{"unbuffered", false}, {"bounded", true}, {"dropping", true}, {"sliding", true}, {"promise", false}};
	const char *kind = call->args[1];

	if (!call->max_deliveries != !call->dead_letter)
		return report_usage(call, "--max-deliveries and --dead-letter come together");
	if (call->dead_letter && session_check_channel(call, call->dead_letter) != EXIT_OK)
		return EXIT_USAGE;

	for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
		if (strcmp(kind, kinds[i].name) != 0)
			continue;
		*definition = (struct mr_definition){
			.kind = kind,
			.max_waiters = call->max_waiters,
			.max_deliveries = call->max_deliveries,
			.dead_letter = call->dead_letter,
		};
		if (kinds[i].has_capacity && call->n_args < 3)
			return report_usage(call, "a %s channel needs a capacity: how many values fit into it", kind);
		if (!kinds[i].has_capacity && call->n_args > 2)
			return report_usage(call, "a channel that is %s has no capacity; leave '%s' out",
					    strcmp(kind, "promise") ? kind : "a promise", call->args[2]);
		if (call->n_args > 2 &&
		    units_parse_count(call->args[2], 1, HIGHEST_CAPACITY, &definition->capacity) < 0)
			return report_usage(call, "'%s' is not a capacity; give a number from 1 to %d", call->args[2],
					    HIGHEST_CAPACITY);
		return EXIT_OK;
	}
	return report_usage(
		call, "there is no kind '%s'; the kinds are unbuffered, bounded, dropping, sliding and promise", kind);
}

int run_create(const struct call *call)
{
	const char *channel = call->args[0];
	struct mr_definition definition;
	bool created;
	int code, status;
	mr *m;

	code = read_definition(call, &definition);
	if (code == EXIT_OK)
		code = session_open_for(call, channel, &m);
	if (code != EXIT_OK)
		return code;
	status = mr_create(m, channel, &definition, &created, NULL);
	code = report_status(call, channel, status, NULL);
	if (status == MR_OK && call->format == FORMAT_JSON)
		printf("{\"channel\":\"%s\",\"created\":%s}\n", channel, created ? "true" : "false");
	else if (status == MR_OK && !call->quiet)
		puts(created ? "created" : "exists already");
	mr_destroy(m);
	return code;
}

int run_close(const struct call *call)
{
	const char *channel = call->args[0];
	int code, status;
	mr *m;

	code = session_open_for(call, channel, &m);
	if (code != EXIT_OK)
		return code;
	status = mr_close(m, channel);
	code = report_status(call, channel, status, NULL);
	if (status == MR_OK && call->format == FORMAT_JSON)
		printf("{\"channel\":\"%s\",\"closed\":true}\n", channel);
	else if (status == MR_OK && !call->quiet)
		puts("closed");
	mr_destroy(m);
	return code;
}

int run_delete(const struct call *call)
{
	const char *channel = call->args[0];
	uint64_t discarded;
	int code, status;
	mr *m;

	code = session_open_for(call, channel, &m);
	if (code != EXIT_OK)
		return code;
	status = mr_delete(m, channel, call->force, &discarded);
	code = report_status(call, channel, status, NULL);
	if (status == MR_OK && call->format == FORMAT_JSON)
		printf("{\"channel\":\"%s\",\"discarded\":%" PRIu64 "}\n", channel, discarded);
	else if (status == MR_OK && !call->quiet && discarded)
		printf("deleted, and %" PRIu64 " value%s discarded\n", discarded, discarded == 1 ? "" : "s");
	else if (status == MR_OK && !call->quiet)
		puts("deleted");
	mr_destroy(m);
	return code;
}
