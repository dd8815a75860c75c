/* What --match says, as the protocol's match. Pure. */
#ifndef MILLRACE_CLI_TAP_RULE_H
#define MILLRACE_CLI_TAP_RULE_H

#include "client/cli/command.h"
#include "proto/buffer.h"

/* Appends the object of all --match of the call, each POINTER=VALUE, and a NUL. A VALUE that is a JSON string, number,
 * boolean or null is that; any other text is a string. 0; or EXIT_USAGE or EXIT_ERROR, told. */
int tap_rule_write(const struct call *call, struct buffer *out);

#endif
