/* millrace help, and --help. */
#include "client/cli/common/help.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client/cli/common/fold.h"
#include "client/cli/common/option_table.h"
#include "client/cli/common/report.h"
#include "client/cli/common/terminal.h"
#include "client/cli/common/units.h"
#include "proto/suggest.h"

enum {
	USUAL_WIDTH = 80,
	LEAST_WIDTH = 20,
	OPTION_INDENT = 28,        /* where the text of an option stands */
	NARROW_OPTION_INDENT = 10, /* and where there is no room for two columns */
	NARROW_WIDTH = 60,
	COMMAND_INDENT = 14,
	VARIABLE_INDENT = 23,
	CODE_INDENT = 5,
};

/* What is read on a terminal is no wider than people like to read; what goes elsewhere may be, if $COLUMNS says so. */
static size_t help_width(void)
{
	const char *columns = getenv("COLUMNS");
	size_t width = terminal_columns(STDOUT_FILENO);
	uint64_t wanted;

	if (width == 0 && columns && units_parse_count(columns, LEAST_WIDTH, 1000000, &wanted) == 0)
		return (size_t)wanted;
	if (width == 0 || width > USUAL_WIDTH)
		return USUAL_WIDTH;
	return width < LEAST_WIDTH ? LEAST_WIDTH : width;
}

/* A term and its explanation, beside it or, where that has no room, below it. */
static void explain(const char *term, const char *text, size_t indent, size_t width)
{
	size_t column = (size_t)printf("  %s", term);

	if (width < NARROW_WIDTH && indent > COMMAND_INDENT)
		indent = NARROW_OPTION_INDENT;
	if (column + 2 > indent) {
		putchar('\n');
		column = 0;
	}
	printf("%*s", (int)(indent - column), "");
	fold_words(stdout, text, strlen(text), indent, indent, width);
}

static void explain_options(const struct command *command, uint64_t ids, size_t width)
{
	for (int id = 0; id < N_OPTIONS; id++) {
		const struct option_row *row = &option_rows[id];
		char letter = option_letter(command, id);
		char term[64];
		int n;

		if (!(ids >> id & 1))
			continue;
		n = letter ? snprintf(term, sizeof term, "-%c, ", letter) : snprintf(term, sizeof term, "    ");
		snprintf(term + n, sizeof term - (size_t)n, "--%s%s%s", row->name, row->argument ? " " : "",
			 row->argument ? row->argument : "");
		explain(term, row->help, OPTION_INDENT, width);
	}
}

static void explain_exits(unsigned exits, size_t width)
{
	static const char *const meanings[] = {
		[EXIT_OK] = "done",
		[EXIT_ERROR] = "an error, told on standard error",
		[EXIT_USAGE] = "the command was not written as it must be",
		[EXIT_TIMEOUT] = "the time ran out",
		[EXIT_CLOSED] = "the channel is closed",
		[EXIT_CONNECT] = "no connection could be made, or it was lost for good",
		[EXIT_DENIED] = "denied, or not authenticated",
		[EXIT_NO_CHANNEL] = "no such channel",
		[EXIT_DROPPED] = "a full channel dropped a value",
	};
	char term[8];

	puts("\nExit codes:");
	for (size_t i = 0; i < sizeof meanings / sizeof *meanings; i++) {
		if (!(exits >> i & 1))
			continue;
		snprintf(term, sizeof term, "%zu", i);
		explain(term, meanings[i], CODE_INDENT, width);
	}
}

static void explain_environment(size_t width)
{
	static const struct {
		const char *name, *text;
	} variables[] = {
		{"MILLRACE_URL", "where the daemon is, if --url does not say; without both tcp://127.0.0.1:7223"},
		{"MILLRACE_CONTEXT", "as --context"},
		{"MILLRACE_TOKEN", "the token to log in with, where the daemon has users"},
		{"MILLRACE_TOKEN_FILE", "a file whose first line is that token"},
		{"MILLRACE_CA, MILLRACE_CERT, MILLRACE_KEY", "as --ca, --cert and --key"},
		{"NO_COLOR", "no colours"},
	};

	puts("\nEnvironment:");
	for (size_t i = 0; i < sizeof variables / sizeof *variables; i++)
		explain(variables[i].name, variables[i].text, VARIABLE_INDENT, width);
}

static void help_program(const struct command *const *list, size_t width)
{
	puts("Millrace: put values into named channels, and take them out, from a shell.\n"
	     "\n"
	     "usage: millrace [OPTION...] COMMAND [ARGUMENT...]\n"
	     "\n"
	     "Commands:");
	for (; *list; list++)
		explain((*list)->name, (*list)->summary, COMMAND_INDENT, width);
	puts("\nOptions:");
	explain_options(NULL, options_of(NULL), width);
	explain_environment(width);
	puts("\n"
	     "Examples:\n"
	     "  millrace create jobs bounded 32\n"
	     "  millrace put jobs '{\"url\":\"http://x/y\"}'\n"
	     "  millrace take jobs");
	explain_exits(~0u, width);
}

void help_print(const struct call *call)
{
	const struct command *command = call->command;
	size_t width = help_width();

	if (!command) {
		help_program(call->commands, width);
		return;
	}
	printf("usage: millrace %s [OPTION...]%s%s\n\n", command->name, *command->arguments ? " " : "",
	       command->arguments);
	fold_paragraphs(stdout, command->description, width);
	puts("\nOptions:");
	explain_options(command, command->options, width);
	explain_options(command, options_of(command) & ~command->options, width);
	printf("\nExamples:\n%s", command->examples);
	explain_exits(command->exits, width);
}

const struct command *help_find_command(const struct call *call, const char *name)
{
	/* What people try who come from elsewhere. */
	static const struct {
		const char *name, *meant;
	} others[] = {{"list", "ls"},      {"channels", "ls"}, {"info", "stat"},   {"show", "stat"},
		      {"get", "take"},     {"push", "put"},    {"pop", "take"},    {"send", "put"},
		      {"receive", "take"}, {"rm", "delete"},   {"select", "alts"}, {"watch", "top"}};
	struct suggestion suggestion = {.wrong = name};
	char hint[SUGGEST_MAX_BYTES + 32];

	for (const struct command *const *at = call->commands; *at; at++) {
		if (strcmp((*at)->name, name) == 0)
			return *at;
		suggest_consider(&suggestion, (*at)->name);
	}
	for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
		if (strcmp(others[i].name, name) == 0)
			snprintf(suggestion.name, sizeof suggestion.name, "%s", others[i].meant);
	}
	report_usage(call, "there is no command '%s'%s", name, suggest_text(&suggestion, hint, sizeof hint));
	return NULL;
}

static int run_help(const struct call *call)
{
	struct call subject = *call;

	subject.command = call->n_args ? help_find_command(call, call->args[0]) : NULL;
	if (call->n_args && !subject.command)
		return EXIT_USAGE;
	help_print(&subject);
	return EXIT_OK;
}

const struct command help_command = {
	.name = "help",
	.arguments = "[COMMAND]",
	.summary = "list the commands, or explain one",
	.description = "Lists the commands and the options that all of them have, or explains one command. `millrace "
		       "COMMAND --help` says the same.",
	.examples = "  millrace help\n"
		    "  millrace help put\n",
	.exits = EXIT_BIT(EXIT_OK) | EXIT_BIT(EXIT_USAGE),
	.run = run_help,
};
