/* Characters of UTF-8 on a terminal: which of them it might obey, and how many cells it shows them in. Pure. */
#ifndef MILLRACE_CLI_COMMON_CHARACTERS_H
#define MILLRACE_CLI_COMMON_CHARACTERS_H

#include <stdbool.h>
#include <stddef.h>

/* Whether a valid character of `len` bytes is a control character: C0, DEL or C1. */
bool characters_is_control(const char *character, size_t len);

/* How many cells the text takes: two for each wide character (East Asian, emoji), none for what is combined with the
 * one before it, one for any other and for each byte that is no UTF-8. */
size_t characters_width(const char *text, size_t len);

/* How many bytes at the front of the text are shown in at most `cells` cells: whole characters, with all that is
 * combined with the last of them. *used: how many cells these take. */
size_t characters_fit(const char *text, size_t cells, size_t *used);

#endif
