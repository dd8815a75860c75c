#include "client/machine/routes.h"

#include <stdlib.h>
#include <string.h>

#include "client/machine/daemons.h"

/* -- what is known -- */

static uint32_t hash(struct slice bytes)
{
	uint32_t sum = 2166136261u;

	for (size_t i = 0; i < bytes.len; i++)
		sum = (sum ^ (unsigned char)bytes.bytes[i]) * 16777619u;
	return sum;
}

struct group_route *routes_find(const struct machine *machine, const struct client_operation *operation)
{
	struct slice group;
	struct group_route *route;

	if (!operation->has_group || machine->n_routes == 0)
		return NULL;
	group = operation_group(operation);
	LIST_FOREACH(route, &machine->routes[hash(group) % ROUTE_BUCKETS], entry)
	{
		if (slice_equal(group, (struct slice){route->name, route->name_len}))
			return route;
	}
	return NULL;
}

static void destroy(struct machine *machine, struct group_route *route)
{
	LIST_REMOVE(route, entry);
	machine->n_routes--;
	free(route);
}

/* What is forgotten costs a question. */
static void forget_one(struct machine *machine)
{
	for (size_t i = 0; i < ROUTE_BUCKETS; i++) {
		struct group_route *route;

		LIST_FOREACH(route, &machine->routes[i], entry)
		{
			if (route->n_before == 0) {
				destroy(machine, route);
				return;
			}
		}
	}
}

struct group_route *routes_make(struct machine *machine, const struct client_operation *operation)
{
	struct slice group = operation_group(operation);
	struct group_route *route = routes_find(machine, operation);

	if (route || group.len > sizeof route->name)
		return route;
	if (machine->n_routes >= ROUTE_MOST)
		forget_one(machine);
	route = machine->n_routes < ROUTE_MOST ? calloc(1, sizeof(*route)) : NULL;
	if (!route)
		return NULL;
	memcpy(route->name, group.bytes, group.len);
	route->name_len = group.len;
	LIST_INSERT_HEAD(&machine->routes[hash(group) % ROUTE_BUCKETS], route, entry);
	machine->n_routes++;
	return route;
}

void routes_finish(struct machine *machine)
{
	for (size_t i = 0; i < ROUTE_BUCKETS; i++) {
		while (!LIST_EMPTY(&machine->routes[i]))
			destroy(machine, LIST_FIRST(&machine->routes[i]));
	}
}

void routes_forget(const struct contact *contact)
{
	struct machine *machine = contact->machine;
	struct group_route *route;

	for (size_t i = 0; i < ROUTE_BUCKETS && machine->n_routes; i++) {
		LIST_FOREACH(route, &machine->routes[i], entry)
		{
			if (route->contact == contact)
				route->contact = NULL;
		}
	}
}

/* -- leases -- */

bool routes_is_of_lease(const struct client_operation *operation)
{
	return operation->op == OP_ACK || operation->op == OP_NACK || operation->op == OP_EXTEND;
}

static struct contact **lease_contact(const struct machine *machine, struct slice lease)
{
	return machine->lease_contacts ? &machine->lease_contacts[hash(lease) % DAEMONS_LEASES] : NULL;
}

void routes_learn_lease(struct contact *contact, struct slice lease)
{
	struct contact **known = lease_contact(contact->machine, lease);

	if (known)
		*known = contact;
}

/* Its token is the first of its members. */
static struct slice lease_of(const struct client_operation *operation)
{
	static const char before[] = ",\"lease\":\"";
	const char *token = operation->members.bytes + sizeof before - 1;

	return (struct slice){token, strcspn(token, "\"")};
}

static struct contact *choose_for_lease(const struct machine *machine, const struct client_operation *operation)
{
	struct contact **known = lease_contact(machine, lease_of(operation));

	return known && *known && (*known)->state == CONTACT_OPEN ? *known : daemons_default(machine);
}

/* -- whom to ask, and when -- */

struct contact *routes_choose(struct machine *machine, const struct client_operation *operation)
{
	const struct group_route *route = routes_find(machine, operation);

	if (operation->contact)
		return operation->contact;
	if (routes_is_of_lease(operation) && machine->n_contacts > 1)
		return choose_for_lease(machine, operation);
	return route && route->contact ? route->contact : daemons_default(machine);
}

bool routes_is_without_owner(const struct machine *machine, const struct client_operation *operation, int64_t now_ms)
{
	const struct group_route *route = routes_find(machine, operation);

	return route && now_ms < route->retry_ms;
}

bool routes_is_held(const struct machine *machine, const struct client_operation *operation, int64_t now_ms)
{
	const struct group_route *route = routes_find(machine, operation);

	return route && (now_ms < route->retry_ms || (route->n_before && now_ms < route->overtakes_ms));
}

void routes_tick(struct machine *machine, int64_t now_ms)
{
	struct group_route *route;

	if (now_ms < machine->routes_due_ms)
		return;
	machine->routes_due_ms = MACHINE_NEVER;
	for (size_t i = 0; i < ROUTE_BUCKETS; i++) {
		LIST_FOREACH(route, &machine->routes[i], entry)
		{
			if (route->retry_ms > now_ms && route->retry_ms < machine->routes_due_ms)
				machine->routes_due_ms = route->retry_ms;
			if (route->n_before && route->overtakes_ms > now_ms &&
			    route->overtakes_ms < machine->routes_due_ms)
				machine->routes_due_ms = route->overtakes_ms;
		}
	}
}

void routes_hold(struct machine *machine, int64_t *until_ms, int64_t moment_ms)
{
	*until_ms = moment_ms;
	if (moment_ms < machine->routes_due_ms)
		machine->routes_due_ms = moment_ms;
}
