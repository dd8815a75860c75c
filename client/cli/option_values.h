/* What an option says, into the call. */
#ifndef MILLRACE_CLI_OPTION_VALUES_H
#define MILLRACE_CLI_OPTION_VALUES_H

#include "client/cli/command.h"

/* Sets what the option says; `word` is its argument, NULL if it has none. An option with two arguments finds the second
 * in argv, at getopt's optind, which it moves on. 0, or EXIT_USAGE with the mistake told. */
int option_set(struct call *call, enum option_id id, const char *word, int argc, char *const *argv);

#endif
