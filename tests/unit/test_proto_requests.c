/* Requests against a reference that is as simple as can be: jansson says whether the text is JSON and what its values
 * are, the members are found by walking over the bytes, and the protocol's table stands here once more, in words. Both
 * have to agree about requests written in every way, and about such that were changed at random. Texts are in memory of
 * exactly their length. */
#include <stdio.h>
#include <stdlib.h>

#include <jansson.h>

#include "proto/message.h"
#include "proto/name.h"
#include "proto/request_shape.h"
#include "tests/lib/suite.h"

enum { MAX_FOUND = 64, CAP = 700, WORD_CAP = CAP + 32 };

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

/* Members that are whole numbers, and where the request keeps them. */
static const struct {
	const char *name;
	long long lowest, highest;
	size_t at;
} numbers[] = {
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

struct found {
	char name[CAP];
	struct slice raw;
	json_t *tree;
};

/* What the reference makes of a text. */
struct reference {
	struct found found[MAX_FOUND];
	unsigned n;
	/* What may be told: the error, and words of which its detail has to have one; "" says that any will do. */
	enum error error;
	char told[MAX_FOUND][WORD_CAP];
	unsigned n_told;
	int op; /* in ops; -1: none */
	bool has_id;
	uint64_t id;
};

/* -- The reference -- */

static void tell(struct reference *reference, enum error error, const char *word)
{
	if (reference->error != ERROR_NONE && reference->error != error)
		reference->error = ERROR_COUNT; /* one of several */
	else
		reference->error = error;
	if (reference->n_told < MAX_FOUND)
		snprintf(reference->told[reference->n_told++], WORD_CAP, "%s", word);
}

static const struct found *get(const struct reference *reference, const char *name)
{
	for (unsigned i = 0; i < reference->n; i++)
		if (strcmp(reference->found[i].name, name) == 0)
			return &reference->found[i];
	return NULL;
}

static bool is_in(const char *names, const char *name)
{
	size_t len = strlen(name);
	for (const char *at = names; len && (at = strstr(at, name)); at++)
		if ((at == names || at[-1] == ' ') && (at[len] == '\0' || at[len] == ' '))
			return true;
	return false;
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

static json_t *load(struct slice text)
{
	return json_loadb(text.bytes, text.len, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
}

/* The members of the text, which is an object. */
static void split(struct reference *reference, const char *text)
{
	const char *at = behind_space(behind_space(text) + 1);
	while (*at != '}') {
		struct found *found = &reference->found[reference->n++];
		ck_assert_uint_le(reference->n, MAX_FOUND);
		const char *end = behind_value(at);
		json_t *name = load((struct slice){at, (size_t)(end - at)});
		snprintf(found->name, CAP, "%s", json_string_value(name));
		json_decref(name);
		at = behind_space(behind_space(end) + 1);
		end = behind_value(at);
		found->raw = (struct slice){at, (size_t)(end - at)};
		found->tree = load(found->raw);
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
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
		if (strcmp(numbers[i].name, found->name) == 0 &&
		    !is_number(found, numbers[i].lowest, numbers[i].highest))
			tell(reference, ERROR_BAD_REQUEST, quoted);
	if (strcmp(found->name, "max") == 0 && !is_number(found, 1, strcmp(op, "take") == 0 ? 1000 : 1000000))
		tell(reference, ERROR_BAD_REQUEST, quoted);
	if (strcmp(found->name, "max_deliveries") == 0 && !is_number(found, is_alter ? 0 : 1, 1000000))
		tell(reference, ERROR_BAD_REQUEST, quoted);
	if (strcmp(found->name, "after") == 0 &&
	    !(strcmp(op, "list") == 0 ? json_is_string(found->tree) : is_number(found, 0, (1LL << 53) - 1)))
		tell(reference, ERROR_BAD_REQUEST, quoted);
	if (is_in("priority sticky ephemeral force counted", found->name) && !json_is_boolean(found->tree))
		tell(reference, ERROR_BAD_REQUEST, quoted);
	if (is_in("kind match name token lease producer", found->name) &&
	    (!json_is_string(found->tree) ||
	     (strcmp(found->name, "match") == 0 && json_string_length(found->tree) > 256)))
		tell(reference, ERROR_BAD_REQUEST, quoted);
	else if (strcmp(found->name, "producer") == 0 &&
		 (json_string_length(found->tree) < 1 || json_string_length(found->tree) > 64))
		tell(reference, ERROR_BAD_REQUEST, quoted);
	bool may_be_null = is_alter && strcmp(found->name, "dead_letter") == 0 && json_is_null(found->tree);
	if (is_in("channel dead_letter from to", found->name) && !may_be_null && !is_name(found->tree))
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
	const char *needed = ops[reference->op].needed, *optional = ops[reference->op].optional;
	bool is_hello = strcmp(ops[reference->op].name, "hello") == 0;
	char word[WORD_CAP];
	for (unsigned i = 0; i < reference->n && !is_hello; i++) {
		const char *name = reference->found[i].name;
		snprintf(word, sizeof(word), "\"%.60s", name);
		if (!is_in("id op", name) && !is_in(needed, name) && !is_in(optional, name))
			tell(reference, ERROR_BAD_REQUEST, word);
	}
	if (reference->error)
		return;
	for (unsigned i = 0; i < reference->n; i++) {
		const char *name = reference->found[i].name;
		snprintf(word, sizeof(word), "\"%s\" is there twice", name);
		if (get(reference, name) != &reference->found[i] &&
		    (is_in("id op", name) || is_in(needed, name) || is_in(optional, name)))
			tell(reference, ERROR_BAD_REQUEST, word);
	}
	if (reference->error)
		return;
	for (const char *at = needed; *at; at += strcspn(at, " ") + (at[strcspn(at, " ")] == ' ')) {
		char name[32];
		snprintf(name, sizeof(name), "%.*s", (int)strcspn(at, " "), at);
		snprintf(word, sizeof(word), "\"%s\" is missing", name);
		if (!get(reference, name))
			tell(reference, ERROR_BAD_REQUEST, word);
	}
}

/* Members that come together, or not together. */
static void judge_together(struct reference *reference)
{
	const char *op = ops[reference->op].name;
#define HAS(name) (get(reference, name) != NULL)
	if (strcmp(op, "put") == 0 && HAS("value") == HAS("values"))
		tell(reference, ERROR_BAD_REQUEST, "either");
	else if (strcmp(op, "put") == 0 && HAS("producer") != HAS("seq"))
		tell(reference, ERROR_BAD_REQUEST, "come together");
	else if (strcmp(op, "take") == 0 && HAS("max") && HAS("count"))
		tell(reference, ERROR_BAD_REQUEST, "not both");
	else if (is_in("take alts", op) && HAS("sticky") && !HAS("lease_ms"))
		tell(reference, ERROR_BAD_REQUEST, "\"sticky\"");
	else if (strcmp(op, "create") == 0 && HAS("max_deliveries") != HAS("dead_letter"))
		tell(reference, ERROR_BAD_REQUEST, "come together");
#undef HAS
}

static void judge_envelope(struct reference *reference)
{
	const struct found *id = get(reference, "id"), *op = get(reference, "op");
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
	else if (!id && strcmp(ops[reference->op].name, "put") != 0)
		tell(reference, ERROR_BAD_REQUEST, "\"id\" is missing");
}

/* False: jansson has an opinion of its own about this text, as its numbers and names have limits. */
static bool refer(struct reference *reference, const char *text, size_t len)
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
		if (is_in(ops[reference->op].needed, reference->found[i].name) ||
		    is_in(ops[reference->op].optional, reference->found[i].name))
			judge(reference, ops[reference->op].name, &reference->found[i]);
	return true;
}

static void forget(struct reference *reference)
{
	for (unsigned i = 0; i < reference->n; i++)
		json_decref(reference->found[i].tree);
}

/* -- Both, one against the other -- */

static struct message_decoder decoder;
static struct reference reference;
static uint64_t random_state;

static unsigned random_below(unsigned n)
{
	random_state = random_state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (unsigned)(random_state >> 33) % n;
}

static bool says_one_of(const char *detail)
{
	for (unsigned i = 0; i < reference.n_told; i++)
		if (strstr(detail, reference.told[i]))
			return true;
	return false;
}

static void same_string(const char *name, struct slice slice)
{
	const struct found *found = get(&reference, name);
	if (!found || !json_is_string(found->tree)) {
		ck_assert_uint_eq(slice.len, 0);
		return;
	}
	struct slice expected = {json_string_value(found->tree), json_string_length(found->tree)};
	ck_assert_msg(slice_equal(slice, expected), "%s: \"%.*s\"", name, (int)slice.len, slice.bytes);
}

static void same_members(const struct message_request *request, const char *body, const char *text)
{
	const char *op = ops[reference.op].name;
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		const struct found *found = get(&reference, numbers[i].name);
		uint64_t number;
		memcpy(&number, (const char *)request + numbers[i].at, sizeof(number));
		if (found &&
		    (is_in(ops[reference.op].needed, found->name) || is_in(ops[reference.op].optional, found->name)))
			ck_assert_uint_eq(number, (uint64_t)json_integer_value(found->tree));
	}
	if (!is_in("hello ping", op))
		same_string("channel", request->channel);
	if (is_in("ack nack extend", op))
		same_string("lease", request->lease);
	const struct found *value = get(&reference, "value"), *values = get(&reference, "values"),
			   *arms = get(&reference, "arms");
	if (value && strcmp(op, "put") == 0)
		ck_assert(request->value.bytes - body == value->raw.bytes - text &&
			  request->value.len == value->raw.len);
	ck_assert_uint_eq(request->n_values, values && strcmp(op, "put") == 0 ? json_array_size(values->tree) : 0);
	for (size_t i = 0; i < request->n_values; i++) {
		json_t *tree = load(request->values[i]);
		ck_assert(json_equal(tree, json_array_get(values->tree, i)));
		json_decref(tree);
	}
	ck_assert_uint_eq(request->n_arms, arms && strcmp(op, "alts") == 0 ? json_array_size(arms->tree) : 0);
	for (size_t i = 0; i < request->n_arms; i++) {
		const json_t *arm = json_array_get(arms->tree, i),
			     *name = json_object_get(arm, request->arms[i].is_put ? "put" : "take");
		ck_assert(slice_equal(request->arms[i].channel,
				      (struct slice){json_string_value(name), json_string_length(name)}));
	}
}

/* Whether the request is good. */
static bool agree(const char *text, size_t len)
{
	struct message_request request;
	char whole[CAP + 1];
	memcpy(whole, text, len);
	whole[len] = '\0';
	if (!refer(&reference, whole, len))
		return false;
	char *body = malloc(len ? len : 1);
	ck_assert_ptr_nonnull(body);
	memcpy(body, text, len);
	int result = message_decode_request(&decoder, body, len, &request);
	ck_assert_msg((result < 0) == (reference.error != ERROR_NONE), "%s: it says \"%s\", the reference %s, \"%s\"",
		      whole, result < 0 ? request.detail : "", error_name(reference.error), reference.told[0]);
	if (reference.error != ERROR_BAD_JSON)
		ck_assert_msg(request.has_id == reference.has_id && request.id == reference.id, "%s: its id", whole);
	if (result < 0) {
		ck_assert_msg(reference.error == ERROR_COUNT || request.error == reference.error, "%s: %s, not %s",
			      whole, error_name(request.error), error_name(reference.error));
		ck_assert_msg(says_one_of(request.detail), "%s: \"%s\" lacks \"%s\"", whole, request.detail,
			      reference.told[0]);
	} else {
		ck_assert_str_eq(message_op_name(request.op), ops[reference.op].name);
		same_members(&request, body, whole);
	}
	forget(&reference);
	free(body);
	return result == 0;
}

static void setup(void)
{
	random_state = getenv("MILLRACE_SEED") ? strtoull(getenv("MILLRACE_SEED"), NULL, 10) : 20260301;
	printf("seed %llu\n", (unsigned long long)random_state);
}

static void teardown(void)
{
	message_decoder_finish(&decoder);
}

/* Members of requests that are good, in pieces: they are put together in every order. */
static const char *const usual[][9] = {
	{"\"id\":7", "\"op\":\"put\"", "\"channel\":\"jobs\"", "\"value\":{\"a\": [1, null],\"b\":\"\\u00e9\"}"},
	{"\"id\":9007199254740991", "\"op\":\"put\"", "\"channel\":\"a.b:c{d}-e_f\"", "\"value\":\"x\"",
	 "\"timeout_ms\":2147483647"},
	{"\"op\":\"put\"", "\"channel\":\"jobs\"", "\"value\":-1.5e3"},
	{"\"id\":12345678", "\"op\":\"put\"", "\"channel\":\"c\"", "\"values\":[1, \"two\",[3 ,3],{\"f\":4} ]",
	 "\"producer\":\"p-1\"", "\"seq\":123456789", "\"delay_ms\":5"},
	{"\"id\":0", "\"op\":\"take\"", "\"channel\":\"a-name-of-more-than-sixteen-bytes\""},
	{"\"id\":12", "\"op\":\"take\"", "\"channel\":\"jobs\"", "\"max\":1000", "\"timeout_ms\":0"},
	{"\"id\":12", "\"op\":\"take\"", "\"channel\":\"jobs\"", "\"count\":1000000", "\"lease_ms\":30000",
	 "\"sticky\":true"},
	{"\"id\":3", "\"op\":\"alts\"",
	 "\"arms\":[{\"take\":\"a\"},{\"put\":\"b\",\"value\":[true]}, {\"take\": \"a\"},{\"value\":1,\"put\":\"x\"}]",
	 "\"timeout_ms\":250", "\"priority\":true"},
	{"\"id\":4", "\"op\":\"alts\"",
	 "\"arms\":[{\"take\":\"\\u0061\"},{\"take\":\"b\\u0061\"},{\"t\\u0061ke\":\"c\"}]"},
	{"\"id\":3", "\"op\":\"ack\"", "\"lease\":\"0123456789abcdef0123456789abcdef\""},
	{"\"id\":3", "\"op\":\"nack\"", "\"lease\":\"0123456789abcdef\"", "\"delay_ms\":5", "\"counted\":false"},
	{"\"id\":3", "\"op\":\"extend\"", "\"lease\":\"01\"", "\"lease_ms\":77"},
	{"\"id\":3", "\"op\":\"cancel\"", "\"request\":77"},
	{"\"id\":3", "\"op\":\"create\"", "\"channel\":\"c\"", "\"kind\":\"bounded\"", "\"capacity\":5",
	 "\"max_deliveries\":3", "\"dead_letter\":\"d\"", "\"ephemeral\":true", "\"max_waiters\":3"},
	{"\"id\":3", "\"op\":\"alter\"", "\"channel\":\"c\"", "\"max_deliveries\":0", "\"dead_letter\":null"},
	{"\"id\":3", "\"op\":\"list\"", "\"match\":\"*\"", "\"after\":\"x\"", "\"limit\":7"},
	{"\"id\":3", "\"op\":\"hello\"", "\"protocol\":1", "\"name\":\"x\"", "\"token\":\"y\"", "\"zzz\":4"},
	{"\"id\":3", "\"op\":\"move\"", "\"from\":\"a\"", "\"to\":\"b\"", "\"max\":3"},
	{"\"id\":3", "\"op\":\"waiters\"", "\"channel\":\"a\"", "\"after\":4", "\"limit\":9"},
	{"\"id\":3", "\"op\":\"delete\"", "\"channel\":\"a\"", "\"force\":true"},
	{"\"\\u0069d\":1", "\"\\u006fp\":\"p\\u0075t\"", "\"ch\\u0061nnel\":\"j\\u006fbs\"", "\"value\":\"\\u006f\""},
};
enum { N_USUAL = sizeof(usual) / sizeof(usual[0]) };

/* One of them, its members in any order, and with or without blanks between them. */
static size_t write_usual(char *text, unsigned which)
{
	static const char *const separators[][2] = {{"{", ","}, {"{", ", "}, {" {\n", " ,\t"}};
	unsigned n = 0, order[9], style = random_below(3);
	while (n < 9 && usual[which][n])
		n++;
	for (unsigned i = 0; i < n; i++) {
		unsigned j = random_below(i + 1);
		order[i] = order[j];
		order[j] = i;
	}
	int len = 0;
	for (unsigned i = 0; i < n; i++) {
		const char *member = usual[which][order[i]], *colon = strstr(member, "\":") + 2;
		len += snprintf(text + len, CAP - (size_t)len, "%s%.*s%s%s", separators[style][i > 0],
				(int)(colon - member), member, style ? " " : "", colon);
	}
	return (size_t)len + (size_t)snprintf(text + len, CAP - (size_t)len, "%s}", style == 2 ? "\r\n" : "");
}

START_TEST(usual_requests_are_good_in_any_order_of_members)
{
	char text[CAP];
	for (unsigned which = 0; which < N_USUAL; which++)
		for (int round = 0; round < 200; round++)
			ck_assert_msg(agree(text, write_usual(text, which)), "%s", text);
}
END_TEST

/* A byte more, less, or another; a piece of another request; the end cut off. */
static size_t change(char *text, size_t len)
{
	static const char bytes[] = "{}[]\",:\\0123456789 eE-.nutfaxio\x80\xc3\xe2\x01\n";
	char other[CAP];
	size_t at = random_below((unsigned)len), other_len = write_usual(other, random_below(N_USUAL)),
	       from = random_below((unsigned)other_len), n = random_below(24);
	n = n < other_len - from ? n : other_len - from;
	switch (random_below(8)) {
	case 0:
	case 1:
		text[at] = bytes[random_below(sizeof(bytes) - 1)];
		return len;
	case 2:
	case 3:
		memmove(text + at, text + at + 1, len - at - 1);
		return len - 1;
	case 4:
	case 5:
		memmove(text + at + 1, text + at, len - at);
		text[at] = bytes[random_below(sizeof(bytes) - 1)];
		return len + 1;
	case 6: { /* a whole member, behind the opening bracket */
		const char *member = usual[random_below(N_USUAL)][1 + random_below(2)];
		char *open = memchr(text, '{', len);
		if (!open)
			return len;
		at = (size_t)(open - text) + 1;
		n = (size_t)snprintf(other, CAP, "%s,", member);
		memmove(text + at + n, text + at, len - at);
		memcpy(text + at, other, n);
		return len + n;
	}
	default:
		memmove(text + at + n, text + at, len - at);
		memcpy(text + at, other + from, n);
		return len + n;
	}
}

START_TEST(the_decoder_and_the_reference_agree_about_changed_requests)
{
	enum { TEXTS = 60000 };
	unsigned n_good = 0;
	for (int i = 0; i < TEXTS; i++) {
		char text[2 * CAP];
		size_t len = write_usual(text, random_below(N_USUAL));
		for (unsigned n = random_below(4) ? 1 : 3; n > 0 && len > 1; n--)
			len = change(text, len);
		n_good += len <= CAP && agree(text, len);
	}
	ck_assert_uint_gt(n_good, TEXTS / 20);
	ck_assert_uint_lt(n_good, TEXTS / 2);
}
END_TEST

/* A request is decoded first as it is, so that its shape is known, and then with a change or two: whatever the shape
 * lets pass has to mean what the reference says. */
START_TEST(what_has_a_known_shape_means_what_it_would_mean_without)
{
	enum { TEXTS = 20000, CHANGES = 4 };
	unsigned n_learnt = 0, n_known = 0;
	for (int i = 0; i < TEXTS; i++) {
		char text[CAP], changed[2 * CAP], body[2 * CAP];
		struct message_request request;
		size_t len = write_usual(text, random_below(N_USUAL));
		ck_assert(agree(text, len));
		memcpy(body, text, len);
		n_learnt += request_shapes_match(decoder.shapes, body, len, &request);
		for (int j = 0; j < CHANGES; j++) {
			memcpy(changed, text, len);
			size_t changed_len = change(changed, len);
			memcpy(body, changed, changed_len);
			n_known +=
				changed_len <= CAP && request_shapes_match(decoder.shapes, body, changed_len, &request);
			ck_assert_msg(memcmp(body, changed, changed_len) == 0, "it was written over");
			if (changed_len <= CAP)
				agree(changed, changed_len);
		}
	}
	ck_assert_uint_gt(n_learnt, TEXTS / 4);
	ck_assert_uint_gt(n_known, TEXTS / 10);
}
END_TEST

int main(void)
{
	const TTest *const all[] = {
		usual_requests_are_good_in_any_order_of_members,
		the_decoder_and_the_reference_agree_about_changed_requests,
		what_has_a_known_shape_means_what_it_would_mean_without,
		NULL,
	};
	Suite *suite = suite_create("proto: requests against a reference");
	suite_case(suite, "requests", setup, teardown, all);
	return suite_run(suite);
}
