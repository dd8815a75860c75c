/* Where dead letters go: each channel's to another one of the configuration, which is bounded, and from there on
 * perhaps further; never round in a circle. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/config.h"

/* Channels by name. */
struct index {
	const struct config *config;
	const struct config_channel **sorted;
};

static int compare(const void *a, const void *b)
{
	const struct config_channel *const *x = a, *const *y = b;
	return strcmp((*x)->name, (*y)->name);
}

static int index_init(struct index *index, const struct config *config)
{
	*index = (struct index){config, calloc(config->n_channels + 1, sizeof(*index->sorted))};
	if (!index->sorted)
		return -1;
	for (size_t i = 0; i < config->n_channels; i++)
		index->sorted[i] = &config->channels[i];
	qsort(index->sorted, config->n_channels, sizeof(*index->sorted), compare);
	return 0;
}

static const struct config_channel *index_find(const struct index *index, const char *name)
{
	const struct config_channel wanted = {.name = (char *)name}, *key = &wanted;
	const struct config_channel **found =
		bsearch(&key, index->sorted, index->config->n_channels, sizeof(*index->sorted), compare);
	return found ? *found : NULL;
}

/* How many channels its dead letters may go through; -1: they cannot, as `error` says. */
static int steps_of(const struct index *index, const struct config_channel *channel, char error[CONFIG_ERROR_BYTES])
{
	const struct config_channel *at = channel;
	int steps = 0;
	for (; at->dead_letter; steps++) {
		const struct config_channel *next = index_find(index, at->dead_letter);
		const char *fault = NULL;
		if (!next)
			fault = "is not there; expected a channel of this configuration";
		else if (next->kind != CONFIG_BOUNDED)
			fault = "is not bounded; expected a bounded channel";
		else if (at->durable && !next->durable)
			fault = "is not durable, and this channel is; expected a durable one";
		else if (next == channel || steps == MAX_DEAD_LETTER_STEPS)
			fault = "leads back, or too far; expected an end after at most 16 channels";
		if (fault) {
			snprintf(error, CONFIG_ERROR_BYTES, "channels: \"%.128s\": dead_letter: \"%.128s\" %s",
				 channel->name, at->dead_letter, fault);
			return -1;
		}
		at = next;
	}
	return steps;
}

size_t *config_channel_order(const struct config *config, char error[CONFIG_ERROR_BYTES])
{
	struct index index;
	size_t n = config->n_channels, done = 0, *order = calloc(n + 1, sizeof(*order));
	if (!order || index_init(&index, config) < 0) {
		snprintf(error, CONFIG_ERROR_BYTES, "channels: no memory");
		free(order);
		return NULL;
	}
	for (int steps = 0; steps <= MAX_DEAD_LETTER_STEPS && done < n; steps++) {
		for (size_t i = 0; i < n; i++) {
			int own = steps_of(&index, &config->channels[i], error);
			if (own == steps)
				order[done++] = i;
			if (own >= 0)
				continue;
			free(index.sorted);
			free(order);
			return NULL;
		}
	}
	free(index.sorted);
	return order;
}
