/* Times at which something has to be called again. UINT64_MAX is never. */
#ifndef MILLRACE_CLUSTER_SOONER_H
#define MILLRACE_CLUSTER_SOONER_H

#include <stdint.h>

static inline uint64_t sooner_us(uint64_t one_us, uint64_t other_us)
{
	return one_us < other_us ? one_us : other_us;
}

#endif
