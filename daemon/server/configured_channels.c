/* The channels of the configuration: created at the start, and created or altered when it is loaded again. */
#include "daemon/server/configured_channels.h"

#include <stdio.h>
#include <stdlib.h>

#include "daemon/core/rows.h"
#include "daemon/log.h"
#include "daemon/server/server_state.h"
#include "proto/name.h"

enum { CHANGES_BYTES = 256 + 2 * NAME_MAX_BYTES };

static enum channel_kind kind_of(enum config_kind kind)
{
	switch (kind) {
	case CONFIG_UNBUFFERED:
		return KIND_UNBUFFERED;
	case CONFIG_BOUNDED:
		return KIND_BOUNDED;
	case CONFIG_DROPPING:
		return KIND_DROPPING;
	case CONFIG_SLIDING:
		return KIND_SLIDING;
	case CONFIG_PROMISE:
		return KIND_PROMISE;
	case CONFIG_NO_KIND: /* config_check() has refused it */
		break;
	}
	return KIND_COUNT;
}

static struct core_definition definition_of(const struct config_channel *channel)
{
	return (struct core_definition){
		.kind = kind_of(channel->kind),
		.capacity = channel->capacity,
		.max_waiters = channel->max_waiters,
		.durable = channel->durable,
		.max_deliveries = channel->max_deliveries,
		.dead_letter = channel->dead_letter ? slice_from(channel->dead_letter) : (struct slice){NULL, 0},
	};
}

/* Appends what is said of a number that has changed, and returns how long that is; `zero` is said for 0. */
static size_t describe_number(char *text, size_t size, const char *what, uint64_t from, uint64_t to, const char *zero)
{
	char was[24], is[24];
	if (from == to)
		return 0;
	snprintf(was, sizeof(was), "%llu", (unsigned long long)from);
	snprintf(is, sizeof(is), "%llu", (unsigned long long)to);
	return (size_t)snprintf(text, size, ", %s %s, it was %s", what, to ? is : zero, from ? was : zero);
}

static struct slice name_or_none(struct slice name)
{
	return name.len ? name : SLICE("none");
}

static void describe(char text[CHANGES_BYTES], const struct core_definition *from, const struct core_definition *to)
{
	size_t len = describe_number(text, CHANGES_BYTES, "capacity", from->capacity, to->capacity, "0");
	len += describe_number(text + len, CHANGES_BYTES - len, "max_waiters", from->max_waiters, to->max_waiters,
			       "the default");
	len += describe_number(text + len, CHANGES_BYTES - len, "max_deliveries", from->max_deliveries,
			       to->max_deliveries, "any number");
	struct slice was = name_or_none(from->dead_letter), is = name_or_none(to->dead_letter);
	if (!slice_equal(was, is))
		snprintf(text + len, CHANGES_BYTES - len, ", dead_letter %.*s, it was %.*s", (int)is.len, is.bytes,
			 (int)was.len, was.bytes);
}

/* The channel is there, with another definition. */
static enum error alter_channel(struct server *server, const struct config_channel *channel,
				const struct core_definition *was)
{
	char changes[CHANGES_BYTES] = "";
	struct core_event event = {
		.op = CORE_ALTER, .channel = slice_from(channel->name), .definition = definition_of(channel)};
	if (was->kind != event.definition.kind || was->ephemeral || was->durable != event.definition.durable)
		return ERROR_CHANNEL_EXISTS;
	describe(changes, was, &event.definition);
	enum error error = broker_step(&server->broker, &event);
	if (error == ERROR_NONE && changes[0])
		log_info("channel %s is altered%s", channel->name, changes);
	return error;
}

static enum error create_channel(struct server *server, const struct config_channel *channel)
{
	struct core_definition was;
	struct core_event event = {
		.op = CORE_CREATE, .channel = slice_from(channel->name), .definition = definition_of(channel)};
	if (core_definition_of(server->core, event.channel, &was))
		return alter_channel(server, channel, &was);
	return broker_step(&server->broker, &event);
}

static const char *reason_of(enum error error)
{
	if (error != ERROR_CHANNEL_EXISTS)
		return error_text(error);
	return "it is there with another `kind` or `durable`, which stay as they are: leave it out of the "
	       "configuration, delete it, and then put it in again";
}

bool server_has_group_of(const struct server *server, const char *channel, struct slice group)
{
	struct slice own = channel_group(slice_from(channel));
	enum core_group_state state;
	if (!server->sessions.cluster)
		return true;
	if (group.len > 0 && !slice_equal(own, group))
		return false;
	state = core_group_state(server->core, own, NULL);
	return state == CORE_GROUP_RESTORED || state == CORE_GROUP_SERVED;
}

size_t server_create_channels(struct server *server, const struct config *config, struct slice group)
{
	size_t failed = 0;
	char why[CONFIG_ERROR_BYTES];
	size_t *order = config_channel_order(config, why);
	if (!order) { /* config_check() has had it before: there is no memory */
		log_warning("%s", why);
		return config->n_channels;
	}
	for (size_t i = 0; i < config->n_channels; i++) {
		const struct config_channel *channel = &config->channels[order[i]];
		if (!server_has_group_of(server, channel->name, group))
			continue;
		enum error error = create_channel(server, channel);
		if (error == ERROR_NONE)
			continue;
		log_warning("channel %s of the configuration: %s", channel->name, reason_of(error));
		failed++;
	}
	free(order);
	return failed;
}
