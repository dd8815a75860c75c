#include "client/machine/arguments.h"

#include <string.h>

#include "client/machine/failure.h"
#include "proto/json_scan.h"
#include "proto/message.h"
#include "proto/utf8.h"

int string_check(const char *what, const char *string)
{
	const char *end = string ? string + strlen(string) : NULL;

	if (!string)
		return fail(MR_EARGUMENT, "%s is NULL", what);
	while (string < end) {
		size_t len = utf8_len(string, end);

		if (len == 0)
			return fail(MR_EARGUMENT, "%s is not valid UTF-8", what);
		string += len;
	}
	return MR_OK;
}

int timeout_check(int64_t timeout_ms)
{
	if (timeout_ms < MR_FOREVER || timeout_ms > (int64_t)MESSAGE_MAX_MS)
		return fail(MR_EARGUMENT, "a time-out is 0 to 2147483647 milliseconds, or MR_FOREVER");
	return MR_OK;
}

static int refuse_json(const struct json_scan *scan, const char *json)
{
	if (scan->too_deep)
		return fail(MR_EBAD_VALUE, "the value is nested deeper than %d", JSON_MAX_DEPTH);
	return fail(MR_EARGUMENT, "not one JSON value, at byte %zu: %s", (size_t)(scan->at - json),
		    scan->error ? scan->error : "more follows it");
}

int value_check(const char *json, size_t len)
{
	struct json_scan scan;
	struct slice raw;

	if (!json)
		return fail(MR_EARGUMENT, "the value is NULL");
	json_scan_init(&scan, json, len);
	if (json_scan_value(&scan, &raw) == JSON_TYPE_NONE || !json_scan_at_end(&scan))
		return refuse_json(&scan, json);
	return MR_OK;
}

/* One level at a time: the array itself does not count towards the depth of its values. */
int values_check(const char *json, size_t len)
{
	struct json_scan scan;
	struct slice raw;
	bool first = true, is_empty = true;

	if (!json)
		return fail(MR_EARGUMENT, "the values are NULL");
	json_scan_init(&scan, json, len);
	if (!json_scan_enter(&scan, '['))
		return fail(MR_EARGUMENT, "the values are not a JSON array");
	while (json_scan_element(&scan, &first)) {
		if (json_scan_value(&scan, &raw) == JSON_TYPE_NONE)
			return refuse_json(&scan, json);
		is_empty = false;
	}
	if (scan.error || !json_scan_at_end(&scan))
		return refuse_json(&scan, json);
	return is_empty ? fail(MR_EARGUMENT, "there is no value in the array") : MR_OK;
}

char *json_dump(const json_t *value, size_t *len, int *status)
{
	char *text;

	if (!value) {
		*status = fail(MR_EARGUMENT, "the value is NULL");
		return NULL;
	}
	text = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);
	if (!text) {
		*status = fail(MR_EARGUMENT, "jansson cannot write the value as JSON");
		return NULL;
	}
	*len = strlen(text);
	return text;
}
