#include "client/machine/ephemerals.h"

#include <stdlib.h>
#include <string.h>

static void destroy(struct ephemeral_channel *ephemeral)
{
	LIST_REMOVE(ephemeral, entry);
	buffer_finish(&ephemeral->members);
	free(ephemeral->name);
	free(ephemeral);
}

void ephemerals_add(struct machine *machine, struct client_operation *create)
{
	struct ephemeral_channel *ephemeral = malloc(sizeof(*ephemeral));

	ephemerals_remove(machine, create->channel);
	if (!ephemeral)
		return;
	ephemeral->name = create->channel;
	ephemeral->members = create->members;
	create->channel = NULL;
	create->members = (struct buffer){0};
	LIST_INSERT_HEAD(&machine->ephemerals, ephemeral, entry);
}

void ephemerals_remove(struct machine *machine, const char *channel)
{
	struct ephemeral_channel *ephemeral;

	LIST_FOREACH(ephemeral, &machine->ephemerals, entry)
	{
		if (strcmp(ephemeral->name, channel) == 0) {
			destroy(ephemeral);
			return;
		}
	}
}

void ephemerals_finish(struct machine *machine)
{
	while (!LIST_EMPTY(&machine->ephemerals))
		destroy(LIST_FIRST(&machine->ephemerals));
}
