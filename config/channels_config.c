/* Definitions of channels: a kind, which has to be written, and the capacity that goes with it. */
#include "config/channels_config.h"

#include <stdlib.h>
#include <string.h>

#include "proto/name.h"

static const char *const kinds[] = {
	[CONFIG_UNBUFFERED] = "unbuffered", [CONFIG_BOUNDED] = "bounded", [CONFIG_DROPPING] = "dropping",
	[CONFIG_SLIDING] = "sliding",       [CONFIG_PROMISE] = "promise",
};

/* -- Members -- */

static int check_name(struct yaml_reader *reader, const yaml_node_t *node, const char *name)
{
	if (!name_is_valid(slice_from(name)))
		return yaml_refuse(reader, node,
				   "\"%.64s\" is not a channel's name; expected 1 to 128 of A-Z a-z 0-9 . _ : { } - "
				   "with neither . nor - first",
				   name);
	if (name_is_reserved(slice_from(name)))
		return yaml_refuse(reader, node,
				   "\"%.64s\" begins with _: such names are the daemon's own; expected another", name);
	return 0;
}

static int read_kind(struct yaml_reader *reader, const yaml_node_t *node, const void *arg, void *into)
{
	struct config_channel *channel = into;
	const char *word = yaml_text(reader, node, "a kind");
	(void)arg;
	if (!word)
		return -1;
	for (int kind = CONFIG_UNBUFFERED; kind < CONFIG_NO_KIND; kind++) {
		if (strcmp(word, kinds[kind]) != 0)
			continue;
		channel->kind = (enum config_kind)kind;
		return 0;
	}
	return yaml_refuse(reader, node,
			   "\"%.64s\" is not a kind; expected unbuffered, bounded, dropping, sliding or promise", word);
}

static int read_capacity(struct yaml_reader *reader, const yaml_node_t *node, const void *arg, void *into)
{
	struct config_channel *channel = into;
	(void)arg;
	return yaml_number(reader, node, LIMIT_COUNT, 1, MAX_CAPACITY, &channel->capacity);
}

static int read_max_waiters(struct yaml_reader *reader, const yaml_node_t *node, const void *arg, void *into)
{
	struct config_channel *channel = into;
	uint64_t number;
	(void)arg;
	if (yaml_number(reader, node, LIMIT_COUNT, 1, MAX_WAITERS, &number) < 0)
		return -1;
	channel->max_waiters = (uint32_t)number;
	return 0;
}

static int read_max_deliveries(struct yaml_reader *reader, const yaml_node_t *node, const void *arg, void *into)
{
	struct config_channel *channel = into;
	uint64_t number;
	(void)arg;
	if (yaml_number(reader, node, LIMIT_COUNT, 1, MESSAGE_MAX_DELIVERIES, &number) < 0)
		return -1;
	channel->max_deliveries = (uint32_t)number;
	return 0;
}

static int read_durable(struct yaml_reader *reader, const yaml_node_t *node, const void *arg, void *into)
{
	struct config_channel *channel = into;
	(void)arg;
	return yaml_bool(reader, node, &channel->durable);
}

static int read_dead_letter(struct yaml_reader *reader, const yaml_node_t *node, const void *arg, void *into)
{
	struct config_channel *channel = into;
	const char *name = yaml_text(reader, node, "a channel's name");
	(void)arg;
	if (!name || check_name(reader, node, name) < 0)
		return -1;
	return yaml_keep(reader, node, &channel->dead_letter, name, strlen(name));
}

static const struct yaml_key keys[] = {
	{"kind", read_kind, NULL},
	{"capacity", read_capacity, NULL},
	{"max_waiters", read_max_waiters, NULL},
	{"durable", read_durable, NULL},
	{"max_deliveries", read_max_deliveries, NULL},
	{"dead_letter", read_dead_letter, NULL},
};

enum { N_KEYS = sizeof(keys) / sizeof(keys[0]) };

const char *channels_config_fault(const struct config_channel *channel)
{
	if (!channel->max_deliveries != !channel->dead_letter)
		return "max_deliveries and dead_letter come together; expected both, or none";
	if (channel->max_deliveries && channel->kind == CONFIG_PROMISE)
		return "a promise is never leased; expected no max_deliveries";
	if (channel->durable && channel->kind == CONFIG_UNBUFFERED)
		return "an unbuffered channel keeps nothing, and cannot be durable; expected another kind, or no "
		       "durable";
	switch (channel->kind) {
	case CONFIG_UNBUFFERED:
		return channel->capacity ? "an unbuffered channel has no capacity; expected none" : NULL;
	case CONFIG_PROMISE:
		return channel->capacity > 1 ? "a promise holds one value; expected no capacity" : NULL;
	case CONFIG_BOUNDED:
	case CONFIG_DROPPING:
	case CONFIG_SLIDING:
		return channel->capacity ? NULL : "this kind needs a capacity; expected a whole number, 1 to 100000000";
	case CONFIG_NO_KIND:
		break;
	}
	return "a channel needs a kind; expected unbuffered, bounded, dropping, sliding or promise";
}

/* -- Channels -- */

int channels_config_copy(struct config_channel *to, const struct config_channel *from)
{
	*to = *from;
	to->name = strdup(from->name);
	to->dead_letter = from->dead_letter ? strdup(from->dead_letter) : NULL;
	if (to->name && !to->dead_letter == !from->dead_letter)
		return 0;
	free(to->name);
	free(to->dead_letter);
	return -1;
}

static void channel_drop(struct config_channel *channel)
{
	free(channel->name);
	free(channel->dead_letter);
}

