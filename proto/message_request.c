/* Requests, decoded: what was found in the body, held against what the op wants. Bad JSON is told before everything
 * else. */
#define _GNU_SOURCE /* memmem */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "proto/message.h"
#include "proto/name.h"
#include "proto/request_members.h"
#include "proto/request_refuse.h"
#include "proto/request_shape.h"

enum { KEPT_VALUES = 4096 }; /* a decoder with room for more gives it back when the next request comes */

#define BIT(member) MESSAGE_BIT(MEMBER_##member)

/* Those that have none of the members behind `kind` in the struct. */
#define FREQUENT_OPS                                                                                                   \
	(1u << OP_PUT | 1u << OP_TAKE | 1u << OP_ALTS | 1u << OP_CANCEL | 1u << OP_ACK | 1u << OP_NACK |               \
	 1u << OP_EXTEND)

static const struct {
	uint64_t needed;
	uint64_t optional;
} ops[OP_COUNT] = {
	[OP_HELLO] = {BIT(PROTOCOL), BIT(NAME) | BIT(TOKEN)},
	[OP_CREATE] = {BIT(KIND), BIT(CHANNEL) | BIT(CAPACITY) | BIT(DURABLE) | BIT(EPHEMERAL) | BIT(MAX_WAITERS) |
					  BIT(MAX_DELIVERIES) | BIT(DEAD_LETTER)},
	[OP_CLOSE] = {BIT(CHANNEL), 0},
	[OP_DELETE] = {BIT(CHANNEL), BIT(FORCE)},
	[OP_ALTER] = {BIT(CHANNEL), BIT(CAPACITY) | BIT(MAX_WAITERS) | BIT(MAX_DELIVERIES) | BIT(DEAD_LETTER)},
	[OP_PUT] = {BIT(CHANNEL),
		    BIT(VALUE) | BIT(VALUES) | BIT(TIMEOUT_MS) | BIT(DELAY_MS) | BIT(PRODUCER) | BIT(SEQ)},
	[OP_TAKE] = {BIT(CHANNEL), BIT(MAX) | BIT(COUNT) | BIT(TIMEOUT_MS) | BIT(LEASE_MS) | BIT(STICKY)},
	[OP_ALTS] = {BIT(ARMS), BIT(PRIORITY) | BIT(TIMEOUT_MS) | BIT(LEASE_MS) | BIT(STICKY)},
	[OP_CANCEL] = {BIT(REQUEST), 0},
	[OP_ACK] = {BIT(LEASE), 0},
	[OP_NACK] = {BIT(LEASE), BIT(DELAY_MS) | BIT(COUNTED)},
	[OP_EXTEND] = {BIT(LEASE) | BIT(LEASE_MS), 0},
	[OP_LEASES] = {0, BIT(CHANNEL) | BIT(AFTER) | BIT(LIMIT)},
	[OP_MOVE] = {BIT(FROM), BIT(TO) | BIT(MAX)},
	[OP_PEEK] = {BIT(CHANNEL), BIT(MAX)},
	[OP_LIST] = {0, BIT(MATCH) | BIT(AFTER) | BIT(LIMIT)},
	[OP_STAT] = {BIT(CHANNEL), 0},
	[OP_WAITERS] = {0, BIT(CHANNEL) | BIT(AFTER) | BIT(LIMIT)},
	[OP_TAP] = {BIT(FROM), BIT(TO) | BIT(MATCH) | BIT(CLOSE) | BIT(STATE) | BIT(KIND) | BIT(CAPACITY)},
	[OP_UNTAP] = {BIT(FROM) | BIT(TO), 0},
	[OP_TAPS] = {0, BIT(CHANNEL) | BIT(AFTER) | BIT(LIMIT)},
	[OP_CLUSTER] = {0, BIT(GROUP) | BIT(TO) | BIT(AFTER) | BIT(LIMIT)},
};

/* -- Who it is and what it asks -- */

