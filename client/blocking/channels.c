/* Channels made, altered, closed, deleted and looked at. Most of these replies are read by jansson: they are rare. */
#include <stdlib.h>
#include <string.h>

#include "client/blocking/call.h"
#include "client/machine/failure.h"

/* -- create, alter, close, delete, move -- */

/* What a reply says of something that was made: whether it was, and its name. */
static int fetch_made(mr *m, int status, struct client_operation *operation, const char *key, bool *created,
		      char **name)
{
	const char *given;
	json_t *reply;

	status = call_tree(m, status, operation, &reply);
	given = json_string_value(json_object_get(reply, key));
	if (created)
		*created = json_is_true(json_object_get(reply, "created"));
	if (name)
		*name = given ? strdup(given) : NULL;
	if (status == MR_OK && name && !*name)
		status = given ? fail(MR_EMEMORY, "not enough memory")
			       : fail(MR_EPROTOCOL, "the reply does not name what was made");
	json_decref(reply);
	return status;
}

int mr_create(mr *m, const char *channel, const struct mr_definition *definition, bool *created, char **name)
{
	struct client_operation operation;

	return fetch_made(m, operation_create(&operation, channel, definition), &operation, "channel", created, name);
}

int mr_close(mr *m, const char *channel)
{
	struct client_operation operation;

	return call_plain(m, operation_close(&operation, channel), &operation);
}

/* The two numbers of a reply; the second may have no key. */
static int fetch_numbers(mr *m, int status, struct client_operation *operation, const char *const keys[2],
			 uint64_t *const numbers[2])
{
	json_t *reply;

	status = call_tree(m, status, operation, &reply);
	for (int i = 0; i < 2; i++) {
		if (keys[i] && numbers[i])
			*numbers[i] = (uint64_t)json_integer_value(json_object_get(reply, keys[i]));
	}
	json_decref(reply);
	return status;
}

int mr_delete(mr *m, const char *channel, bool force, uint64_t *discarded)
{
	struct client_operation operation;

	return fetch_numbers(m, operation_delete(&operation, channel, force), &operation,
			     (const char *const[]){"discarded", NULL}, (uint64_t *const[]){discarded, NULL});
}

int mr_move(mr *m, const char *from, const char *to, size_t max, uint64_t *moved, uint64_t *left)
{
	struct client_operation operation;

	return fetch_numbers(m, operation_move(&operation, from, to, max), &operation,
			     (const char *const[]){"moved", "left"}, (uint64_t *const[]){moved, left});
}

/* -- taps -- */

int mr_tap(mr *m, const char *from, const char *to, const struct mr_tap_options *options, bool *created, char **name)
{
	struct client_operation operation;

	return fetch_made(m, operation_tap(&operation, from, to, options), &operation, "to", created, name);
}

int mr_untap(mr *m, const char *from, const char *to)
{
	struct client_operation operation;

	return call_plain(m, operation_untap(&operation, from, to), &operation);
}

/* -- rows -- */

/* A reply that is a row itself, but for its envelope. */
static int fetch_row(mr *m, int status, struct client_operation *operation, json_t **row)
{
	json_t *reply = NULL;

	status = call_tree(m, status, operation, &reply);
	json_object_del(reply, "id");
	json_object_del(reply, "status");
	return call_give_tree(status, reply, row);
}

int mr_stat(mr *m, const char *channel, json_t **row)
{
	struct client_operation operation;

	return fetch_row(m, operation_stat(&operation, channel), &operation, row);
}

int mr_alter(mr *m, const char *channel, const struct mr_alteration *alteration, json_t **row)
{
	struct client_operation operation;

	return fetch_row(m, operation_alter(&operation, channel, alteration), &operation, row);
}

int mr_peek(mr *m, const char *channel, size_t max, json_t **values)
{
	struct client_operation operation;

	return call_array(m, operation_peek(&operation, channel, max), &operation, values);
}

int mr_peek_raw(mr *m, const char *channel, size_t max, char **json, size_t *len)
{
	struct client_operation operation;

	return call_text(m, operation_peek(&operation, channel, max), &operation, json, len);
}

/* -- pages -- */

struct row_pages {                       /* of rows that come in pages */
	const char *rows_key, *mark_key; /* the latter of what a row is found by */
	const char *filter;
	enum message_op op;
};

