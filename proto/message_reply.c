/* Replies, decoded: for clients. What a newer daemon adds is skipped. */
#include "proto/json_scan.h"
#include "proto/message.h"

static int read_text(enum json_type type, struct slice raw, struct slice *text)
{
	if (type != JSON_TYPE_STRING)
		return -1;
	*text = json_scan_text(raw, (char *)raw.bytes);
	return 0;
}

static int read_uint(enum json_type type, struct slice raw, uint64_t *number)
{
	unsigned long long read;
	if (type != JSON_TYPE_NUMBER || json_scan_uint(raw, UINT64_MAX, &read) < 0)
		return -1;
	*number = read;
	return 0;
}

static int read_id(struct message_reply *reply, enum json_type type, struct slice raw)
{
	reply->has_id = type != JSON_TYPE_NULL;
	return reply->has_id ? read_uint(type, raw, &reply->id) : 0;
}

/* A member with its value, already validated. Returns -1 if it cannot be what it is called. */
static int read_member(struct message_reply *reply, struct slice key, enum json_type type, struct slice raw)
{
	struct slice word;
	if (slice_equal(key, SLICE("id")))
		return read_id(reply, type, raw);
	if (slice_equal(key, SLICE("status"))) {
		if (read_text(type, raw, &word) < 0)
			return -1;
		reply->status = status_from_name(word.bytes, word.len);
		return 0;
	}
	if (slice_equal(key, SLICE("error"))) {
		if (read_text(type, raw, &word) < 0)
			return -1;
		reply->error = error_from_name(word.bytes, word.len);
		return 0;
	}
	if (slice_equal(key, SLICE("message")))
		return read_text(type, raw, &reply->message);
	if (slice_equal(key, SLICE("channel")))
		return read_text(type, raw, &reply->channel);
	if (slice_equal(key, SLICE("value"))) {
		reply->value = raw;
		return 0;
	}
	if (slice_equal(key, SLICE("values"))) {
		reply->values = raw;
		return type == JSON_TYPE_ARRAY ? 0 : -1;
	}
	if (slice_equal(key, SLICE("lease")))
		return read_text(type, raw, &reply->lease);
	if (slice_equal(key, SLICE("origin")) || slice_equal(key, SLICE("origins"))) {
		reply->origin = raw;
		return 0;
	}
	if (slice_equal(key, SLICE("deliveries"))) {
		reply->deliveries = raw;
		return type == JSON_TYPE_NUMBER || type == JSON_TYPE_ARRAY ? 0 : -1;
	}
	if (slice_equal(key, SLICE("arm"))) {
		reply->has_arm = true;
		return read_uint(type, raw, &reply->arm);
	}
	if (slice_equal(key, SLICE("accepted"))) {
		reply->has_accepted = true;
		return read_uint(type, raw, &reply->accepted);
	}
	if (slice_equal(key, SLICE("left"))) {
		reply->has_left = true;
		return read_uint(type, raw, &reply->left);
	}
	if (slice_equal(key, SLICE("address")))
		return read_text(type, raw, &reply->address);
	if (slice_equal(key, SLICE("retry_ms")))
		return read_uint(type, raw, &reply->retry_ms);
	if (slice_equal(key, SLICE("evicted")))
		return read_uint(type, raw, &reply->evicted);
	return 0;
}

/* Most replies have these members, in this order: {"id":7,"status":"ok"} and {"id":7,"status":"ok","value":…}. True: it
 * is one of these, and *reply is set. */
static bool decode_usual(const char *body, size_t len, struct message_reply *reply)
{
	static const char opening[] = "{\"id\":", status[] = ",\"status\":\"ok\"", value[] = ",\"value\":";
	const char *at = body + sizeof opening - 1, *end = body + len;
	struct json_scan scan;
	uint64_t id = 0;

	if (len < sizeof opening + sizeof status || memcmp(body, opening, sizeof opening - 1) != 0 || *at < '1' ||
	    *at > '9')
		return false;
	for (int digits = 0; at < end && *at >= '0' && *at <= '9' && digits < 18; digits++)
		id = id * 10 + (uint64_t)(*at++ - '0');
	if ((size_t)(end - at) < sizeof status || memcmp(at, status, sizeof status - 1) != 0)
		return false;
	at += sizeof status - 1;
	if (*at == ',') {
		if ((size_t)(end - at) < sizeof value || memcmp(at, value, sizeof value - 1) != 0)
			return false;
		at += sizeof value - 1;
		json_scan_init(&scan, at, (size_t)(end - at));
		if (json_scan_value(&scan, &reply->value) == JSON_TYPE_NONE)
			return false;
		at = scan.at;
	}
	if (end - at != 1 || *at != '}')
		return false;
	reply->has_id = true;
	reply->id = id;
	reply->status = STATUS_OK;
	return true;
}

/* A member's value. One level at a time: an array of values does not count towards the depth of what is in it. */
static enum json_type scan_member_value(struct json_scan *scan, struct slice *raw)
{
	struct slice element;
	bool first = true;

	if (json_scan_at_end(scan) || *scan->at != '[')
		return json_scan_value(scan, raw);
	raw->bytes = scan->at;
	json_scan_enter(scan, '[');
	while (json_scan_element(scan, &first)) {
		if (json_scan_value(scan, &element) == JSON_TYPE_NONE)
			return JSON_TYPE_NONE;
	}
	raw->len = (size_t)(scan->at - raw->bytes);
	return scan->error ? JSON_TYPE_NONE : JSON_TYPE_ARRAY;
}

int message_decode_reply(char *body, size_t len, struct message_reply *reply)
{
	struct json_scan scan;
	struct slice key, raw;
	bool first = true, has_status = false;

	*reply = (struct message_reply){.body = {body, len}};
	if (decode_usual(body, len, reply))
		return 0;
	reply->value = (struct slice){NULL, 0};
	json_scan_init(&scan, body, len);
	if (!json_scan_enter(&scan, '{'))
		return -1;
	while (json_scan_member(&scan, &first, &key)) {
		enum json_type type = scan_member_value(&scan, &raw);
		if (type == JSON_TYPE_NONE)
			return -1;
		key = json_scan_text(key, (char *)key.bytes);
		if (read_member(reply, key, type, raw) < 0)
			return -1;
		has_status |= slice_equal(key, SLICE("status"));
	}
	if (scan.error || !has_status || !json_scan_at_end(&scan))
		return -1;
	if (reply->status == STATUS_ERROR && reply->error == ERROR_NONE)
		reply->error = ERROR_INTERNAL;
	return 0;
}
