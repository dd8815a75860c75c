#include "client/cli/common/envelope.h"

#include <string.h>

#include "client/cli/common/value_text.h"
#include "proto/json_scan.h"

/* The members' names. */
static const char REPLY_TO[] = "reply_to", REQUEST[] = "request", REPLY[] = "reply", ERROR[] = "error";
static const char MADE_UP[] = "_r."; /* how the names that the daemon makes up begin */

enum { LONGEST_KEY = 16 };

/* Whether a raw key is this name, however it is written. */
static bool is_named(struct slice key, const char *name)
{
	char scratch[6 * LONGEST_KEY + 2]; /* of all its characters in \u */
	struct slice text;

	if (key.len > sizeof scratch)
		return false;
	text = json_scan_text(key, scratch);
	return text.len == strlen(name) && memcmp(text.bytes, name, text.len) == 0;
}

/* The member's raw value, the last of that name; bytes are NULL if there is none. *type is its type. */
static struct slice find(struct slice object, const char *name, enum json_type *type)
{
	struct slice found = {NULL, 0}, key, raw;
	struct json_scan scan;
	bool first = true;

	json_scan_init(&scan, object.bytes, object.len);
	*type = JSON_TYPE_NONE;
	if (!json_scan_enter(&scan, '{'))
		return found;
	while (json_scan_member(&scan, &first, &key)) {
		enum json_type its_type = json_scan_value(&scan, &raw);

		if (its_type == JSON_TYPE_NONE)
			break;
		if (is_named(key, name)) {
			found = raw;
			*type = its_type;
		}
	}
	return found;
}

const char *envelope_read_request(struct slice text, struct envelope_request *request)
{
	enum json_type type;
	struct slice reply_to = find(text, REPLY_TO, &type), name;
	char scratch[6 * NAME_MAX_BYTES + 2];

	*request = (struct envelope_request){.reply_to = ""};
	if (type != JSON_TYPE_STRING || reply_to.len > sizeof scratch)
		return "it is not {\"reply_to\":CHANNEL,\"request\":VALUE}: there is no reply channel";
	name = json_scan_text(reply_to, scratch);
	if (!name_is_valid(name) || name.len < strlen(MADE_UP) || memcmp(name.bytes, MADE_UP, strlen(MADE_UP)) != 0)
		return "its \"reply_to\" is not a name that the daemon made up for a channel"; /* nobody shall make us
												  put elsewhere */
	memcpy(request->reply_to, name.bytes, name.len);
	request->value = find(text, REQUEST, &type);
	if (type == JSON_TYPE_NONE)
		return "there is no \"request\" in it";
	return NULL;
}

const char *envelope_read_answer(struct slice text, struct envelope_answer *answer)
{
	enum json_type type;

	*answer = (struct envelope_answer){.error = find(text, ERROR, &type)};
	if (type == JSON_TYPE_STRING)
		return NULL;
	answer->error.bytes = NULL;
	answer->value = find(text, REPLY, &type);
	return type == JSON_TYPE_NONE ? "it has neither \"reply\" nor \"error\"" : NULL;
}

static void open_object(struct buffer *out, const char *name)
{
	buffer_append(out, "{\"", 2);
	buffer_append(out, name, strlen(name));
	buffer_append(out, "\":", 2);
}

void envelope_write_request(struct buffer *out, const char *reply_to, struct slice value)
{
	open_object(out, REPLY_TO);
	buffer_append(out, "\"", 1);
	buffer_append(out, reply_to, strlen(reply_to)); /* a name needs no escapes */
	buffer_append(out, "\",\"", 3);
	buffer_append(out, REQUEST, strlen(REQUEST));
	buffer_append(out, "\":", 2);
	buffer_append(out, value.bytes, value.len);
	buffer_append(out, "}", 1);
}

void envelope_write_reply(struct buffer *out, struct slice value)
{
	open_object(out, REPLY);
	buffer_append(out, value.bytes, value.len);
	buffer_append(out, "}", 1);
}

void envelope_write_error(struct buffer *out, const char *error)
{
	char why[VALUE_TEXT_ERROR_BYTES];

	open_object(out, ERROR);
	if (value_text_quote(slice_from(error), out, why) < 0)
		buffer_append(out, "\"it failed\"", 11);
	buffer_append(out, "}", 1);
}
