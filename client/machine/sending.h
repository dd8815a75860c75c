/* From waiting to sent: frames, the numbers of puts, and puts that go without an id. */
#ifndef MILLRACE_CLIENT_MACHINE_SENDING_H
#define MILLRACE_CLIENT_MACHINE_SENDING_H

#include "client/machine/machine_state.h"

/* Whether the request could go at once, if nothing waited before it. */
bool sending_has_room(const struct contact *contact, const struct machine_request *request);

/* Appends the request's frame to the `out` of its contact's exchange. MR_OK, or an error with its message, and it is
 * not sent. */
int sending_send(struct machine_request *request, bool has_id, int64_t now_ms);

/* The error, with its message, for an exchange_result. */
int sending_refused(const struct contact *contact, int result);

/* Sends what waits for the contact, as far as there is room, but for groups that have to wait. Without `flush`, the
 * last of several puts without an answer is kept back: whether it goes with an id depends on what follows. */
void sending_pump(struct contact *contact, bool flush, int64_t now_ms);

/* More bytes have gone: the requests whose frames were among them are sent. */
void sending_written(struct contact *contact, int64_t now_ms);

/* Ends the puts of a run before this one, which was answered with this status: they have entered, or nobody knows. */
void sending_confirm(const struct machine_request *put, int status);

void sending_take_number_away(struct machine_request *request);

#endif
