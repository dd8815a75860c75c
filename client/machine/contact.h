/* A daemon that the machine speaks to, and the life of the connection to it. See machine.h for what its driver does
 * with it. */
#ifndef MILLRACE_CLIENT_MACHINE_CONTACT_H
#define MILLRACE_CLIENT_MACHINE_CONTACT_H

#include "client/machine/machine_state.h"

/* -- for the driver -- */

bool contact_wants_connection(const struct contact *contact, int64_t now_ms);

/* The driver begins to open a connection to contact->url, until contact->attempt_ends_ms; and it has opened it. */
void contact_opening(struct contact *contact, int64_t now_ms);
void contact_opened(struct contact *contact, int64_t now_ms);

/* Whether bytes go over it: what is to be read and written is the machine's. */
static inline bool contact_is_connected(const struct contact *contact)
{
	return contact->state == CONTACT_GREETING || contact->state == CONTACT_OPEN;
}

/* Whether the driver has to have a connection, or to open it. */
static inline bool contact_has_connection(const struct contact *contact)
{
	return contact->state == CONTACT_OPENING || contact_is_connected(contact);
}

/* Whether not all addresses of home have failed since there was a connection, or since all had failed before. */
bool contact_has_another_address(const struct contact *contact);

/* The connection has ended, or could not be opened: `status` is why, for the requests, and the rest for people. */
__attribute__((format(printf, 4, 5))) void contact_close(struct contact *contact, int64_t now_ms, int status,
							 const char *format, ...);

/* The other side has ended it: `how`. What it said before is the reason to give, if it said anything. */
void contact_closed_by_peer(struct contact *contact, int64_t now_ms, const char *how);

/* What is to be written; len 0: nothing. For `flush` see sending_pump(). Valid until the next call.
 * contact_written(): so much of it was. */
struct slice contact_output(struct contact *contact, bool flush, int64_t now_ms);
void contact_written(struct contact *contact, size_t len, int64_t now_ms);

/* Where to read to; NULL without memory: the connection has ended then. contact_read(): so much was read. */
char *contact_room(struct contact *contact, size_t *len, int64_t now_ms);
void contact_read(struct contact *contact, size_t len, int64_t now_ms);

/* -- for the machine -- */

/* When something is due about the connection; contact_tick() does it. `is_silent`: a request should have been answered
 * long since. */
int64_t contact_due_ms(const struct contact *contact);
void contact_tick(struct contact *contact, bool is_silent, int64_t now_ms);

#endif
