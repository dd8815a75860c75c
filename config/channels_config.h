/* The channels of a configuration. */
#ifndef MILLRACE_CONFIG_CHANNELS_CONFIG_H
#define MILLRACE_CONFIG_CHANNELS_CONFIG_H

#include "config/config.h"
#include "config/yaml_reader.h"

/* -1: no memory, and nothing to free. */
int channels_config_copy(struct config_channel *to, const struct config_channel *from);

/* Frees them all. */
void channels_config_drop(struct config *config);

/* Reads the mapping of names to definitions; `into` is a struct config, whose channels they become. */
int channels_config_read(struct yaml_reader *reader, const yaml_node_t *node, const void *arg, void *into);

/* --set: a whole definition for a channel, or one member of it ("capacity"). The channel is added if there is none of
 * that name. */
int channels_config_set(struct yaml_reader *reader, const yaml_node_t *node, const char *name, struct config *config);
int channels_config_set_member(struct yaml_reader *reader, const yaml_node_t *node, const char *name,
			       const char *member, struct config *config);

/* What is wrong with a definition, or NULL. */
const char *channels_config_fault(const struct config_channel *channel);

#endif
