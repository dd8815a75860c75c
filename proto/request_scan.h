/* The pass over a request's body: which members are there, and where. What they mean for the op is request_members.c's
 * business. */
#ifndef MILLRACE_PROTO_REQUEST_SCAN_H
#define MILLRACE_PROTO_REQUEST_SCAN_H

#include "proto/json_scan.h"
#include "proto/message.h"

enum trouble { /* with a value or the parts of one; the first one counts */
	       NO_TROUBLE,
	       TROUBLE_NULL,
	       TROUBLE_DEPTH,
	       TROUBLE_MEMORY,
	       TROUBLE_ARM, /* as arm_detail says */
	       TROUBLE_ARM_NAME,
};

/* What was found in the body. */
struct request_scan {
	struct json_scan scan;
	uint64_t present;     /* MESSAGE_BIT(member) */
	uint64_t doubled;     /* those that occur twice */
	struct slice unknown; /* the name of the first unknown member, unescaped; bytes NULL: there is none */
	bool is_unusual; /* a member, or an arm, was not as nearly all are written; its name may have had escapes */
	enum trouble value_trouble, values_trouble, arms_trouble;
	/* Of what is there; the rest is not set. */
	size_t n_values, values_at; /* values_at: the index of the one in trouble */
	size_t n_arms, arms_at;
	const char *arm_detail; /* static */
	struct slice arm_name;
	struct slice raw[N_MEMBERS];
	enum json_type type[N_MEMBERS];
};

/* The member's name. */
const char *request_member_name(enum message_member member);

/* Scans the whole body; values and arms are collected in the decoder. Returns false if it is not one JSON object:
 * found->scan says what is wrong, and what was found before that is set. */
bool request_scan(struct message_decoder *decoder, char *body, size_t len, struct request_scan *found);

/* Two that go on after request_scan(), with a text that stands elsewhere: an object of further members; or the value of
 * one, which has none yet. They return as it does, and found->scan is then the scan of that text alone: who reads a
 * number of the other by json_scan_uint_here() reads past its end. */
bool request_scan_members(struct message_decoder *decoder, struct slice text, struct request_scan *found);
bool request_scan_member(struct message_decoder *decoder, struct slice text, enum message_member member,
			 struct request_scan *found);

static inline bool request_scan_has(const struct request_scan *found, enum message_member member)
{
	return found->present & MESSAGE_BIT(member);
}

#endif
