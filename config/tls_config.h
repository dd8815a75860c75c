/* The files that TLS needs, and whether clients show certificates: of a listener, or of the whole configuration. */
#ifndef MILLRACE_CONFIG_TLS_CONFIG_H
#define MILLRACE_CONFIG_TLS_CONFIG_H

#include "config/config.h"
#include "config/yaml_reader.h"

void tls_settings_finish(struct tls_settings *settings);
int tls_settings_copy(struct tls_settings *to,
		      const struct tls_settings *from); /* -1: no memory, and *to is to be finished */

/* Reads the mapping `tls`; `into` is a struct config. */
int tls_config_read(struct yaml_reader *reader, const yaml_node_t *node, const void *arg, void *into);

/* Reads a listener that is written as a mapping: "address", and the members of `tls`. */
int tls_config_read_listener(struct yaml_reader *reader, const yaml_node_t *node, struct address *address);

/* The same for `http`. */
int tls_config_read_http(struct yaml_reader *reader, const yaml_node_t *node, struct address *address);

/* What is wrong with what is in force for a listener, or NULL. */
const char *tls_config_fault(const struct config *config, const struct address *address);

#endif
