#include "client/cli/table.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "client/cli/report.h"
#include "client/cli/text.h"

/* The arms of a waiting request: "take requests, put replies". */
static void print_arms(FILE *to, const json_t *arms)
{
	const char *key;
	json_t *arm, *channel;
	size_t i;

	json_array_foreach(arms, i, arm)
	{
		json_object_foreach(arm, key, channel)
		{
			fprintf(to, "%s%s ", i ? ", " : "", key);
			report_text(to, json_string_value(channel) ? json_string_value(channel) : "?",
				    json_string_value(channel) ? json_string_length(channel) : 1);
		}
	}
}

char *table_cell(const json_t *value)
{
	char *text = NULL;
	size_t len;
	FILE *to = open_memstream(&text, &len);

	if (!to)
		return NULL;
	if (json_is_string(value) && json_string_length(value))
		report_text(to, json_string_value(value), json_string_length(value));
	else if (json_is_boolean(value))
		fputs(json_is_true(value) ? "yes" : "no", to);
	else if (json_is_array(value) && json_array_size(value))
		print_arms(to, value);
	else if (json_is_number(value))
		json_dumpf(value, to, JSON_ENCODE_ANY);
	else
		fputc('-', to);
	if (fclose(to) != 0) {
		free(text);
		return NULL;
	}
	return text;
}

/* How many places the text takes on a line: characters, near enough. */
static size_t width(const char *text)
{
	size_t n = 0, left = strlen(text);

	while (left) {
		size_t len = text_character(text, left);

		len = len ? len : 1;
		text += len;
		left -= len;
		n++;
	}
	return n;
}

static void print_line(char *const *cells, const struct column *columns, size_t n_columns, const size_t *widths)
{
	for (size_t i = 0; i < n_columns; i++) {
		size_t gap = widths[i] - width(cells[i]);
		bool is_last = i + 1 == n_columns;

		if (columns[i].is_number)
			printf("%*s%s%s", (int)gap, "", cells[i], is_last ? "" : "  ");
		else
			printf("%s%*s", cells[i], is_last ? 0 : (int)gap + 2, "");
	}
	putchar('\n');
}

static void print_lines(const struct call *call, char **cells, const struct column *columns, size_t n_columns,
			size_t n_lines)
{
	size_t widths[16] = {0};

	assert(n_columns <= sizeof widths / sizeof *widths);
	if (call->format == FORMAT_RAW) {
		for (size_t i = n_columns; i < n_columns * n_lines; i++)
			printf("%s%c", cells[i], (i + 1) % n_columns ? '\t' : '\n');
		return;
	}
	for (size_t i = 0; i < n_columns * n_lines; i++) {
		if (width(cells[i]) > widths[i % n_columns])
			widths[i % n_columns] = width(cells[i]);
	}
	for (size_t line = 0; line < n_lines; line++)
		print_line(cells + line * n_columns, columns, n_columns, widths);
}

static int print_objects(const json_t *rows)
{
	const json_t *row;
	size_t i;

	json_array_foreach(rows, i, row)
	{
		if (json_dumpf(row, stdout, JSON_COMPACT) < 0)
			return ferror(stdout) ? 0 : -1;
		putchar('\n');
	}
	return 0;
}

int table_print(const struct call *call, const struct column *columns, size_t n_columns, const json_t *rows)
{
	size_t n_lines = json_array_size(rows) + 1, n = 0;
	char **cells;
	int result = -1;

	if (call->format == FORMAT_JSON)
		return print_objects(rows);
	cells = calloc(n_lines * n_columns, sizeof *cells);
	if (!cells)
		return -1;
	for (n = 0; n < n_lines * n_columns; n++) {
		const struct column *column = &columns[n % n_columns];
		size_t line = n / n_columns;

		cells[n] = line == 0 ? strdup(column->title)
				     : table_cell(json_object_get(json_array_get(rows, line - 1), column->key));
		if (!cells[n])
			goto free_cells;
	}
	print_lines(call, cells, columns, n_columns, n_lines);
	result = 0;
free_cells:
	while (n--)
		free(cells[n]);
	free(cells);
	return result;
}
