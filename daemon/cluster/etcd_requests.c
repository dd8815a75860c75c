/* Keys and values are base64; numbers of 64 bits are strings, as protobuf's JSON has them. */
#include "daemon/cluster/etcd_requests.h"

#include "proto/base64.h"

static void text(struct buffer *body, const char *string)
{
	buffer_append(body, string, strlen(string));
}

/* `,"name":"1234"`, or without the comma where it is the first. */
static void number(struct buffer *body, const char *before, uint64_t value)
{
	text(body, before);
	buffer_append_uint(body, value);
	text(body, "\"");
}

static void bytes(struct buffer *body, const char *before, struct slice value)
{
	text(body, before);
	base64_append(body, value.bytes, value.len);
	text(body, "\"");
}

/* Base64 goes over both parts as one, so they are joined first. */
static void key(struct buffer *body, const char *before, struct slice prefix, struct slice name)
{
	struct buffer joined = {0};
	buffer_append(&joined, prefix.bytes, prefix.len);
	buffer_append(&joined, name.bytes, name.len);
	bytes(body, before, buffer_slice(&joined));
	body->failed |= joined.failed;
	buffer_finish(&joined);
}

static void compare(struct buffer *body, struct slice prefix, const struct engine_compare *one)
{
	key(body, "{\"key\":\"", prefix, one->key);
	switch (one->how) {
	case ENGINE_IS:
		bytes(body, ",\"target\":\"VALUE\",\"result\":\"EQUAL\",\"value\":\"", one->value);
		break;
	case ENGINE_BELOW:
		bytes(body, ",\"target\":\"VALUE\",\"result\":\"LESS\",\"value\":\"", one->value);
		break;
	case ENGINE_ABSENT:
		text(body, ",\"target\":\"VERSION\",\"result\":\"EQUAL\",\"version\":\"0\"");
		break;
	}
	text(body, "}");
}

static void write(struct buffer *body, struct slice prefix, const struct engine_write *one)
{
	bool is_delete = one->is_delete || one->end.len > 0;
	key(body, is_delete ? "{\"request_delete_range\":{\"key\":\"" : "{\"request_put\":{\"key\":\"", prefix,
	    one->key);
	if (one->end.len > 0)
		key(body, ",\"range_end\":\"", prefix, one->end);
	if (!is_delete)
		bytes(body, ",\"value\":\"", one->value);
	if (!is_delete && one->lease)
		number(body, ",\"lease\":\"", one->lease);
	text(body, "}}");
}

void etcd_request_transaction(struct buffer *body, struct slice prefix, const struct engine_transaction *transaction)
{
	text(body, "{\"compare\":[");
	for (size_t i = 0; i < transaction->n_compares; i++) {
		text(body, i > 0 ? "," : "");
		compare(body, prefix, &transaction->compares[i]);
	}
	text(body, "],\"success\":[");
	for (size_t i = 0; i < transaction->n_writes; i++) {
		text(body, i > 0 ? "," : "");
		write(body, prefix, &transaction->writes[i]);
	}
	text(body, "]}");
}

void etcd_request_range(struct buffer *body, struct slice prefix, struct slice from, struct slice end, size_t limit,
			bool keys_only)
{
	key(body, "{\"key\":\"", prefix, from);
	if (end.len > 0)
		key(body, ",\"range_end\":\"", prefix, end);
	number(body, ",\"limit\":\"", limit);
	text(body, keys_only ? ",\"keys_only\":true}" : "}");
}

void etcd_request_grant(struct buffer *body, uint64_t ttl_ms)
{
	number(body, "{\"TTL\":\"", (ttl_ms + 999) / 1000);
	text(body, "}");
}

void etcd_request_lease(struct buffer *body, uint64_t lease)
{
	number(body, "{\"ID\":\"", lease);
	text(body, "}");
}

void etcd_request_compaction(struct buffer *body, uint64_t revision)
{
	number(body, "{\"revision\":\"", revision);
	text(body, "}");
}

void etcd_request_watch(struct buffer *body, struct slice prefix, struct slice from)
{
	/* The end is what all that begins so is smaller than: its last byte that is not 255, one higher. */
	struct buffer end = {0};
	buffer_append(&end, prefix.bytes, prefix.len);
	buffer_append(&end, from.bytes, from.len);
	while (buffer_len(&end) > 0 && (unsigned char)end.bytes[end.end - 1] == 0xff)
		end.end--;
	if (buffer_len(&end) > 0)
		end.bytes[end.end - 1]++;
	else
		buffer_append(&end, "", 1); /* no end */
	key(body, "{\"create_request\":{\"key\":\"", prefix, from);
	bytes(body, ",\"range_end\":\"", buffer_slice(&end));
	text(body, "}}");
	body->failed |= end.failed;
	buffer_finish(&end);
}

/* A string of JSON. What is not ASCII is passed on: the configuration is UTF-8. */
static void string(struct buffer *body, const char *before, struct slice value)
{
	text(body, before);
	for (size_t i = 0; i < value.len; i++) {
		unsigned char byte = (unsigned char)value.bytes[i];
		const char escape[] = {'\\', 'u', '0', '0', (char)('0' + (byte >> 4)), "0123456789abcdef"[byte & 15]};
		if (byte < 0x20)
			buffer_append(body, escape, sizeof(escape));
		else if (byte == '"' || byte == '\\')
			buffer_append(body, (const char[]){'\\', (char)byte}, 2);
		else
			buffer_append(body, &byte, 1);
	}
	text(body, "\"");
}

void etcd_request_login(struct buffer *body, struct slice user, struct slice password)
{
	string(body, "{\"name\":\"", user);
	string(body, ",\"password\":\"", password);
	text(body, "}");
}
