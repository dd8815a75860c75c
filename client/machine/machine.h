/* The client as a machine, one for both APIs: hello, requests and their ends, time-outs, heartbeats, connections that
 * are opened anew, what is sent again, and to whom, if several daemons are one service. It has no sockets, clock,
 * threads or callbacks: a driver stands around it, and tells it the time. The driver
 *
 *   - of each of machine->contacts, which it has embedded in a struct of its own of settings.contact_bytes, zeroed,
 *     opens a connection while contact_wants_connection(), and tells contact_opening(), then contact_opened() or
 *     contact_close(); writes contact_output() and tells contact_written(); reads into contact_room() and tells
 *     contact_read(); tells contact_close() or contact_closed_by_peer() when that ends, and closes the socket when
 *     contact_has_connection() is false. There may be more contacts after any call, and never fewer;
 *   - calls machine_tick() at machine_due_ms(), after it has read what there is to read;
 *   - after each of these, and after requests_submit() and the like (requests.h), acts on events_next() (events.h)
 *     until that is MACHINE_IDLE, and then writes, to whom there is something to write.
 */
#ifndef MILLRACE_CLIENT_MACHINE_MACHINE_H
#define MILLRACE_CLIENT_MACHINE_MACHINE_H

#include "client/machine/contact.h"
#include "client/machine/requests.h"
#include "client/machine/machine_state.h"

/* The settings are copied, but for the addresses. MR_OK, MR_EARGUMENT or MR_EMEMORY with its message; then there is
 * nothing to finish. */
int machine_init(struct machine *machine, const struct machine_settings *settings);
void machine_finish(struct machine *machine); /* forgets what requests are left */

int64_t machine_due_ms(const struct machine *machine); /* MACHINE_NEVER: nothing is due */
void machine_tick(struct machine *machine, int64_t now_ms);

#endif
