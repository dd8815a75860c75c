/* What the supervisor is told of the daemon's life. */
#ifndef MILLRACE_SERVER_ANNOUNCE_H
#define MILLRACE_SERVER_ANNOUNCE_H

#include <stdint.h>

struct server;

/* Begins to say now and then that the daemon is alive. -1: no memory. */
int server_start_service(struct server *server);

void server_tell_starting(struct server *server); /* how far it is: sessions.starting */
void server_tell_ready(struct server *server);    /* to the log too */
void server_tell_reloading(struct server *server);
void server_tell_reloaded(struct server *server, const char *failure); /* NULL: it went well */
void server_tell_stopping(struct server *server, uint64_t within_ms);

#endif
