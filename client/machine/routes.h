/* Which daemon of a cluster has which group of channels, as far as daemons have said. Without a cluster nothing is
 * known, and home is asked. */
#ifndef MILLRACE_CLIENT_MACHINE_ROUTES_H
#define MILLRACE_CLIENT_MACHINE_ROUTES_H

#include "client/machine/machine_state.h"

/* Whom to ask for this. */
struct contact *routes_choose(struct machine *machine, const struct client_operation *operation);

/* Whether a request about this has to wait: until somebody has its group, or for requests of the group before it. */
bool routes_is_held(const struct machine *machine, const struct client_operation *operation, int64_t now_ms);

/* Whether it has to wait because nobody has the group. */
bool routes_is_without_owner(const struct machine *machine, const struct client_operation *operation, int64_t now_ms);

/* What is known of the operation's group. routes_find(): NULL, if nothing is; routes_make() then makes a route; NULL:
 * no memory. */
struct group_route *routes_find(const struct machine *machine, const struct client_operation *operation);
struct group_route *routes_make(struct machine *machine, const struct client_operation *operation);

/* Sets one of a route's moments, until when its requests wait. */
void routes_hold(struct machine *machine, int64_t *until_ms, int64_t moment_ms);

/* Whether the operation is about a lease, which only the daemon knows that gave it. */
bool routes_is_of_lease(const struct client_operation *operation);

/* The contact's daemon has given out a lease. */
void routes_learn_lease(struct contact *contact, struct slice lease);

/* Forgets which groups this contact was said to have: they are asked for anew. */
void routes_forget(const struct contact *contact);

/* Holds groups no longer that are to be asked for again by now. */
void routes_tick(struct machine *machine, int64_t now_ms);

void routes_finish(struct machine *machine);

#endif
