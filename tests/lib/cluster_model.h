/* Several daemons that are one service, as a client sees them: who has which group, channels of values, numbered puts,
 * leases, parked takes. Of the protocol no more than tests of clients need; no sockets, no clock. Values are shared by
 * all daemons, as if the engine between them were perfect. */
#ifndef MILLRACE_TESTS_CLUSTER_MODEL_H
#define MILLRACE_TESTS_CLUSTER_MODEL_H

#include <jansson.h>
#include <stdbool.h>

enum { CLUSTER_DAEMONS = 4, CLUSTER_RETRY_MS = 20 };

/* A reply for this connection; the callee owns it. */
typedef void cluster_reply_cb(int connection, json_t *reply);

/* Daemons at these addresses; every group is the first one's. */
void cluster_begin(const char *const *urls, int n, cluster_reply_cb *on_reply);
void cluster_end(void);

/* From now on this daemon has the group; -1: nobody. Takes that are parked with the old one are told. */
void cluster_own(const char *group, int daemon);

/* The group gets another owner after so many more requests for it. */
void cluster_own_after(const char *group, int daemon, int n_requests);

/* A daemon that gives this address instead of the owner's; NULL: the owner's. */
void cluster_lie(int daemon, const char *url);

void cluster_request(int daemon, int connection, json_t *request);
void cluster_hang_up(int connection); /* what it took and has not acknowledged comes back, and what it parked goes */

json_t *cluster_values(const char *channel); /* in the order of entering; borrowed */
const char *cluster_ops(int daemon); /* what it was asked: "hello put! put take ", the ! where there was no id */
int cluster_n_requests(void);        /* of all, ever */

#endif
