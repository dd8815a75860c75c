/* The values of replies that have been written and not sent yet. Those of replies that never are go back. */
#ifndef MILLRACE_SESSION_UNSENT_LEDGER_H
#define MILLRACE_SESSION_UNSENT_LEDGER_H

#include "daemon/session/session.h"

/* Keeps the values of a reply that was just written until it is sent. */
void unsent_keep(struct session *session, struct core_reply *reply);

/* The same for values that are given as core_keep() would give them. */
void unsent_keep_row(struct session *session, struct core_unsent row);

/* Forgets the values that have been sent; or all of them. */
void unsent_forget_sent(struct session *session);
void unsent_forget(struct session *session);

/* Carries out the event that ends the session's connection in the core, with all values that are still kept: they go
 * back to where they were taken from. */
void unsent_return(struct session *session, struct core_event *disconnect);

#endif
