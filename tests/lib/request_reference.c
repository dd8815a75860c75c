#include "tests/lib/request_reference.h"

#include <check.h>
#include <stdio.h>
#include <string.h>

#include "proto/message.h"
#include "proto/name.h"

/* Ops: the members that they need, and those that they may have. */
static const struct {
	const char *name, *needed, *optional;
} ops[] = {
	{"hello", "protocol", "name token"},
	{"ping", "", ""},
	{"create", "kind", "channel capacity ephemeral max_deliveries dead_letter max_waiters"},
	{"close", "channel", ""},
	{"delete", "channel", "force"},
	{"alter", "channel", "capacity max_waiters max_deliveries dead_letter"},
	{"put", "channel", "value values timeout_ms delay_ms producer seq"},
	{"take", "channel", "max count timeout_ms lease_ms sticky"},
	{"alts", "arms", "priority timeout_ms lease_ms sticky"},
	{"cancel", "request", ""},
	{"ack", "lease", ""},
	{"nack", "lease", "delay_ms counted"},
	{"extend", "lease lease_ms", ""},
	{"leases", "", "channel after limit"},
	{"move", "from", "to max"},
	{"peek", "channel", "max"},
	{"list", "", "match after limit"},
	{"stat", "channel", ""},
	{"waiters", "", "channel after limit"},
};

const struct reference_number reference_numbers[REFERENCE_N_NUMBERS] = {
	{"timeout_ms", 0, (1LL << 31) - 1, offsetof(struct message_request, timeout_ms)},
	{"delay_ms", 0, (1LL << 31) - 1, offsetof(struct message_request, delay_ms)},
	{"lease_ms", 1, (1LL << 31) - 1, offsetof(struct message_request, lease_ms)},
	{"count", 1, 1000000, offsetof(struct message_request, count)},
	{"seq", 0, (1LL << 53) - 1, offsetof(struct message_request, seq)},
	{"request", 0, (1LL << 53) - 1, offsetof(struct message_request, request)},
	{"limit", 1, 1000000, offsetof(struct message_request, limit)},
	{"capacity", 0, (1LL << 53) - 1, offsetof(struct message_request, capacity)},
	{"max_waiters", 0, (1LL << 53) - 1, offsetof(struct message_request, max_waiters)},
	{"protocol", 0, (1LL << 53) - 1, offsetof(struct message_request, protocol)},
};

static void tell(struct reference *reference, enum error error, const char *word)
{
	if (reference->error != ERROR_NONE && reference->error != error)
		reference->error = ERROR_COUNT; /* one of several */
	else
		reference->error = error;
	if (reference->n_told < REFERENCE_MAX_FOUND)
		snprintf(reference->told[reference->n_told++], WORD_CAP, "%s", word);
}

const struct found *reference_find(const struct reference *reference, const char *name)
{
	for (unsigned i = 0; i < reference->n; i++)
		if (strcmp(reference->found[i].name, name) == 0)
			return &reference->found[i];
	return NULL;
}

bool is_among(const char *names, const char *name)
{
	size_t len = strlen(name);
	for (const char *at = names; len && (at = strstr(at, name)); at++)
		if ((at == names || at[-1] == ' ') && (at[len] == '\0' || at[len] == ' '))
			return true;
	return false;
}

const char *reference_op(const struct reference *reference)
{
	return ops[reference->op].name;
}

bool reference_knows(const struct reference *reference, const char *name)
{
	return is_among(ops[reference->op].needed, name) || is_among(ops[reference->op].optional, name);
}

/* Behind the value at `at` of a text that is JSON. */
static const char *behind_value(const char *at)
{
	int depth = 0;
	for (bool in_string = false;; at++) {
		if (in_string) {
			if (*at == '\\') {
				at++; /* over what is escaped */
				continue;
			}
			in_string = *at != '"';
			if (!in_string && depth == 0)
				return at + 1;
			continue;
		}
		if (depth == 0 && strchr(",}] \t\r\n:", *at))
			return at;
		in_string = *at == '"';
		depth += (*at == '[' || *at == '{') - (*at == ']' || *at == '}');
		if (depth == 0 && (*at == ']' || *at == '}'))
			return at + 1;
	}
}

static const char *behind_space(const char *at)
{
	return at + strspn(at, " \t\r\n");
}

