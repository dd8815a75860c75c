/* Shapes stand in a ring: a new one takes the place of the oldest. Which one comes next is guessed, as requests often
 * alternate: each shape remembers which came after it. */
#include "proto/request_shape.h"

#include <stdlib.h>

#include "proto/name.h"

enum {
	SHAPES = 4,
	MAX_HOLES = 6,
	TEXT_BYTES = 2048, /* of a shape, at most: 64 arms of short names */
	WORD_BYTES = 8,
};

#define BIT(member) MESSAGE_BIT(MEMBER_##member)

/* What differs from one request to the next. */
static const uint64_t of_holes = BIT(ID) | BIT(CHANNEL) | BIT(VALUE) | BIT(SEQ) | BIT(REQUEST) | BIT(LEASE);

struct hole {
	enum message_member member;
	size_t text_len; /* of the text between the hole before it, or the beginning, and it */
};

struct request_shape {
	struct hole holes[MAX_HOLES]; /* in the order in which they come */
	unsigned n_holes;
	unsigned next;   /* which shape came after this one the last time */
	size_t rest_len; /* of the text behind the last hole */
	size_t text_len; /* of all its text, which stands here without the holes; 0: nothing was learnt yet */
	char text[TEXT_BYTES + WORD_BYTES];
	size_t name_len; /* of the channel that came last, in quotes: it is most likely the same again, and valid */
	char name[NAME_MAX_BYTES + 2 + WORD_BYTES];
	struct message_request request; /* what it means, as far as `kind` */
	struct message_arm arms[MESSAGE_MAX_ARMS];
};

struct request_shapes {
	unsigned last, oldest;
	struct request_shape shapes[SHAPES];
};

/* -- Matching: each step takes where the input stands, and returns where it goes on; NULL: it is something else -- */

/* What is matched, which has at least one word. */
struct input {
	const char *end;
	const char *last_word; /* where the last eight bytes begin */
};

/* Eight bytes of the input, as json_scan_word() has them. `at` is before the end. */
static inline uint64_t input_word(struct input in, const char *at)
{
	return at <= in.last_word ? word_at(at) : word_at(in.last_word) >> (8 * (at - in.last_word));
}

/* The text, which is not empty, and behind which a word may be read. The last word of a long one overlaps the one
 * before. */
static inline const char *eat_text(struct input in, const char *at, const char *text, size_t len)
{
	if ((size_t)(in.end - at) < len)
		return NULL;
	const char *end = at + len;
	if (len >= WORD_BYTES) {
		for (; len > WORD_BYTES; at += WORD_BYTES, text += WORD_BYTES, len -= WORD_BYTES)
			if (word_at(at) != word_at(text))
				return NULL;
		return word_at(end - WORD_BYTES) == word_at(text + len - WORD_BYTES) ? end : NULL;
	}
	return (input_word(in, at) ^ word_at(text)) << (8 * (WORD_BYTES - len)) ? NULL : end;
}

/* Any value, in the scanner's way. */
static __attribute__((noinline)) const char *eat_any_value(struct input in, const char *at, struct slice *raw,
							   enum json_type *type)
{
	struct json_scan scan;
	json_scan_init(&scan, at, (size_t)(in.end - at));
	*type = json_scan_value(&scan, raw);
	return *type == JSON_TYPE_NONE ? NULL : scan.at;
}

static __attribute__((noinline)) const char *eat_any_number(struct input in, const char *at, uint64_t *out)
{
	struct slice raw;
	enum json_type type;
	unsigned long long number;
	at = eat_any_value(in, at, &raw, &type);
	if (!at || type != JSON_TYPE_NUMBER || json_scan_uint(raw, MESSAGE_MAX_ID, &number) < 0)
		return NULL;
	*out = number;
	return at;
}

/* Of up to fifteen digits. Behind the number stands the shape's text, with which none goes on. */
static inline const char *eat_number(struct input in, const char *at, uint64_t *out)
{
	static const uint32_t powers[WORD_BYTES] = {1, 10, 100, 1000, 10000, 100000, 1000000, 10000000};
	uint64_t word = input_word(in, at), number = 0;
	unsigned n = word_digits(word);
	if (n == 0 || (n > 1 && (char)word == '0'))
		return eat_any_number(in, at, out);
	if (n == WORD_BYTES) {
		const char *rest = at + WORD_BYTES;
		number = word_number(word);
		if (rest == in.end || (n = word_digits(word = input_word(in, rest))) == WORD_BYTES)
			return eat_any_number(in, at, out);
		at = rest;
		number *= powers[n];
	}
	*out = number + (n ? word_number(word << (8 * (WORD_BYTES - n))) : 0);
	return at + n;
}

