/* The keys of a configuration, and what stands behind each. */
#ifndef MILLRACE_CONFIG_KEYS_H
#define MILLRACE_CONFIG_KEYS_H

#include "config/config.h"
#include "config/yaml_reader.h"

/* The mapping that is a whole configuration. */
int keys_read(struct yaml_reader *reader, const yaml_node_t *node, struct config *config);

/* One value, whose key is a path such as limits.max_frame; it is written to. */
int keys_set(struct yaml_reader *reader, const yaml_node_t *node, char *path, struct config *config);

/* Takes the address over. -1: no memory. */
int keys_add_listen(struct config *config, const struct address *address);

/* HOST:PORT, https://HOST:PORT or none. */
int keys_set_http(struct config *config, const char *text, char error[CONFIG_ERROR_BYTES]);

#endif
