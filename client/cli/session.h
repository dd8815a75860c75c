/* What most commands begin and end with: a channel's name that can be one, a connection, and what became of it. */
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

/* As report_status(), before any other library call: and where there is no such channel, it asks the daemon whether
 * there is one of nearly this name. */
int session_report(const struct call *call, mr *m, const char *channel, int status, const char *more);

#endif
