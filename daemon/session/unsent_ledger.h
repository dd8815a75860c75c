/* The values of replies that have been written and not sent: if they never are, they go back. */
#ifndef MILLRACE_SESSION_UNSENT_LEDGER_H
#define MILLRACE_SESSION_UNSENT_LEDGER_H

#include "daemon/session/session.h"

/* The values of a reply that was just written are kept until it is sent. */
void unsent_keep(struct session *session, struct core_reply *reply);

/* The same for what core_keep() would give. */
void unsent_keep_row(struct session *session, struct core_unsent row);

/* Forgets those that have been sent; or all of them. */
void unsent_forget_sent(struct session *session);
void unsent_forget(struct session *session);

/* They go back to where they were taken from, with the session's end in the core: the event is carried out. */
void unsent_return(struct session *session, struct core_event *disconnect);

#endif
