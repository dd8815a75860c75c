/* For tests of the client's machine with one daemon: a model of it, which knows puts by their numbers, and the network
 * between, whose connections are refused, or cut after any byte, as a test wants it. */
#ifndef MILLRACE_TESTS_CONNECTION_FIXTURE_H
#define MILLRACE_TESTS_CONNECTION_FIXTURE_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "proto/buffer.h"
#include "tests/lib/machine_fixture.h"

enum { NO_CUT = 1 << 30 };

extern struct connection_daemon {
	bool knows_once, is_mute; /* mute: it reads, and says nothing */
	bool refuses_creates;
	bool parks_takes; /* they are not answered */
	bool is_full;     /* so are puts, but for those that have no time */
	struct buffer in, out;
	json_t *entered; /* values, in the order in which they entered */
	json_t *seen;    /* of numbered puts: "producer/seq" */
	char ops[4096];  /* what it was asked: "hello put! put take ", the ! where there was no id */
} connection_daemon;

extern struct connection_network {
	size_t cut_out, cut_in; /* of the first connection: after so many bytes it ends */
	size_t piece;           /* how many bytes come at a time */
	bool is_down;           /* connections are refused */
	int n_opened;
} connection_network;

extern const struct machine_settings connection_settings;

/* Daemon and network anew; there is no machine yet. */
void connection_begin(void);
void connection_start(const struct machine_settings *settings);
/* The machine ends, and all else. */
void connection_end(void);

/* Until nothing moves any more, at this moment. */
void connection_settle(void);
void connection_run_until(int64_t end_ms);
/* The peer closes it. */
void connection_cut(void);

#endif
