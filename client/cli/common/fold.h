/* Text for people, folded into lines of a width. Pure but for the writing. */
#ifndef MILLRACE_CLI_COMMON_FOLD_H
#define MILLRACE_CLI_COMMON_FOLD_H

#include <stddef.h>
#include <stdio.h>

/* Writes the text to `to` in lines of at most `width` cells (a word that is longer stands on a line of its own), the
 * first behind what already fills `column` cells, the others behind `indent` spaces; a line's end behind the last. */
void fold_words(FILE *to, const char *text, size_t len, size_t column, size_t indent, size_t width);

/* Writes paragraphs, which empty lines part: a line's end in one is as good as a space. A line that begins with two
 * spaces is folded by itself, below its second column ("  bounded     it waits") if it has one. */
void fold_paragraphs(FILE *to, const char *text, size_t width);

#endif
