/* The list of commands. main() hands it on in the call: the commands themselves do not include this header. */
#ifndef MILLRACE_CLI_COMMANDS_H
#define MILLRACE_CLI_COMMANDS_H

#include "client/cli/command.h"

extern const struct command *const commands[]; /* NULL behind the last */

#endif
