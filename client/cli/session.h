/* What most commands begin with: a look at their words, and a connection. */
#ifndef MILLRACE_CLI_SESSION_H
#define MILLRACE_CLI_SESSION_H

#include "client/cli/command.h"
#include "client/millrace.h"

/* EXIT_OK, or EXIT_USAGE and told: no channel can have this name. */
int session_check_channel(const struct call *call, const char *channel);

/* Connects as the call says. EXIT_OK and *m for mr_destroy(), or another exit code, told. */
int session_open(const struct call *call, mr **m);

/* The two together. */
int session_open_for(const struct call *call, const char *channel, mr **m);

#endif
