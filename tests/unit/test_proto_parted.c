/* Requests that come in two texts, an envelope and a body, as HTTP has them. Both are in memory of exactly their
 * length, so that what reads behind either is found. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/message.h"
#include "tests/lib/suite.h"

static struct message_decoder decoder;
static struct message_request request;
static struct slice envelope, body; /* of `request` */

static struct slice copy(const char *text)
{
	size_t len = strlen(text);
	char *bytes = malloc(len ? len : 1);
	ck_assert_ptr_nonnull(bytes);
	return (struct slice){memcpy(bytes, text, len), len};
}

static void release(void)
{
	free((char *)envelope.bytes);
	free((char *)body.bytes);
	envelope = body = (struct slice){0};
}

static int decode(const char *envelope_text, enum message_body kind, const char *body_text)
{
	release();
	envelope = copy(envelope_text);
	body = copy(body_text);
	return message_decode_parted(&decoder, envelope, body, kind, &request);
}

static void decodes(const char *envelope_text, enum message_body kind, const char *body_text)
{
	ck_assert_msg(decode(envelope_text, kind, body_text) == 0, "%s %s: %s: %s", envelope_text, body_text,
		      error_name(request.error), request.detail);
}

static void refuses(const char *envelope_text, enum message_body kind, const char *body_text, enum error error,
		    const char *detail)
{
	ck_assert_msg(decode(envelope_text, kind, body_text) < 0, "%s is taken", body_text);
	ck_assert_msg(request.error == error, "%s: %s", body_text, error_name(request.error));
	ck_assert_msg(strstr(request.detail, detail), "%s: \"%s\" lacks \"%s\"", body_text, request.detail, detail);
	ck_assert(request.has_id && request.id == 7);
}

/* What a slice has to be, and that it stands in the body as it came: nothing was copied. */
static void is_in_body(struct slice slice, const char *text)
{
	ck_assert_msg(slice_equal(slice, slice_from(text)), "\"%.*s\" is not \"%s\"", (int)slice.len, slice.bytes,
		      text);
	ck_assert(slice.bytes >= body.bytes && slice.bytes + slice.len <= body.bytes + body.len);
}

static void is(struct slice slice, const char *text)
{
	ck_assert_msg(slice_equal(slice, slice_from(text)), "\"%.*s\"", (int)slice.len, slice.bytes);
}

/* Numbers stand at the very end of an envelope too: a word of eight bytes may not be read there. */
#define PUT  "{\"id\":7,\"op\":\"put\",\"channel\":\"a\"}"
#define TAKE "{\"id\":7,\"op\":\"take\",\"channel\":\"a\",\"max\":5}"
#define ALTS "{\"id\":7,\"op\":\"alts\"}"

START_TEST(a_value_is_the_body)
{
	decodes(PUT, MESSAGE_BODY_VALUE, " {\"a\": [1, 1e400]}\n");
	ck_assert(request.op == OP_PUT && request.id == 7);
	is(request.channel, "a");
	is_in_body(request.value, "{\"a\": [1, 1e400]}");
	decodes(PUT, MESSAGE_BODY_VALUE, "0");
	is_in_body(request.value, "0");
	refuses(PUT, MESSAGE_BODY_VALUE, "null", ERROR_BAD_VALUE, "null");
}
END_TEST

START_TEST(a_batch_is_the_body)
{
	decodes(PUT, MESSAGE_BODY_VALUES, "[1, \"x\",[]]");
	ck_assert_uint_eq(request.n_values, 3);
	is_in_body(request.values[0], "1");
	is_in_body(request.values[1], "\"x\"");
	is_in_body(request.values[2], "[]");
	refuses(PUT, MESSAGE_BODY_VALUES, "[1,null]", ERROR_BAD_VALUE, "number 1");
	refuses(PUT, MESSAGE_BODY_VALUES, "[]", ERROR_BAD_REQUEST, "\"values\"");
	refuses(PUT, MESSAGE_BODY_VALUES, "1", ERROR_BAD_REQUEST, "\"values\"");
}
END_TEST

START_TEST(members_stand_in_both)
{
	decodes(TAKE, MESSAGE_BODY_MEMBERS, " {\"lease_ms\": 6, \"timeout_ms\":12345678}");
	ck_assert_uint_eq(request.max, 5);
	ck_assert_uint_eq(request.lease_ms, 6);
	ck_assert_uint_eq(request.timeout_ms, 12345678);
	ck_assert(message_has(&request, MEMBER_MAX) && message_has(&request, MEMBER_LEASE_MS));
	decodes(TAKE, MESSAGE_BODY_MEMBERS, "{ }");
	ck_assert_uint_eq(request.max, 5);
	decodes(ALTS, MESSAGE_BODY_MEMBERS, "{\"arms\":[{\"take\":\"b\"},{\"put\":\"c\",\"value\":[true]}]}");
	ck_assert_uint_eq(request.n_arms, 2);
	is_in_body(request.arms[0].channel, "b");
	is_in_body(request.arms[1].value, "[true]");
}
END_TEST

