/* The pass. Members may come in any order, and the op last, so everything is collected; a batch and the arms of an alts
 * are split on the way, so that their values are scanned once. A value nested too deep is not bad JSON: it is gone
 * over, so that the id behind it is found. */
#include "proto/request_scan.h"

#include <stdlib.h>

#include "proto/name.h"

enum { FIRST_VALUES = 64 };

static const char *const names[N_MEMBERS] = {
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
	[MEMBER_VALUES] = "values",
	[MEMBER_STICKY] = "sticky",
	[MEMBER_CHANNEL] = "channel",
	[MEMBER_COUNTED] = "counted",
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

/* The member of that name, or N_MEMBERS. They stand in order of length, so the search is among a few. */
static enum message_member member_from_name(struct slice name)
{
	enum { LONGEST = 14 };
	static const uint8_t first_of_length[LONGEST + 2] = {
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
	};
	if (name.len > LONGEST)
		return N_MEMBERS;
	for (unsigned i = first_of_length[name.len]; i < first_of_length[name.len + 1]; i++)
		if (memcmp(names[i], name.bytes, name.len) == 0)
			return (enum message_member)i;
	return N_MEMBERS;
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

static bool collect_arm(struct request_scan *found, struct message_arm *arm)
{
	struct slice key, raw;
	enum json_type type;
	enum trouble trouble, value_trouble = NO_TROUBLE;
	bool first = true;
	*arm = (struct message_arm){0};
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
	bool good;
	if (found->present & MESSAGE_BIT(member)) {
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
	good = scan_value(found, &found->raw[member], &found->type[member], &trouble);
	if (member == MEMBER_VALUE)
		found->value_trouble = trouble;
	return good;
}

/* The whole body. Returns false if it is not one JSON object. */
static bool collect(struct message_decoder *decoder, struct request_scan *found)
{
	struct slice key;
	bool first = true;
	if (!json_scan_enter(&found->scan, '{')) {
		found->scan.error = "an object is expected";
		return false;
	}
	while (json_scan_member(&found->scan, &first, &key)) {
		key = json_scan_text(key, (char *)key.bytes);
		enum message_member member = member_from_name(key);
		if (member != N_MEMBERS) {
			if (!collect_member(decoder, found, member))
				return false;
			continue;
		}
		struct slice raw;
		enum json_type type;
		enum trouble trouble;
		if (!found->unknown.bytes)
			found->unknown = key;
		if (!scan_value(found, &raw, &type, &trouble))
			return false;
	}
	if (!found->scan.error && !json_scan_at_end(&found->scan))
		found->scan.error = "nothing is expected behind the object";
	return !found->scan.error;
}

bool request_scan(struct message_decoder *decoder, char *body, size_t len, struct request_scan *found)
{
	*found = (struct request_scan){.present = 0};
	json_scan_init(&found->scan, body, len);
	return collect(decoder, found);
}
