#include "proto/request_members.h"

#include <stdio.h>

#include "proto/name.h"
#include "proto/request_refuse.h"

/* -- Readers -- */

typedef int member_reader(struct message_request *request, const struct message_decoder *decoder,
			  const struct request_scan *found, enum message_member member);

static const struct member_rule {
	member_reader *read;
	size_t offset;            /* in struct message_request: of what it is read into */
	uint64_t lowest, highest; /* of a number */
} rules[N_MEMBERS];

static void *field_of(struct message_request *request, enum message_member member)
{
	return (char *)request + rules[member].offset;
}

static int read_number(struct message_request *request, const struct request_scan *found, enum message_member member,
		       uint64_t lowest, uint64_t highest, uint64_t *out)
{
	unsigned long long number;
	if (found->type[member] != JSON_TYPE_NUMBER ||
	    json_scan_uint_here(&found->scan, found->raw[member], highest, &number) < 0 || number < lowest)
		return request_refuse(
			request, ERROR_BAD_REQUEST, "\"%s\" is a whole number in plain digits, %llu to %llu",
			request_member_name(member), (unsigned long long)lowest, (unsigned long long)highest);
	*out = number;
	return 0;
}

static int read_uint(struct message_request *request, const struct message_decoder *decoder,
		     const struct request_scan *found, enum message_member member)
{
	(void)decoder;
	return read_number(request, found, member, rules[member].lowest, rules[member].highest,
			   field_of(request, member));
}

static int read_bool(struct message_request *request, const struct message_decoder *decoder,
		     const struct request_scan *found, enum message_member member)
{
	(void)decoder;
	if (found->type[member] != JSON_TYPE_TRUE && found->type[member] != JSON_TYPE_FALSE)
		return request_refuse(request, ERROR_BAD_REQUEST, "\"%s\" is true or false",
				      request_member_name(member));
	*(bool *)field_of(request, member) = found->type[member] == JSON_TYPE_TRUE;
	return 0;
}

int request_member_text(struct message_request *request, const struct request_scan *found, enum message_member member,
			struct slice *out)
{
	if (found->type[member] != JSON_TYPE_STRING)
		return request_refuse(request, ERROR_BAD_REQUEST, "\"%s\" is a string", request_member_name(member));
	*out = json_scan_text(found->raw[member], (char *)found->raw[member].bytes);
	return 0;
}

static int read_string(struct message_request *request, const struct message_decoder *decoder,
		       const struct request_scan *found, enum message_member member)
{
	(void)decoder;
	return request_member_text(request, found, member, field_of(request, member));
}

static int read_name(struct message_request *request, const struct message_decoder *decoder,
		     const struct request_scan *found, enum message_member member)
{
	struct slice raw = found->raw[member], name = {0}, *out = field_of(request, member);
	(void)decoder;
	if (found->type[member] == JSON_TYPE_STRING && name_is_valid((struct slice){raw.bytes + 1, raw.len - 2})) {
		*out = (struct slice){raw.bytes + 1, raw.len - 2}; /* which has no escapes then */
		return 0;
	}
	if (request_member_text(request, found, member, &name) < 0)
		return -1;
	if (!name_is_valid(name))
		return request_refuse_name(request, "", name);
	*out = name;
	return 0;
}

/* -- Members that are like no others -- */

static int read_max(struct message_request *request, const struct message_decoder *decoder,
		    const struct request_scan *found, enum message_member member)
{
	uint64_t highest = request->op == OP_TAKE   ? MESSAGE_MAX_TAKE
			   : request->op == OP_MOVE ? MESSAGE_MAX_MOVE
						    : MESSAGE_MAX_ROWS;
	(void)decoder;
	return read_number(request, found, member, 1, highest, &request->max);
}

static int read_max_deliveries(struct message_request *request, const struct message_decoder *decoder,
			       const struct request_scan *found, enum message_member member)
{
	(void)decoder;
	return read_number(request, found, member, request->op == OP_ALTER ? 0 : 1, MESSAGE_MAX_DELIVERIES,
			   &request->max_deliveries);
}

static int read_dead_letter(struct message_request *request, const struct message_decoder *decoder,
			    const struct request_scan *found, enum message_member member)
{
	if (request->op == OP_ALTER && found->type[member] == JSON_TYPE_NULL)
		return 0;
	return read_name(request, decoder, found, member);
}

