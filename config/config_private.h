/* What those share who make a configuration, and change it. */
#ifndef MILLRACE_CONFIG_CONFIG_PRIVATE_H
#define MILLRACE_CONFIG_CONFIG_PRIVATE_H

#include "config/config.h"

/* -1: no memory, and there is nothing to be finished. */
int config_copy(struct config *to, const struct config *from);

/* Puts the changed copy in the place of the old one, or with a negative `result` drops it. */
int config_commit(struct config *config, struct config *changed, int result);

void config_drop_listen(struct config *config);

/* Says so, and returns -1. */
int config_refuse_memory(char error[CONFIG_ERROR_BYTES]);

#endif