/* What asks for the page behind `next`; NULL: for the first. */
static int page_operation(struct client_operation *operation, const struct row_pages *rows_of, const json_t *next)
{
	if (rows_of->op == OP_CLUSTER)
		return operation_cluster(operation, json_string_value(next));
	if (rows_of->op == OP_LIST)
		return operation_list(operation, rows_of->filter, json_string_value(next));
	return operation_rows(operation, rows_of->op, rows_of->filter, (uint64_t)json_integer_value(next));
}

/* What the page after this reply comes behind, a new reference: its `next`, which older daemons do not send, or else
 * its last row. */
static int read_next(const struct row_pages *rows_of, const json_t *reply, const json_t *rows, json_t **next)
{
	const json_t *last = json_array_get(rows, json_array_size(rows) - 1);
	json_t *mark = json_object_get(reply, "next");

	if (!json_is_true(json_object_get(reply, "more")))
		return MR_OK;
	if (!mark)
		mark = json_object_get(last, rows_of->mark_key);
	if (!(rows_of->op == OP_LIST || rows_of->op == OP_CLUSTER ? json_is_string(mark) : json_is_integer(mark)))
		return fail(MR_EPROTOCOL, "the reply does not say where its next page begins");
	*next = json_incref(mark);
	return MR_OK;
}

/* One page behind *next (NULL: the first), added to *rows. *next becomes what the page after it comes behind; NULL if
 * there is none. */
static int page(mr *m, const struct row_pages *rows_of, json_t **next, json_t *rows)
{
	struct client_operation operation;
	json_t *reply, *added;
	int status = page_operation(&operation, rows_of, *next);

	json_decref(*next);
	*next = NULL;
	status = call_tree(m, status, &operation, &reply);
	if (status != MR_OK)
		return status;
	added = json_object_get(reply, rows_of->rows_key);
	if (!json_is_array(added))
		status = fail(MR_EPROTOCOL, "the reply lacks \"%s\"", rows_of->rows_key);
	else if (json_array_extend(rows, added) < 0)
		status = fail(MR_EMEMORY, "not enough memory for the rows");
	else
		status = read_next(rows_of, reply, added, next);
	json_decref(reply);
	return status;
}

static int pages(mr *m, const struct row_pages *rows_of, json_t **rows)
{
	json_t *all = json_array(), *next = NULL;
	int status = all ? MR_OK : fail(MR_EMEMORY, "not enough memory for the rows");

	if (status == MR_OK)
		do
			status = page(m, rows_of, &next, all);
		while (status == MR_OK && next);
	json_decref(next);
	if (status != MR_OK) {
		json_decref(all);
		all = NULL;
	}
	return call_give_tree(status, all, rows);
}

int mr_list(mr *m, const char *glob, json_t **rows)
{
	return pages(m, &(struct row_pages){"channels", "channel", glob, OP_LIST}, rows);
}

int mr_waiters(mr *m, const char *channel, json_t **rows)
{
	return pages(m, &(struct row_pages){"waiters", "seq", channel, OP_WAITERS}, rows);
}

int mr_leases(mr *m, const char *channel, json_t **rows)
{
	return pages(m, &(struct row_pages){"leases", "seq", channel, OP_LEASES}, rows);
}

int mr_taps(mr *m, const char *channel, json_t **rows)
{
	return pages(m, &(struct row_pages){"taps", "seq", channel, OP_TAPS}, rows);
}

/* -- clusters -- */

int mr_cluster(mr *m, json_t **overview)
{
	struct client_operation operation;
	json_t *found, *groups = NULL;
	int status = fetch_row(m, operation_cluster(&operation, NULL), &operation, &found);

	if (status == MR_OK)
		status = pages(m, &(struct row_pages){"groups", "group", NULL, OP_CLUSTER}, &groups);
	json_object_set_new(found, "groups", groups);
	json_object_del(found, "more");
	json_object_del(found, "next");
	if (status != MR_OK) {
		json_decref(found);
		found = NULL;
	}
	return call_give_tree(status, found, overview);
}

int mr_cluster_move(mr *m, const char *group, const char *daemon)
{
	struct client_operation operation;

	return call_plain(m, operation_cluster_move(&operation, group, daemon), &operation);
}