/* A channel; of cluster, a daemon. */
static int read_to(struct message_request *request, const struct message_decoder *decoder,
		   const struct request_scan *found, enum message_member member)
{
	return request->op == OP_CLUSTER ? read_string(request, decoder, found, member)
					 : read_name(request, decoder, found, member);
}

/* A row's seq; where rows have names, a name. */
static int read_after(struct message_request *request, const struct message_decoder *decoder,
		      const struct request_scan *found, enum message_member member)
{
	bool has_seqs = request->op == OP_WAITERS || request->op == OP_LEASES || request->op == OP_TAPS;
	return has_seqs ? read_number(request, found, member, 0, MESSAGE_MAX_ID, &request->after_seq)
			: read_string(request, decoder, found, member);
}

/* A tap's is an object of pointers, which proto/match.h compiles. Matching a list's glob takes pattern × name steps for
 * every channel there is, so that has its limit. */
static int read_match(struct message_request *request, const struct message_decoder *decoder,
		      const struct request_scan *found, enum message_member member)
{
	if (request->op == OP_TAP) {
		if (found->type[member] != JSON_TYPE_OBJECT)
			return request_refuse(
				request, ERROR_BAD_REQUEST,
				"\"match\" is an object of JSON pointers, such as {\"/type\": \"order\"}");
		request->match = found->raw[member];
		return 0;
	}
	if (read_string(request, decoder, found, member) < 0)
		return -1;
	if (request->match.len > MESSAGE_MAX_GLOB_BYTES)
		return request_refuse(request, ERROR_BAD_REQUEST, "\"match\" has at most %d bytes",
				      MESSAGE_MAX_GLOB_BYTES);
	return 0;
}

static int read_producer(struct message_request *request, const struct message_decoder *decoder,
			 const struct request_scan *found, enum message_member member)
{
	if (read_string(request, decoder, found, member) < 0)
		return -1;
	if (request->producer.len < 1 || request->producer.len > MESSAGE_MAX_PRODUCER_BYTES)
		return request_refuse(request, ERROR_BAD_REQUEST, "\"producer\" has 1 to %d bytes",
				      MESSAGE_MAX_PRODUCER_BYTES);
	return 0;
}

static int read_group(struct message_request *request, const struct message_decoder *decoder,
		      const struct request_scan *found, enum message_member member)
{
	if (read_string(request, decoder, found, member) < 0)
		return -1;
	if (group_name_is_valid(request->group))
		return 0;
	return request_refuse(request, ERROR_BAD_REQUEST,
			      "\"%.*s%s\" is not a group's name: 1 to 126 of A-Z a-z 0-9 . _ : { -",
			      request_quotable(request->group), request->group.bytes, request_cut(request->group));
}

static int refuse_value(struct message_request *request, const char *where, bool too_deep)
{
	return request_refuse(request, ERROR_BAD_VALUE, "%s%s", where,
			      too_deep ? "it is nested deeper than 128" : "it is null");
}

static int read_value(struct message_request *request, const struct message_decoder *decoder,
		      const struct request_scan *found, enum message_member member)
{
	(void)decoder;
	if (found->value_trouble)
		return refuse_value(request, "", found->value_trouble == TROUBLE_DEPTH);
	request->value = found->raw[member];
	return 0;
}

