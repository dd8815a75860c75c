/* Requests against a reference: it and the decoder have to agree about requests written in every way, and about such
 * that were changed at random. Texts are in memory of exactly their length. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/message.h"
#include "proto/request_shape.h"
#include "tests/lib/request_reference.h"
#include "tests/lib/suite.h"

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
	const struct found *found = reference_find(&reference, name);
	if (!found || !json_is_string(found->tree)) {
		ck_assert_uint_eq(slice.len, 0);
		return;
	}
	struct slice expected = {json_string_value(found->tree), json_string_length(found->tree)};
	ck_assert_msg(slice_equal(slice, expected), "%s: \"%.*s\"", name, (int)slice.len, slice.bytes);
}

static void same_members(const struct message_request *request, const char *body, const char *text)
{
	const char *op = reference_op(&reference);
	for (size_t i = 0; i < REFERENCE_N_NUMBERS; i++) {
		const struct found *found = reference_find(&reference, reference_numbers[i].name);
		uint64_t number;
		memcpy(&number, (const char *)request + reference_numbers[i].at, sizeof(number));
		if (found && reference_knows(&reference, found->name))
			ck_assert_uint_eq(number, (uint64_t)json_integer_value(found->tree));
	}
	if (!is_among("hello ping", op))
		same_string("channel", request->channel);
	if (is_among("ack nack extend", op))
		same_string("lease", request->lease);
	const struct found *value = reference_find(&reference, "value"), *values = reference_find(&reference, "values"),
			   *arms = reference_find(&reference, "arms");
	if (value && strcmp(op, "put") == 0)
		ck_assert(request->value.bytes - body == value->raw.bytes - text &&
			  request->value.len == value->raw.len);
	ck_assert_uint_eq(request->n_values, values && strcmp(op, "put") == 0 ? json_array_size(values->tree) : 0);
	for (size_t i = 0; i < request->n_values; i++) {
		json_t *tree = reference_load(request->values[i]);
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
	char whole[REQUEST_CAP + 1];
	memcpy(whole, text, len);
	whole[len] = '\0';
	if (!reference_read(&reference, whole, len))
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
		ck_assert_str_eq(message_op_name(request.op), reference_op(&reference));
		same_members(&request, body, whole);
	}
	reference_forget(&reference);
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
		len += snprintf(text + len, REQUEST_CAP - (size_t)len, "%s%.*s%s%s", separators[style][i > 0],
				(int)(colon - member), member, style ? " " : "", colon);
	}
	return (size_t)len + (size_t)snprintf(text + len, REQUEST_CAP - (size_t)len, "%s}", style == 2 ? "\r\n" : "");
}

START_TEST(usual_requests_are_good_in_any_order_of_members)
{
	char text[REQUEST_CAP];
	for (unsigned which = 0; which < N_USUAL; which++)
		for (int round = 0; round < 200; round++)
			ck_assert_msg(agree(text, write_usual(text, which)), "%s", text);
}
END_TEST

/* A byte more, less, or another; a piece of another request; the end cut off. */
static size_t change(char *text, size_t len)
{
	static const char bytes[] = "{}[]\",:\\0123456789 eE-.nutfaxio\x80\xc3\xe2\x01\n";
	char other[REQUEST_CAP];
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
		n = (size_t)snprintf(other, REQUEST_CAP, "%s,", member);
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
		char text[2 * REQUEST_CAP];
		size_t len = write_usual(text, random_below(N_USUAL));
		for (unsigned n = random_below(4) ? 1 : 3; n > 0 && len > 1; n--)
			len = change(text, len);
		n_good += len <= REQUEST_CAP && agree(text, len);
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
		char text[REQUEST_CAP], changed[2 * REQUEST_CAP], body[2 * REQUEST_CAP];
		struct message_request request;
		size_t len = write_usual(text, random_below(N_USUAL));
		ck_assert(agree(text, len));
		memcpy(body, text, len);
		n_learnt += request_shapes_match(decoder.shapes, body, len, &request);
		for (int j = 0; j < CHANGES; j++) {
			memcpy(changed, text, len);
			size_t changed_len = change(changed, len);
			memcpy(body, changed, changed_len);
			n_known += changed_len <= REQUEST_CAP &&
				   request_shapes_match(decoder.shapes, body, changed_len, &request);
			ck_assert_msg(memcmp(body, changed, changed_len) == 0, "it was written over");
			if (changed_len <= REQUEST_CAP)
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
