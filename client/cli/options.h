/* The options of all commands: one table, from which they are parsed and explained. */
#ifndef MILLRACE_CLI_OPTIONS_H
#define MILLRACE_CLI_OPTIONS_H

#include <stdio.h>

#include "client/cli/command.h"

struct option_row {
	char letter; /* 0: none */
	const char *name;
	const char *argument; /* NULL: it has none */
	const char *help;
};
const struct option_row *options_row(enum option_id id);

/* The bits of all options that a command has; command may be NULL: of those before the command. */
uint64_t options_of(const struct command *command);

/* Parses argv[1 …] into *call, whose command is set; options may stand anywhere, "--" ends them. What is no option
 * becomes call->args. With no command yet it stops at the first word that is no option. 0, or EXIT_USAGE with the
 * mistake told. */
int options_parse(struct call *call, int argc, char **argv);

/* Explains the command's own options, then those of every command. command may be NULL. */
void options_explain(const struct command *command, FILE *to);

#endif
