/* The daemons that a machine knows of, each with its contact. */
#ifndef MILLRACE_CLIENT_MACHINE_DAEMONS_H
#define MILLRACE_CLIENT_MACHINE_DAEMONS_H

#include "client/machine/machine_state.h"

enum { DAEMONS_LEASES = 512 }; /* for so many leases it is remembered who gave them */

/* Makes home, which is not opened yet. NULL: no memory. */
struct contact *daemons_make_home(struct machine *machine);

/* The contact of an address, which is made if there is none. NULL: there are too many, or there is no memory. */
struct contact *daemons_find(struct machine *machine, const struct url *url);

/* The contact that is asked where nothing is known: home, while it can be, else any that is connected. */
struct contact *daemons_default(const struct machine *machine);

/* Destroys all contacts, none of which may have requests. */
void daemons_finish(struct machine *machine);

#endif
