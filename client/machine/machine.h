/* The client as a machine, one for both APIs: hello, requests and their ends, time-outs, heartbeats, connections that
 * are opened anew, what is sent again. It has no sockets, clock, threads or callbacks: a driver stands around it, and
 * tells it the time. The driver
 *
 *   - opens a connection while machine_wants_connection(), and tells machine_opening(), then machine_opened() or
 *     machine_close();
 *   - writes machine_output() and tells machine_written(); reads into machine_room() and tells machine_read(); tells
 *     machine_close() or machine_closed_by_peer() when that ends, and closes the socket when machine_has_connection()
 *     is false;
 *   - calls machine_tick() at machine_due_ms(), after it has read what there is to read;
 *   - after each of these, and after requests_submit() and the like (requests.h), acts on events_next() (events.h)
 * until that is MACHINE_IDLE.
 */
#ifndef MILLRACE_CLIENT_MACHINE_MACHINE_H
#define MILLRACE_CLIENT_MACHINE_MACHINE_H

#include "client/machine/requests.h"
#include "client/machine/state.h"

/* The settings are copied. MR_OK, MR_EARGUMENT or MR_EMEMORY with its message; then there is nothing to finish. */
int machine_init(struct machine *machine, const struct machine_settings *settings);
void machine_finish(struct machine *machine); /* forgets what requests are left */

/* -- the connection -- */

bool machine_wants_connection(const struct machine *machine, int64_t now_ms);

/* The driver begins to open one to the address machine->url_at, whose text is `url`, within ends_ms. */
void machine_opening(struct machine *machine, const char *url, int64_t ends_ms);
void machine_opened(struct machine *machine, int64_t now_ms);

/* Whether the driver has to have a connection, or to open it. */
static inline bool machine_has_connection(const struct machine *machine)
{
	return machine->state == MACHINE_OPENING || machine->state == MACHINE_GREETING ||
	       machine->state == MACHINE_OPEN;
}

/* The connection has ended, or could not be opened: why, for the requests and for people. */
__attribute__((format(printf, 4, 5))) void machine_close(struct machine *machine, int64_t now_ms, int status,
							 const char *format, ...);

/* The other side has ended it: `how`. What it said before is the reason to give, if it said anything. */
void machine_closed_by_peer(struct machine *machine, int64_t now_ms, const char *how);

/* What is to be written; len 0: nothing. For `flush` see sending_pump(). Valid until the next call. */
struct slice machine_output(struct machine *machine, bool flush, int64_t now_ms);
void machine_written(struct machine *machine, size_t len, int64_t now_ms);

/* Where to read to; NULL without memory: the machine has closed then. */
char *machine_room(struct machine *machine, size_t *len, int64_t now_ms);
void machine_read(struct machine *machine, size_t len, int64_t now_ms);

/* -- time -- */

int64_t machine_due_ms(const struct machine *machine); /* MACHINE_NEVER: nothing is due */
void machine_tick(struct machine *machine, int64_t now_ms);

#endif
