/* A line of core_fixture.h, as words, and as the event that it stands for. A bad one is a mistake in the test, and
 * aborts. */
#ifndef MILLRACE_TESTS_CORE_FIXTURE_LINE_H
#define MILLRACE_TESTS_CORE_FIXTURE_LINE_H

#include "daemon/core/core.h"

enum { LINE_WORDS = 128, LINE_BYTES = 4096 };

struct line {
	char bytes[LINE_BYTES];
	char *at[LINE_WORDS];
	size_t n, next;
};

void line_split(struct line *line, const char *from);
/* Steps over the next word if it is this one. */
bool line_skip(struct line *line, const char *word);

/* From the op to the end of the line. What the event points to lasts until the next one. */
void line_parse_op(struct line *line, struct core_event *event);

#endif
