/* Taking without an end: into a pipe value by value, so that nothing leaves the daemon that the reader has not read;
 * elsewhere by a consumer with a little credit. */
#ifndef MILLRACE_CLI_COMMANDS_FOLLOW_H
#define MILLRACE_CLI_COMMANDS_FOLLOW_H

#include "client/cli/common/recovery.h"
#include "client/cli/commands/take_watch.h"

/* Prints what comes from the watch's channel until it is closed, the watch wants no more (watch->reason), the call's
 * time is over, or the connection is lost. Returns a status of the library: that of what ended it. */
int follow(const struct call *call, mr *m, struct take_watch *watch, struct reconnecting *recovery);

/* The exit code of what has ended with that status, told unless it ended as it was to; `until_closed`: that a channel
 * is closed is such an end. */
int follow_conclude(const struct call *call, mr *m, const struct take_watch *watch, int status, bool until_closed);

#endif
