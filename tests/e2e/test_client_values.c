/* Values through the client library and the real daemon: their bytes, batches, choices, and every status. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "client/millrace.h"
#include "tests/lib/client_fixture.h"
#include "tests/lib/suite.h"

/* -- put and take -- */

START_TEST(values_are_json)
{
	json_t *value = json_pack("{s:s, s:[i, b, f]}", "text", "h\xc3\xa9llo", "more", 1, 1, 2.5), *taken = NULL;

	IS(MR_OK, mr_put(m, "jobs", value, MR_FOREVER));
	IS(MR_OK, mr_take(m, "jobs", &taken, MR_FOREVER));
	ck_assert(json_equal(value, taken));
	json_decref(taken);
	json_decref(value);
	value = json_stringn("a\0b", 3);
	IS(MR_OK, mr_offer(m, "jobs", value));
	IS(MR_OK, mr_poll(m, "jobs", &taken));
	ck_assert(json_equal(value, taken));
	json_decref(taken);
	json_decref(value);
	client_put(m, "jobs", "1");
	IS(MR_OK, mr_take(m, "jobs", NULL, 0));
	client_put(m, "jobs", "1");
	IS(MR_OK, mr_take_raw(m, "jobs", NULL, NULL, 0));
}
END_TEST

START_TEST(values_keep_their_bytes)
{
	static const char *const values[] = {"{\"a\": 1.0,  \"b\":\"\\u00e9\"}",
					     "1e999",
					     "123456789012345678901234567890",
					     "\"\\u0000\\\"\\/\"",
					     "{\"x\":1,\"x\":2}",
					     "[ ]",
					     "false",
					     "-0.0"};

	for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
		client_put(m, "jobs", values[i]);
		client_take(m, "jobs", values[i]);
	}
}
END_TEST

static void assert_unheld(const char *expected)
{
	size_t len = 0;
	char *text = mr_unheld(&len);

	ck_assert_ptr_nonnull(text);
	ck_assert_str_eq(text, expected);
	ck_assert_uint_eq(len, strlen(expected));
	mr_free(text);
	ck_assert_ptr_null(mr_unheld(&len));
	ck_assert_uint_eq(len, 0);
}

START_TEST(what_jansson_cannot_hold_is_given_as_bytes)
{
	json_t *value = json_true();

	client_put(m, "jobs", "123456789012345678901234567890");
	FAILS(MR_EJSON, "1234567890", mr_take(m, "jobs", &value, 0));
	ck_assert_ptr_null(value);
	assert_unheld("123456789012345678901234567890");
	client_put(m, "jobs", "[1e999]");
	FAILS(MR_EJSON, "1e999", mr_poll(m, "jobs", NULL));
	client_put(m, "jobs", "1e998"); /* what nobody asked for is replaced */
	FAILS(MR_EJSON, "1e998", mr_poll(m, "jobs", NULL));
	assert_unheld("1e998");
}
END_TEST

START_TEST(what_jansson_cannot_hold_fails_alone_among_many)
{
	json_t *values = NULL;

	for (int i = 0; i < 2; i++) {
		IS(MR_OK, mr_put_many_raw(m, "jobs", "[1, 1e999, [2], [-1e999]]", 25, 0, NULL));
		FAILS(MR_EJSON, "1e999", i ? mr_take_many(m, "jobs", 9, &values, 0) : mr_peek(m, "jobs", 9, &values));
		assert_json(values, "[1, null, [2], null]");
		assert_unheld("[1e999,[-1e999]]");
		if (i == 0)
			IS(MR_OK, mr_take_many_raw(m, "jobs", 9, NULL, NULL, 0));
	}
}
END_TEST

START_TEST(what_jansson_cannot_hold_can_be_given_back)
{
	struct mr_result result;
	json_t *value;

	client_put(m, "jobs", "1e999");
	for (int i = 1; i <= 2; i++) {
		IS(MR_OK, mr_take_with(m, "jobs", &(struct mr_take_options){.lease_ms = 60000}, 0, &result));
		ck_assert_uint_eq(result.deliveries, 1); /* it has not been counted */
		FAILS(MR_EJSON, "1e999", mr_result_json(&result, &value));
		IS(MR_OK, mr_nack_with(m, result.lease, &(struct mr_nack_options){.uncounted = true}));
		mr_result_finish(&result);
	}
	client_take(m, "jobs", "1e999");
}
END_TEST

