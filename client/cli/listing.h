/* The end of the commands that list rows. */
#ifndef MILLRACE_CLI_LISTING_H
#define MILLRACE_CLI_LISTING_H

#include "client/cli/table.h"
#include "client/millrace.h"

/* Prints the rows that a library call gave, or says how it failed (`channel` or NULL is what it was about), and ends
 * the session. `rows` and `m` are used up. Returns the exit code. */
int listing_end(const struct call *call, mr *m, const char *channel, int status, const struct column *columns,
		size_t n_columns, json_t *rows);

#endif
