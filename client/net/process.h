/* Which process this is: a connection belongs to the one that has made it, not to those that are forked from it. */
#ifndef MILLRACE_CLIENT_NET_PROCESS_H
#define MILLRACE_CLIENT_NET_PROCESS_H

#define PROCESS_FORKED "this belongs to the process that has made it: after fork(), connect anew in the child"

/* A number that differs in a child from its parent's. Cheap. */
unsigned process_number(void);

#endif
