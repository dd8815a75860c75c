/* The commands that list rows: each is a library call and a table of columns. */
#ifndef MILLRACE_CLI_LISTING_H
#define MILLRACE_CLI_LISTING_H

#include "client/cli/table.h"
#include "client/millrace.h"

enum { LISTING_MOST_COLUMNS = 12 };

struct listing {
	int (*fetch)(mr *m, const char *of, json_t **rows); /* `of`: the command's argument, or NULL */
	bool is_of_channel;                                 /* it is a channel, and not a pattern */
	struct column columns[LISTING_MOST_COLUMNS];        /* those without a title are none */
};

/* Runs a command that has a listing. The exit code. */
int listing_run(const struct call *call, mr *m);

/* Prints rows that are there already. EXIT_OK, or EXIT_ERROR and told. */
int listing_print(const struct call *call, const struct column *columns, const json_t *rows);

#endif
