/* What the program says to people, on standard error: "millrace put: jobs: what is wrong; what to do". Control
 * characters that came from elsewhere are shown, never sent to the terminal. Lines of several threads do not mix. */
#ifndef MILLRACE_CLI_COMMON_REPORT_H
#define MILLRACE_CLI_COMMON_REPORT_H

#include <stdio.h>

#include "client/cli/common/command.h"
#include "client/millrace.h"

/* Says a line. `subject` (a channel, or NULL) stands before the text. Returns EXIT_ERROR, for those whom it ends. */
int report(const struct call *call, const char *subject, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* Says what is wrong with the words of the call, and its usage in short. Returns EXIT_USAGE. */
int report_usage(const struct call *call, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Says how a library call ended, unless well, and returns the exit code that stands for it: in the words of the command
 * line, with what the daemon has added to its own. `more` (or NULL) is added to the text. With --quiet time-outs,
 * closed channels and dropped values are only told by the exit code. Must come before the next library call. */
int report_status(const struct call *call, const char *channel, int status, const char *more);

/* The text that report_status() would say behind that subject (or NULL), into text[size]. Returns text. */
const char *report_describe(const char *subject, int status, char *text, size_t size);

/* The exit code that stands for a status of the library. */
int report_code(int status);

/* Writes text of others: control characters, DEL and C1 included, as \u00XX; invalid UTF-8 as \xXX. */
void report_text(FILE *to, const char *text, size_t len);

#endif
