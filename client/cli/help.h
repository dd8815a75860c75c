/* Help: of the program, and of each command. */
#ifndef MILLRACE_CLI_HELP_H
#define MILLRACE_CLI_HELP_H

#include <stdio.h>

#include "client/cli/command.h"

/* The usage in a line or two. command NULL: of the program. */
void help_usage(const struct command *command, FILE *to);

/* All there is to say. command NULL: of the program. */
void help_whole(const struct command *command, FILE *to);

#endif
