/* The quick way through a request: put, take and alts as nearly every client writes them, without white space and with
 * their members in the usual order:
 *
 *   {"id":7,"op":"put","channel":"jobs","value":…}              (id may be missing)
 *   {"id":7,"op":"take","channel":"jobs"}
 *   {"id":7,"op":"alts","arms":[{"take":"jobs"},{"put":"log","value":…}]}
 *
 * and behind these the op's members that are numbers. Whatever looks different, right or wrong, is left to the general
 * way, which also finds the words for what is wrong: so nothing is refused here, and what is taken here means the same
 * there. */
#include "proto/request_quick.h"

#include "proto/json_scan.h"
#include "proto/name.h"

struct cursor {
	const char *at, *end;
};

/* Inline, so that the word's length is known to the compiler. */
static inline __attribute__((always_inline)) bool eat(struct cursor *cursor, const char *word)
{
	size_t len = strlen(word);
	if ((size_t)(cursor->end - cursor->at) < len || memcmp(cursor->at, word, len) != 0)
		return false;
	cursor->at += len;
	return true;
}

/* Plain digits without a leading zero. */
static bool eat_uint(struct cursor *cursor, uint64_t lowest, uint64_t highest, uint64_t *number)
{
	const char *begin = cursor->at;
	uint64_t sum = 0;
	for (; cursor->at < cursor->end && *cursor->at >= '0' && *cursor->at <= '9'; cursor->at++) {
		sum = sum * 10 + (uint64_t)(*cursor->at - '0');
		if (sum > highest) /* which is far below 2^64: it never wraps */
			return false;
	}
	if (cursor->at == begin || (*begin == '0' && cursor->at > begin + 1) || sum < lowest)
		return false;
	*number = sum;
	return true;
}

/* A channel's name, behind its opening quote, and the quote that ends it. An escape is no part of a valid name. */
static bool eat_name(struct cursor *cursor, struct slice *name)
{
	size_t len = name_span((struct slice){cursor->at, (size_t)(cursor->end - cursor->at)});
	*name = (struct slice){cursor->at, len};
	cursor->at += len;
	return len > 0 && len <= NAME_MAX_BYTES && name->bytes[0] != '.' && name->bytes[0] != '-' && eat(cursor, "\"");
}

static bool eat_value(struct cursor *cursor, struct slice *value)
{
	struct json_scan scan;
	json_scan_init(&scan, cursor->at, (size_t)(cursor->end - cursor->at));
	enum json_type type = json_scan_value(&scan, value);
	cursor->at = scan.at;
	return type != JSON_TYPE_NONE && type != JSON_TYPE_NULL;
}

static bool eat_channel(struct cursor *cursor, struct message_request *request)
{
	request->present |= MESSAGE_BIT(MEMBER_CHANNEL);
	return eat(cursor, "\"channel\":\"") && eat_name(cursor, &request->channel);
}

static bool eat_put(struct cursor *cursor, struct message_request *request)
{
	request->op = OP_PUT;
	request->present |= MESSAGE_BIT(MEMBER_VALUE);
	return eat_channel(cursor, request) && eat(cursor, ",\"value\":") && eat_value(cursor, &request->value);
}

static bool eat_take(struct cursor *cursor, struct message_request *request)
{
	request->op = OP_TAKE;
	if (!eat_channel(cursor, request))
		return false;
	if (eat(cursor, ",\"max\":")) {
		request->present |= MESSAGE_BIT(MEMBER_MAX);
		return eat_uint(cursor, 1, MESSAGE_MAX_TAKE, &request->max);
	}
	if (eat(cursor, ",\"count\":")) {
		request->present |= MESSAGE_BIT(MEMBER_COUNT);
		return eat_uint(cursor, 1, MESSAGE_MAX_COUNT, &request->count);
	}
	return true;
}

static bool eat_arm(struct cursor *cursor, struct message_arm *arm)
{
	arm->is_put = false;
	arm->value = (struct slice){NULL, 0};
	if (eat(cursor, "{\"take\":\""))
		return eat_name(cursor, &arm->channel) && eat(cursor, "}");
	arm->is_put = true;
	return eat(cursor, "{\"put\":\"") && eat_name(cursor, &arm->channel) && eat(cursor, ",\"value\":") &&
	       eat_value(cursor, &arm->value) && eat(cursor, "}");
}

static bool eat_alts(struct message_decoder *decoder, struct cursor *cursor, struct message_request *request)
{
	request->op = OP_ALTS;
	request->present |= MESSAGE_BIT(MEMBER_ARMS);
	if (!eat(cursor, "\"arms\":["))
		return false;
	do {
		if (request->n_arms == MESSAGE_MAX_ARMS || !eat_arm(cursor, &decoder->arms[request->n_arms]))
			return false;
		request->n_arms++;
	} while (eat(cursor, ","));
	request->arms = decoder->arms;
	return eat(cursor, "]");
}

bool request_quick(struct message_decoder *decoder, const char *body, size_t len, struct message_request *request)
{
	struct cursor cursor = {body, body + len};
	bool has_op;
	if (eat(&cursor, "{\"id\":")) {
		if (!eat_uint(&cursor, 0, MESSAGE_MAX_ID, &request->id) || !eat(&cursor, ",\"op\":\""))
			return false;
		request->has_id = true;
		request->present = MESSAGE_BIT(MEMBER_ID);
	} else if (!eat(&cursor, "{\"op\":\"")) {
		return false;
	}
	request->present |= MESSAGE_BIT(MEMBER_OP);
	if (eat(&cursor, "put\","))
		has_op = eat_put(&cursor, request);
	else if (eat(&cursor, "take\","))
		has_op = request->has_id && eat_take(&cursor, request);
	else
		has_op = request->has_id && eat(&cursor, "alts\",") && eat_alts(decoder, &cursor, request);
	if (!has_op)
		return false;
	if (eat(&cursor, ",\"timeout_ms\":")) {
		request->present |= MESSAGE_BIT(MEMBER_TIMEOUT_MS);
		if (!eat_uint(&cursor, 0, MESSAGE_MAX_MS, &request->timeout_ms))
			return false;
	}
	return eat(&cursor, "}") && cursor.at == cursor.end;
}
