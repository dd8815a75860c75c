/* Options of the shell's arguments, into the call. */
#ifndef MILLRACE_CLI_COMMON_OPTIONS_H
#define MILLRACE_CLI_COMMON_OPTIONS_H

#include "client/cli/common/command.h"

/* Parses argv[1 …] into *call, whose command is set; options may stand anywhere, "--" ends them. What is no option
 * becomes call->args. With no command yet it stops at the first word that is no option. 0, or EXIT_USAGE with the
 * mistake told. */
int options_parse(struct call *call, int argc, char **argv);

#endif
