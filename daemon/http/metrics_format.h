/* The text format of Prometheus: a metric's heading, then its samples. Failure marks the buffer (see buffer.h). */
#ifndef MILLRACE_HTTP_METRICS_FORMAT_H
#define MILLRACE_HTTP_METRICS_FORMAT_H

#include "proto/buffer.h"

void metrics_append(struct buffer *out, const char *text);

/* A number of seconds, with the microseconds behind the point. */
void metrics_seconds(struct buffer *out, uint64_t us);

/* HELP and TYPE. `type`: "counter", "gauge" or "histogram". */
void metrics_heading(struct buffer *out, const char *name, const char *type, const char *help);

/* A metric that is one whole number. */
void metrics_value(struct buffer *out, const char *name, const char *type, const char *help, uint64_t value);

/* A histogram's samples: n[i] of them up to bounds_us[i], the last of `n` beyond all of the bounds. `labels` stand
 * before `le`, with a comma behind, if there are any. Returns how many samples were written. */
unsigned metrics_histogram(struct buffer *out, const char *name, const char *labels, const uint64_t *bounds_us,
			   size_t n_bounds, const uint64_t *n, uint64_t sum_us);

#endif
