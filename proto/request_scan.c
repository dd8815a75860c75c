/* The pass. Members may come in any order, and the op last, so everything is collected; a batch and the arms of an alts
 * are split on the way, so that their values are scanned once. A value nested too deep is not bad JSON: it is gone
 * over, so that the id behind it is found. */
#include "proto/request_scan.h"

#include <assert.h>
#include <stdlib.h>

#include "proto/name.h"

enum {
	FIRST_VALUES = 64,
	NAME_BYTES = 16, /* of a member, with the zero behind it, at most */
};

/* Filled up with zeros, so that two words are compared, whatever the name. */
static const char names[N_MEMBERS][NAME_BYTES] = {
	[MEMBER_ID] = "id",
	[MEMBER_OP] = "op",
	[MEMBER_TO] = "to",
	[MEMBER_MAX] = "max",
	[MEMBER_SEQ] = "seq",
	[MEMBER_ARMS] = "arms",
	[MEMBER_FROM] = "from",
	[MEMBER_KIND] = "kind",
	[MEMBER_NAME] = "name",
	[MEMBER_VALUE] = "value",
	[MEMBER_COUNT] = "count",
	[MEMBER_FORCE] = "force",
	[MEMBER_MATCH] = "match",
	[MEMBER_AFTER] = "after",
	[MEMBER_LIMIT] = "limit",
	[MEMBER_TOKEN] = "token",
	[MEMBER_LEASE] = "lease",
	[MEMBER_CLOSE] = "close",
	[MEMBER_STATE] = "state",
	[MEMBER_GROUP] = "group",
	[MEMBER_VALUES] = "values",
	[MEMBER_STICKY] = "sticky",
	[MEMBER_CHANNEL] = "channel",
	[MEMBER_COUNTED] = "counted",
	[MEMBER_DURABLE] = "durable",
	[MEMBER_REQUEST] = "request",
	[MEMBER_PRIORITY] = "priority",
	[MEMBER_CAPACITY] = "capacity",
	[MEMBER_PROTOCOL] = "protocol",
	[MEMBER_PRODUCER] = "producer",
	[MEMBER_LEASE_MS] = "lease_ms",
	[MEMBER_DELAY_MS] = "delay_ms",
	[MEMBER_EPHEMERAL] = "ephemeral",
	[MEMBER_TIMEOUT_MS] = "timeout_ms",
	[MEMBER_MAX_WAITERS] = "max_waiters",
	[MEMBER_DEAD_LETTER] = "dead_letter",
	[MEMBER_MAX_DELIVERIES] = "max_deliveries",
};

const char *request_member_name(enum message_member member)
{
	return names[member];
}

/* The member whose name has these `len` bytes, the first eight in `low` and the others in `high`, with zeros behind the
 * last; or N_MEMBERS. They stand in order of length, so the search is among a few. */
static inline enum message_member member_from_words(size_t len, uint64_t low, uint64_t high)
{
	static const uint8_t first_of_length[NAME_BYTES + 1] = {
		[2] = MEMBER_ID,
		[3] = MEMBER_MAX,
		[4] = MEMBER_ARMS,
		[5] = MEMBER_VALUE,
		[6] = MEMBER_VALUES,
		[7] = MEMBER_CHANNEL,
		[8] = MEMBER_PRIORITY,
		[9] = MEMBER_EPHEMERAL,
		[10] = MEMBER_TIMEOUT_MS,
		[11] = MEMBER_MAX_WAITERS,
		[12] = MEMBER_MAX_DELIVERIES,
		[13] = MEMBER_MAX_DELIVERIES,
		[14] = MEMBER_MAX_DELIVERIES,
		[15] = N_MEMBERS,
		[16] = N_MEMBERS,
	};
	for (unsigned i = first_of_length[len]; i < first_of_length[len + 1]; i++)
		if (word_at(names[i]) == low && word_at(names[i] + 8) == high)
			return (enum message_member)i;
	return N_MEMBERS;
}

static enum message_member member_from_name(struct slice name)
{
	char text[NAME_BYTES] = "";
	if (name.len >= NAME_BYTES)
		return N_MEMBERS;
	memcpy(text, name.bytes, name.len);
	return member_from_words(name.len, word_at(text), word_at(text + 8));
}

/* The member whose name comes at `at`, as it is usually written: `"name":`, with its end in *behind. N_MEMBERS: there
 * is none, or it is written otherwise. The members of nearly every request are looked for first. */
