#include "daemon/session/definition.h"

#include <stdio.h>
#include <sys/random.h>

#include "config/limits.h"
#include "daemon/core/rows.h"

enum { RANDOM_BYTES = 16 };

/* Returns what is wrong with a capacity that was given, or NULL. */
static const char *check_capacity(enum channel_kind kind, uint64_t capacity)
{
	switch (kind) {
	case KIND_UNBUFFERED:
		return capacity != 0 ? "an unbuffered channel has no capacity" : NULL;
	case KIND_PROMISE:
		return capacity != 1 ? "a promise holds one value: leave \"capacity\" out" : NULL;
	case KIND_BOUNDED:
	case KIND_DROPPING:
	case KIND_SLIDING:
		return capacity < 1 || capacity > MAX_CAPACITY ? "\"capacity\" is 1 to 100000000" : NULL;
	case KIND_COUNT:
		break;
	}
	return "\"kind\" is \"unbuffered\", \"bounded\", \"dropping\", \"sliding\" or \"promise\"";
}

/* Returns what is wrong with a definition whose capacity is right, or NULL. */
static const char *check_definition(const struct message_request *request, const struct core_definition *definition)
{
	if (message_has(request, MEMBER_MAX_WAITERS) &&
	    (request->max_waiters < 1 || request->max_waiters > MAX_WAITERS))
		return "\"max_waiters\" is 1 to 10000000";
	if (definition->kind == KIND_PROMISE && definition->max_deliveries)
		return "a promise is never leased: it has no \"max_deliveries\"";
	return NULL;
}

const char *definition_read(const struct message_request *request, struct core_definition *definition)
{
	bool has_capacity = message_has(request, MEMBER_CAPACITY);
	*definition = (struct core_definition){
		.kind = channel_kind_from_name(request->kind),
		.capacity = request->capacity,
		.max_waiters = (uint32_t)request->max_waiters,
		.ephemeral = request->ephemeral,
		.durable = request->durable,
		.max_deliveries = (uint32_t)request->max_deliveries,
		.dead_letter = request->dead_letter,
	};
	bool needs_capacity = definition->kind == KIND_BOUNDED || definition->kind == KIND_DROPPING ||
			      definition->kind == KIND_SLIDING;
	if (definition->kind == KIND_PROMISE && !has_capacity)
		definition->capacity = 1;
	if (needs_capacity && !has_capacity)
		return "this kind needs a \"capacity\"";
	const char *wrong = check_capacity(definition->kind, definition->capacity);
	return wrong ? wrong : check_definition(request, definition);
}

const char *definition_check_durable(const struct sessions *all, const struct core_definition *definition)
{
	struct core_definition target;
	if (!all->broker->journal)
		return "this daemon has no journal: a \"durable\" channel needs `journal` in its configuration";
	if (definition->kind == KIND_UNBUFFERED)
		return "an unbuffered channel keeps nothing: it cannot be \"durable\"";
	if (definition->ephemeral)
		return "a channel is \"ephemeral\" or \"durable\", not both";
	if (definition->dead_letter.len && core_definition_of(all->core, definition->dead_letter, &target) &&
	    !target.durable)
		return "the \"dead_letter\" channel of a \"durable\" one is \"durable\" too, and this one is not";
	return NULL;
}

const char *definition_alter(const struct message_request *request, struct core_definition *definition)
{
	if (message_has(request, MEMBER_CAPACITY))
		definition->capacity = request->capacity;
	if (message_has(request, MEMBER_MAX_WAITERS))
		definition->max_waiters = (uint32_t)request->max_waiters;
	if (message_has(request, MEMBER_MAX_DELIVERIES))
		definition->max_deliveries = (uint32_t)request->max_deliveries;
	if (message_has(request, MEMBER_DEAD_LETTER))
		definition->dead_letter = request->dead_letter;
	const char *wrong = check_capacity(definition->kind, definition->capacity);
	if (!wrong && !definition->max_deliveries != !definition->dead_letter.len)
		wrong = "\"max_deliveries\" and \"dead_letter\" come together: both, or 0 and null";
	return wrong ? wrong : check_definition(request, definition);
}

int channel_make_up_name(char name[NAME_MAX_BYTES + 1], const char *prefix, struct slice group)
{
	unsigned char random[RANDOM_BYTES];
	size_t len = (size_t)snprintf(name, NAME_MAX_BYTES, "%s", prefix);
	if (!slice_equal(group, SLICE("default")))
		len += (size_t)snprintf(name + len, NAME_MAX_BYTES - len, "{%.*s}", (int)group.len, group.bytes);
	if (len + 2 * sizeof(random) > NAME_MAX_BYTES)
		return -ERROR_BAD_CHANNEL;
	if (getrandom(random, sizeof(random), 0) != (ssize_t)sizeof(random))
		return -ERROR_INTERNAL;
	for (size_t i = 0; i < sizeof(random); i++)
		len += (size_t)snprintf(name + len, NAME_MAX_BYTES + 1 - len, "%02x", random[i]);
	return (int)len;
}
