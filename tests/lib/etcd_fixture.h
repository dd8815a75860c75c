/* Calls of etcd's client in a test: the loop and the engine that they run on, the last answer, copied, and turns of the
 * loop until something has come. What is awaited and does not come fails the check test that runs. */
#ifndef MILLRACE_TESTS_ETCD_FIXTURE_H
#define MILLRACE_TESTS_ETCD_FIXTURE_H

#include "daemon/cluster/etcd.h"

/* Both are made and ended by the test. */
extern struct loop *loop;
extern struct engine *engine;
extern int me; /* owns the calls */

/* The last answer, copied. */
extern struct told {
	unsigned n;
	struct engine_answer answer;
	char message[300], version[40];
	char keys[512], values[512]; /* of the first rows, each cut off and behind a blank */
	char key[64], value[64];     /* of the last row, cut off */
} told;

void tell(void *arg, const struct engine_answer *answer); /* `arg`: another struct told, or NULL */

extern unsigned n_hints;
void on_hint(void *arg);

void run_until(const unsigned *counter, unsigned at_least); /* turns of the loop, until the counter has got there */
enum engine_result run(void);                               /* until the next answer in `told` */

/* A new engine. The settings are right. */
struct engine *engine_make(const struct etcd_settings *settings);

#endif
