/* Channels made, closed, deleted and looked at. These replies are read by jansson: they are rare. */
#include <stdlib.h>

#include "client/blocking/call.h"
#include "client/machine/words.h"

/* Runs a request whose whole reply is wanted, as a tree. */
static int ask(mr *m, enum message_op op, struct buffer *members, int status, json_t **reply)
{
	struct call_result result;

	status = call_run(m, op, members, status, MR_FOREVER, WANT_BODY, &result);
	*reply = NULL;
	return status == MR_OK ? json_text_into(result.text, result.text_len, reply) : status;
}

/* -- create, close, delete -- */

/* It is created anew with the next connection. */
static int remember(mr *m, const char *channel, const struct mr_definition *definition)
{
	struct buffer members = {0};
	int status = members_definition(&members, channel, definition);

	if (status == MR_OK)
		status = handle_remember(m, channel, (struct slice){members.bytes, buffer_len(&members)});
	buffer_finish(&members);
	return status;
}

int mr_create(mr *m, const char *channel, const struct mr_definition *definition, bool *created, char **name)
{
	struct buffer members = {0};
	json_t *reply = NULL;
	int status = members_definition(&members, channel, definition);

	if (name)
		*name = NULL;
	if (created)
		*created = false;
	status = ask(m, OP_CREATE, &members, status, &reply);
	if (status == MR_OK && channel && definition->ephemeral && m->reopens)
		status = remember(m, channel, definition);
	if (status == MR_OK && created)
		*created = json_is_true(json_object_get(reply, "created"));
	if (status == MR_OK && name) {
		const char *given = json_string_value(json_object_get(reply, "channel"));

		*name = given ? strdup(given) : NULL;
		if (!*name)
			status = words_fail(given ? MR_EMEMORY : MR_EPROTOCOL,
					    given ? "not enough memory" : "the reply does not name the channel");
	}
	json_decref(reply);
	return status;
}

int mr_close(mr *m, const char *channel)
{
	struct buffer members = {0};
	struct call_result result;
	int status = members_channel(&members, channel);

	return call_run(m, OP_CLOSE, &members, status, MR_FOREVER, WANT_NOTHING, &result);
}

int mr_delete(mr *m, const char *channel, bool force, uint64_t *discarded)
{
	struct buffer members = {0};
	json_t *reply = NULL;
	int status = members_channel(&members, channel);

	if (status == MR_OK && force)
		message_bool(&members, "force", true);
	status = ask(m, OP_DELETE, &members, status, &reply);
	if (status == MR_OK)
		handle_forget(m, channel);
	if (discarded)
		*discarded = (uint64_t)json_integer_value(json_object_get(reply, "discarded"));
	json_decref(reply);
	return status;
}

/* -- looking -- */

/* Gives the tree to whoever wants it. */
static void give(json_t *tree, json_t **out)
{
	if (out)
		*out = tree;
	else
		json_decref(tree);
}

int mr_stat(mr *m, const char *channel, json_t **row)
{
	struct buffer members = {0};
	json_t *reply = NULL;
	int status = members_channel(&members, channel);

	status = ask(m, OP_STAT, &members, status, &reply);
	json_object_del(reply, "id");
	json_object_del(reply, "status");
	give(reply, row);
	return status;
}

static int peek(mr *m, const char *channel, size_t max, struct call_result *result)
{
	struct buffer members = {0};
	int status = MR_OK;

	*result = (struct call_result){.text = NULL};
	if (max < 1 || max > MESSAGE_MAX_ROWS)
		return words_fail(MR_EARGUMENT, "max is 1 to %d", MESSAGE_MAX_ROWS);
	status = members_channel(&members, channel);
	message_uint(&members, "max", max);
	return call_fetch(m, OP_PEEK, &members, status, MR_FOREVER, WANT_VALUE, result);
}

int mr_peek(mr *m, const char *channel, size_t max, json_t **values)
{
	struct call_result result;
	json_t *tree = NULL;
	int status = peek(m, channel, max, &result);

	if (status == MR_OK)
		status = json_text_into(result.text, result.text_len, &tree);
	give(tree, values);
	return status;
}

int mr_peek_raw(mr *m, const char *channel, size_t max, char **json, size_t *len)
{
	struct call_result result;
	int status = peek(m, channel, max, &result);

	if (len)
		*len = result.text_len;
	if (json)
		*json = result.text;
	else
		free(result.text);
	return status;
}

/* What the page after this reply comes behind, a new reference: its `next`, which older daemons do not send, or else
 * its last row. */
static int read_next(enum message_op op, const json_t *reply, const json_t *rows, json_t **next)
{
	const json_t *last = json_array_get(rows, json_array_size(rows) - 1);
	json_t *mark = json_object_get(reply, "next");

	if (!json_is_true(json_object_get(reply, "more")))
		return MR_OK;
	if (!mark)
		mark = json_object_get(last, op == OP_LIST ? "channel" : "seq");
	if (!(op == OP_LIST ? json_is_string(mark) : json_is_integer(mark)))
		return words_fail(MR_EPROTOCOL, "the reply does not say where its next page begins");
	*next = json_incref(mark);
	return MR_OK;
}

/* One page behind *next (NULL: the first), added to *rows. *next becomes what the page after it comes behind; NULL if
 * there is none. */
static int page(mr *m, enum message_op op, const char *filter_key, const char *filter, json_t **next, json_t *rows)
{
	const char *rows_key = op == OP_LIST ? "channels" : "waiters";
	struct buffer members = {0};
	json_t *reply, *added;
	int status = filter ? members_text(&members, filter_key, filter) : MR_OK;

	if (*next && op == OP_LIST)
		message_string(&members, "after", slice_from(json_string_value(*next)));
	else if (*next)
		message_uint(&members, "after", (uint64_t)json_integer_value(*next));
	json_decref(*next);
	*next = NULL;
	status = ask(m, op, &members, status, &reply);
	if (status != MR_OK)
		return status;
	added = json_object_get(reply, rows_key);
	if (!json_is_array(added))
		status = words_fail(MR_EPROTOCOL, "the reply lacks \"%s\"", rows_key);
	else if (json_array_extend(rows, added) < 0)
		status = words_fail(MR_EMEMORY, "not enough memory for the rows");
	else
		status = read_next(op, reply, added, next);
	json_decref(reply);
	return status;
}

static int pages(mr *m, enum message_op op, const char *filter_key, const char *filter, json_t **rows)
{
	json_t *all = json_array(), *next = NULL;
	int status = all ? MR_OK : words_fail(MR_EMEMORY, "not enough memory for the rows");

	if (status == MR_OK)
		do
			status = page(m, op, filter_key, filter, &next, all);
		while (status == MR_OK && next);
	json_decref(next);
	if (status != MR_OK) {
		json_decref(all);
		all = NULL;
	}
	give(all, rows);
	return status;
}

int mr_list(mr *m, const char *glob, json_t **rows)
{
	return pages(m, OP_LIST, "match", glob, rows);
}

int mr_waiters(mr *m, const char *channel, json_t **rows)
{
	return pages(m, OP_WAITERS, "channel", channel, rows);
}