void channels_config_drop(struct config *config)
{
	for (size_t i = 0; i < config->n_channels; i++)
		channel_drop(&config->channels[i]);
	free(config->channels);
	config->channels = NULL;
	config->n_channels = 0;
}

/* A channel without a definition at the end of the list, which has room for it. */
static int add(struct yaml_reader *reader, const yaml_node_t *node, const char *name, struct config *config,
	       struct config_channel **added)
{
	if (check_name(reader, node, name) < 0)
		return -1;
	char *copy = strdup(name);
	if (!copy)
		return yaml_refuse(reader, node, "no memory");
	*added = &config->channels[config->n_channels++];
	**added = (struct config_channel){.name = copy, .kind = CONFIG_NO_KIND};
	return 0;
}

static int make_room(struct yaml_reader *reader, const yaml_node_t *node, size_t n, struct config *config)
{
	struct config_channel *channels = reallocarray(config->channels, config->n_channels + n, sizeof(*channels));
	if (!channels)
		return yaml_refuse(reader, node, "no memory");
	config->channels = channels;
	return 0;
}

static int read_definition(struct yaml_reader *reader, const yaml_node_t *node, struct config_channel *channel)
{
	if (yaml_mapping(reader, node, channel->name, keys, N_KEYS, channel) < 0)
		return -1;
	const char *fault = channels_config_fault(channel);
	if (channel->kind == CONFIG_PROMISE && channel->capacity)
		fault = "a promise holds one value; expected no capacity";
	if (fault)
		return yaml_refuse(reader, node, "channel \"%s\": %s", channel->name, fault);
	if (channel->kind == CONFIG_PROMISE)
		channel->capacity = 1;
	return 0;
}

/* -- Double names, found by sorting: there may be many channels -- */

static int compare_pairs(const void *a, const void *b)
{
	const yaml_node_t *const *x = a, *const *y = b;
	int order = strcmp((const char *)(*x)->data.scalar.value, (const char *)(*y)->data.scalar.value);
	if (order != 0)
		return order;
	return (*x)->start_mark.index < (*y)->start_mark.index ? -1 : 1;
}

static int check_double(struct yaml_reader *reader, const yaml_node_t *node, const yaml_node_pair_t *pairs, size_t n)
{
	int result = 0;
	const yaml_node_t **names = calloc(n, sizeof(*names));
	if (!names)
		return yaml_refuse(reader, node, "no memory");
	for (size_t i = 0; i < n; i++)
		names[i] = yaml_node(reader, pairs[i].key);
	qsort(names, n, sizeof(*names), compare_pairs);
	for (size_t i = 1; i < n && result == 0; i++)
		if (strcmp((const char *)names[i - 1]->data.scalar.value, (const char *)names[i]->data.scalar.value) ==
		    0)
			result = yaml_refuse(reader, names[i], "\"%.128s\" is there twice; expected it once",
					     names[i]->data.scalar.value);
	free(names);
	return result;
}

int channels_config_read(struct yaml_reader *reader, const yaml_node_t *node, const void *arg, void *into)
{
	struct config *config = into;
	const yaml_node_pair_t *pairs = NULL;
	size_t n = 0;
	(void)arg;
	channels_config_drop(config);
	if (yaml_pairs(reader, node, "channels", &pairs, &n) < 0)
		return -1;
	if (n == 0)
		return 0;
	if (make_room(reader, node, n, config) < 0)
		return -1;
	for (size_t i = 0; i < n; i++) {
		const yaml_node_t *key_node = yaml_node(reader, pairs[i].key);
		const char *name = yaml_text(reader, key_node, "a channel's name");
		struct config_channel *channel;
		if (!name || add(reader, key_node, name, config, &channel) < 0 ||
		    read_definition(reader, yaml_node(reader, pairs[i].value), channel) < 0)
			return -1;
	}
	return check_double(reader, node, pairs, n);
}

/* -- One at a time -- */

static int find_or_add(struct yaml_reader *reader, const yaml_node_t *node, const char *name, struct config *config,
		       struct config_channel **found)
{
	for (size_t i = 0; i < config->n_channels; i++) {
		*found = &config->channels[i];
		if (strcmp((*found)->name, name) == 0)
			return 0;
	}
	return make_room(reader, node, 1, config) < 0 ? -1 : add(reader, node, name, config, found);
}

int channels_config_set(struct yaml_reader *reader, const yaml_node_t *node, const char *name, struct config *config)
{
	struct config_channel *channel;
	if (find_or_add(reader, node, name, config, &channel) < 0)
		return -1;
	free(channel->dead_letter);
	*channel = (struct config_channel){.name = channel->name, .kind = CONFIG_NO_KIND};
	return read_definition(reader, node, channel);
}

/* Another kind brings the capacity that it has of itself; what a promise had of itself is not handed on. */
static void settle_capacity(struct config_channel *channel, enum config_kind before)
{
	if (channel->kind == CONFIG_UNBUFFERED || (before == CONFIG_PROMISE && channel->kind != CONFIG_PROMISE))
		channel->capacity = 0;
	if (channel->kind == CONFIG_PROMISE)
		channel->capacity = 1;
}

int channels_config_set_member(struct yaml_reader *reader, const yaml_node_t *node, const char *name,
			       const char *member, struct config *config)
{
	struct config_channel *channel;
	const struct yaml_key *key = yaml_find_key(reader, node, member, keys, N_KEYS);
	if (!key || find_or_add(reader, node, name, config, &channel) < 0)
		return -1;
	enum config_kind before = channel->kind;
	if (key->read(reader, node, key->arg, channel) < 0)
		return -1;
	if (key->read == read_kind)
		settle_capacity(channel, before);
	return 0;
}
