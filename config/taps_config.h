/* The taps of a configuration: what is carried from which channel to which. */
#ifndef MILLRACE_CONFIG_TAPS_CONFIG_H
#define MILLRACE_CONFIG_TAPS_CONFIG_H

#include "config/config.h"
#include "config/yaml_reader.h"

/* -1: no memory, and nothing to free. */
int taps_config_copy(struct config_tap *to, const struct config_tap *from);

/* Frees them all. */
void taps_config_drop(struct config *config);

/* Reads the list of taps; `into` is a struct config, whose taps they become. One that carries to several channels
 * becomes several. */
int taps_config_read(struct yaml_reader *reader, const yaml_node_t *node, const void *arg, void *into);

/* Whether both ends of each are channels of the configuration, and no values would go round in a circle. */
int taps_config_check(const struct config *config, char error[CONFIG_ERROR_BYTES]);

#endif
