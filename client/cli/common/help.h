/* Help: of the program, and of each command. Folded into the terminal's width, or $COLUMNS, or 80 columns. */
#ifndef MILLRACE_CLI_COMMON_HELP_H
#define MILLRACE_CLI_COMMON_HELP_H

#include "client/cli/common/command.h"

/* Writes to standard output all there is to say of the command, or of the program if call->command is NULL. */
void help_print(const struct call *call);

/* The command of this name. NULL: there is none, and that is told, with the one that was perhaps meant. */
const struct command *help_find_command(const struct call *call, const char *name);

#endif
