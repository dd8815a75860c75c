/* The keys about who looks at the daemon: http_hosts, log, log_level. */
#ifndef MILLRACE_CONFIG_OBSERVE_H
#define MILLRACE_CONFIG_OBSERVE_H

#include "config/config.h"
#include "config/yaml_reader.h"

int observe_read_hosts(struct yaml_reader *reader, const yaml_node_t *node, const void *arg, void *into);
int observe_read_log(struct yaml_reader *reader, const yaml_node_t *node, const void *arg, void *into);
int observe_read_log_level(struct yaml_reader *reader, const yaml_node_t *node, const void *arg, void *into);

int observe_copy_hosts(struct config *to, const struct config *from); /* -1: no memory; `to` has what was copied */
void observe_drop_hosts(struct config *config);

#endif
