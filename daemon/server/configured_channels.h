/* The channels of the configuration. */
#ifndef MILLRACE_SERVER_CONFIGURED_CHANNELS_H
#define MILLRACE_SERVER_CONFIGURED_CHANNELS_H

#include "config/config.h"
#include "proto/slice.h"

struct server;

/* Creates the channels of the configuration, and alters those that are there with another definition of the same kind,
 * with a log line for each. In a cluster only those of groups that are here; `group`: of this one alone; empty: of all.
 * Returns how many are not as they are configured, each with a log line too. */
size_t server_create_channels(struct server *server, const struct config *config, struct slice group);

/* Whether the daemon has the group of this channel, and it is one that `group` asks for, as above. */
bool server_has_group_of(const struct server *server, const char *channel, struct slice group);

#endif