json_t *reference_load(struct slice text)
{
	return json_loadb(text.bytes, text.len, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
}

/* The members of the text, which is an object. */
static void split(struct reference *reference, const char *text)
{
	const char *at = behind_space(behind_space(text) + 1);
	while (*at != '}') {
		struct found *found = &reference->found[reference->n++];
		ck_assert_uint_le(reference->n, REFERENCE_MAX_FOUND);
		const char *end = behind_value(at);
		json_t *name = reference_load((struct slice){at, (size_t)(end - at)});
		snprintf(found->name, REQUEST_CAP, "%s", json_string_value(name));
		json_decref(name);
		at = behind_space(behind_space(end) + 1);
		end = behind_value(at);
		found->raw = (struct slice){at, (size_t)(end - at)};
		found->tree = reference_load(found->raw);
		at = behind_space(end);
		if (*at == ',')
			at = behind_space(at + 1);
	}
}

/* Whether the member is a whole number in plain digits, in that range. */
static bool is_number(const struct found *found, long long lowest, long long highest)
{
	size_t digits = 0;
	while (digits < found->raw.len && found->raw.bytes[digits] >= '0' && found->raw.bytes[digits] <= '9')
		digits++;
	return json_is_integer(found->tree) && digits == found->raw.len && json_integer_value(found->tree) >= lowest &&
	       json_integer_value(found->tree) <= highest;
}

static bool is_name(const json_t *tree)
{
	return json_is_string(tree) && name_is_valid((struct slice){json_string_value(tree), json_string_length(tree)});
}

/* What is wrong with the arms, if anything is: all of it has to do with "arm" or "arms". */
static void judge_arms(struct reference *reference, const struct found *found)
{
	size_t i;
	json_t *arm;
	if (!json_is_array(found->tree) || json_array_size(found->tree) < 1 || json_array_size(found->tree) > 64)
		tell(reference, ERROR_BAD_REQUEST, "\"arms\"");
	json_array_foreach(found->tree, i, arm)
	{
		json_t *take = json_object_get(arm, "take"), *put = json_object_get(arm, "put"),
		       *value = json_object_get(arm, "value");
		char word[32];
		snprintf(word, sizeof(word), "arm %zu", i);
		if (!json_is_object(arm) || !take == !put || !value != !put ||
		    json_object_size(arm) != (value ? 2 : 1) || !json_is_string(take ? take : put))
			tell(reference, ERROR_BAD_REQUEST, word);
		else if (json_is_null(value))
			tell(reference, ERROR_BAD_VALUE, word);
		else if (!is_name(take ? take : put))
			tell(reference, ERROR_BAD_CHANNEL, word);
	}
}

static void judge_values(struct reference *reference, const struct found *found)
{
	size_t i;
	json_t *value;
	if (!json_is_array(found->tree) || json_array_size(found->tree) == 0)
		tell(reference, ERROR_BAD_REQUEST, "\"values\"");
	json_array_foreach(found->tree, i, value)
	{
		if (json_is_null(value)) {
			tell(reference, ERROR_BAD_VALUE, "\"values\"");
			return;
		}
	}
}

/* What is wrong with one member that the op has. */
static void judge(struct reference *reference, const char *op, const struct found *found)
{
	char quoted[WORD_CAP];
	snprintf(quoted, sizeof(quoted), "\"%s\"", found->name);
	bool is_alter = strcmp(op, "alter") == 0;
	for (size_t i = 0; i < REFERENCE_N_NUMBERS; i++)
		if (strcmp(reference_numbers[i].name, found->name) == 0 &&
		    !is_number(found, reference_numbers[i].lowest, reference_numbers[i].highest))
			tell(reference, ERROR_BAD_REQUEST, quoted);
	if (strcmp(found->name, "max") == 0 && !is_number(found, 1, strcmp(op, "take") == 0 ? 1000 : 1000000))
		tell(reference, ERROR_BAD_REQUEST, quoted);
	if (strcmp(found->name, "max_deliveries") == 0 && !is_number(found, is_alter ? 0 : 1, 1000000))
		tell(reference, ERROR_BAD_REQUEST, quoted);
	if (strcmp(found->name, "after") == 0 &&
	    !(strcmp(op, "list") == 0 ? json_is_string(found->tree) : is_number(found, 0, (1LL << 53) - 1)))
		tell(reference, ERROR_BAD_REQUEST, quoted);
	if (is_among("priority sticky ephemeral force counted", found->name) && !json_is_boolean(found->tree))
		tell(reference, ERROR_BAD_REQUEST, quoted);
	if (is_among("kind match name token lease producer", found->name) &&
	    (!json_is_string(found->tree) ||
	     (strcmp(found->name, "match") == 0 && json_string_length(found->tree) > 256)))
		tell(reference, ERROR_BAD_REQUEST, quoted);
	else if (strcmp(found->name, "producer") == 0 &&
		 (json_string_length(found->tree) < 1 || json_string_length(found->tree) > 64))
		tell(reference, ERROR_BAD_REQUEST, quoted);
	bool may_be_null = is_alter && strcmp(found->name, "dead_letter") == 0 && json_is_null(found->tree);
	if (is_among("channel dead_letter from to", found->name) && !may_be_null && !is_name(found->tree))
		tell(reference, json_is_string(found->tree) ? ERROR_BAD_CHANNEL : ERROR_BAD_REQUEST,
		     json_is_string(found->tree) ? "a name is" : quoted);
	if (strcmp(found->name, "value") == 0 && json_is_null(found->tree))
		tell(reference, ERROR_BAD_VALUE, "null");
	if (strcmp(found->name, "values") == 0)
		judge_values(reference, found);
	if (strcmp(found->name, "arms") == 0)
		judge_arms(reference, found);
}

/* Members that the op does not know, that are there twice, and that are missing, in this order. */
static void judge_presence(struct reference *reference)
{
	const char *needed = ops[reference->op].needed;
	bool is_hello = strcmp(reference_op(reference), "hello") == 0;
	char word[WORD_CAP];
	for (unsigned i = 0; i < reference->n && !is_hello; i++) {
		const char *name = reference->found[i].name;
		snprintf(word, sizeof(word), "\"%.60s", name);
		if (!is_among("id op", name) && !reference_knows(reference, name))
			tell(reference, ERROR_BAD_REQUEST, word);
	}
	if (reference->error)
		return;
	for (unsigned i = 0; i < reference->n; i++) {
		const char *name = reference->found[i].name;
		snprintf(word, sizeof(word), "\"%s\" is there twice", name);
		if (reference_find(reference, name) != &reference->found[i] &&
		    (is_among("id op", name) || reference_knows(reference, name)))
			tell(reference, ERROR_BAD_REQUEST, word);
	}
	if (reference->error)
		return;
	for (const char *at = needed; *at; at += strcspn(at, " ") + (at[strcspn(at, " ")] == ' ')) {
		char name[32];
		snprintf(name, sizeof(name), "%.*s", (int)strcspn(at, " "), at);
		snprintf(word, sizeof(word), "\"%s\" is missing", name);
		if (!reference_find(reference, name))
			tell(reference, ERROR_BAD_REQUEST, word);
	}
}

/* Members that come together, or not together. */
static void judge_together(struct reference *reference)
{
	const char *op = reference_op(reference);
#define HAS(name) (reference_find(reference, name) != NULL)
	if (strcmp(op, "put") == 0 && HAS("value") == HAS("values"))
		tell(reference, ERROR_BAD_REQUEST, "either");
	else if (strcmp(op, "put") == 0 && HAS("producer") != HAS("seq"))
		tell(reference, ERROR_BAD_REQUEST, "come together");
	else if (strcmp(op, "take") == 0 && HAS("max") && HAS("count"))
		tell(reference, ERROR_BAD_REQUEST, "not both");
	else if (is_among("take alts", op) && HAS("sticky") && !HAS("lease_ms"))
		tell(reference, ERROR_BAD_REQUEST, "\"sticky\"");
	else if (strcmp(op, "create") == 0 && HAS("max_deliveries") != HAS("dead_letter"))
		tell(reference, ERROR_BAD_REQUEST, "come together");
#undef HAS
}

static void judge_envelope(struct reference *reference)
{
	const struct found *id = reference_find(reference, "id"), *op = reference_find(reference, "op");
	reference->op = -1;
	reference->has_id = id && is_number(id, 0, (1LL << 53) - 1);
	reference->id = reference->has_id ? (uint64_t)json_integer_value(id->tree) : MESSAGE_NO_ID;
	if (id && !reference->has_id) {
		tell(reference, ERROR_BAD_REQUEST, "\"id\"");
		return;
	}
	if (!op || !json_is_string(op->tree)) {
		tell(reference, ERROR_BAD_REQUEST, "\"op\"");
		return;
	}
	for (size_t i = 0; i < sizeof(ops) / sizeof(ops[0]); i++)
		if (json_string_length(op->tree) == strlen(ops[i].name) &&
		    strcmp(json_string_value(op->tree), ops[i].name) == 0)
			reference->op = (int)i;
	if (reference->op < 0)
		tell(reference, ERROR_UNKNOWN_OP, "\"");
	else if (!id && strcmp(reference_op(reference), "put") != 0)
		tell(reference, ERROR_BAD_REQUEST, "\"id\" is missing");
}

/* False: jansson has an opinion of its own about this text, as its reference_numbers and names have limits. */
bool reference_read(struct reference *reference, const char *text, size_t len)
{
	json_error_t error;
	json_t *tree = json_loadb(text, len, JSON_DECODE_ANY | JSON_ALLOW_NUL, &error);
	enum json_error_code code = json_error_code(&error);
	reference->n = reference->n_told = 0;
	reference->error = ERROR_NONE;
	if (!tree && (code == json_error_numeric_overflow || code == json_error_null_byte_in_key))
		return false;
	bool is_object = json_is_object(tree);
	json_decref(tree);
	if (!is_object) {
		tell(reference, ERROR_BAD_JSON, "at byte");
		return true;
	}
	split(reference, text);
	judge_envelope(reference);
	if (!reference->error)
		judge_presence(reference);
	if (!reference->error)
		judge_together(reference);
	bool is_sound = !reference->error;
	for (unsigned i = 0; is_sound && i < reference->n; i++)
		if (reference_knows(reference, reference->found[i].name))
			judge(reference, reference_op(reference), &reference->found[i]);
	return true;
}

void reference_forget(struct reference *reference)
{
	for (unsigned i = 0; i < reference->n; i++)
		json_decref(reference->found[i].tree);
}
