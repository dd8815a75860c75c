/* Daemons of a cluster that are played by a thread of the test, on sockets of 127.0.0.1: cluster_model.h behind
 * frames. */
#ifndef MILLRACE_TESTS_STAND_IN_H
#define MILLRACE_TESTS_STAND_IN_H

#include <stddef.h>

void stand_in_start(int n);
void stand_in_stop(void);

const char *stand_in_url(int daemon);
const char *stand_in_urls(void); /* of all, as clients are given them: "tcp://127.0.0.1:1,127.0.0.1:2" */

/* Each has happened when it returns. */
void stand_in_own(const char *group, int daemon); /* -1: nobody */
void stand_in_kill(int daemon);                   /* with its connections; nobody listens there any more */

size_t stand_in_count(const char *channel);       /* how many values are in it */
void stand_in_await(int daemon, const char *ops); /* until it has been asked for these, one after the other */

#endif