static void read_id(struct message_request *request, const struct request_scan *found)
{
	unsigned long long id;
	if (request_scan_has(found, MEMBER_ID) && found->type[MEMBER_ID] == JSON_TYPE_NUMBER &&
	    json_scan_uint_here(&found->scan, found->raw[MEMBER_ID], MESSAGE_MAX_ID, &id) == 0) {
		request->has_id = true;
		request->id = id;
	}
}

/* A zero in the name is none of those that fill a word up. */
static enum message_op op_from_name(struct slice name)
{
	char text[8] = "";
	if (name.len >= sizeof(text) || (name.len && memchr(name.bytes, '\0', name.len)))
		return OP_NONE;
	memcpy(text, name.bytes, name.len);
	return message_op_from_word(word_at(text));
}

/* The op's name is a word as it stands there, unless it has escapes. */
static enum message_op op_as_written(const struct request_scan *found)
{
	struct slice raw = found->raw[MEMBER_OP];
	if (!found->scan.last_word || found->type[MEMBER_OP] != JSON_TYPE_STRING || raw.len > 9)
		return OP_NONE;
	uint64_t name_bytes = (UINT64_C(1) << (8 * (raw.len - 2))) - 1;
	return message_op_from_word(json_scan_word(&found->scan, raw.bytes + 1) & name_bytes);
}

static int read_op(struct message_request *request, const struct request_scan *found)
{
	struct slice word = {0};
	if (!request_scan_has(found, MEMBER_OP))
		return request_refuse(request, ERROR_BAD_REQUEST, "\"op\" is missing");
	request->op = op_as_written(found);
	if (request->op != OP_NONE)
		return 0;
	if (request_member_text(request, found, MEMBER_OP, &word) < 0)
		return -1;
	request->op = op_from_name(word);
	if (request->op == OP_NONE)
		return request_refuse_op(request, word);
	return 0;
}

/* Members that need or exclude each other. */
static int check_together(struct message_request *request, const struct request_scan *found)
{
	if (request->op == OP_PUT && !(found->present & BIT(VALUE)) == !(found->present & BIT(VALUES)))
		return request_refuse(request, ERROR_BAD_REQUEST, "put needs either \"value\" or \"values\"");
	if (request->op == OP_PUT && !(found->present & BIT(PRODUCER)) != !(found->present & BIT(SEQ)))
		return request_refuse(request, ERROR_BAD_REQUEST, "\"producer\" and \"seq\" come together");
	if (request->op == OP_TAKE && (found->present & BIT(MAX)) && (found->present & BIT(COUNT)))
		return request_refuse(request, ERROR_BAD_REQUEST, "a take has \"max\" or \"count\", not both");
	if (request->op == OP_TAP && !(found->present & BIT(TO)) == !(found->present & BIT(KIND)))
		return request_refuse(request, ERROR_BAD_REQUEST,
				      "a tap has \"to\", or the \"kind\" of a channel that is made for it; not both");
	if (request->op == OP_TAP && (found->present & BIT(CAPACITY)) && !(found->present & BIT(KIND)))
		return request_refuse(request, ERROR_BAD_REQUEST,
				      "\"capacity\" is for a channel that is made for the tap: it needs \"kind\"");
	if (request->op == OP_CLUSTER && !(found->present & BIT(GROUP)) != !(found->present & BIT(TO)))
		return request_refuse(request, ERROR_BAD_REQUEST,
				      "\"group\" and \"to\", the daemon where it shall go, come together");
	if ((found->present & BIT(STICKY)) && !(found->present & BIT(LEASE_MS)))
		return request_refuse(request, ERROR_BAD_REQUEST, "\"sticky\" is for a lease: it needs \"lease_ms\"");
	if (request->op == OP_CREATE && !(found->present & BIT(MAX_DELIVERIES)) != !(found->present & BIT(DEAD_LETTER)))
		return request_refuse(request, ERROR_BAD_REQUEST,
				      "\"max_deliveries\" and \"dead_letter\" come together");
	return 0;
}

