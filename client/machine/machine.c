/* The machine as a whole: made, woken, finished. */
#include "client/machine/machine.h"

#include <stdlib.h>
#include <string.h>

#include "client/machine/arguments.h"
#include "client/machine/daemons.h"
#include "client/machine/ephemerals.h"
#include "client/machine/failure.h"
#include "client/machine/routes.h"

static char *copy(const char *string, bool *is_lacking)
{
	char *copied = string ? strdup(string) : NULL;

	*is_lacking = *is_lacking || (string && !copied);
	return copied;
}

int machine_init(struct machine *machine, const struct machine_settings *settings)
{
	bool is_lacking = false;
	int status = settings->name ? string_check("name", settings->name) : MR_OK;

	if (status == MR_OK && settings->token)
		status = string_check("token", settings->token);
	if (status != MR_OK)
		return status;
	*machine = (struct machine){.settings = *settings, .random = settings->seed, .routes_due_ms = MACHINE_NEVER};
	TAILQ_INIT(&machine->contacts);
	TAILQ_INIT(&machine->ending);
	LIST_INIT(&machine->ephemerals);
	machine->name = copy(settings->name, &is_lacking);
	machine->token = copy(settings->token, &is_lacking);
	if (daemons_make_home(machine) && !is_lacking)
		return MR_OK;
	machine_finish(machine);
	return fail(MR_EMEMORY, "not enough memory for a client");
}

void machine_finish(struct machine *machine)
{
	while (requests_abandon(machine))
		;
	ephemerals_finish(machine);
	routes_finish(machine);
	daemons_finish(machine);
	deadlines_finish(&machine->deadlines);
	buffer_finish(&machine->tail);
	json_decref(machine->hello);
	free(machine->name);
	if (machine->token)
		explicit_bzero(machine->token, strlen(machine->token));
	free(machine->token);
	machine->hello = NULL;
	machine->name = machine->token = NULL;
}

int64_t machine_due_ms(const struct machine *machine)
{
	const struct deadline *first = deadlines_first(&machine->deadlines);
	int64_t due_ms = deadlines_earlier_ms(first ? first->due_ms : MACHINE_NEVER, machine->routes_due_ms);
	const struct contact *contact;

	TAILQ_FOREACH(contact, &machine->contacts, entry)
	{
		due_ms = deadlines_earlier_ms(due_ms, contact_due_ms(contact));
	}
	return due_ms;
}

void machine_tick(struct machine *machine, int64_t now_ms)
{
	struct contact *silent = requests_expire(machine, now_ms), *contact;

	routes_tick(machine, now_ms);
	TAILQ_FOREACH(contact, &machine->contacts, entry)
	{
		contact_tick(contact, contact == silent, now_ms);
	}
}
