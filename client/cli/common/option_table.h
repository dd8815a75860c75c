/* The options of all commands: one table, by which they are parsed, explained and completed. */
#ifndef MILLRACE_CLI_COMMON_OPTION_TABLE_H
#define MILLRACE_CLI_COMMON_OPTION_TABLE_H

#include "client/cli/common/command.h"

struct option_row {
	char letter; /* 0: none */
	const char *name;
	const char *argument; /* NULL: it has none */
	const char *help;

	/* Sets what the option says; `word` is its argument, or NULL. While options are parsed, call->args is all that
	 * getopt goes through. 0, or EXIT_USAGE with the mistake told. */
	int (*set)(struct call *call, const struct option_row *row, const char *word);
	size_t offset;            /* in struct call: of what is set, if that is one field */
	const char *what;         /* the word should be, for people */
	uint64_t lowest, highest; /* of a number */
	const char *choices;      /* the words it can be, with spaces between; NULL: any */
};
extern const struct option_row option_rows[N_OPTIONS];

/* The bits of all options that a command has; command may be NULL: of those before the command. */
uint64_t options_of(const struct command *command);

/* The option's letter with this command, or 0: a command's own option goes before one that all commands have. */
char option_letter(const struct command *command, int id);

#endif
