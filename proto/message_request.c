/* Requests, decoded: what was found in the body, held against what the op wants. Bad JSON is told before everything
 * else. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/message.h"
#include "proto/name.h"
#include "proto/request_shape.h"
#include "proto/suggest.h"
#include "proto/utf8.h"

enum {
	QUOTED_BYTES = 64,  /* of input, in an error */
	KEPT_VALUES = 4096, /* a decoder with room for more gives it back when the next request comes */
};

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

/* -- Errors -- */

/* How much of the text may be quoted: whole characters. */
static int quotable(struct slice text)
{
	size_t len = text.len < QUOTED_BYTES ? text.len : QUOTED_BYTES;
	while (len < text.len && len > 0 && utf8_is_tail(text.bytes[len]))
		len--;
	return (int)len;
}

static const char *cut(struct slice text)
{
	return text.len > QUOTED_BYTES ? "..." : "";
}

__attribute__((format(printf, 3, 4))) static int refuse(struct message_request *request, enum error error,
							const char *format, ...)
{
	va_list args;
	va_start(args, format);
	vsnprintf(request->detail, sizeof(request->detail), format, args);
	va_end(args);
	request->error = error;
	return -1;
}

static int refuse_name(struct message_request *request, const char *where, struct slice name)
{
	return refuse(request, ERROR_BAD_CHANNEL,
		      "%s\"%.*s%s\"; a name is 1 to 128 of A-Z a-z 0-9 . _ : { } - and begins with neither . nor -",
		      where, quotable(name), name.bytes, cut(name));
}

static int refuse_value(struct message_request *request, const char *where, bool too_deep)
{
	return refuse(request, ERROR_BAD_VALUE, "%s%s", where,
		      too_deep ? "it is nested deeper than 128" : "it is null");
}

/* -- What it means -- */

static int read_uint(struct message_request *request, const struct request_scan *found, enum message_member member,
		     uint64_t lowest, uint64_t highest, uint64_t *out)
{
	unsigned long long number;
	if (found->type[member] != JSON_TYPE_NUMBER ||
	    json_scan_uint_here(&found->scan, found->raw[member], highest, &number) < 0 || number < lowest)
		return refuse(request, ERROR_BAD_REQUEST, "\"%s\" is a whole number in plain digits, %llu to %llu",
			      request_member_name(member), (unsigned long long)lowest, (unsigned long long)highest);
	*out = number;
	return 0;
}

static int read_bool(struct message_request *request, const struct request_scan *found, enum message_member member,
		     bool *out)
{
	if (found->type[member] != JSON_TYPE_TRUE && found->type[member] != JSON_TYPE_FALSE)
		return refuse(request, ERROR_BAD_REQUEST, "\"%s\" is true or false", request_member_name(member));
	*out = found->type[member] == JSON_TYPE_TRUE;
	return 0;
}

static int read_string(struct message_request *request, const struct request_scan *found, enum message_member member,
		       struct slice *out)
{
	if (found->type[member] != JSON_TYPE_STRING)
		return refuse(request, ERROR_BAD_REQUEST, "\"%s\" is a string", request_member_name(member));
	*out = json_scan_text(found->raw[member], (char *)found->raw[member].bytes);
	return 0;
}

static int read_name(struct message_request *request, const struct request_scan *found, enum message_member member,
		     struct slice *out)
{
	struct slice raw = found->raw[member], name = {0};
	if (found->type[member] == JSON_TYPE_STRING && name_is_valid((struct slice){raw.bytes + 1, raw.len - 2})) {
		*out = (struct slice){raw.bytes + 1, raw.len - 2}; /* which has no escapes then */
		return 0;
	}
	if (read_string(request, found, member, &name) < 0)
		return -1;
	if (!name_is_valid(name))
		return refuse_name(request, "", name);
	*out = name;
	return 0;
}

/* Matching takes pattern × name steps for every channel there is, so a pattern has its limit. */
static int read_match(struct message_request *request, const struct request_scan *found)
{
	if (read_string(request, found, MEMBER_MATCH, &request->match) < 0)
		return -1;
	if (request->match.len > MESSAGE_MAX_GLOB_BYTES)
		return refuse(request, ERROR_BAD_REQUEST, "\"match\" has at most %d bytes", MESSAGE_MAX_GLOB_BYTES);
	return 0;
}

