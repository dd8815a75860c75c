/* One line on a terminal that says how far a long put is. It appears after a second, and goes away at the end. Nothing
 * is drawn while this program is in the background. */
#ifndef MILLRACE_CLI_COMMON_PROGRESS_H
#define MILLRACE_CLI_COMMON_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

struct progress {
	bool enabled;
	bool is_shown;
	int64_t begun_ms;
	int64_t shown_ms;
};

void progress_init(struct progress *progress, bool enabled);

/* Shows it if it is time. `total_bytes` of the input, 0 if unknown. */
void progress_update(struct progress *progress, uint64_t accepted, uint64_t dropped, uint64_t read_bytes,
		     uint64_t total_bytes, bool is_parked);

/* In how many milliseconds to update next; -1: never. */
int progress_wait_ms(const struct progress *progress);

/* Takes the line away, so that something else can be said. */
void progress_clear(struct progress *progress);

#endif