static int read_values(struct message_request *request, const struct message_decoder *decoder,
		       const struct request_scan *found, enum message_member member)
{
	char where[48];
	if (found->type[member] != JSON_TYPE_ARRAY || found->n_values == 0)
		return request_refuse(request, ERROR_BAD_REQUEST, "\"values\" is an array of at least one value");
	if (found->values_trouble)
		snprintf(where, sizeof(where), "number %zu of \"values\", from 0: ", found->values_at);
	switch (found->values_trouble) {
	case TROUBLE_NULL:
	case TROUBLE_DEPTH:
		return refuse_value(request, where, found->values_trouble == TROUBLE_DEPTH);
	case TROUBLE_MEMORY:
		return request_refuse(request, ERROR_OVERLOADED, "no memory for a batch of this size");
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
		     const struct request_scan *found, enum message_member member)
{
	char where[48];
	if (found->type[member] != JSON_TYPE_ARRAY || found->n_arms == 0 || found->n_arms > MESSAGE_MAX_ARMS)
		return request_refuse(request, ERROR_BAD_REQUEST, "\"arms\" is an array of 1 to %d arms",
				      MESSAGE_MAX_ARMS);
	if (found->arms_trouble)
		snprintf(where, sizeof(where), "arm %zu: ", found->arms_at);
	switch (found->arms_trouble) {
	case TROUBLE_NULL:
	case TROUBLE_DEPTH:
		return refuse_value(request, where, found->arms_trouble == TROUBLE_DEPTH);
	case TROUBLE_ARM:
		return request_refuse(request, ERROR_BAD_REQUEST,
				      "arm %zu %s; an arm is {\"take\":channel} or {\"put\":channel,\"value\":value}",
				      found->arms_at, found->arm_detail);
	case TROUBLE_ARM_NAME:
		return request_refuse_name(request, where, found->arm_name);
	case TROUBLE_MEMORY:
	case NO_TROUBLE:
		break;
	}
	request->arms = decoder->arms;
	request->n_arms = found->n_arms;
	return 0;
}

/* -- The rules -- */

#define INTO(field) offsetof(struct message_request, field)

static const struct member_rule rules[N_MEMBERS] = {
	[MEMBER_CHANNEL] = {read_name, INTO(channel)},
	[MEMBER_VALUE] = {read_value},
	[MEMBER_VALUES] = {read_values},
	[MEMBER_ARMS] = {read_arms},
	[MEMBER_TIMEOUT_MS] = {read_uint, INTO(timeout_ms), 0, MESSAGE_MAX_MS},
	[MEMBER_MAX] = {read_max},
	[MEMBER_COUNT] = {read_uint, INTO(count), 1, MESSAGE_MAX_COUNT},
	[MEMBER_PRIORITY] = {read_bool, INTO(priority)},
	[MEMBER_KIND] = {read_string, INTO(kind)},
	[MEMBER_CAPACITY] = {read_uint, INTO(capacity), 0, MESSAGE_MAX_ID},
	[MEMBER_EPHEMERAL] = {read_bool, INTO(ephemeral)},
	[MEMBER_DURABLE] = {read_bool, INTO(durable)},
	[MEMBER_MAX_WAITERS] = {read_uint, INTO(max_waiters), 0, MESSAGE_MAX_ID},
	[MEMBER_MAX_DELIVERIES] = {read_max_deliveries},
	[MEMBER_DEAD_LETTER] = {read_dead_letter, INTO(dead_letter)},
	[MEMBER_LEASE_MS] = {read_uint, INTO(lease_ms), 1, MESSAGE_MAX_MS},
	[MEMBER_DELAY_MS] = {read_uint, INTO(delay_ms), 0, MESSAGE_MAX_MS},
	[MEMBER_COUNTED] = {read_bool, INTO(counted)},
	[MEMBER_PRODUCER] = {read_producer, INTO(producer)},
	[MEMBER_SEQ] = {read_uint, INTO(seq), 0, MESSAGE_MAX_ID},
	[MEMBER_FROM] = {read_name, INTO(from)},
	[MEMBER_GROUP] = {read_group, INTO(group)},
	[MEMBER_TO] = {read_to, INTO(to)},
	[MEMBER_STICKY] = {read_bool, INTO(sticky)},
	[MEMBER_LEASE] = {read_string, INTO(lease)},
	[MEMBER_FORCE] = {read_bool, INTO(force)},
	[MEMBER_REQUEST] = {read_uint, INTO(request), 0, MESSAGE_MAX_ID},
	[MEMBER_MATCH] = {read_match, INTO(match)},
	[MEMBER_CLOSE] = {read_bool, INTO(close)},
	[MEMBER_STATE] = {read_string, INTO(state)},
	[MEMBER_AFTER] = {read_after, INTO(after)},
	[MEMBER_LIMIT] = {read_uint, INTO(limit), 1, MESSAGE_MAX_ROWS},
	[MEMBER_PROTOCOL] = {read_uint, INTO(protocol), 0, MESSAGE_MAX_ID},
	[MEMBER_NAME] = {read_string, INTO(name)},
	[MEMBER_TOKEN] = {read_string, INTO(token)},
};

int request_members_read(struct message_request *request, const struct message_decoder *decoder,
			 const struct request_scan *found, uint64_t members)
{
	for (; members; members &= members - 1) {
		enum message_member member = (enum message_member)__builtin_ctzll(members);
		if (rules[member].read(request, decoder, found, member) < 0)
			return -1;
	}
	return 0;
}
