/* `take --follow` into a pipe: nothing leaves the daemon that the reader has not read. */
#ifndef MILLRACE_CLI_FOLLOW_PIPE_H
#define MILLRACE_CLI_FOLLOW_PIPE_H

#include "client/cli/recovery.h"
#include "client/cli/take_watch.h"

/* Takes values one by one, each leased, writes it, and acks it when the pipe is empty again. A value whose reader has
 * gone before that is given back. Returns a status of the library: that of what ended it; watch->reason is set if it
 * was Ctrl-C, or a reader that has gone. */
int follow_pipe(const struct call *call, mr *m, struct take_watch *watch, struct recovery *recovery);

#endif
