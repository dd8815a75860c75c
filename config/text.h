/* Texts of the configuration: each is on the heap, or NULL. */
#ifndef MILLRACE_CONFIG_TEXT_H
#define MILLRACE_CONFIG_TEXT_H

#include <string.h>

/* -1: no memory; *to is then NULL. */
static inline int text_copy(char **to, const char *from)
{
	*to = from ? strdup(from) : NULL;
	return from && !*to ? -1 : 0;
}

#endif
