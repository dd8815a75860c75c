/* The taps of the configuration. */
#ifndef MILLRACE_SERVER_CONFIGURED_TAPS_H
#define MILLRACE_SERVER_CONFIGURED_TAPS_H

#include "config/config.h"
#include "proto/slice.h"

struct server;

/* Makes the taps of the configuration, or changes them, once its channels are there. `group`, what is logged and what
 * is returned are as server_create_channels() has them. */
size_t server_create_taps(struct server *server, const struct config *config, struct slice group);

#endif
