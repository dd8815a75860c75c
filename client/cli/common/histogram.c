/* A time's bucket is its highest seven bits and how far they are shifted: below 128 the time itself. */
#include "client/cli/common/histogram.h"

static unsigned shift_of(uint64_t time)
{
	return time < 2 * HISTOGRAM_STEPS ? 0 : 63 - (unsigned)__builtin_clzll(time) - 6;
}

void histogram_add(struct histogram *histogram, uint64_t time)
{
	unsigned shift = shift_of(time);

	histogram->counts[shift * HISTOGRAM_STEPS + (time >> shift)]++;
	histogram->n++;
	if (time > histogram->max)
		histogram->max = time;
}

void histogram_merge(struct histogram *into, const struct histogram *from)
{
	for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++)
		into->counts[i] += from->counts[i];
	into->n += from->n;
	if (from->max > into->max)
		into->max = from->max;
}

/* The highest time that goes into the bucket. */
static uint64_t bucket_top(unsigned bucket)
{
	unsigned shift = bucket < 2 * HISTOGRAM_STEPS ? 0 : bucket / HISTOGRAM_STEPS - 1;
	uint64_t first = (uint64_t)(bucket - shift * HISTOGRAM_STEPS) << shift;

	return first + ((UINT64_C(1) << shift) - 1);
}

uint64_t histogram_quantile(const struct histogram *histogram, double part)
{
	uint64_t wanted = (uint64_t)((double)histogram->n * part + 0.5), seen = 0;

	for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++) {
		seen += histogram->counts[i];
		if (seen > 0 && seen >= wanted)
			return bucket_top(i) < histogram->max ? bucket_top(i) : histogram->max;
	}
	return histogram->max;
}
