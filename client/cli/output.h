/* Values on standard output, in the format that the call asks for, one a line. Nothing is seen before output_flush().
 */
#ifndef MILLRACE_CLI_OUTPUT_H
#define MILLRACE_CLI_OUTPUT_H

#include "client/cli/command.h"
#include "proto/slice.h"

void output_value(const struct call *call, const char *channel, struct slice value);

/* A value that is leased: with its lease, and how often it was delivered. */
void output_leased(const struct call *call, const char *channel, struct slice value, const char *lease,
		   uint64_t deliveries);

/* Each value of a JSON array. Returns how many there were. */
size_t output_values(const struct call *call, const char *channel, struct slice array);

/* The value alone, as text and raw have it, without a line's end. */
void output_bare(const struct call *call, struct slice value);

/* 0, or -1: it cannot be written any more (end_output() of the program tells why). */
int output_flush(void);

/* Whether whoever read standard output has gone. */
bool output_is_orphaned(void);

#endif
