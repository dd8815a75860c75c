/* Where a request is: its list, what it counts for there, and when something is due about it. */
#ifndef MILLRACE_CLIENT_MACHINE_PLACES_H
#define MILLRACE_CLIENT_MACHINE_PLACES_H

#include "client/machine/state.h"

/* The list of a place; NULL of PLACE_NONE. */
struct machine_list *places_list(struct machine *machine, enum machine_place place);

/* Leaves its place, and takes another, in front or at the end. */
void places_enter(struct machine *machine, struct machine_request *request, enum machine_place place, bool is_in_front);
void places_leave(struct machine *machine, struct machine_request *request);

/* The bytes that it counts for among those that wait. */
size_t places_waiting_bytes(const struct machine_request *request);

/* Its status is known: it is to be told. `message` is static, or the machine's. */
void places_end(struct machine *machine, struct machine_request *request, int status, const char *message);

/* Out of its list, with all that it keeps but the operation. */
void places_remove(struct machine *machine, struct machine_request *request);

/* When something has to be done about it, as far as is known now. What moves on the connection puts it off. */
int64_t places_due_ms(const struct machine *machine, const struct machine_request *request);
void places_set_deadline(struct machine *machine, struct machine_request *request);

/* `after_ms` later; never stays never. */
int64_t places_later_ms(int64_t moment_ms, int64_t after_ms);

#endif