/* A tap's is an object of pointers, which proto/match.h compiles. */
static int read_pointers(struct message_request *request, const struct request_scan *found)
{
	if (found->type[MEMBER_MATCH] != JSON_TYPE_OBJECT)
		return refuse(request, ERROR_BAD_REQUEST,
			      "\"match\" is an object of JSON pointers, such as {\"/type\": \"order\"}");
	request->match = found->raw[MEMBER_MATCH];
	return 0;
}

static int read_producer(struct message_request *request, const struct request_scan *found)
{
	if (read_string(request, found, MEMBER_PRODUCER, &request->producer) < 0)
		return -1;
	if (request->producer.len < 1 || request->producer.len > MESSAGE_MAX_PRODUCER_BYTES)
		return refuse(request, ERROR_BAD_REQUEST, "\"producer\" has 1 to %d bytes", MESSAGE_MAX_PRODUCER_BYTES);
	return 0;
}

static int read_value(struct message_request *request, const struct request_scan *found)
{
	if (found->value_trouble)
		return refuse_value(request, "", found->value_trouble == TROUBLE_DEPTH);
	request->value = found->raw[MEMBER_VALUE];
	return 0;
}

static int read_values(struct message_request *request, const struct message_decoder *decoder,
		       const struct request_scan *found)
{
	char where[48];
	if (found->type[MEMBER_VALUES] != JSON_TYPE_ARRAY || found->n_values == 0)
		return refuse(request, ERROR_BAD_REQUEST, "\"values\" is an array of at least one value");
	if (found->values_trouble)
		snprintf(where, sizeof(where), "number %zu of \"values\", from 0: ", found->values_at);
	switch (found->values_trouble) {
	case TROUBLE_NULL:
	case TROUBLE_DEPTH:
		return refuse_value(request, where, found->values_trouble == TROUBLE_DEPTH);
	case TROUBLE_MEMORY:
		return refuse(request, ERROR_OVERLOADED, "no memory for a batch of this size");
	case TROUBLE_ARM:
	case TROUBLE_ARM_NAME:
	case NO_TROUBLE:
		break;
	}
	request->values = decoder->values;
	request->n_values = found->n_values;
	return 0;
}

static int read_arms(struct message_request *request, const struct message_decoder *decoder,
		     const struct request_scan *found)
{
	char where[48];
	if (found->type[MEMBER_ARMS] != JSON_TYPE_ARRAY || found->n_arms == 0 || found->n_arms > MESSAGE_MAX_ARMS)
		return refuse(request, ERROR_BAD_REQUEST, "\"arms\" is an array of 1 to %d arms", MESSAGE_MAX_ARMS);
	if (found->arms_trouble)
		snprintf(where, sizeof(where), "arm %zu: ", found->arms_at);
	switch (found->arms_trouble) {
	case TROUBLE_NULL:
	case TROUBLE_DEPTH:
		return refuse_value(request, where, found->arms_trouble == TROUBLE_DEPTH);
	case TROUBLE_ARM:
		return refuse(request, ERROR_BAD_REQUEST,
			      "arm %zu %s; an arm is {\"take\":channel} or {\"put\":channel,\"value\":value}",
			      found->arms_at, found->arm_detail);
	case TROUBLE_ARM_NAME:
		return refuse_name(request, where, found->arm_name);
	case TROUBLE_MEMORY:
	case NO_TROUBLE:
		break;
	}
	request->arms = decoder->arms;
	request->n_arms = found->n_arms;
	return 0;
}

static int read_group(struct message_request *request, const struct request_scan *found)
{
	if (read_string(request, found, MEMBER_GROUP, &request->group) < 0)
		return -1;
	if (group_name_is_valid(request->group))
		return 0;
	return refuse(request, ERROR_BAD_REQUEST, "\"%.*s%s\" is not a group's name: 1 to 126 of A-Z a-z 0-9 . _ : { -",
		      quotable(request->group), request->group.bytes, cut(request->group));
}

