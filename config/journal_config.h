/* Where durable channels are kept: `journal: {path, segment, max_batch, max_delay_us}`. */
#ifndef MILLRACE_CONFIG_JOURNAL_CONFIG_H
#define MILLRACE_CONFIG_JOURNAL_CONFIG_H

#include "config/config.h"
#include "config/yaml_reader.h"

void journal_config_init(struct journal_config *journal);

/* Reads the mapping; `into` is a struct config. */
int journal_config_read(struct yaml_reader *reader, const yaml_node_t *node, const void *arg, void *into);

/* --set: one member of it. */
int journal_config_set(struct yaml_reader *reader, const yaml_node_t *node, const char *member, struct config *config);

/* What is wrong with the whole configuration's journal and durable channels: -1, with `error`. */
int journal_config_check(const struct config *config, char error[CONFIG_ERROR_BYTES]);

#endif
