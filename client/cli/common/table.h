/* Rows of JSON as lines for people: columns that stand below each other, or with tabs between them for programs. */
#ifndef MILLRACE_CLI_COMMON_TABLE_H
#define MILLRACE_CLI_COMMON_TABLE_H

#include <stdio.h>

#include <jansson.h>

#include "client/cli/common/command.h"

struct column {
	const char *title;
	const char *key; /* of the rows' objects */
	bool is_number;  /* stands at the right */
	int rank; /* where a terminal has no room for all, the columns of the highest rank give way first; the one of
		     rank 0 stays, and its texts are cut with an ellipsis */
};

enum { TABLE_MOST_COLUMNS = 12 };

/* Prints an array of objects on standard output, as the call's format asks; as json the objects themselves. On a
 * terminal no line is wider than that. Behind the last column stands one without a title. EXIT_OK; or EXIT_ERROR
 * without memory, and told. */
int table_print(const struct call *call, const struct column *columns, const json_t *rows);

/* Prints one object as a line of JSON. The same. */
int table_print_object(const struct call *call, const json_t *row);

/* One cell's text, for malloc's free(): strings without control characters, numbers, yes and no, "-" for what is not
 * there, arms in words. */
char *table_cell(const json_t *value);

/* Writes the text in exactly `cells` cells: cut with an ellipsis if it is longer, with spaces behind it if it is
 * shorter. */
void table_write_cut(FILE *to, const char *text, size_t cells);

#endif
