/* An answer is an object of JSON: the answer itself; or {"result": it}, of a stream's; or an error, {"error": …,
 * "code": …, "message": …} with or without an object around it. Members that are not known are passed over. */
#define _GNU_SOURCE /* memmem */
#include "daemon/cluster/etcd_answers.h"

#include <stdio.h>
#include <stdlib.h>

#include "proto/base64.h"
#include "proto/json_scan.h"

/* The codes of gRPC that are told apart here. */
enum {
	CODE_INVALID_ARGUMENT = 3,
	CODE_NOT_FOUND = 5,
	CODE_ALREADY_EXISTS = 6,
	CODE_PERMISSION_DENIED = 7,
	CODE_RESOURCE_EXHAUSTED = 8,
	CODE_FAILED_PRECONDITION = 9,
	CODE_OUT_OF_RANGE = 11,
	CODE_UNIMPLEMENTED = 12,
	CODE_UNAUTHENTICATED = 16,
};

void etcd_message_copy(char to[ETCD_MESSAGE_BYTES], struct slice text)
{
	size_t len = text.len < ETCD_MESSAGE_BYTES - 1 ? text.len : ETCD_MESSAGE_BYTES - 1;
	for (size_t i = 0; i < len; i++)
		to[i] = text.bytes[i] >= 0x20 && text.bytes[i] < 0x7f ? text.bytes[i] : '?';
	to[len] = '\0';
}

/* -- Values -- */

static struct slice text_of(enum json_type type, struct slice raw)
{
	return type == JSON_TYPE_STRING ? json_scan_text(raw, (char *)raw.bytes) : SLICE("");
}

/* A number, which may be written as a string. */
static uint64_t number_of(enum json_type type, struct slice raw)
{
	unsigned long long number = 0;
	if (type == JSON_TYPE_STRING)
		raw = text_of(type, raw);
	else if (type != JSON_TYPE_NUMBER)
		return 0;
	return raw.len && json_scan_uint(raw, INT64_MAX, &number) == 0 ? number : 0;
}

/* A reader takes one member of an object. */
typedef void read_member_cb(void *to, struct slice key, enum json_type type, struct slice raw);

/* Goes over the members of an object; what else `raw` is has none. Returns whether it was one, and a valid one. */
static bool read_object(struct slice raw, read_member_cb *read, void *to)
{
	struct json_scan scan;
	struct slice key, value;
	bool first = true;
	json_scan_init(&scan, raw.bytes, raw.len);
	json_scan_at_end(&scan);
	if (!json_scan_enter(&scan, '{'))
		return false;
	while (json_scan_member(&scan, &first, &key)) {
		enum json_type type = json_scan_value(&scan, &value);
		if (type == JSON_TYPE_NONE)
			break;
		read(to, json_scan_text(key, (char *)key.bytes), type, value);
	}
	return !scan.error && json_scan_at_end(&scan);
}

#define IS(key, name) slice_equal(key, SLICE(name))

/* -- An answer -- */

struct answer_reading {
	struct etcd_answer *answer;
	struct slice result, error;
	bool is_error;
	uint64_t code;
	struct slice message;
};

static void read_header(void *to, struct slice key, enum json_type type, struct slice raw)
{
	struct etcd_answer *answer = to;
	if (IS(key, "revision")) {
		answer->revision = number_of(type, raw);
	} else if (IS(key, "cluster_id")) {
		struct slice id = text_of(type, raw);
		if (id.len < sizeof(answer->cluster)) {
			memcpy(answer->cluster, id.bytes, id.len);
			answer->cluster[id.len] = '\0';
		}
	}
}

static void read_alarms(struct etcd_answer *answer, struct slice raw)
{
	answer->has_alarm = memmem(raw.bytes, raw.len, "NOSPACE", strlen("NOSPACE")) != NULL;
}

/* A member of an answer that is no error. */
static void read_answer(void *to, struct slice key, enum json_type type, struct slice raw)
{
	struct etcd_answer *answer = to;
	if (IS(key, "header"))
		read_object(raw, read_header, answer);
	else if (IS(key, "succeeded"))
		answer->succeeded = type == JSON_TYPE_TRUE;
	else if (IS(key, "more"))
		answer->has_more = type == JSON_TYPE_TRUE;
	else if (IS(key, "kvs"))
		answer->rows = raw;
	else if (IS(key, "ID"))
		answer->lease = number_of(type, raw);
	else if (IS(key, "TTL"))
		answer->ttl_s = number_of(type, raw);
	else if (IS(key, "version"))
		answer->version = text_of(type, raw);
	else if (IS(key, "dbSizeInUse"))
		answer->used_bytes = number_of(type, raw);
	else if (IS(key, "errors"))
		read_alarms(answer, raw);
	else if (IS(key, "token"))
		answer->token = text_of(type, raw);
}

/* A member of an error, wherever it stands. */
static void read_error(void *to, struct slice key, enum json_type type, struct slice raw)
{
	struct answer_reading *reading = to;
	if (IS(key, "code") || IS(key, "grpc_code")) {
		reading->is_error = true;
		reading->code = number_of(type, raw);
	} else if (IS(key, "message")) {
		reading->message = text_of(type, raw);
	}
}

static void read_top(void *to, struct slice key, enum json_type type, struct slice raw)
{
	struct answer_reading *reading = to;
	if (IS(key, "result")) {
		read_object(raw, read_answer, reading->answer);
	} else if (IS(key, "error")) {
		reading->is_error = true;
		read_object(raw, read_error, reading);
	} else {
		read_error(reading, key, type, raw);
		read_answer(reading->answer, key, type, raw);
	}
}

static bool has(struct slice text, const char *part)
{
	return text.len && memmem(text.bytes, text.len, part, strlen(part));
}

