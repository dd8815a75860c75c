/* Who gets in: users, the certificates of the listeners, and the account that the daemon runs as. */
#ifndef MILLRACE_SERVER_ACCESS_H
#define MILLRACE_SERVER_ACCESS_H

#include "config/config.h"

struct server;

/* Users and certificates, before anybody listens. -1: after a line in the log. */
int server_start_access(struct server *server);

/* Once everybody listens that needs to be root for it, and before anything is written: Unix sockets are given to the
 * account, and so is the journal's folder, which is made if there is none. -1: after a line in the log. */
int server_drop_privileges(const struct server *server);

/* Takes over what has changed in `fresh`, which is about to become the configuration. -1, after a line in the log: no
 * memory, and nothing has changed. */
int server_reload_access(struct server *server, const struct config *fresh);

/* Logs each address with who may use it. */
void server_log_access(const struct server *server);

void server_finish_access(struct server *server); /* when core and sessions are gone */

#endif
