/* The load: connections to one broker that put and take as fast as it lets them. */
#ifndef MILLRACE_TESTS_BENCH_LOAD_H
#define MILLRACE_TESTS_BENCH_LOAD_H

#include "tests/bench/protocols.h"

struct workload {
	const struct protocol *protocol;
	unsigned port;
	unsigned pairs, producers, consumers; /* connections of each role */
	unsigned window;                      /* requests in flight on a connection */
	unsigned consumer_window;             /* of consumers; 0: as the others */
	unsigned batch, size, arms, ms;
	unsigned style; /* enum style */
	bool tls;
	bool half;     /* push: half as many values under way as others have requests in flight */
	bool pingpong; /* a producer and a consumer, in turn: a take waits before each put */
};

/* Connects all, and returns when the broker knows all who take. */
void load_begin(const struct workload *workload);

/* Load for that long. It may be called again, and goes on. */
void load_run(unsigned ms);

uint64_t load_handoffs(void); /* values that were taken */
void load_forget(void);       /* what was counted and timed */

/* Ping-pong: the times from a put to the value's arrival. */
const uint32_t *load_latencies_ns(unsigned *n);

uint64_t load_now_ns(void);

#endif
