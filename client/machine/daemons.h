/* The daemons that a machine knows of, each with its contact. */
#ifndef MILLRACE_CLIENT_MACHINE_DAEMONS_H
#define MILLRACE_CLIENT_MACHINE_DAEMONS_H

#include "client/machine/state.h"

enum { DAEMONS_LEASES = 512 }; /* for so many leases it is remembered who gave them */

/* Home, which is not opened yet. NULL: no memory. */
struct contact *daemons_make_home(struct machine *machine);

/* That of an address, made if there is none. NULL: there are too many, or there is no memory. */
struct contact *daemons_find(struct machine *machine, const struct url *url);

/* Who is asked where nothing is known: home, while it can be, else any that is connected. */
struct contact *daemons_default(const struct machine *machine);

/* For the end of a machine: none may have requests. */
void daemons_finish(struct machine *machine);

#endif