/* A name that is another than the last one. */
static __attribute__((noinline)) const char *eat_other_name(struct request_shape *shape, struct input in,
							    const char *at, struct slice *name)
{
	struct slice raw;
	enum json_type type;
	at = eat_any_value(in, at, &raw, &type);
	if (!at || type != JSON_TYPE_STRING)
		return NULL;
	*name = (struct slice){raw.bytes + 1, raw.len - 2};
	if (!name_is_valid(*name)) /* nor is it with an escape */
		return NULL;
	shape->name_len = raw.len;
	memcpy(shape->name, raw.bytes, raw.len);
	return at;
}

static inline const char *eat_name(struct request_shape *shape, struct input in, const char *at, struct slice *name)
{
	const char *end = eat_text(in, at, shape->name, shape->name_len);
	if (!end)
		return eat_other_name(shape, in, at, name);
	*name = (struct slice){at + 1, (size_t)(end - at) - 2};
	return end;
}

/* From where a string is not plain any more. */
static __attribute__((noinline)) const char *eat_string_rest(struct input in, const char *at)
{
	struct json_scan scan;
	json_scan_init(&scan, at, (size_t)(in.end - at));
	return json_scan_string_rest(&scan, at);
}

static inline const char *eat_value(struct input in, const char *at, struct slice *value)
{
	if (*at == '"') {
		const char *begin = at;
		at = plain_end(at + 1, in.end);
		at = at < in.end && *at == '"' ? at + 1 : eat_string_rest(in, at);
		*value = (struct slice){begin, at ? (size_t)(at - begin) : 1};
		return at;
	}
	enum json_type type;
	at = eat_any_value(in, at, value, &type);
	return at && type != JSON_TYPE_NULL ? at : NULL;
}

static const char *eat_string(struct input in, const char *at, struct slice *string)
{
	struct slice raw;
	enum json_type type;
	at = eat_any_value(in, at, &raw, &type);
	if (!at || type != JSON_TYPE_STRING || memchr(raw.bytes, '\\', raw.len))
		return NULL;
	*string = (struct slice){raw.bytes + 1, raw.len - 2};
	return at;
}

static __attribute__((noinline)) const char *eat_rare_hole(enum message_member member, struct input in, const char *at,
							   struct message_request *request)
{
	switch (member) {
	case MEMBER_SEQ:
		return eat_number(in, at, &request->seq);
	case MEMBER_REQUEST:
		return eat_number(in, at, &request->request);
	case MEMBER_LEASE:
		return eat_string(in, at, &request->lease);
	default:
		return NULL;
	}
}

static inline const char *eat_hole(struct request_shape *shape, enum message_member member, struct input in,
				   const char *at, struct message_request *request)
{
	if (member == MEMBER_ID)
		return eat_number(in, at, &request->id);
	if (member == MEMBER_CHANNEL)
		return eat_name(shape, in, at, &request->channel);
	if (member == MEMBER_VALUE)
		return eat_value(in, at, &request->value);
	return eat_rare_hole(member, in, at, request);
}

/* *is_lost: it is no use to try others. A value, which may be long, is gone over once. */
static inline bool match(struct request_shape *shape, struct input in, const char *at, struct message_request *request,
			 bool *is_lost)
{
	const char *text = shape->text;
	const struct hole *hole = shape->holes, *end = hole + shape->n_holes;
	if (!shape->text_len || !(at = eat_text(in, at, text, hole->text_len)))
		return false;
	memcpy(request, &shape->request, offsetof(struct message_request, kind));
	for (;;) {
		text += hole->text_len;
		if (at == in.end || !(at = eat_hole(shape, hole->member, in, at, request)))
			break;
		if (++hole == end)
			return eat_text(in, at, text, shape->rest_len) == in.end;
		if (!(at = eat_text(in, at, text, hole->text_len)))
			break;
	}
	*is_lost = request->value.len > 0;
	return false;
}

bool request_shapes_match(struct request_shapes *shapes, const char *body, size_t len, struct message_request *request)
{
	if (!shapes || len < WORD_BYTES)
		return false;
	struct input in = {body + len, body + len - WORD_BYTES};
	struct request_shape *before = &shapes->shapes[shapes->last];
	bool is_lost = false;
	for (unsigned i = 0; i < SHAPES && !is_lost; i++) {
		unsigned k = (before->next + i) % SHAPES;
		if (match(&shapes->shapes[k], in, body, request, &is_lost)) {
			before->next = shapes->last = k;
			return true;
		}
	}
	return false;
}

