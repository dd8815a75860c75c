/* The end, in stages: see drain.c. */
#ifndef MILLRACE_SERVER_DRAIN_H
#define MILLRACE_SERVER_DRAIN_H

struct server;

/* Of SIGTERM and SIGINT; and of the server's end_timer. */
void server_on_end_signal(void *arg, int signal_number);
void server_on_end_timer(void *arg);

/* At the end of each turn: ends the stage, if nothing is left to be waited for. */
void server_look_for_end(struct server *server);

#endif
