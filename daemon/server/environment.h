/* Settings from the environment, for containers and service managers, where a variable is easier to write than a file:
 * MILLRACE_SET_LIMITS_MAX_MEMORY=1GiB is --set limits.max_memory=1GiB. */
#ifndef MILLRACE_SERVER_ENVIRONMENT_H
#define MILLRACE_SERVER_ENVIRONMENT_H

#include "config/config.h"

/* MILLRACE_CONFIG: the file to read if the command line names none. NULL: there is none. */
const char *environment_config_path(void);

/* Applies all of MILLRACE_SET_*. 0, or -1 with `error`, which names the variable. */
int environment_apply(struct config *config, char error[CONFIG_ERROR_BYTES]);

#endif
