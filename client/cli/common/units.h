/* Numbers and times as people write them. Pure. */
#ifndef MILLRACE_CLI_COMMON_UNITS_H
#define MILLRACE_CLI_COMMON_UNITS_H

#include <stdint.h>

/* "250" or "250ms", "5s", "1m", "1h" into milliseconds, at most 2^31-1 of them. 0, or -1. */
int units_parse_ms(const char *text, int64_t *ms);

/* Plain digits from lowest to highest. 0, or -1. */
int units_parse_count(const char *text, uint64_t lowest, uint64_t highest, uint64_t *count);

#endif
