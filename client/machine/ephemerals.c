#include "client/machine/ephemerals.h"

#include <stdlib.h>
#include <string.h>

#include "client/machine/requests.h"
#include "client/machine/routes.h"

static void place(struct machine *machine, struct ephemeral_channel *ephemeral, struct contact *contact)
{
	machine->n_missing -= !ephemeral->contact;
	ephemeral->contact = contact;
	machine->n_missing += !contact;
}

static void destroy(struct machine *machine, struct ephemeral_channel *ephemeral)
{
	machine->n_missing -= !ephemeral->contact;
	LIST_REMOVE(ephemeral, entry);
	operation_finish(&ephemeral->create);
	free(ephemeral);
}

static struct ephemeral_channel *find(const struct machine *machine, const char *channel)
{
	struct ephemeral_channel *ephemeral;

	LIST_FOREACH(ephemeral, &machine->ephemerals, entry)
	{
		if (strcmp(ephemeral->create.channel, channel) == 0)
			return ephemeral;
	}
	return NULL;
}

void ephemerals_add(struct machine_request *create)
{
	struct ephemeral_channel *ephemeral = malloc(sizeof(*ephemeral));
	struct machine *machine = create->contact->machine;

	ephemerals_remove(machine, create->operation.channel);
	if (!ephemeral)
		return;
	ephemeral->contact = create->contact;
	ephemeral->create = create->operation;
	create->operation = (struct client_operation){.op = OP_NONE};
	LIST_INSERT_HEAD(&machine->ephemerals, ephemeral, entry);
}

void ephemerals_remove(struct machine *machine, const char *channel)
{
	struct ephemeral_channel *ephemeral = find(machine, channel);

	if (ephemeral)
		destroy(machine, ephemeral);
}

void ephemerals_finish(struct machine *machine)
{
	while (!LIST_EMPTY(&machine->ephemerals))
		destroy(machine, LIST_FIRST(&machine->ephemerals));
}

void ephemerals_miss(const struct contact *contact)
{
	struct ephemeral_channel *ephemeral;

	LIST_FOREACH(ephemeral, &contact->machine->ephemerals, entry)
	{
		if (ephemeral->contact == contact)
			place(contact->machine, ephemeral, NULL);
	}
}

void ephemerals_miss_one(struct machine *machine, const char *channel)
{
	struct ephemeral_channel *ephemeral = find(machine, channel);

	if (ephemeral)
		place(machine, ephemeral, NULL);
}

bool ephemerals_wait_for(const struct contact *contact)
{
	const struct ephemeral_channel *ephemeral;

	if (contact->machine->n_missing == 0)
		return false;
	LIST_FOREACH(ephemeral, &contact->machine->ephemerals, entry)
	{
		if (!ephemeral->contact && routes_choose(contact->machine, &ephemeral->create) == contact)
			return true;
	}
	return false;
}

bool ephemerals_create(struct contact *contact, int64_t now_ms)
{
	struct machine *machine = contact->machine;
	struct ephemeral_channel *ephemeral;

	if (machine->n_missing == 0)
		return true;
	LIST_FOREACH(ephemeral, &machine->ephemerals, entry)
	{
		if (ephemeral->contact || routes_choose(machine, &ephemeral->create) != contact ||
		    routes_is_held(machine, &ephemeral->create, now_ms))
			continue;
		if (!requests_submit_own(contact, &ephemeral->create))
			return false;
		place(machine, ephemeral, contact);
	}
	return true;
}