START_TEST(every_status_of_a_put_and_a_take)
{
	json_t *value = json_integer(7), *taken = value;

	IS(MR_TIMEOUT, mr_poll(m, "jobs", &taken));
	ck_assert_ptr_null(taken);
	IS(MR_TIMEOUT, mr_take(m, "jobs", &taken, 1));
	IS(MR_TIMEOUT, mr_offer(m, "meet", value));
	IS(MR_OK, mr_put(m, "drop", value, 0));
	IS(MR_DROPPED, mr_put(m, "drop", value, 0));
	IS(MR_OK, mr_put(m, "latest", value, 0));
	IS(MR_OK, mr_put(m, "latest", value, 0));
	IS(MR_OK, mr_put(m, "answer", value, 0));
	IS(MR_DROPPED, mr_put(m, "answer", value, 0));
	IS(MR_OK, mr_close(m, "jobs"));
	IS(MR_OK, mr_close(m, "jobs"));
	IS(MR_CLOSED, mr_put(m, "jobs", value, MR_FOREVER));
	IS(MR_CLOSED, mr_take(m, "jobs", &taken, MR_FOREVER));
	FAILS(MR_ENO_SUCH_CHANNEL, "nowhere", mr_put(m, "nowhere", value, 0));
	FAILS(MR_EBAD_VALUE, "", mr_put_raw(m, "drop", "null", 4, 0));
	json_decref(value);
}
END_TEST

START_TEST(impossible_arguments_are_never_sent)
{
	static const char *const broken[] = {"",    " ",        "{",    "1 2",      "1,\"channel\":\"drop\"",
					     "nul", "\"\xff\"", "[1,]", "{\"a\":}", "\"\\ud800\""};
	static char deep[300];
	json_t *rows = NULL, *value = json_integer(1);
	mr_request *request;
	size_t accepted = 9;

	memset(deep, '[', 129);
	memset(deep + 129, ']', 129);
	for (size_t i = 0; i < sizeof broken / sizeof *broken; i++) {
		FAILS(MR_EARGUMENT, "JSON", mr_put_raw(m, "jobs", broken[i], strlen(broken[i]), 0));
		FAILS(MR_EARGUMENT, "", mr_put_many_raw(m, "jobs", broken[i], strlen(broken[i]), 0, &accepted));
		FAILS(MR_EARGUMENT, "", mr_begin_put(m, &request, "jobs", broken[i], strlen(broken[i]), 0));
		ck_assert_ptr_null(request);
	}
	ck_assert_uint_eq(accepted, 0);
	FAILS(MR_EBAD_VALUE, "128", mr_put_raw(m, "jobs", deep, 258, 0));
	FAILS(MR_EARGUMENT, "no value", mr_put_many_raw(m, "jobs", "[ ]", 3, 0, NULL));
	FAILS(MR_EARGUMENT, "array", mr_put_many(m, "jobs", value, 0, NULL));
	FAILS(MR_EARGUMENT, "NULL", mr_put(m, "jobs", NULL, 0));
	FAILS(MR_EARGUMENT, "NULL", mr_put_raw(m, "jobs", NULL, 0, 0));
	FAILS(MR_EARGUMENT, "NULL", mr_put(m, NULL, value, 0));
	FAILS(MR_EARGUMENT, "UTF-8", mr_put(m, "jo\xffs", value, 0));
	FAILS(MR_EARGUMENT, "time-out", mr_put(m, "jobs", value, -2));
	FAILS(MR_EARGUMENT, "time-out", mr_take(m, "jobs", NULL, INT64_C(1) << 31));
	FAILS(MR_EARGUMENT, "time-out", mr_ping(m, -2));
	FAILS(MR_EARGUMENT, "max", mr_take_many(m, "jobs", 0, &rows, 0));
	FAILS(MR_EARGUMENT, "max", mr_take_many_raw(m, "jobs", 1001, NULL, NULL, 0));
	FAILS(MR_EARGUMENT, "max", mr_begin_take(m, &request, "jobs", 1001, 0));
	FAILS(MR_EARGUMENT, "max", mr_peek(m, "jobs", 0, &rows));
	FAILS(MR_EARGUMENT, "kind", mr_create(m, "x", &(struct mr_definition){0}, NULL, NULL));
	FAILS(MR_EARGUMENT, "UTF-8",
	      mr_create(m, "x\xff", &(struct mr_definition){.kind = "bounded", .capacity = 1}, NULL, NULL));
	FAILS(MR_EARGUMENT, "UTF-8", mr_list(m, "\xff", &rows));
	IS(MR_OK, mr_stat(m, "jobs", &rows));
	ck_assert_int_eq(json_integer_value(json_object_get(rows, "accepted")), 0);
	json_decref(rows);
	json_decref(value);
}
END_TEST

