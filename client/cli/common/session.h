/* What most commands begin and end with: a connection, and what became of it. */
#ifndef MILLRACE_CLI_COMMON_SESSION_H
#define MILLRACE_CLI_COMMON_SESSION_H

#include "client/cli/common/command.h"
#include "client/millrace.h"

/* Connects as the call says. EXIT_OK and *m for mr_destroy(), or another exit code, told. */
int session_open(const struct call *call, mr **m);

/* Runs the call's command with a connection, if one can be had. The exit code. */
int session_run(const struct call *call);

/* As report_status(), before any other library call: and where there is no such channel, it asks the daemon whether
 * there is one of nearly this name. */
int session_report(const struct call *call, mr *m, const char *channel, int status, const char *more);

#endif
