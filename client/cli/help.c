#include "client/cli/help.h"

#include "client/cli/options.h"

void help_usage(const struct command *command, FILE *to)
{
	if (command)
		fprintf(to, "usage: millrace %s [OPTION...]%s%s\n       millrace %s --help explains it\n",
			command->name, *command->arguments ? " " : "", command->arguments, command->name);
	else
		fputs("usage: millrace [OPTION...] COMMAND [ARGUMENT...]\n       millrace help lists the commands\n",
		      to);
}

static void explain_exits(unsigned exits, FILE *to)
{
	static const char *const meanings[] = {
		[EXIT_OK] = "done",
		[EXIT_ERROR] = "an error, told on standard error",
		[EXIT_USAGE] = "the command was not written as it must be",
		[EXIT_TIMEOUT] = "the time ran out",
		[EXIT_CLOSED] = "the channel is closed",
		[EXIT_CONNECT] = "no connection could be made",
		[EXIT_DENIED] = "denied, or not authenticated",
		[EXIT_NO_CHANNEL] = "no such channel",
		[EXIT_DROPPED] = "a full channel dropped a value",
	};

	fputs("\nExit codes:\n", to);
	for (size_t i = 0; i < sizeof meanings / sizeof *meanings; i++) {
		if (exits >> i & 1)
			fprintf(to, "  %zu  %s\n", i, meanings[i]);
	}
}

static void help_program(FILE *to)
{
	fputs("Millrace: put values into named channels, and take them out, from a shell.\n"
	      "\n"
	      "usage: millrace [OPTION...] COMMAND [ARGUMENT...]\n"
	      "\n"
	      "Commands:\n",
	      to);
	for (const struct command *command = commands; command->name; command++)
		fprintf(to, "  %-12s%s\n", command->name, command->summary);
	fputs("  help        list the commands, or explain one: millrace help put\n", to);
	options_explain(NULL, to);
	fputs("\n"
	      "Environment:\n"
	      "  MILLRACE_URL         where the daemon is, if --url does not say; without both tcp://127.0.0.1:7223\n"
	      "  MILLRACE_TOKEN       the token to log in with, where the daemon has users\n"
	      "  MILLRACE_TOKEN_FILE  a file whose first line is that token\n"
	      "  MILLRACE_CA, MILLRACE_CERT, MILLRACE_KEY  as --ca, --cert and --key\n"
	      "\n"
	      "Examples:\n"
	      "  millrace create jobs bounded 32\n"
	      "  millrace put jobs '{\"url\":\"http://x/y\"}'\n"
	      "  millrace take jobs\n",
	      to);
	explain_exits(~0u, to);
}

void help_whole(const struct command *command, FILE *to)
{
	if (!command) {
		help_program(to);
		return;
	}
	fprintf(to, "usage: millrace %s [OPTION...]%s%s\n\n%s\n", command->name, *command->arguments ? " " : "",
		command->arguments, command->description);
	options_explain(command, to);
	fprintf(to, "\nExamples:\n%s", command->examples);
	explain_exits(command->exits, to);
}