static inline enum message_member member_that_comes(const struct json_scan *scan, const char *at, const char **behind)
{
	uint64_t low = json_scan_word(scan, at), high, quotes;
	if (WORD_BEGINS(low, "\"id\":"))
		return *behind = at + 5, MEMBER_ID;
	if (WORD_BEGINS(low, "\"op\":"))
		return *behind = at + 5, MEMBER_OP;
	if (WORD_BEGINS(low, "\"value\":"))
		return *behind = at + 8, MEMBER_VALUE;
	high = json_scan_word(scan, at + 8);
	if (WORD_BEGINS(low, "\"channel") && WORD_BEGINS(high, "\":"))
		return *behind = at + 10, MEMBER_CHANNEL;
	if ((char)low != '"')
		return N_MEMBERS;
	size_t len;
	low = low >> 8 | high << 56;
	high >>= 8;
	if ((quotes = word_marks(low, '"'))) {
		len = word_first_mark(quotes);
		high = 0;
		low &= (UINT64_C(1) << (8 * len)) - 1;
	} else {
		if (!(quotes = word_marks(high, '"')))
			return N_MEMBERS;
		high &= (UINT64_C(1) << (8 * word_first_mark(quotes))) - 1;
		len = 8 + word_first_mark(quotes);
	}
	*behind = at + len + 3;
	return scan->end - at > (ptrdiff_t)len + 2 && at[len + 2] == ':' ? member_from_words(len, low, high)
									 : N_MEMBERS;
}

/* Scans a value; one nested too deep is gone over and told (its type is then NONE). Returns false if the JSON is bad.
 */
static bool scan_value(struct request_scan *found, struct slice *raw, enum json_type *type, enum trouble *trouble)
{
	*type = json_scan_value(&found->scan, raw);
	*trouble = *type == JSON_TYPE_NULL ? TROUBLE_NULL : NO_TROUBLE;
	if (*type != JSON_TYPE_NONE)
		return true;
	if (!found->scan.too_deep)
		return false;
	found->scan.error = NULL;
	found->scan.too_deep = false;
	*trouble = TROUBLE_DEPTH;
	return true;
}

static bool values_grow(struct message_decoder *decoder)
{
	size_t cap = decoder->values_cap ? decoder->values_cap * 2 : FIRST_VALUES;
	struct slice *values = realloc(decoder->values, cap * sizeof(*values));
	if (!values)
		return false;
	decoder->values = values;
	decoder->values_cap = cap;
	return true;
}

static bool collect_values(struct message_decoder *decoder, struct request_scan *found)
{
	bool first = true;
	found->n_values = 0;
	while (json_scan_element(&found->scan, &first)) {
		struct slice raw;
		enum json_type type;
		enum trouble trouble;
		if (!scan_value(found, &raw, &type, &trouble))
			return false;
		if (!trouble && found->n_values == decoder->values_cap && !found->values_trouble &&
		    !values_grow(decoder))
			trouble = TROUBLE_MEMORY;
		if (trouble && !found->values_trouble) {
			found->values_trouble = trouble;
			found->values_at = found->n_values;
		}
		if (!found->values_trouble)
			decoder->values[found->n_values] = raw;
		found->n_values++;
	}
	return !found->scan.error;
}

static void arm_trouble(struct request_scan *found, enum trouble trouble, const char *detail)
{
	if (found->arms_trouble)
		return;
	found->arms_trouble = trouble;
	found->arm_detail = detail;
	found->arms_at = found->n_arms;
}

/* A member of an arm. */
static void collect_arm_member(struct request_scan *found, struct message_arm *arm, struct slice key,
			       enum json_type type, struct slice raw)
{
	bool is_take = slice_equal(key, SLICE("take")), is_put = slice_equal(key, SLICE("put"));
	if (is_take || is_put) {
		if (arm->channel.bytes)
			arm_trouble(found, TROUBLE_ARM, "is neither one take nor one put");
		else if (type != JSON_TYPE_STRING)
			arm_trouble(found, TROUBLE_ARM, "needs its channel's name as a string");
		else
			arm->channel = json_scan_text(raw, (char *)raw.bytes);
		arm->is_put = is_put;
	} else if (slice_equal(key, SLICE("value"))) {
		if (arm->value.bytes)
			arm_trouble(found, TROUBLE_ARM, "has two values");
		arm->value = raw;
	} else if (slice_equal(key, SLICE("delay_ms"))) {
		arm_trouble(found, TROUBLE_ARM, "has a \"delay_ms\", which only the op put knows");
	} else if (slice_equal(key, SLICE("producer")) || slice_equal(key, SLICE("seq"))) {
		arm_trouble(found, TROUBLE_ARM, "has a \"producer\" or \"seq\", which only the op put knows");
	} else {
		arm_trouble(found, TROUBLE_ARM, "has a member that is neither \"take\", \"put\" nor \"value\"");
	}
}