START_TEST(a_value_of_a_whole_frame_and_one_byte_too_many)
{
	size_t len = 1024 * 1024;
	char *json = malloc(len + 1), *taken = NULL;
	size_t taken_len;

	memset(json, 'x', len);
	json[0] = json[len - 101] = '"';
	IS(MR_OK, mr_put_raw(m, "jobs", json, len - 100, MR_FOREVER));
	IS(MR_OK, mr_take_raw(m, "jobs", &taken, &taken_len, MR_FOREVER));
	ck_assert_uint_eq(taken_len, len - 100);
	ck_assert_int_eq(memcmp(taken, json, taken_len), 0);
	mr_free(taken);
	json[len - 101] = 'x';
	json[len - 1] = '"';
	FAILS(MR_EARGUMENT, "larger", mr_put_raw(m, "jobs", json, len, MR_FOREVER));
	IS(MR_OK, mr_ping(m, MR_FOREVER));
	free(json);
}
END_TEST

START_TEST(batches)
{
	json_t *values = NULL;
	size_t accepted = 0, len;
	char *json;

	IS(MR_OK, mr_put_many_raw(m, "jobs", "[1, {\"a\": 2},3 ]", 16, MR_FOREVER, &accepted));
	ck_assert_uint_eq(accepted, 3);
	IS(MR_OK, mr_peek(m, "jobs", 2, &values));
	assert_json(values, "[1, {\"a\": 2}]");
	IS(MR_OK, mr_peek_raw(m, "jobs", 9, &json, &len));
	ck_assert_str_eq(json, "[1,{\"a\": 2},3]");
	ck_assert_uint_eq(len, strlen(json));
	mr_free(json);
	IS(MR_OK, mr_take_many_raw(m, "jobs", 2, &json, &len, 0));
	ck_assert_str_eq(json, "[1,{\"a\": 2}]");
	mr_free(json);
	IS(MR_OK, mr_take_many(m, "jobs", 1000, &values, 0));
	assert_json(values, "[3]");
	values = json_pack("[i,i,i,i,i,i]", 1, 2, 3, 4, 5, 6);
	IS(MR_TIMEOUT, mr_put_many(m, "jobs", values, 0, &accepted));
	ck_assert_uint_eq(accepted, 4);
	IS(MR_DROPPED, mr_put_many(m, "drop", values, 0, &accepted));
	ck_assert_uint_eq(accepted, 1);
	FAILS(MR_ENO_SUCH_CHANNEL, "", mr_put_many(m, "nowhere", values, 0, &accepted));
	ck_assert_uint_eq(accepted, 0);
	json_decref(values);
}
END_TEST

/* -- alts -- */

