/* A run of bytes that somebody else owns. Not terminated by NUL. */
#ifndef MILLRACE_PROTO_SLICE_H
#define MILLRACE_PROTO_SLICE_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

struct slice {
	const char *bytes; /* may be NULL where len is 0 */
	size_t len;
};

#define SLICE(literal) ((struct slice){(literal), sizeof(literal) - 1})

static inline struct slice slice_from(const char *string)
{
	return (struct slice){string, strlen(string)};
}

static inline bool slice_equal(struct slice a, struct slice b)
{
	return a.len == b.len && (a.len == 0 || memcmp(a.bytes, b.bytes, a.len) == 0);
}

/* By their bytes: below 0, 0 or above, as memcmp(); what another begins with comes before that. */
static inline int slice_compare(struct slice a, struct slice b)
{
	size_t shorter = a.len < b.len ? a.len : b.len;
	int order = shorter ? memcmp(a.bytes, b.bytes, shorter) : 0;
	return order ? order : (a.len > b.len) - (a.len < b.len);
}

#endif