static void judge_arm(struct request_scan *found, const struct message_arm *arm, enum trouble value_trouble)
{
	if (!arm->channel.bytes)
		arm_trouble(found, TROUBLE_ARM, "is neither a take nor a put");
	else if (arm->is_put && !arm->value.bytes)
		arm_trouble(found, TROUBLE_ARM, "is a put without a value");
	else if (!arm->is_put && arm->value.bytes)
		arm_trouble(found, TROUBLE_ARM, "is a take with a value");
	else if (value_trouble)
		arm_trouble(found, value_trouble, NULL);
	else if (!name_is_valid(arm->channel)) {
		if (!found->arms_trouble)
			found->arm_name = arm->channel;
		arm_trouble(found, TROUBLE_ARM_NAME, NULL);
	}
}

/* Goes over `{"take":"name"}`, if that is what comes, and the name is a valid one: nearly every arm is like that. */
static inline bool eat_take_arm(struct json_scan *scan, struct slice *name)
{
	const char *at = scan->at;
	at += at < scan->end && *at == ' ';
	if (!scan->last_word || !WORD_BEGINS(json_scan_word(scan, at), "{\"take\":"))
		return false;
	at += 8;
	at += at < scan->end && *at == ' ';
	if (at == scan->end || *at != '"')
		return false;
	const char *end = plain_end(at + 1, scan->end);
	*name = (struct slice){at + 1, (size_t)(end - at) - 1};
	if (scan->end - end < 2 || end[0] != '"' || end[1] != '}' || !name_is_valid(*name))
		return false;
	scan->at = end + 2;
	return true;
}

static bool collect_arm(struct request_scan *found, struct message_arm *arm)
{
	struct slice key, raw;
	enum json_type type;
	enum trouble trouble, value_trouble = NO_TROUBLE;
	bool first = true;
	*arm = (struct message_arm){0};
	if (eat_take_arm(&found->scan, &arm->channel))
		return true;
	arm->channel.bytes = NULL;
	found->is_unusual = true;
	if (!json_scan_enter(&found->scan, '{')) {
		arm_trouble(found, TROUBLE_ARM, "is not an object");
		return scan_value(found, &raw, &type, &trouble);
	}
	while (json_scan_member(&found->scan, &first, &key)) {
		if (!scan_value(found, &raw, &type, &trouble))
			return false;
		key = json_scan_text(key, (char *)key.bytes);
		if (slice_equal(key, SLICE("value")))
			value_trouble = trouble;
		collect_arm_member(found, arm, key, type, raw);
	}
	if (!found->scan.error)
		judge_arm(found, arm, value_trouble);
	return !found->scan.error;
}

static bool collect_arms(struct message_decoder *decoder, struct request_scan *found)
{
	struct message_arm spare;
	bool first = true;
	found->n_arms = 0;
	while (json_scan_element(&found->scan, &first)) {
		if (!collect_arm(found, found->n_arms < MESSAGE_MAX_ARMS ? &decoder->arms[found->n_arms] : &spare))
			return false;
		found->n_arms++;
	}
	return !found->scan.error;
}

/* Behind a known member's name. */
static bool collect_member(struct message_decoder *decoder, struct request_scan *found, enum message_member member)
{
	enum trouble trouble = NO_TROUBLE;
	if (request_scan_has(found, member)) {
		struct slice raw;
		enum json_type type;
		found->doubled |= MESSAGE_BIT(member);
		return scan_value(found, &raw, &type, &trouble);
	}
	found->present |= MESSAGE_BIT(member);
	if (member == MEMBER_VALUES && json_scan_enter(&found->scan, '[')) {
		found->type[member] = JSON_TYPE_ARRAY;
		return collect_values(decoder, found);
	}
	if (member == MEMBER_ARMS && json_scan_enter(&found->scan, '[')) {
		found->type[member] = JSON_TYPE_ARRAY;
		return collect_arms(decoder, found);
	}
	bool good = scan_value(found, &found->raw[member], &found->type[member], &trouble);
	if (member == MEMBER_VALUE)
		found->value_trouble = trouble;
	return good;
}

