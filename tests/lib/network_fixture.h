/* For tests of the client's machine with several daemons that are one service: the network between it and the cluster's
 * model, whose connections are refused, silent or killed as a test wants it. */
#ifndef MILLRACE_TESTS_NETWORK_FIXTURE_H
#define MILLRACE_TESTS_NETWORK_FIXTURE_H

#include <stdbool.h>
#include <stddef.h>

#include "tests/lib/cluster_model.h"
#include "tests/lib/machine_fixture.h"

enum { A, B, C, N_DAEMONS };

extern const char *const network_urls[];
extern struct url network_addresses[N_DAEMONS];
extern const struct machine_settings network_settings;

extern struct network {
	bool is_down[N_DAEMONS], is_gone[N_DAEMONS]; /* refuses; says nothing at all */
	int last_connection, n_attempts;
	size_t piece; /* how many bytes move at a time */
} network;

/* A machine with network_settings, and all daemons; A has every group. */
void network_setup(void);
void network_teardown(void);
/* All of it anew, with these settings. */
void network_again(const struct machine_settings *settings);

/* Everybody has a turn. Whether anything moved. */
bool network_settle_once(void);
/* Until nothing moves any more, at this moment. */
void network_settle(void);
void network_run_until(int64_t end_ms);

void network_kill_daemon(int daemon);

#endif