static int read_member(struct message_request *request, const struct message_decoder *decoder,
		       const struct request_scan *found, enum message_member member)
{
	switch (member) {
	case MEMBER_CHANNEL:
		return read_name(request, found, member, &request->channel);
	case MEMBER_VALUE:
		return read_value(request, found);
	case MEMBER_VALUES:
		return read_values(request, decoder, found);
	case MEMBER_ARMS:
		return read_arms(request, decoder, found);
	case MEMBER_TIMEOUT_MS:
		return read_uint(request, found, member, 0, MESSAGE_MAX_MS, &request->timeout_ms);
	case MEMBER_MAX:
		return read_uint(request, found, member, 1,
				 request->op == OP_TAKE   ? MESSAGE_MAX_TAKE
				 : request->op == OP_MOVE ? MESSAGE_MAX_MOVE
							  : MESSAGE_MAX_ROWS,
				 &request->max);
	case MEMBER_COUNT:
		return read_uint(request, found, member, 1, MESSAGE_MAX_COUNT, &request->count);
	case MEMBER_PRIORITY:
		return read_bool(request, found, member, &request->priority);
	case MEMBER_KIND:
		return read_string(request, found, member, &request->kind);
	case MEMBER_CAPACITY:
		return read_uint(request, found, member, 0, MESSAGE_MAX_ID, &request->capacity);
	case MEMBER_EPHEMERAL:
		return read_bool(request, found, member, &request->ephemeral);
	case MEMBER_DURABLE:
		return read_bool(request, found, member, &request->durable);
	case MEMBER_MAX_WAITERS:
		return read_uint(request, found, member, 0, MESSAGE_MAX_ID, &request->max_waiters);
	case MEMBER_MAX_DELIVERIES:
		return read_uint(request, found, member, request->op == OP_ALTER ? 0 : 1, MESSAGE_MAX_DELIVERIES,
				 &request->max_deliveries);
	case MEMBER_DEAD_LETTER:
		if (request->op == OP_ALTER && found->type[member] == JSON_TYPE_NULL)
			return 0;
		return read_name(request, found, member, &request->dead_letter);
	case MEMBER_LEASE_MS:
		return read_uint(request, found, member, 1, MESSAGE_MAX_MS, &request->lease_ms);
	case MEMBER_DELAY_MS:
		return read_uint(request, found, member, 0, MESSAGE_MAX_MS, &request->delay_ms);
	case MEMBER_COUNTED:
		return read_bool(request, found, member, &request->counted);
	case MEMBER_PRODUCER:
		return read_producer(request, found);
	case MEMBER_SEQ:
		return read_uint(request, found, member, 0, MESSAGE_MAX_ID, &request->seq);
	case MEMBER_FROM:
		return read_name(request, found, member, &request->from);
	case MEMBER_GROUP:
		return read_group(request, found);
	case MEMBER_TO:
		return request->op == OP_CLUSTER ? read_string(request, found, member, &request->to)
						 : read_name(request, found, member, &request->to);
	case MEMBER_STICKY:
		return read_bool(request, found, member, &request->sticky);
	case MEMBER_LEASE:
		return read_string(request, found, member, &request->lease);
	case MEMBER_FORCE:
		return read_bool(request, found, member, &request->force);
	case MEMBER_REQUEST:
		return read_uint(request, found, member, 0, MESSAGE_MAX_ID, &request->request);
	case MEMBER_MATCH:
		return request->op == OP_TAP ? read_pointers(request, found) : read_match(request, found);
	case MEMBER_CLOSE:
		return read_bool(request, found, member, &request->close);
	case MEMBER_STATE:
		return read_string(request, found, member, &request->state);
	case MEMBER_AFTER:
		if (request->op == OP_WAITERS || request->op == OP_LEASES || request->op == OP_TAPS)
			return read_uint(request, found, member, 0, MESSAGE_MAX_ID, &request->after_seq);
		return read_string(request, found, member, &request->after);
	case MEMBER_LIMIT:
		return read_uint(request, found, member, 1, MESSAGE_MAX_ROWS, &request->limit);
	case MEMBER_PROTOCOL:
		return read_uint(request, found, member, 0, MESSAGE_MAX_ID, &request->protocol);
	case MEMBER_NAME:
		return read_string(request, found, member, &request->name);
	case MEMBER_TOKEN:
		return read_string(request, found, member, &request->token);
	case MEMBER_ID:
	case MEMBER_OP:
	case N_MEMBERS:
		break;
	}
	return 0;
}