/* A member whose name may be unknown, and written with escapes. */
static bool collect_any_member(struct message_decoder *decoder, struct request_scan *found)
{
	struct slice key, raw;
	enum json_type type;
	enum trouble trouble;
	found->is_unusual = true;
	if (!json_scan_key(&found->scan, &key))
		return false;
	key = json_scan_text(key, (char *)key.bytes);
	enum message_member member = member_from_name(key);
	if (member != N_MEMBERS)
		return collect_member(decoder, found, member);
	if (!found->unknown.bytes)
		found->unknown = key;
	return scan_value(found, &raw, &type, &trouble);
}

/* Collects members as long as each is `"name":` and a value, with at most one blank in front of either, and its name
 * one that is known and has not been there. The scan stands at what separates the first one from what is before it, and
 * then behind the last one: what is unusual or wrong there is left to others. Returns false if a value is bad JSON.
 *
 * Most requests are nothing but such members, so this is where their time goes: where the scan stands is kept in `at`,
 * and strings and short numbers are gone over on the way. */
static bool collect_usual_members(struct message_decoder *decoder, struct request_scan *found, char separator)
{
	struct json_scan *scan = &found->scan;
	const char *at = scan->at, *end = scan->end;
	for (; scan->last_word && end - at > 2 && *at == separator; separator = ',') {
		const char *value;
		enum message_member member = member_that_comes(scan, at[1] == ' ' ? at + 2 : at + 1, &value);
		if (member == N_MEMBERS || request_scan_has(found, member) || end - value < 2)
			break;
		value += *value == ' ';
		if (*value == '"') {
			found->present |= MESSAGE_BIT(member);
			found->type[member] = JSON_TYPE_STRING;
			if (!(at = json_scan_string(scan, value)))
				return false;
			found->raw[member] = (struct slice){value, (size_t)(at - value)};
		} else if ((at = json_scan_short_number(scan, value))) {
			found->present |= MESSAGE_BIT(member);
			found->type[member] = JSON_TYPE_NUMBER;
			found->raw[member] = (struct slice){value, (size_t)(at - value)};
		} else {
			scan->at = value;
			if (!collect_member(decoder, found, member))
				return false;
			at = scan->at;
		}
		scan->at = at;
	}
	return true;
}

/* A whole text. Returns false if it is not one JSON object. */
static bool collect(struct message_decoder *decoder, struct request_scan *found)
{
	uint64_t present_before = found->present;
	json_scan_at_end(&found->scan);
	if (!collect_usual_members(decoder, found, '{'))
		return false;
	bool first = found->present == present_before;
	if (first && !json_scan_enter(&found->scan, '{')) {
		found->scan.error = "an object is expected";
		return false;
	}
	while (json_scan_another(&found->scan, &first))
		if (!collect_any_member(decoder, found) || !collect_usual_members(decoder, found, ','))
			return false;
	if (!found->scan.error && !json_scan_at_end(&found->scan))
		found->scan.error = "nothing is expected behind the object";
	return !found->scan.error;
}

bool request_scan(struct message_decoder *decoder, char *body, size_t len, struct request_scan *found)
{
	found->present = found->doubled = 0;
	found->unknown.bytes = NULL;
	found->is_unusual = false;
	found->value_trouble = found->values_trouble = found->arms_trouble = NO_TROUBLE;
	json_scan_init(&found->scan, body, len);
	return collect(decoder, found);
}

bool request_scan_members(struct message_decoder *decoder, struct slice text, struct request_scan *found)
{
	json_scan_init(&found->scan, text.bytes, text.len);
	return collect(decoder, found);
}

bool request_scan_member(struct message_decoder *decoder, struct slice text, enum message_member member,
			 struct request_scan *found)
{
	assert(!request_scan_has(found, member));
	json_scan_init(&found->scan, text.bytes, text.len);
	if (!collect_member(decoder, found, member))
		return false;
	if (!json_scan_at_end(&found->scan))
		found->scan.error = "nothing is expected behind the value";
	return !found->scan.error;
}
