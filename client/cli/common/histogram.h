/* Times by how often they occurred, in memory that does not grow: exact below 128, and above it in steps of less than 1
 * %. Pure. */
#ifndef MILLRACE_CLI_COMMON_HISTOGRAM_H
#define MILLRACE_CLI_COMMON_HISTOGRAM_H

#include <stdint.h>

enum { HISTOGRAM_STEPS = 64, HISTOGRAM_BUCKETS = 59 * HISTOGRAM_STEPS }; /* steps in each doubling */

struct histogram { /* zero-initialise */
	uint64_t n;
	uint64_t max;
	uint64_t counts[HISTOGRAM_BUCKETS];
};

void histogram_add(struct histogram *histogram, uint64_t time);
void histogram_merge(struct histogram *into, const struct histogram *from);

/* The time that this part (0 … 1) of all does not exceed; 0 if there are none. */
uint64_t histogram_quantile(const struct histogram *histogram, double part);

#endif
