/* `millrace tap` without a target: a live subscription, printed as it comes. */
#ifndef MILLRACE_CLI_SUBSCRIBE_H
#define MILLRACE_CLI_SUBSCRIBE_H

#include "client/cli/command.h"
#include "client/millrace.h"

/* Taps the call's first argument with a channel that the daemon makes of the options' kind, and prints what comes to
 * it, until the source has ended, the call's --number has come, or somebody wants no more; over losses of the
 * connection too. Returns an exit code, told. */
int subscribe(const struct call *call, mr *m, const struct mr_tap_options *options);

#endif
