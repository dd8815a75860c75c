#include "client/cli/common/fold.h"

#include <string.h>

#include "client/cli/common/characters.h"

void fold_words(FILE *to, const char *text, size_t len, size_t column, size_t indent, size_t width)
{
	const char *end = text + len;
	size_t at = column, len_word, cells;
	int is_first = 1; /* on its line */

	for (;; text += len_word) {
		while (text < end && (*text == ' ' || *text == '\n'))
			text++;
		if (text == end)
			break;
		for (len_word = 0; text + len_word < end && text[len_word] != ' ' && text[len_word] != '\n';)
			len_word++;
		cells = characters_width(text, len_word);
		if (!is_first && at + 1 + cells > width) {
			fprintf(to, "\n%*s", (int)indent, "");
			at = indent;
			is_first = 1;
		}
		fprintf(to, "%s%.*s", is_first ? "" : " ", (int)len_word, text);
		at += cells + !is_first;
		is_first = 0;
	}
	fputc('\n', to);
}

/* Where the second column of an indented line begins: behind two spaces or more after its first word. Where the line
 * begins, if there is none. */
static size_t second_column(const char *line, size_t len)
{
	size_t begin = strspn(line, " ");

	for (size_t i = begin; i + 2 < len; i++) {
		if (line[i] == ' ' && line[i + 1] == ' ')
			return i + strspn(line + i, " ");
	}
	return begin;
}

void fold_paragraphs(FILE *to, const char *text, size_t width)
{
	while (*text) {
		size_t len = strcspn(text, "\n"), column;

		if (len == 0) {
			fputc('\n', to);
		} else if (strncmp(text, "  ", 2) == 0) {
			column = second_column(text, len);
			fwrite(text, 1, column, to);
			fold_words(to, text + column, len - column, column, column, width);
		} else {
			while (text[len] == '\n' && text[len + 1] && text[len + 1] != '\n' &&
			       strncmp(text + len + 1, "  ", 2) != 0)
				len += 1 + strcspn(text + len + 1, "\n");
			fold_words(to, text, len, 0, 0, width);
		}
		text += len;
		text += *text == '\n';
	}
}
