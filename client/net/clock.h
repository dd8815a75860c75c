/* The time for time-outs, and for how long things take: it never runs backwards. */
#ifndef MILLRACE_CLIENT_NET_CLOCK_H
#define MILLRACE_CLIENT_NET_CLOCK_H

#include <stdint.h>
#include <time.h>

static inline int64_t clock_now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static inline int64_t clock_now_us(void)
{
	return clock_now_ns() / 1000;
}

static inline int64_t clock_now_ms(void)
{
	return clock_now_ns() / 1000000;
}

/* What is left of a time that began then; of MR_FOREVER that. */
static inline int64_t clock_left_ms(int64_t timeout_ms, int64_t begun_ms)
{
	int64_t left_ms = timeout_ms - (clock_now_ms() - begun_ms);

	return timeout_ms < 0 ? timeout_ms : left_ms > 0 ? left_ms : 0;
}

#endif