START_TEST(alts_of_every_outcome)
{
	json_t *value = json_integer(5);
	struct mr_arm arms[65] = {{.channel = "jobs"}, {.channel = "meet", .put = value}};
	struct mr_choice choice;

	IS(MR_TIMEOUT, mr_alts(m, arms, 2, false, 0, &choice));
	client_put(m, "jobs", "{\"a\":  1}");
	IS(MR_OK, mr_alts(m, arms, 2, true, MR_FOREVER, &choice));
	ck_assert_uint_eq(choice.arm, 0);
	ck_assert_str_eq(choice.raw, "{\"a\":  1}");
	ck_assert_uint_eq(choice.raw_len, 9);
	assert_json(json_incref(choice.value), "{\"a\": 1}");
	mr_choice_finish(&choice);
	client_put(m, "jobs", "1e999");
	IS(MR_OK, mr_alts(m, arms, 1, false, MR_FOREVER, &choice));
	ck_assert_ptr_null(choice.value);
	ck_assert_str_eq(choice.raw, "1e999");
	mr_choice_finish(&choice);
	arms[1] = (struct mr_arm){.channel = "latest", .raw = "[ 1]", .raw_len = 4};
	for (uint64_t evicted = 0; evicted < 2; evicted++) {
		IS(MR_OK, mr_alts(m, arms, 2, true, MR_FOREVER, &choice));
		ck_assert_uint_eq(choice.arm, 1);
		ck_assert_uint_eq(choice.evicted, evicted);
		ck_assert_ptr_null(choice.raw);
		ck_assert_ptr_null(choice.value);
	}
	client_take(m, "latest", "[ 1]");
	client_put(m, "drop", "1");
	arms[1] = (struct mr_arm){.channel = "drop", .put = value};
	IS(MR_DROPPED, mr_alts(m, arms, 2, true, MR_FOREVER, &choice));
	ck_assert_uint_eq(choice.arm, 1);
	IS(MR_OK, mr_close(m, "jobs"));
	IS(MR_CLOSED, mr_alts(m, arms, 1, true, MR_FOREVER, &choice));
	ck_assert_uint_eq(choice.arm, 0);

	for (size_t i = 0; i < 65; i++)
		arms[i] = (struct mr_arm){.channel = "meet"};
	IS(MR_TIMEOUT, mr_alts(m, arms, 64, false, 0, &choice));
	FAILS(MR_EARGUMENT, "64", mr_alts(m, arms, 65, false, 0, &choice));
	FAILS(MR_EARGUMENT, "64", mr_alts(m, arms, 0, false, 0, &choice));
	arms[1].channel = NULL;
	FAILS(MR_EARGUMENT, "arm", mr_alts(m, arms, 2, false, 0, &choice));
	arms[1] = (struct mr_arm){.channel = "meet", .put = value, .raw = "1", .raw_len = 1};
	FAILS(MR_EARGUMENT, "both", mr_alts(m, arms, 2, false, 0, &choice));
	arms[1] = (struct mr_arm){.channel = "meet", .raw = "1}]", .raw_len = 3};
	FAILS(MR_EARGUMENT, "JSON", mr_alts(m, arms, 2, false, 0, &choice));
	arms[1] = (struct mr_arm){.channel = "nowhere"};
	FAILS(MR_ENO_SUCH_CHANNEL, "nowhere", mr_alts(m, arms, 2, false, 0, &choice));
	json_decref(value);
}
END_TEST

/* -- words -- */

START_TEST(every_status_has_a_name)
{
	static const int errors[] = {MR_ECONNECT, MR_ECONNECTION, MR_EPROTOCOL, MR_EARGUMENT,
				     MR_EMEMORY,  MR_EJSON,       MR_UNKNOWN,   MR_EFULL};

	ck_assert_str_eq(mr_status_name(MR_OK), "ok");
	ck_assert_str_eq(mr_status_name(MR_CANCELLED), "cancelled");
	ck_assert_str_eq(mr_status_name(MR_EBAD_JSON), "bad_json");
	ck_assert_str_eq(mr_status_name(MR_EINTERNAL), "internal");
	for (size_t i = 0; i < sizeof errors / sizeof *errors; i++)
		ck_assert_str_ne(mr_status_name(errors[i]), "unknown");
	for (int status = MR_EINTERNAL; status <= MR_CANCELLED; status++)
		ck_assert_str_ne(mr_status_name(status), "unknown");
	ck_assert_str_eq(mr_status_name(MR_CANCELLED + 1), "unknown");
	ck_assert_str_eq(mr_status_name(MR_EUNAVAILABLE - 1), "unknown");
	ck_assert_str_eq(mr_status_name(-99999), "unknown");
	ck_assert_int_eq(mr_fail(MR_EFAILED, NULL), MR_EFAILED);
	ck_assert_str_eq(mr_message(), "");
	ck_assert_str_eq(mr_version(), MILLRACE_VERSION);
	mr_free(NULL);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("client: values");
	const TTest *const tests[] = {
		values_are_json,
		values_keep_their_bytes,
		what_jansson_cannot_hold_is_given_as_bytes,
		what_jansson_cannot_hold_fails_alone_among_many,
		what_jansson_cannot_hold_can_be_given_back,
		every_status_of_a_put_and_a_take,
		impossible_arguments_are_never_sent,
		a_value_of_a_whole_frame_and_one_byte_too_many,
		batches,
		alts_of_every_outcome,
		NULL,
	};
	const TTest *const words[] = {every_status_has_a_name, NULL};

	suite_case(suite, "calls", client_setup, client_teardown, tests);
	suite_case(suite, "words", NULL, NULL, words);
	return suite_run(suite);
}
