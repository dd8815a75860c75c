/* The requests of a machine: handed in, sent, sent again, ended. The driver's part first. */
#ifndef MILLRACE_CLIENT_MACHINE_REQUESTS_H
#define MILLRACE_CLIENT_MACHINE_REQUESTS_H

#include "client/machine/machine_state.h"

/* Hands in a request, whose memory is the driver's until events_next() has told its end. MR_OK: the operation is the
 * machine's. An error with its message: the operation is freed, and nothing has happened; MR_EFULL: too much waits
 * here. */
int requests_submit(struct machine *machine, struct machine_request *request, struct client_operation *operation,
		    int64_t now_ms);

/* Asks for the request's end, which is told as any other. MR_OK, MR_ENO_SUCH_REQUEST (its end is on the way already),
 * or MR_EMEMORY. */
int requests_cancel(struct machine_request *request);

/* Whether the daemon has to be asked what has become of a put: it was sent before, and may be in. Where it is cancelled
 * it is sent once more all the same, with its number, and enters at once or not at all. */
bool requests_tells_by_number(const struct machine_request *request);

/* Forgets the request: the machine knows nothing of it any more, and its operation is freed. */
void requests_forget(struct machine_request *request);

/* Forgets any one of the driver's requests, and returns it; NULL: there is none left. For the end of a machine. */
struct machine_request *requests_abandon(struct machine *machine);

/* -- for the machine -- */

/* Sends a request of the machine's own, at once. The operation's members, channel and group are copied. False: no
 * memory. */
bool requests_submit_own(struct contact *contact, const struct client_operation *operation);

/* Lets the request wait for this contact. */
void requests_wait_for(struct machine_request *request, struct contact *contact, int64_t now_ms);

/* Lets all that waits for the one contact wait for the other. */
void requests_pass_on(struct contact *from, struct contact *to, int64_t now_ms);

/* Ends what was under way, or lets it wait again, since the connection has ended, or (not was_open) the attempt to open
 * one. The exchange is as new then. */
void requests_unsend(struct contact *contact, int status, bool was_open, int64_t now_ms);

/* Ends all that waits for the contact and was never sent, with this status. */
void requests_end_unsent(struct contact *contact, int status);

/* A new connection is open: if its daemon does not know puts by number, those that were sent before end as unknown. */
void requests_check_numbers(struct contact *contact);

/* Ends the requests whose time is over. Returns a contact to which one was sent that should have been answered long
 * since; or NULL. */
struct contact *requests_expire(struct machine *machine, int64_t now_ms);

#endif