/* Of the members that the op has. What it has not is told first: it is most likely a misspelt one that is then missing.
 */
static int check_presence(struct message_request *request, const struct request_scan *found, uint64_t allowed)
{
	uint64_t strange = found->present & ~allowed, missing = ops[request->op].needed & ~found->present;
	uint64_t doubled = found->doubled & allowed;
	if (request->op != OP_HELLO && found->unknown.bytes)
		return request_refuse_member(request, found->unknown, allowed);
	if (request->op != OP_HELLO && strange)
		return request_refuse_member(
			request, slice_from(request_member_name((enum message_member)__builtin_ctzll(strange))),
			allowed);
	if (doubled)
		return request_refuse(request, ERROR_BAD_REQUEST, "\"%s\" is there twice",
				      request_member_name((enum message_member)__builtin_ctzll(doubled)));
	if (missing)
		return request_refuse(request, ERROR_BAD_REQUEST, "\"%s\" is missing; %s needs it",
				      request_member_name((enum message_member)__builtin_ctzll(missing)),
				      message_op_name(request->op));
	return request->op == OP_HELLO ? 0 : check_together(request, found);
}

/* Of what every request may be asked for. */
static void set_defaults(struct message_request *request)
{
	static const struct slice none;
	request->present = 0;
	request->op = OP_NONE;
	request->has_id = request->priority = request->sticky = false;
	request->counted = true;
	request->id = MESSAGE_NO_ID;
	request->channel = request->value = request->lease = request->producer = none;
	request->values = NULL;
	request->arms = NULL;
	request->n_values = request->n_arms = 0;
	request->timeout_ms = request->count = request->lease_ms = request->delay_ms = request->seq = request->request =
		0;
	request->max = 1;
	request->error = ERROR_NONE;
	request->detail[0] = '\0';
}

/* And of what only the other ops have. */
static void set_rare_defaults(struct message_request *request)
{
	memset(&request->kind, 0, offsetof(struct message_request, error) - offsetof(struct message_request, kind));
	request->limit = 1000;
	request->close = true;
	if (request->op == OP_MOVE)
		request->max = MESSAGE_DEFAULT_MOVE;
}

static int interpret(struct message_request *request, const struct message_decoder *decoder,
		     const struct request_scan *found)
{
	bool lacks_id = !(found->present & BIT(ID));
	if (!lacks_id && !request->has_id)
		return request_refuse(request, ERROR_BAD_REQUEST,
				      "\"id\" is a whole number in plain digits, 0 to 9007199254740991");
	if (read_op(request, found) < 0)
		return -1;
	if (lacks_id && request->op != OP_PUT)
		return request_refuse(request, ERROR_BAD_REQUEST, "\"id\" is missing; only a put may lack it");
	uint64_t allowed = BIT(ID) | BIT(OP) | ops[request->op].needed | ops[request->op].optional;
	if (check_presence(request, found, allowed) < 0)
		return -1;
	if (!(1u << request->op & FREQUENT_OPS))
		set_rare_defaults(request);
	request->present = found->present & allowed;
	return request_members_read(request, decoder, found, request->present & ~(BIT(ID) | BIT(OP)));
}

/* A put without an id that is refused is told by its channel. */
static void name_channel(struct message_request *request, const struct request_scan *found)
{
	if (request->channel.bytes || !request_scan_has(found, MEMBER_CHANNEL) ||
	    found->type[MEMBER_CHANNEL] != JSON_TYPE_STRING || request->error == ERROR_BAD_CHANNEL)
		return;
	struct slice raw = found->raw[MEMBER_CHANNEL], name = json_scan_text(raw, (char *)raw.bytes);
	if (name_is_valid(name))
		request->channel = name;
}

static void forget_values(struct message_decoder *decoder)
{
	free(decoder->values);
	decoder->values = NULL;
	decoder->values_cap = 0;
}

static void begin_request(struct message_decoder *decoder, struct message_request *request)
{
	if (decoder->values_cap > KEPT_VALUES)
		forget_values(decoder);
	set_defaults(request);
}

