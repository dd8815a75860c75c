/* Several daemons, one service: `cluster: {name, endpoints, prefix, advertise, advertise_http, ttl_ms, groups, tls,
 * user, password_file}`. */
#ifndef MILLRACE_CONFIG_CLUSTER_CONFIG_H
#define MILLRACE_CONFIG_CLUSTER_CONFIG_H

#include "config/config.h"
#include "config/yaml_reader.h"

int cluster_config_init(struct cluster_config *cluster); /* -1: no memory */
void cluster_config_finish(struct cluster_config *cluster);
/* -1: no memory, and *to is to be finished. */
int cluster_config_copy(struct cluster_config *to, const struct cluster_config *from);

/* Reads the mapping; `into` is a struct config. */
int cluster_config_read(struct yaml_reader *reader, const yaml_node_t *node, const void *arg, void *into);

/* --set: one member of it; "groups.NAME" is the owner of one group. */
int cluster_config_set(struct yaml_reader *reader, const yaml_node_t *node, const char *member, struct config *config);

/* What is wrong with the whole configuration's cluster, and with what leads from one group to another: -1, with
 * `error`. */
int cluster_config_check(const struct config *config, char error[CONFIG_ERROR_BYTES]);

#endif
