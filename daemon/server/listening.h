/* The sockets of a server. */
#ifndef MILLRACE_SERVER_LISTENING_H
#define MILLRACE_SERVER_LISTENING_H

struct server;

/* Opens all sockets; those of HTTP alone are answered at once. -1: after a line in the log. */
int server_listen(struct server *server);

/* Answers the others too, from now on. -1: no memory. */
int server_accept(struct server *server);

#endif
