/* Values as jansson has them, and what becomes of those that it cannot hold: numbers out of its range. */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "client/blocking/call.h"
#include "client/machine/failure.h"
#include "proto/json_scan.h"
#include "proto/utf8.h"

enum { QUOTED_BYTES = 200 }; /* of a value, in a message */

/* -- what the thread's last call could not hold -- */

struct unheld {
	size_t len;
	char text[];
};

static pthread_key_t unheld_key;
static pthread_once_t unheld_once = PTHREAD_ONCE_INIT;
static bool has_unheld_key;

static void make_unheld_key(void)
{
	has_unheld_key = pthread_key_create(&unheld_key, free) == 0;
}

/* What cannot be held becomes the thread's. Without memory nobody will have it. */
static void give_unheld(struct slice text)
{
	struct unheld *unheld = malloc(sizeof(*unheld) + text.len + 1);

	if (!unheld)
		return;
	unheld->len = text.len;
	memcpy(unheld->text, text.bytes, text.len);
	unheld->text[text.len] = '\0';
	pthread_once(&unheld_once, make_unheld_key);
	if (has_unheld_key)
		free(pthread_getspecific(unheld_key));
	if (!has_unheld_key || pthread_setspecific(unheld_key, unheld) != 0)
		free(unheld);
}

char *mr_unheld(size_t *len)
{
	struct unheld *unheld;
	char *text = NULL;

	pthread_once(&unheld_once, make_unheld_key);
	unheld = has_unheld_key ? pthread_getspecific(unheld_key) : NULL;
	if (unheld)
		text = malloc(unheld->len + 1);
	if (len)
		*len = text ? unheld->len : 0;
	if (!text)
		return NULL;
	memcpy(text, unheld->text, unheld->len + 1);
	pthread_setspecific(unheld_key, NULL);
	free(unheld);
	return text;
}

/* -- reading -- */

/* How much of a valid text is quoted: whole characters. */
static int quoted_len(const char *text, size_t len)
{
	if (len <= QUOTED_BYTES)
		return (int)len;
	for (len = QUOTED_BYTES; utf8_is_tail(text[len]);)
		len--;
	return (int)len;
}

int call_read_json(const char *text, size_t len, json_t **value)
{
	json_error_t error;

	*value = json_loadb(text, len, JSON_DECODE_ANY | JSON_ALLOW_NUL, &error);
	if (*value)
		return MR_OK;
	if (json_error_code(&error) == json_error_out_of_memory)
		return fail(MR_EMEMORY, "not enough memory for the value");
	return fail(MR_EJSON, "jansson cannot hold the value (%s): %.*s", error.text, quoted_len(text, len), text);
}

/* One of an array: added to it, or null for it, and its text added to *unheld. */
static int load_element(struct slice raw, json_t *array, struct buffer *unheld)
{
	json_t *value;
	int status = call_read_json(raw.bytes, raw.len, &value);

	if (status == MR_EJSON) {
		buffer_append(unheld, buffer_len(unheld) ? "," : "[", 1);
		buffer_append(unheld, raw.bytes, raw.len);
		value = json_null();
	}
	if (status != MR_EMEMORY && json_array_append_new(array, value) < 0)
		status = fail(MR_EMEMORY, "not enough memory for the values");
	return status;
}

/* Each element of an array of which jansson cannot hold them all. MR_EJSON; or MR_EMEMORY, and there is no array. */
static int load_elements(const char *text, size_t len, json_t **array, struct buffer *unheld)
{
	struct json_scan scan;
	struct slice raw;
	bool first = true;
	int status = MR_OK;

	*array = json_array();
	if (!*array)
		return fail(MR_EMEMORY, "not enough memory for the values");
	json_scan_init(&scan, text, len);
	json_scan_enter(&scan, '[');
	while (status != MR_EMEMORY && json_scan_element(&scan, &first) &&
	       json_scan_value(&scan, &raw) != JSON_TYPE_NONE)
		status = load_element(raw, *array, unheld);
	if (status != MR_EMEMORY)
		return MR_EJSON;
	json_decref(*array);
	*array = NULL;
	return MR_EMEMORY;
}

int call_give_json(const char *text, size_t len, json_t **value)
{
	int status = call_read_json(text, len, value);

	if (status == MR_EJSON)
		give_unheld((struct slice){text, len});
	return status;
}

int call_give_array(const char *text, size_t len, json_t **values)
{
	struct buffer unheld = {0};
	int status = call_read_json(text, len, values);

	if (status != MR_EJSON)
		return status;
	status = load_elements(text, len, values, &unheld);
	buffer_append(&unheld, "]", 1);
	if (status == MR_EJSON && !unheld.failed)
		give_unheld(buffer_slice(&unheld));
	buffer_finish(&unheld);
	return status;
}