static enum etcd_verdict verdict_of(uint64_t code, struct slice message)
{
	switch (code) {
	case CODE_UNAUTHENTICATED:
		return ETCD_WANTS_LOGIN;
	case CODE_INVALID_ARGUMENT:
		return has(message, "auth store is old") || has(message, "user name is empty") ? ETCD_WANTS_LOGIN
											       : ETCD_REFUSES;
	case CODE_RESOURCE_EXHAUSTED:
		return has(message, "space exceeded") ? ETCD_IS_FULL : ETCD_IS_UNSURE;
	case CODE_NOT_FOUND:
		return has(message, "lease not found") ? ETCD_LACKS_LEASE : ETCD_REFUSES;
	case CODE_OUT_OF_RANGE:
		return has(message, "has been compacted") ? ETCD_IS_COMPACTED : ETCD_REFUSES;
	case CODE_FAILED_PRECONDITION:
		return has(message, "leader") ? ETCD_IS_UNSURE : ETCD_REFUSES;
	case CODE_ALREADY_EXISTS:
	case CODE_PERMISSION_DENIED:
	case CODE_UNIMPLEMENTED:
		return ETCD_REFUSES;
	default:
		return ETCD_IS_UNSURE;
	}
}

void etcd_answer_read(struct etcd_answer *answer, unsigned http_status, char *text, size_t len)
{
	struct answer_reading reading = {.answer = answer};
	*answer = (struct etcd_answer){.verdict = ETCD_DID};
	bool is_object = len > 0 && read_object((struct slice){text, len}, read_top, &reading);
	if (is_object && reading.is_error) {
		answer->verdict = verdict_of(reading.code, reading.message);
		etcd_message_copy(answer->message,
				  reading.message.len ? reading.message : SLICE("an error without text"));
	} else if (!is_object || http_status != 200 || !answer->cluster[0]) {
		answer->verdict = ETCD_IS_WRONG;
		snprintf(answer->message, sizeof(answer->message), "this is no answer of etcd's: HTTP %u, %s",
			 http_status, is_object ? "an object without a cluster's id" : "no JSON object");
	}
}

/* -- Rows -- */

struct row_reading {
	struct engine_row *row;
	bool is_wrong;
};

static struct slice decoded(struct row_reading *reading, enum json_type type, struct slice raw)
{
	struct slice text = text_of(type, raw);
	long len = type == JSON_TYPE_STRING ? base64_decode(text, (char *)text.bytes) : -1;
	reading->is_wrong |= len < 0;
	return (struct slice){text.bytes, len < 0 ? 0 : (size_t)len};
}

static void read_row(void *to, struct slice key, enum json_type type, struct slice raw)
{
	struct row_reading *reading = to;
	if (IS(key, "key"))
		reading->row->key = decoded(reading, type, raw);
	else if (IS(key, "value"))
		reading->row->value = decoded(reading, type, raw);
	else if (IS(key, "lease"))
		reading->row->lease = number_of(type, raw);
}

/* Takes the prefix off the row's key. Returns whether it may stand there, behind the row before (NULL: none). */
static bool is_asked_for(struct engine_row *row, const struct engine_row *before, const struct etcd_asked *asked)
{
	struct slice prefix = asked->prefix;
	if (row->key.len < prefix.len || memcmp(row->key.bytes, prefix.bytes, prefix.len) != 0)
		return false;
	row->key = (struct slice){row->key.bytes + prefix.len, row->key.len - prefix.len};
	if (asked->end.len == 0)
		return !before && slice_equal(row->key, asked->key);
	return slice_compare(row->key, asked->key) >= 0 && slice_compare(row->key, asked->end) < 0 &&
	       (!before || slice_compare(before->key, row->key) < 0);
}

int etcd_answer_rows(const struct etcd_answer *answer, const struct etcd_asked *asked, struct engine_row *to,
		     size_t *n_rows, char message[ETCD_MESSAGE_BYTES])
{
	struct json_scan scan;
	struct slice raw;
	bool first = true;
	*n_rows = 0;
	if (answer->rows.len == 0)
		return 0;
	json_scan_init(&scan, answer->rows.bytes, answer->rows.len);
	const char *wrong = json_scan_enter(&scan, '[') ? NULL : "no array of rows";
	while (!wrong && json_scan_element(&scan, &first)) {
		struct row_reading reading = {.row = &to[*n_rows]};
		if (*n_rows == asked->limit) {
			wrong = "more rows than were asked for";
			break;
		}
		to[*n_rows] = (struct engine_row){.key = SLICE(""), .value = SLICE("")};
		json_scan_value(&scan, &raw); /* it is valid, or there were no rows */
		if (!read_object(raw, read_row, &reading) || reading.is_wrong)
			wrong = "a row that is none";
		else if (!is_asked_for(reading.row, *n_rows > 0 ? reading.row - 1 : NULL, asked))
			wrong = "a row that was not asked for, or out of order";
		else
			++*n_rows;
	}
	if (wrong)
		snprintf(message, ETCD_MESSAGE_BYTES, "this is no answer of etcd's: %s", wrong);
	return wrong ? -1 : 0;
}

uint64_t etcd_answer_quota(struct slice metrics)
{
	static const char name[] = "\netcd_server_quota_backend_bytes ";
	const char *found = metrics.len ? memmem(metrics.bytes, metrics.len, name, strlen(name)) : NULL;
	char digits[32] = "";
	if (!found)
		return 0;
	found += strlen(name);
	size_t left = (size_t)(metrics.bytes + metrics.len - found);
	memcpy(digits, found, left < sizeof(digits) - 1 ? left : sizeof(digits) - 1);
	double quota = strtod(digits, NULL); /* 2.147483648e+09 */
	return quota > 0 && quota < 1e18 ? (uint64_t)quota : 0;
}