/* -- Learning -- */

/* Whether a text was taken as it stood there: what had escapes has been written over. */
static bool is_as_written(const struct request_scan *found, enum message_member member, struct slice text)
{
	struct slice raw = found->raw[member];
	return !request_scan_has(found, member) || (text.bytes == raw.bytes + 1 && text.len + 2 == raw.len);
}

static bool is_usual(const struct request_scan *found, const struct message_request *request)
{
	struct slice op = found->raw[MEMBER_OP];
	return !found->is_unusual && !request_scan_has(found, MEMBER_VALUES) &&
	       is_as_written(found, MEMBER_CHANNEL, request->channel) &&
	       is_as_written(found, MEMBER_PRODUCER, request->producer) &&
	       is_as_written(found, MEMBER_LEASE, request->lease) &&
	       slice_equal((struct slice){op.bytes + 1, op.len - 2}, slice_from(message_op_name(request->op)));
}

/* The holes in the order of their places. */
static unsigned find_holes(const struct request_scan *found, enum message_member holes[MAX_HOLES])
{
	unsigned n = 0;
	for (uint64_t left = found->present & of_holes; left; left &= left - 1, n++) {
		enum message_member member = (enum message_member)__builtin_ctzll(left);
		unsigned at = n;
		for (; at > 0 && found->raw[holes[at - 1]].bytes > found->raw[member].bytes; at--)
			holes[at] = holes[at - 1];
		holes[at] = member;
	}
	return n;
}

/* Takes over the text between two places. False: there is no room. */
static bool keep_text(struct request_shape *shape, const char *from, const char *to)
{
	size_t len = (size_t)(to - from);
	if (len > TEXT_BYTES - shape->text_len)
		return false;
	memcpy(shape->text + shape->text_len, from, len);
	shape->text_len += len;
	return true;
}

/* Where a text of the body, which is in no hole, stands in the shape. */
static struct slice in_shape(const struct request_shape *shape, const char *body, const struct request_scan *found,
			     struct slice text)
{
	size_t at = (size_t)(text.bytes - body);
	for (unsigned i = 0; i < shape->n_holes; i++) {
		struct slice raw = found->raw[shape->holes[i].member];
		at -= raw.bytes < text.bytes ? raw.len : 0;
	}
	return (struct slice){shape->text + at, text.len};
}

static void learn(struct request_shape *shape, const char *body, size_t len, const struct request_scan *found,
		  const struct message_request *request)
{
	enum message_member members[MAX_HOLES];
	const char *from = body;
	shape->text_len = 0;
	shape->n_holes = find_holes(found, members);
	for (unsigned i = 0; i < shape->n_holes; i++) {
		struct slice raw = found->raw[members[i]];
		shape->holes[i] = (struct hole){members[i], (size_t)(raw.bytes - from)};
		if (!keep_text(shape, from, raw.bytes))
			goto too_long;
		from = raw.bytes + raw.len;
	}
	shape->rest_len = (size_t)(body + len - from);
	if (!keep_text(shape, from, body + len))
		goto too_long;
	memcpy(&shape->request, request, offsetof(struct message_request, kind));
	shape->request.value.len = 0;
	shape->name_len = request->channel.len ? request->channel.len + 2 : 0;
	if (shape->name_len)
		memcpy(shape->name, request->channel.bytes - 1, shape->name_len);
	if (request->producer.len)
		shape->request.producer = in_shape(shape, body, found, request->producer);
	for (size_t i = 0; i < request->n_arms; i++)
		shape->arms[i] =
			(struct message_arm){.channel = in_shape(shape, body, found, request->arms[i].channel)};
	shape->request.arms = request->n_arms ? shape->arms : NULL;
	return;

too_long:
	shape->text_len = 0;
}

void request_shapes_learn(struct request_shapes **shapes, const char *body, size_t len,
			  const struct request_scan *found, const struct message_request *request)
{
	if (!(found->present & of_holes) || !is_usual(found, request))
		return;
	if (!*shapes && !(*shapes = calloc(1, sizeof(**shapes))))
		return;
	unsigned k = (*shapes)->oldest;
	(*shapes)->oldest = (k + 1) % SHAPES;
	(*shapes)->shapes[(*shapes)->last].next = k;
	(*shapes)->last = k;
	learn(&(*shapes)->shapes[k], body, len, found, request);
}
