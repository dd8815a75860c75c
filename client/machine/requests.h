/* The requests of a machine: handed in, sent, sent again, ended. The driver's part first. */
#ifndef MILLRACE_CLIENT_MACHINE_REQUESTS_H
#define MILLRACE_CLIENT_MACHINE_REQUESTS_H

#include "client/machine/state.h"

/* Hands in a request, whose memory is the driver's until events_next() has told its end. MR_OK: the operation is the
 * machine's. An error with its message: the operation is freed, and nothing has happened; MR_EFULL: too much waits
 * here. */
int requests_submit(struct machine *machine, struct machine_request *request, struct client_operation *operation,
		    int64_t now_ms);

/* Asks for its end, which is told as any other. MR_OK, MR_ENO_SUCH_REQUEST (its end is on the way already), or
 * MR_EMEMORY. */
int requests_cancel(struct machine_request *request);

/* The machine knows nothing of it any more; its operation is freed. */
void requests_forget(struct machine_request *request);

/* Forgets any one of the driver's; NULL: there is none left. For the end of a machine. */
struct machine_request *requests_abandon(struct machine *machine);

/* -- for the machine -- */

/* A request of the machine's own, sent at once; of the operation what it is about and its group are copied. False: no
 * memory. */
bool requests_submit_own(struct contact *contact, const struct client_operation *operation);

/* It waits for this contact. */
void requests_wait_for(struct machine_request *request, struct contact *contact, int64_t now_ms);

/* All that waits for the one contact waits for the other. */
void requests_pass_on(struct contact *from, struct contact *to, int64_t now_ms);

/* The connection has ended, or (not was_open) the attempt to open one: what was under way ends, or waits again. The
 * exchange is as new. */
void requests_unsend(struct contact *contact, int status, bool was_open, int64_t now_ms);

/* All that waits for it and was never sent ends with this status. */
void requests_end_unsent(struct contact *contact, int status);

/* A new connection is open: puts whose numbers its daemon does not know cannot be sent again. */
void requests_check_numbers(struct contact *contact);

/* Ends whose time is over. Not NULL: one that was sent there should have been answered long since. */
struct contact *requests_expire(struct machine *machine, int64_t now_ms);

#endif
