/* Where a request is: its list, what it counts for there, and when something is due about it. */
#ifndef MILLRACE_CLIENT_MACHINE_PLACES_H
#define MILLRACE_CLIENT_MACHINE_PLACES_H

#include "client/machine/machine_state.h"

/* The list of a place of a contact, and of its machine; NULL of PLACE_NONE. */
struct machine_list *places_list(struct contact *contact, enum request_place place);

/* Puts the request at the end of that place's list, and takes it out of the one where it is. */
void places_enter(struct machine_request *request, enum request_place place);
void places_leave(struct machine_request *request);

/* Lets the request wait with this contact: in the order of handing in, but the urgent before the others. */
void places_wait(struct machine_request *request, struct contact *contact);

/* The same with the contact that it has, in front of all. */
void places_wait_in_front(struct machine_request *request);

/* Ends the request, whose status is known: that is to be told. `message` is static, or the contact's. */
void places_end(struct machine_request *request, int status, const char *message);

/* Takes the request out of its list, and frees all that it keeps but the operation. */
void places_remove(struct machine_request *request);

/* When something has to be done about the request, as far as is known now: bytes that move on the connection put it
 * off. places_set_deadline() sets its deadline to that. */
int64_t places_due_ms(const struct machine_request *request);
void places_set_deadline(struct machine_request *request);

/* `after_ms` later; never stays never. */
int64_t places_later_ms(int64_t moment_ms, int64_t after_ms);

#endif
