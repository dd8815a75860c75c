/* Which daemon of a cluster has which group of channels, as far as daemons have said. Without a cluster nothing is
 * known, and home is asked. */
#ifndef MILLRACE_CLIENT_MACHINE_ROUTES_H
#define MILLRACE_CLIENT_MACHINE_ROUTES_H

#include "client/machine/state.h"

/* Whom to ask for this. */
struct contact *routes_choose(struct machine *machine, const struct client_operation *operation);

/* Whether a request of its group has to wait: until somebody has the group, or for those before it. */
bool routes_is_held(const struct machine *machine, const struct client_operation *operation, int64_t now_ms);

/* The same, since nobody has the group. */
bool routes_is_without_owner(const struct machine *machine, const struct client_operation *operation, int64_t now_ms);

/* What is known of the operation's group; NULL: nothing. The other: it is made then; NULL: no memory. */
struct route *routes_find(const struct machine *machine, const struct client_operation *operation);
struct route *routes_make(struct machine *machine, const struct client_operation *operation);

/* Sets one of a route's moments. */
void routes_hold(struct machine *machine, int64_t *until_ms, int64_t moment_ms);

/* Whether it is about a lease, of which the daemon that gave it knows alone. */
bool routes_is_of_lease(const struct client_operation *operation);

/* The contact's daemon has given out a lease. */
void routes_learn_lease(struct contact *contact, struct slice lease);

/* What this contact was said to have is asked for anew. */
void routes_forget(const struct contact *contact);

/* Groups that are asked for again by now are held no longer. */
void routes_tick(struct machine *machine, int64_t now_ms);

void routes_finish(struct machine *machine);

#endif
