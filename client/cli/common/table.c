#include "client/cli/common/table.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client/cli/common/characters.h"
#include "client/cli/common/report.h"
#include "client/cli/common/terminal.h"

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

void table_write_cut(FILE *to, const char *text, size_t cells)
{
	size_t width = characters_width(text, strlen(text)), len;

	if (width <= cells) {
		fprintf(to, "%s%*s", text, (int)(cells - width), "");
		return;
	}
	if (cells == 0)
		return;
	len = characters_fit(text, cells - 1, &width);
	fprintf(to, "%.*s\u2026%*s", (int)len, text, (int)(cells - 1 - width), "");
}

/* -- The columns that have room -- */

enum { GAP = 2, LEAST_NAME = 12 };

struct layout {
	size_t widths[TABLE_MOST_COLUMNS];
	bool is_shown[TABLE_MOST_COLUMNS];
	size_t n;
	size_t lasting; /* the column of rank 0 */
};

static size_t line_width(const struct layout *layout)
{
	size_t sum = 0;

	for (size_t i = 0; i < layout->n; i++) {
		if (layout->is_shown[i])
			sum += layout->widths[i] + (sum ? GAP : 0);
	}
	return sum;
}

/* Drops the column of the highest rank. False: there is none that may go. */
static bool drop_column(struct layout *layout, const struct column *columns)
{
	size_t worst = layout->lasting;

	for (size_t i = 0; i < layout->n; i++) {
		if (layout->is_shown[i] && columns[i].rank > columns[worst].rank)
			worst = i;
	}
	if (worst == layout->lasting)
		return false;
	layout->is_shown[worst] = false;
	return true;
}

/* Makes the line fit: long names give some room first, then columns give way, and then the names get what is left over.
 */
static void fit(struct layout *layout, const struct column *columns, size_t width)
{
	size_t *name = &layout->widths[layout->lasting], wanted = *name, line;
	size_t most = width / 3 > LEAST_NAME ? width / 3 : LEAST_NAME;

	if (line_width(layout) <= width)
		return;
	if (wanted > most)
		*name = most;
	while (line_width(layout) > width && drop_column(layout, columns))
		;
	line = line_width(layout);
	if (line <= width)
		*name += width - line;
	else
		*name = width; /* it stands alone by now */
	if (*name > wanted)
		*name = wanted;
}

static void print_line(char *const *cells, const struct column *columns, const struct layout *layout)
{
	size_t pending = 0; /* spaces that are due before the next column: none stand at the end of a line */

	for (size_t i = 0; i < layout->n; i++) {
		size_t width = characters_width(cells[i], strlen(cells[i])), room = layout->widths[i];

		if (!layout->is_shown[i])
			continue;
		if (columns[i].is_number)
			pending += room - width;
		printf("%*s", (int)pending, "");
		if (width > room)
			table_write_cut(stdout, cells[i], room);
		else
			fputs(cells[i], stdout);
		pending = GAP + (columns[i].is_number || width > room ? 0 : room - width);
	}
	putchar('\n');
}

static void print_lines(const struct call *call, char **cells, const struct column *columns, size_t n_columns,
			size_t n_lines)
{
	size_t width = terminal_columns(STDOUT_FILENO);
	struct layout layout = {.n = n_columns};

	while (columns[layout.lasting].rank > 0)
		layout.lasting++;
	if (call->format == FORMAT_RAW) {
		for (size_t i = n_columns; i < n_columns * n_lines; i++)
			printf("%s%c", cells[i], (i + 1) % n_columns ? '\t' : '\n');
		return;
	}
	for (size_t i = 0; i < n_columns * n_lines; i++) {
		size_t *widest = &layout.widths[i % n_columns], own = characters_width(cells[i], strlen(cells[i]));

		layout.is_shown[i % n_columns] = true;
		if (own > *widest)
			*widest = own;
	}
	if (width)
		fit(&layout, columns, width);
	for (size_t line = 0; line < n_lines; line++)
		print_line(cells + line * n_columns, columns, &layout);
}

int table_print_object(const struct call *call, const json_t *row)
{
	if (json_dumpf(row, stdout, JSON_COMPACT) < 0 && !ferror(stdout))
		return report(call, NULL, "out of memory");
	putchar('\n');
	return EXIT_OK;
}

/* As text or raw. 0, or -1 without memory. */
static int print_cells(const struct call *call, const struct column *columns, const json_t *rows)
{
	size_t n_lines = json_array_size(rows) + 1, n_columns = 0, n;
	int result = -1;
	char **cells;

	while (columns[n_columns].title)
		n_columns++;
	assert(n_columns <= TABLE_MOST_COLUMNS);
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

int table_print(const struct call *call, const struct column *columns, const json_t *rows)
{
	int code = EXIT_OK;

	if (call->format != FORMAT_JSON)
		return print_cells(call, columns, rows) < 0 ? report(call, NULL, "out of memory") : EXIT_OK;
	for (size_t i = 0; i < json_array_size(rows) && code == EXIT_OK; i++)
		code = table_print_object(call, json_array_get(rows, i));
	return code;
}
