/* The options of all commands: one table, by which they are parsed, explained and completed. */
#ifndef MILLRACE_CLI_OPTION_TABLE_H
#define MILLRACE_CLI_OPTION_TABLE_H

#include "client/cli/command.h"

struct option_row {
	char letter; /* 0: none */
	const char *name;
	const char *argument; /* NULL: it has none */
	const char *help;
};
const struct option_row *option_row(enum option_id id);

/* The bits of all options that a command has; command may be NULL: of those before the command. */
uint64_t options_of(const struct command *command);

/* The option's letter with this command, or 0: a command's own option goes before one that all commands have. */
char option_letter(const struct command *command, enum option_id id);

#endif
