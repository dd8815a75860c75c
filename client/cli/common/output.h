/* Values on standard output, in the format that the call asks for, one a line. Nothing is seen before output_flush().
 */
#ifndef MILLRACE_CLI_COMMON_OUTPUT_H
#define MILLRACE_CLI_COMMON_OUTPUT_H

#include "client/cli/common/command.h"
#include "client/millrace.h"
#include "proto/slice.h"

void output_value(const struct call *call, const char *channel, struct slice value);

/* What a take has brought: one value; if the call asks for leases, with its lease and how often it was delivered. */
void output_taken(const struct call *call, const char *channel, const struct mr_result *result);

/* Each value of a JSON array, with its origin from an array of the same length, or NULL. Returns how many there were.
 */
size_t output_values(const struct call *call, const char *channel, struct slice array, const char *origins);

/* The value alone, as text and raw have it, without a line's end. */
void output_bare(const struct call *call, struct slice value);

/* 0, or -1: it cannot be written any more (end_output() of the program tells why). */
int output_flush(void);

/* Whether standard output is a pipe, or a socket: somebody reads it while it is written. */
bool output_is_pipe(void);

/* Whether whoever read standard output has gone. */
bool output_is_orphaned(void);

#endif
