#include "client/machine/daemons.h"

#include <stdio.h>
#include <stdlib.h>

#include "client/machine/contact.h"
#include "client/machine/places.h"

static struct contact *create(struct machine *machine)
{
	struct contact *contact = calloc(1, machine->settings.contact_bytes);

	if (!contact)
		return NULL;
	contact->machine = machine;
	contact->url = machine->settings.urls;
	contact->index = machine->n_contacts++;
	contact->backoff_ms = machine->settings.backoff_min_ms;
	contact->closed_status = MR_ECONNECT;
	snprintf(contact->closed_message, sizeof contact->closed_message, "there was no connection yet");
	exchange_init(&contact->exchange);
	for (enum request_place place = PLACE_WAITING; place <= PLACE_UNCONFIRMED; place++)
		TAILQ_INIT(places_list(contact, place));
	TAILQ_INSERT_TAIL(&machine->contacts, contact, entry);
	return contact;
}

struct contact *daemons_make_home(struct machine *machine)
{
	machine->home = create(machine);
	return machine->home;
}

void daemons_finish(struct machine *machine)
{
	struct contact *contact;

	while ((contact = TAILQ_FIRST(&machine->contacts))) {
		TAILQ_REMOVE(&machine->contacts, contact, entry);
		exchange_finish(&contact->exchange);
		free(contact);
	}
	free(machine->lease_contacts);
	machine->lease_contacts = NULL;
}

/* One that nobody needs any more, if there may not be another. */
static struct contact *spare(struct machine *machine)
{
	struct contact *contact;

	TAILQ_FOREACH(contact, &machine->contacts, entry)
	{
		if (contact != machine->home && contact->state == CONTACT_CLOSED && TAILQ_EMPTY(&contact->waiting) &&
		    !contact->has_news)
			return contact;
	}
	return NULL;
}

struct contact *daemons_find(struct machine *machine, const struct url *url)
{
	struct contact *contact;

	TAILQ_FOREACH(contact, &machine->contacts, entry)
	{
		if ((contact != machine->home || contact_has_connection(contact)) && url_is_same(contact->url, url))
			return contact;
	}
	if (!machine->lease_contacts)
		machine->lease_contacts = calloc(DAEMONS_LEASES, sizeof(struct contact *));
	contact = machine->n_contacts < MACHINE_MOST_CONTACTS ? create(machine) : spare(machine);
	if (contact) {
		contact->address = *url;
		contact->url = &contact->address;
	}
	return contact;
}

struct contact *daemons_default(const struct machine *machine)
{
	struct contact *contact;

	TAILQ_FOREACH(contact, &machine->contacts, entry)
	{
		if (contact->state == CONTACT_OPEN)
			return contact;
	}
	return machine->home;
}
