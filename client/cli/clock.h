/* The time, for how long things take: by a clock that never runs backwards. */
#ifndef MILLRACE_CLI_CLOCK_H
#define MILLRACE_CLI_CLOCK_H

#include <stdint.h>
#include <time.h>

#include "client/millrace.h"

static inline int64_t clock_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static inline int64_t clock_us(void)
{
	return clock_ns() / 1000;
}

static inline int64_t clock_ms(void)
{
	return clock_ns() / 1000000;
}

/* What is left of a time that began then; MR_FOREVER of that. */
static inline int64_t clock_left_ms(int64_t timeout_ms, int64_t begun_ms)
{
	int64_t left_ms = timeout_ms - (clock_ms() - begun_ms);

	return timeout_ms == MR_FOREVER ? MR_FOREVER : left_ms > 0 ? left_ms : 0;
}

#endif
