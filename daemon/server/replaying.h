/* The start from a journal. */
#ifndef MILLRACE_SERVER_REPLAYING_H
#define MILLRACE_SERVER_REPLAYING_H

struct server;

/* Reads the journal of the configuration, if there is one, and restores what was there, while the loop turns. -1: after
 * a line in the log; or the stage is SERVER_ENDING, since the daemon was told to end meanwhile. */
int server_restore_journal(struct server *server);

#endif
