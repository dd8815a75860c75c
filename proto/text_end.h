/* The end of text that need not be ASCII, in a string of JSON: the first byte at or behind `at` that is a quote, a
 * backslash or a control character, or with which no whole character of UTF-8 begins; or `end`. A character begins at
 * `at`. Nothing at or behind `end` is read. Pure.
 *
 * There is one for every machine, and vectors where the processor has them: which one is best is found out once, at the
 * start of the program.
 */
#ifndef MILLRACE_PROTO_TEXT_END_H
#define MILLRACE_PROTO_TEXT_END_H

typedef const char *text_end_fn(const char *at, const char *end);

extern text_end_fn *text_end; /* the best one here */

/* All that this processor can run, the portable one first; for tests. NULL behind the last. */
text_end_fn *const *text_end_all(void);

#endif
