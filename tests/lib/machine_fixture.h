/* For tests of the client's machine: a clock that only the test moves, requests, and what becomes of them. Daemons and
 * the network are the test's. */
#ifndef MILLRACE_TESTS_MACHINE_FIXTURE_H
#define MILLRACE_TESTS_MACHINE_FIXTURE_H

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

#include "client/machine/machine.h"

enum { SIM_REQUESTS = 64 };

/* Of machine_settings, what is alike in all tests: all but whom to connect to. */
#define SIM_SETTINGS                                                                                                   \
	.producer = "producer", .seed = 7, .reopens = true, .connect_timeout_ms = 5000, .backoff_min_ms = 50,          \
	.backoff_max_ms = 5000, .max_waiting_bytes = 1 << 20

struct sim_request {
	struct machine_request base; /* first */
	int n_values, n_last, status;
	uint64_t left;
	char value[64], lease[64]; /* the last ones */
};

extern int64_t now_ms;
extern struct machine machine;
extern struct sim_request requests[SIM_REQUESTS];
extern char news[1024]; /* "EVENT:URL:CHANNEL " of each, or the status's name where there is no channel */

/* No request was made, and nothing told. */
void sim_begin(void);

/* Lets the machine tell what it has to. */
void sim_deliver(void);

/* Goes on to what is due next, until then. `settle` lets everything happen that happens at one moment. */
void sim_run_until(int64_t end_ms, void (*settle)(void));

static inline size_t sim_least(size_t a, size_t b)
{
	return a < b ? a : b;
}

/* Request i, of this operation, if making it has succeeded. */
void sim_submit(int i, int status, struct client_operation *operation);
/* The value of a put is i. */
void sim_put(int i, const char *channel, int64_t timeout_ms);
void sim_put_unanswered(int i, const char *channel);
void sim_take(int i, const char *channel, int64_t lease_ms, int64_t timeout_ms);
void sim_ack(int i, const char *lease);
void sim_create(int i, const char *channel); /* an ephemeral promise */

void sim_ended(int i, int status);
void sim_runs_still(int i);
/* These and no others, once each and in order. */
void sim_expect_numbers(const json_t *values, int n);

#endif
