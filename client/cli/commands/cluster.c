/* millrace cluster: the daemons that are one service, and which of them has what. */
#include <stdio.h>
#include <string.h>

#include "client/cli/common/report.h"
#include "client/cli/common/table.h"

static const struct column group_columns[] = {
	{"GROUP", "group", false, 0}, {"OWNER", "owner", false, 1},  {"TARGET", "target", false, 2},
	{"EPOCH", "epoch", true, 4},  {"LAG_MS", "lag_ms", true, 3}, {NULL},
};

static const struct column daemon_columns[] = {
	{"DAEMON", "daemon", false, 0},
	{"ADDRESS", "address", false, 1},
	{"HTTP", "http", false, 2},
	{"ASKED", "self", false, 3},
	{NULL},
};

static int print_overview(const struct call *call, const json_t *overview)
{
	const char *waits_for = json_string_value(json_object_get(overview, "waits_for"));
	int code;

	if (call->format == FORMAT_JSON)
		return table_print_object(call, overview);
	code = table_print(call, group_columns, json_object_get(overview, "groups"));
	if (call->format == FORMAT_RAW || code != EXIT_OK)
		return code;
	putchar('\n');
	code = table_print(call, daemon_columns, json_object_get(overview, "daemons"));
	if (waits_for && !call->quiet)
		report(call, NULL, "this daemon has not joined: %s", waits_for);
	return code;
}

static int show(const struct call *call, mr *m)
{
	json_t *overview = NULL;
	int status = mr_cluster(m, &overview);
	int code = report_status(call, NULL, status, NULL);

	if (status == MR_OK)
		code = print_overview(call, overview);
	json_decref(overview);
	return code;
}

static int move(const struct call *call, mr *m)
{
	int status = mr_cluster_move(m, call->args[1], call->args[2]);
	int code = report_status(call, NULL, status, NULL);

	if (status == MR_OK && call->format == FORMAT_TEXT && !call->quiet)
		printf("%s goes to %s\n", call->args[1], call->args[2]);
	return code;
}

static int check_cluster(const struct call *call)
{
	if (call->n_args > 0 && strcmp(call->args[0], "move") != 0)
		return report_usage(call, "there is no '%s' here; say cluster, or cluster move GROUP DAEMON",
				    call->args[0]);
	if (call->n_args == 1 || call->n_args == 2)
		return report_usage(call, "which group, and to which daemon? cluster move GROUP DAEMON");
	return EXIT_OK;
}

static int run_cluster(const struct call *call, mr *m)
{
	return call->n_args ? move(call, m) : show(call, m);
}

const struct command cluster_command = {
	.name = "cluster",
	.arguments = "[move GROUP DAEMON]",
	.summary = "show who has which group of channels in a cluster, or move one",
	.description =
		"Lists the groups of a cluster and its daemons, as the daemon that is asked (ASKED) knows them. A "
		"group's channels are those with its name in braces, as in {orders}.jobs; the others are of the "
		"group default. OWNER is the daemon that has it, \"-\" none just now; TARGET the one to which it is "
		"on its way. EPOCH rises with each change; LAG_MS is how long what has changed last has waited to "
		"be kept, of the groups of the daemon that is asked. json prints one object, raw the groups with "
		"tabs between the columns and no heading.\n\n"
		"`cluster move` lets a daemon have a group, by plan: clients see no error, and nothing is lost. It "
		"stays there while that daemon is up.\n\n"
		"All other commands go to whom has their channel, whichever daemon of a cluster they are connected "
		"to; give --url several, tcp://a,b,c, so that one of them may be away.",
	.examples = "  millrace cluster\n"
		    "  millrace cluster move orders b\n"
		    "  millrace cluster -o json | jq -r '.groups[] | select(.owner == null).group'\n",
	.exits = COMMON_EXITS,
	.check = check_cluster,
	.run_connected = run_cluster,
};
