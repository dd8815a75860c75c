#include "daemon/http/metrics_format.h"

#include <stdio.h>

void metrics_append(struct buffer *out, const char *text)
{
	buffer_append(out, text, strlen(text));
}

void metrics_seconds(struct buffer *out, uint64_t us)
{
	char text[40];
	buffer_append(out, text,
		      (size_t)snprintf(text, sizeof(text), "%llu.%06u", (unsigned long long)(us / 1000000),
				       (unsigned)(us % 1000000)));
}

void metrics_heading(struct buffer *out, const char *name, const char *type, const char *help)
{
	metrics_append(out, "# HELP ");
	metrics_append(out, name);
	metrics_append(out, " ");
	metrics_append(out, help);
	metrics_append(out, "\n# TYPE ");
	metrics_append(out, name);
	metrics_append(out, " ");
	metrics_append(out, type);
	metrics_append(out, "\n");
}

unsigned metrics_histogram(struct buffer *out, const char *name, const char *labels, const uint64_t *bounds_us,
			   size_t n_bounds, const uint64_t *n, uint64_t sum_us)
{
	char text[400];
	uint64_t sum = 0;
	for (size_t i = 0; i <= n_bounds; i++) {
		char bound[32] = "+Inf";
		sum += n[i];
		if (i < n_bounds)
			snprintf(bound, sizeof(bound), "%g", (double)bounds_us[i] / 1e6);
		buffer_append(out, text,
			      (size_t)snprintf(text, sizeof(text), "%s_bucket{%sle=\"%s\"} %llu\n", name, labels, bound,
					       (unsigned long long)sum));
	}
	int len = (int)strlen(labels) - (labels[0] ? 1 : 0);
	const char *open = labels[0] ? "{" : "", *close = labels[0] ? "}" : "";
	buffer_append(out, text,
		      (size_t)snprintf(text, sizeof(text), "%s_sum%s%.*s%s ", name, open, len, labels, close));
	metrics_seconds(out, sum_us);
	buffer_append(out, text,
		      (size_t)snprintf(text, sizeof(text), "\n%s_count%s%.*s%s %llu\n", name, open, len, labels, close,
				       (unsigned long long)sum));
	return (unsigned)n_bounds + 3;
}

void metrics_value(struct buffer *out, const char *name, const char *type, const char *help, uint64_t value)
{
	metrics_heading(out, name, type, help);
	metrics_append(out, name);
	metrics_append(out, " ");
	buffer_append_uint(out, value);
	metrics_append(out, "\n");
}