START_TEST(members_of_one_are_held_against_those_of_the_other)
{
	refuses(TAKE, MESSAGE_BODY_MEMBERS, "{\"max\":5}", ERROR_BAD_REQUEST, "\"max\" is there twice");
	refuses(TAKE, MESSAGE_BODY_MEMBERS, "{\"lease_ms\":5,\"op\":\"put\"}", ERROR_BAD_REQUEST,
		"\"op\" is there twice");
	refuses(TAKE, MESSAGE_BODY_MEMBERS, "{\"id\":9}", ERROR_BAD_REQUEST, "\"id\" is there twice");
	refuses(TAKE, MESSAGE_BODY_MEMBERS, "{\"timeout\":9}", ERROR_BAD_REQUEST, "did you mean \"timeout_ms\"");
	refuses(TAKE, MESSAGE_BODY_MEMBERS, "{\"count\":9}", ERROR_BAD_REQUEST, "not both");
	refuses(ALTS, MESSAGE_BODY_MEMBERS, "{}", ERROR_BAD_REQUEST, "\"arms\" is missing");
}
END_TEST

START_TEST(bad_json_is_told_by_its_place_in_the_body)
{
	static const struct {
		enum message_body kind;
		const char *body, *where;
	} cases[] = {
		{MESSAGE_BODY_VALUE, "", "at byte 0, in line 1"},
		{MESSAGE_BODY_VALUE, "{\"a\":\n 1,\n x}", "at byte 11, in line 3"},
		{MESSAGE_BODY_VALUE, "1 2", "at byte 2, in line 1"},
		{MESSAGE_BODY_VALUES, "\n[1,]", "at byte 4, in line 2"},
		{MESSAGE_BODY_VALUES, "[1],2", "at byte 3, in line 1"},
		{MESSAGE_BODY_MEMBERS, "", "at byte 0, in line 1"},
		{MESSAGE_BODY_MEMBERS, "{\"arms\":\n[}", "at byte 10, in line 2"},
		{MESSAGE_BODY_MEMBERS, "{\"max\" 1}", "at byte 7, in line 1"},
		{MESSAGE_BODY_MEMBERS, "{},\"max\":2", "at byte 2, in line 1"},
		{MESSAGE_BODY_MEMBERS, "[1,", "at byte 3, in line 1"},
		{MESSAGE_BODY_MEMBERS, "[1]\n2", "at byte 4, in line 2"},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		refuses(PUT, cases[i].kind, cases[i].body, ERROR_BAD_JSON, cases[i].where);
	refuses(TAKE, MESSAGE_BODY_MEMBERS, "[1]", ERROR_BAD_REQUEST, "one object");
	refuses(TAKE, MESSAGE_BODY_MEMBERS, " null ", ERROR_BAD_REQUEST, "one object");
}
END_TEST

START_TEST(what_is_too_deep_is_no_bad_json)
{
	char deep[2 * 129 + 1], batch[sizeof(deep) + 8];
	memset(deep, '[', 129);
	memset(deep + 129, ']', 129);
	deep[sizeof(deep) - 1] = '\0';
	refuses(PUT, MESSAGE_BODY_VALUE, deep, ERROR_BAD_VALUE, "deeper than 128");
	strcpy(stpcpy(stpcpy(batch, "[1,"), deep), "]");
	refuses(PUT, MESSAGE_BODY_VALUES, batch, ERROR_BAD_VALUE, "number 1");
	refuses(TAKE, MESSAGE_BODY_MEMBERS, deep, ERROR_BAD_REQUEST, "one object");
}
END_TEST

static void teardown(void)
{
	release();
	message_decoder_finish(&decoder);
}

int main(void)
{
	const TTest *const tests[] = {
		a_value_is_the_body,
		a_batch_is_the_body,
		members_stand_in_both,
		members_of_one_are_held_against_those_of_the_other,
		bad_json_is_told_by_its_place_in_the_body,
		what_is_too_deep_is_no_bad_json,
		NULL,
	};
	Suite *suite = suite_create("proto: requests in two texts");
	suite_case(suite, "all", NULL, teardown, tests);
	return suite_run(suite);
}
