#include "config/journal_config.h"

#include <stdio.h>
#include <string.h>

enum { LEAST_SEGMENT_BATCHES = 4 };

static int read_path(struct yaml_reader *reader, const yaml_node_t *node, const void *arg, void *into)
{
	struct journal_config *journal = into;
	const char *text = yaml_text(reader, node, "an absolute path");
	(void)arg;
	if (!text)
		return -1;
	size_t len = strlen(text);
	while (len > 1 && text[len - 1] == '/')
		len--;
	if (text[0] != '/' || len == 1)
		return yaml_refuse(reader, node,
				   "\"%.128s\" is no absolute path of a folder; expected one such as /var/lib/millrace",
				   text);
	return yaml_keep(reader, node, &journal->path, text, len);
}

struct size_row {
	size_t offset; /* in struct journal_config */
	enum limit_unit unit;
	uint64_t lowest, highest;
};

static int read_size(struct yaml_reader *reader, const yaml_node_t *node, const void *arg, void *into)
{
	const struct size_row *row = arg;
	return yaml_number(reader, node, row->unit, row->lowest, row->highest,
			   (uint64_t *)((char *)into + row->offset));
}

#define SIZE(field, unit, lowest, highest)                                                                             \
	{                                                                                                              \
#field, read_size, &(const struct size_row)                                                            \
		{                                                                                                      \
			offsetof(struct journal_config, field), unit, lowest, highest                                  \
		}                                                                                                      \
	}

static const struct yaml_key keys[] = {
	{"path", read_path, NULL},
	SIZE(segment, LIMIT_BYTES, 1 * MIB, 1 * GIB),
	SIZE(max_batch, LIMIT_BYTES, 4 * KIB, 64 * MIB),
	SIZE(max_delay_us, LIMIT_COUNT, 0, 1000000),
};

enum { N_KEYS = sizeof(keys) / sizeof(keys[0]) };

void journal_config_init(struct journal_config *journal)
{
	*journal = (struct journal_config){.segment = 64 * MIB, .max_batch = 1 * MIB};
}

int journal_config_read(struct yaml_reader *reader, const yaml_node_t *node, const void *arg, void *into)
{
	struct config *config = into;
	(void)arg;
	return yaml_mapping(reader, node, "journal", keys, N_KEYS, &config->journal);
}

int journal_config_set(struct yaml_reader *reader, const yaml_node_t *node, const char *member, struct config *config)
{
	return yaml_set_key(reader, node, member, keys, N_KEYS, &config->journal);
}

int journal_config_check(const struct config *config, char error[CONFIG_ERROR_BYTES])
{
	const struct journal_config *journal = &config->journal;
	if (journal->segment < LEAST_SEGMENT_BATCHES * journal->max_batch) {
		snprintf(error, CONFIG_ERROR_BYTES,
			 "journal: a segment has to hold four batches; expected segment to be at least %llu, or a "
			 "smaller max_batch",
			 (unsigned long long)(LEAST_SEGMENT_BATCHES * journal->max_batch));
		return -1;
	}
	for (size_t i = 0; i < config->n_channels; i++) {
		if (!config->channels[i].durable || journal->path || config->cluster.is_there)
			continue;
		snprintf(error, CONFIG_ERROR_BYTES,
			 "channels: \"%.128s\" is durable, and there is no journal; expected `journal: {path: "
			 "/var/lib/millrace}`, or a cluster",
			 config->channels[i].name);
		return -1;
	}
	return 0;
}
