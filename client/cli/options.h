/* The options of all commands: one table, from which they are parsed and explained. */
#ifndef MILLRACE_CLI_OPTIONS_H
#define MILLRACE_CLI_OPTIONS_H

#include <stdio.h>

#include "client/cli/command.h"

/* Parses argv[1 …] into *call, whose command is set; options may stand anywhere, "--" ends them. What is no option becomes call->args. With no command
 * yet it stops at the first word that is no option. 0, or EXIT_USAGE with the mistake told. */
int options_parse(struct call *call, int argc, char **argv);

/* Explains the command's own options, then those of every command. command may be NULL. */
void options_explain(const struct command *command, FILE *to);

#endif
