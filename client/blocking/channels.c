/* Channels made, altered, closed, deleted and looked at. Most of these replies are read by jansson: they are rare. */
#include <stdlib.h>
#include <string.h>

#include "client/blocking/call.h"
#include "client/machine/failure.h"

/* -- create, alter, close, delete, move -- */

int mr_create(mr *m, const char *channel, const struct mr_definition *definition, bool *created, char **name)
{
	struct client_operation operation;
	json_t *reply = NULL;
	int status = call_tree(m, operation_create(&operation, channel, definition), &operation, &reply);

	if (name)
		*name = NULL;
	if (created)
		*created = status == MR_OK && json_is_true(json_object_get(reply, "created"));
	if (status == MR_OK && name) {
		const char *given = json_string_value(json_object_get(reply, "channel"));

		*name = given ? strdup(given) : NULL;
		if (!*name)
			status = fail(given ? MR_EMEMORY : MR_EPROTOCOL,
				      given ? "not enough memory" : "the reply does not name the channel");
	}
	json_decref(reply);
	return status;
}

int mr_close(mr *m, const char *channel)
{
	struct client_operation operation;

	return call_plain(m, operation_close(&operation, channel), &operation);
}

int mr_delete(mr *m, const char *channel, bool force, uint64_t *discarded)
{
	struct client_operation operation;
	json_t *reply = NULL;
	int status = call_tree(m, operation_delete(&operation, channel, force), &operation, &reply);

	if (discarded)
		*discarded = (uint64_t)json_integer_value(json_object_get(reply, "discarded"));
	json_decref(reply);
	return status;
}

int mr_move(mr *m, const char *from, const char *to, size_t max, uint64_t *moved, uint64_t *left)
{
	struct client_operation operation;
	json_t *reply = NULL;
	int status = call_tree(m, operation_move(&operation, from, to, max), &operation, &reply);

	if (moved)
		*moved = (uint64_t)json_integer_value(json_object_get(reply, "moved"));
	if (left)
		*left = (uint64_t)json_integer_value(json_object_get(reply, "left"));
	json_decref(reply);
	return status;
}

/* -- taps -- */

int mr_tap(mr *m, const char *from, const char *to, const struct mr_tap_options *options, bool *created, char **name)
{
	struct client_operation operation;
	json_t *reply = NULL;
	int status = call_tree(m, operation_tap(&operation, from, to, options), &operation, &reply);

	if (name)
		*name = NULL;
	if (created)
		*created = status == MR_OK && json_is_true(json_object_get(reply, "created"));
	if (status == MR_OK && name) {
		const char *given = json_string_value(json_object_get(reply, "to"));

		*name = given ? strdup(given) : NULL;
		if (!*name)
			status = fail(given ? MR_EMEMORY : MR_EPROTOCOL,
				      given ? "not enough memory" : "the reply does not name the target");
	}
	json_decref(reply);
	return status;
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

static int peek(mr *m, const char *channel, size_t max, struct mr_request *request)
{
	struct client_operation operation;

	return call_fetch(m, operation_peek(&operation, channel, max), &operation, WANT_VALUE, request);
}

int mr_peek(mr *m, const char *channel, size_t max, json_t **values)
{
	struct mr_request request;
	json_t *tree = NULL;
	int status = peek(m, channel, max, &request);

	if (status == MR_OK)
		status = call_give_array(request.text, request.text_len, &tree);
	request_finish(&request);
	return call_give_tree(status, tree, values);
}

int mr_peek_raw(mr *m, const char *channel, size_t max, char **json, size_t *len)
{
	struct mr_request request;
	int status = peek(m, channel, max, &request);

	return call_give_text(&request, status, json, len);
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
	uint64_t after = (uint64_t)json_integer_value(next);

	if (rows_of->op == OP_LIST)
		return operation_list(operation, rows_of->filter, json_string_value(next));
	if (rows_of->op == OP_LEASES)
		return operation_leases(operation, rows_of->filter, after);
	if (rows_of->op == OP_TAPS)
		return operation_taps(operation, rows_of->filter, after);
	return operation_waiters(operation, rows_of->filter, after);
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
	if (!(rows_of->op == OP_LIST ? json_is_string(mark) : json_is_integer(mark)))
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