static void read_id(struct message_request *request, const struct request_scan *found)
{
	unsigned long long id;
	if (request_scan_has(found, MEMBER_ID) && found->type[MEMBER_ID] == JSON_TYPE_NUMBER &&
	    json_scan_uint_here(&found->scan, found->raw[MEMBER_ID], MESSAGE_MAX_ID, &id) == 0) {
		request->has_id = true;
		request->id = id;
	}
}

static enum message_op op_from_name(struct slice name)
{
	char text[8] = "";
	if (name.len >= sizeof(text))
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

/* A name that was written, for suggest_consider(); one that is too long for any is "". */
static const char *copy_name(struct slice word, char copy[SUGGEST_MAX_BYTES + 1])
{
	size_t len = word.len <= SUGGEST_MAX_BYTES ? word.len : 0;
	memcpy(copy, word.bytes, len);
	copy[len] = '\0';
	return copy;
}

/* "; did you mean "NAME"?", or nothing. */
static const char *ask_whether(const struct suggestion *suggestion, char text[SUGGEST_MAX_BYTES + 32])
{
	text[0] = '\0';
	if (*suggestion->name)
		snprintf(text, SUGGEST_MAX_BYTES + 32, "; did you mean \"%s\"?", suggestion->name);
	return text;
}

static int refuse_op(struct message_request *request, struct slice word)
{
	char copy[SUGGEST_MAX_BYTES + 1], hint[SUGGEST_MAX_BYTES + 32];
	struct suggestion suggestion = {.wrong = copy_name(word, copy)};
	for (int op = OP_NONE + 1; op < OP_COUNT; op++)
		suggest_consider(&suggestion, message_op_name((enum message_op)op));
	return refuse(request, ERROR_UNKNOWN_OP, "\"%.*s%s\"%s", quotable(word), word.bytes, cut(word),
		      ask_whether(&suggestion, hint));
}

static int refuse_member(struct message_request *request, struct slice word, uint64_t allowed)
{
	char copy[SUGGEST_MAX_BYTES + 1], hint[SUGGEST_MAX_BYTES + 32];
	struct suggestion suggestion = {.wrong = copy_name(word, copy)};
	for (uint64_t left = allowed; left; left &= left - 1)
		suggest_consider(&suggestion, request_member_name((enum message_member)__builtin_ctzll(left)));
	return refuse(request, ERROR_BAD_REQUEST, "\"%.*s%s\" is no member of %s%s", quotable(word), word.bytes,
		      cut(word), message_op_name(request->op), ask_whether(&suggestion, hint));
}

static int read_op(struct message_request *request, const struct request_scan *found)
{
	struct slice word = {0};
	if (!request_scan_has(found, MEMBER_OP))
		return refuse(request, ERROR_BAD_REQUEST, "\"op\" is missing");
	request->op = op_as_written(found);
	if (request->op != OP_NONE)
		return 0;
	if (read_string(request, found, MEMBER_OP, &word) < 0)
		return -1;
	request->op = op_from_name(word);
	if (request->op == OP_NONE)
		return refuse_op(request, word);
	return 0;
}

/* Members that need or exclude each other. */
static int check_together(struct message_request *request, const struct request_scan *found)
{
	if (request->op == OP_PUT && !(found->present & BIT(VALUE)) == !(found->present & BIT(VALUES)))
		return refuse(request, ERROR_BAD_REQUEST, "put needs either \"value\" or \"values\"");
	if (request->op == OP_PUT && !(found->present & BIT(PRODUCER)) != !(found->present & BIT(SEQ)))
		return refuse(request, ERROR_BAD_REQUEST, "\"producer\" and \"seq\" come together");
	if (request->op == OP_TAKE && (found->present & BIT(MAX)) && (found->present & BIT(COUNT)))
		return refuse(request, ERROR_BAD_REQUEST, "a take has \"max\" or \"count\", not both");
	if (request->op == OP_TAP && !(found->present & BIT(TO)) == !(found->present & BIT(KIND)))
		return refuse(request, ERROR_BAD_REQUEST,
			      "a tap has \"to\", or the \"kind\" of a channel that is made for it; not both");
	if (request->op == OP_TAP && (found->present & BIT(CAPACITY)) && !(found->present & BIT(KIND)))
		return refuse(request, ERROR_BAD_REQUEST,
			      "\"capacity\" is for a channel that is made for the tap: it needs \"kind\"");
	if (request->op == OP_CLUSTER && !(found->present & BIT(GROUP)) != !(found->present & BIT(TO)))
		return refuse(request, ERROR_BAD_REQUEST,
			      "\"group\" and \"to\", the daemon where it shall go, come together");
	if ((found->present & BIT(STICKY)) && !(found->present & BIT(LEASE_MS)))
		return refuse(request, ERROR_BAD_REQUEST, "\"sticky\" is for a lease: it needs \"lease_ms\"");
	if (request->op == OP_CREATE && !(found->present & BIT(MAX_DELIVERIES)) != !(found->present & BIT(DEAD_LETTER)))
		return refuse(request, ERROR_BAD_REQUEST, "\"max_deliveries\" and \"dead_letter\" come together");
	return 0;
}

/* Of the members that the op has. What it has not is told first: it is most likely a misspelt one that is then missing.
 */
static int check_presence(struct message_request *request, const struct request_scan *found, uint64_t allowed)
{
	uint64_t strange = found->present & ~allowed, missing = ops[request->op].needed & ~found->present;
	uint64_t doubled = found->doubled & allowed;
	if (request->op != OP_HELLO && found->unknown.bytes)
		return refuse_member(request, found->unknown, allowed);
	if (request->op != OP_HELLO && strange)
		return refuse_member(request,
				     slice_from(request_member_name((enum message_member)__builtin_ctzll(strange))),
				     allowed);
	if (doubled)
		return refuse(request, ERROR_BAD_REQUEST, "\"%s\" is there twice",
			      request_member_name((enum message_member)__builtin_ctzll(doubled)));
	if (missing)
		return refuse(request, ERROR_BAD_REQUEST, "\"%s\" is missing; %s needs it",
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
		return refuse(request, ERROR_BAD_REQUEST,
			      "\"id\" is a whole number in plain digits, 0 to 9007199254740991");
	if (read_op(request, found) < 0)
		return -1;
	if (lacks_id && request->op != OP_PUT)
		return refuse(request, ERROR_BAD_REQUEST, "\"id\" is missing; only a put may lack it");
	uint64_t allowed = BIT(ID) | BIT(OP) | ops[request->op].needed | ops[request->op].optional;
	if (check_presence(request, found, allowed) < 0)
		return -1;
	if (!(1u << request->op & FREQUENT_OPS))
		set_rare_defaults(request);
	request->present = found->present & allowed;
	for (uint64_t left = request->present & ~(BIT(ID) | BIT(OP)); left; left &= left - 1)
		if (read_member(request, decoder, found, (enum message_member)__builtin_ctzll(left)) < 0)
			return -1;
	return 0;
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

/* Whatever its shape is. */
static int decode(struct message_decoder *decoder, char *body, size_t len, struct message_request *request)
{
	struct request_scan found;
	if (decoder->values_cap > KEPT_VALUES)
		forget_values(decoder);
	set_defaults(request);
	bool good = request_scan(decoder, body, len, &found);
	read_id(request, &found);
	if (!good)
		return refuse(request, ERROR_BAD_JSON, "at byte %zu, %s", (size_t)(found.scan.at - body),
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

void message_decoder_finish(struct message_decoder *decoder)
{
	forget_values(decoder);
	free(decoder->shapes);
	decoder->shapes = NULL;
}
