/* Inside the blocking API: threads and a socket around the client's machine.
 *
 * All is guarded by `lock`; a thread lets go of it only to wait. Waiting is leader and follower: one thread of those
 * that wait (the leader) connects and polls the socket, without the lock, and reads and writes for all; the others
 * sleep on their conditions, and are woken by what they wait for, or to lead when the leader has gone. The leader
 * always reads while it writes, so a daemon that waits for us to read never waits for ever. Whoever reads or writes
 * without leading wakes the leader where that matters to it. Only the leader closes the socket, or whoever finds that
 * there is none.
 */
#ifndef MILLRACE_CLIENT_BLOCKING_DRIVER_H
#define MILLRACE_CLIENT_BLOCKING_DRIVER_H

#include <stdbool.h>
#include <stdint.h>

#include "client/blocking/handle_state.h"

/* MR_OK; or MR_EARGUMENT in a process that was forked from the handle's own, and nothing is locked. */
int driver_lock(struct mr *m);
void driver_unlock(struct mr *m);

/* -- with the lock held -- */

/* Opens a first connection, to the first address that can be had. MR_OK, or why not. */
int driver_open(struct mr *m);

/* Hands in a request, and writes what the socket takes at once. With `flush` nothing is kept back. MR_OK, or an error
 * with its message, and there is nothing to finish. */
int driver_submit(struct mr *m, struct mr_request *request, struct client_operation *operation, bool flush);

/* Writes what the socket takes. */
void driver_write(struct mr *m, bool flush);

/* Reads what has arrived, and does what is due. */
void driver_look(struct mr *m);

/* For mr_fd(), if anybody has asked for it in a cluster: the sockets that there are now, and when something is due. */
void driver_watch(struct mr *m);

/* Waits until it is over. False: that was at deadline_ms (MACHINE_NEVER: none). */
bool driver_wait(struct mr *m, struct waiter *waiter, int64_t deadline_ms);

#endif
