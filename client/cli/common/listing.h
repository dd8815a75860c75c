/* The commands that list rows: each is a library call and a table of columns. */
#ifndef MILLRACE_CLI_COMMON_LISTING_H
#define MILLRACE_CLI_COMMON_LISTING_H

#include "client/cli/common/table.h"
#include "client/millrace.h"

struct listing {
	int (*fetch)(mr *m, const char *of, json_t **rows); /* `of`: the command's argument, or NULL */
	bool is_of_channel;                                 /* it is a channel, and not a pattern */
	struct column columns[TABLE_MOST_COLUMNS + 1];
};

/* Runs a command that has a listing. The exit code. */
int listing_run(const struct call *call, mr *m);

#endif