/* Whatever its shape is. */
static int decode(struct message_decoder *decoder, char *body, size_t len, struct message_request *request)
{
	struct request_scan found;
	begin_request(decoder, request);
	bool good = request_scan(decoder, body, len, &found);
	read_id(request, &found);
	if (!good)
		return request_refuse(request, ERROR_BAD_JSON, "at byte %zu, %s", (size_t)(found.scan.at - body),
				      found.scan.error);
	int result = interpret(request, decoder, &found);
	if (result < 0 && !request->has_id && request->op == OP_PUT)
		name_channel(request, &found);
	if (result == 0 && 1u << request->op & FREQUENT_OPS)
		request_shapes_learn(&decoder->shapes, body, len, &found, request);
	return result;
}

int message_decode_request(struct message_decoder *decoder, char *body, size_t len, struct message_request *request)
{
	return request_shapes_match(decoder->shapes, body, len, request) ? 0 : decode(decoder, body, len, request);
}

/* -- Requests in two texts -- */

static int refuse_body(struct message_request *request, struct slice body, const struct json_scan *scan)
{
	size_t at = (size_t)(scan->at - body.bytes), line = 1;
	for (size_t i = 0; i < at; i++)
		line += body.bytes[i] == '\n';
	return request_refuse(request, ERROR_BAD_JSON, "at byte %zu, in line %zu, %s", at, line, scan->error);
}

static bool is_object(struct slice text)
{
	struct json_scan scan;
	json_scan_init(&scan, text.bytes, text.len);
	return json_scan_enter(&scan, '{');
}

/* What is no object, where members are expected, is scanned as any value, to tell whether it is JSON at all. */
static int scan_body(struct message_request *request, struct message_decoder *decoder, struct slice body,
		     enum message_body kind, struct request_scan *found)
{
	bool wants_members = kind == MESSAGE_BODY_MEMBERS, has_members = wants_members && is_object(body);
	enum message_member whole = kind == MESSAGE_BODY_VALUES ? MEMBER_VALUES : MEMBER_VALUE;
	bool good = has_members ? request_scan_members(decoder, body, found)
				: request_scan_member(decoder, body, whole, found);
	if (!good)
		return refuse_body(request, body, &found->scan);
	return wants_members && !has_members
		       ? request_refuse(request, ERROR_BAD_REQUEST, "the body is one object of JSON")
		       : 0;
}

int message_decode_parted(struct message_decoder *decoder, struct slice envelope, struct slice body,
			  enum message_body kind, struct message_request *request)
{
	struct request_scan found;
	begin_request(decoder, request);
	bool good = request_scan(decoder, (char *)envelope.bytes, envelope.len, &found);
	assert(good);
	(void)good;
	read_id(request, &found);
	if (scan_body(request, decoder, body, kind, &found) < 0)
		return -1;
	found.scan.last_word = NULL; /* no number is read by words: it may stand in either text */
	return interpret(request, decoder, &found);
}

/* It stands near the beginning, or where the value before it is short. */
struct slice message_peek_channel(struct slice body)
{
	static const char key[] = "\"channel\":";
	enum { LOOKED_AT_BYTES = 128 };
	const char *end = body.bytes + body.len;
	const char *at =
		memmem(body.bytes, body.len < LOOKED_AT_BYTES ? body.len : LOOKED_AT_BYTES, key, sizeof(key) - 1);
	if (!at)
		return (struct slice){NULL, 0};
	at += sizeof(key) - 1;
	at += at < end && *at == ' ';
	if (at == end || *at++ != '"')
		return (struct slice){NULL, 0};
	size_t room = (size_t)(end - at) < NAME_MAX_BYTES ? (size_t)(end - at) : NAME_MAX_BYTES;
	return (struct slice){at, (size_t)(plain_end(at, at + room) - at)};
}

void message_decoder_finish(struct message_decoder *decoder)
{
	forget_values(decoder);
	free(decoder->shapes);
	decoder->shapes = NULL;
}
