/* Channels through the client library and the real daemon: making, altering, moving and looking at them. */
#include <check.h>
#include <stdio.h>
#include <string.h>

#include "client/millrace.h"
#include "tests/lib/client_fixture.h"
#include "tests/lib/suite.h"

START_TEST(channels_are_made_and_removed)
{
	struct mr_definition definition = {.kind = "bounded", .capacity = 4};
	bool created = true;
	char *name = NULL;
	uint64_t discarded = 9;
	json_t *row = NULL;

	IS(MR_OK, mr_create(m, "jobs", &definition, &created, &name));
	ck_assert(!created);
	ck_assert_str_eq(name, "jobs");
	mr_free(name);
	definition.capacity = 5;
	FAILS(MR_ECHANNEL_EXISTS, "jobs", mr_create(m, "jobs", &definition, &created, &name));
	ck_assert_ptr_null(name);
	FAILS(MR_EBAD_CHANNEL, "", mr_create(m, "_mine", &definition, NULL, NULL));
	definition = (struct mr_definition){.kind = "unbuffered", .ephemeral = true, .max_waiters = 1};
	IS(MR_OK, mr_create(m, NULL, &definition, NULL, &name));
	ck_assert_msg(strncmp(name, "_r.", 3) == 0, "%s", name);
	IS(MR_OK, mr_stat(m, name, &row));
	ck_assert(json_is_true(json_object_get(row, "ephemeral")));
	ck_assert_ptr_null(json_object_get(row, "id"));
	ck_assert_ptr_null(json_object_get(row, "status"));
	json_decref(row);
	mr_free(name);
	client_put(m, "jobs", "1");
	FAILS(MR_ENOT_EMPTY, "", mr_delete(m, "jobs", false, &discarded));
	ck_assert_uint_eq(discarded, 0);
	IS(MR_OK, mr_delete(m, "jobs", true, &discarded));
	ck_assert_uint_eq(discarded, 1);
	IS(MR_OK, mr_delete(m, "meet", false, NULL));
	FAILS(MR_ENO_SUCH_CHANNEL, "jobs", mr_stat(m, "jobs", &row));
	ck_assert_ptr_null(row);
}
END_TEST

START_TEST(channels_are_altered)
{
	json_t *row = NULL;

	if (!client_knows(m, "alter"))
		return;
	IS(MR_OK, mr_alter(m, "jobs", &(struct mr_alteration){.capacity = 9}, &row));
	ck_assert_int_eq(json_integer_value(json_object_get(row, "capacity")), 9);
	ck_assert_ptr_null(json_object_get(row, "id"));
	json_decref(row);
	client_channel(m, "bad", "bounded", 4);
	IS(MR_OK, mr_alter(m, "jobs", &(struct mr_alteration){.max_deliveries = 2, .dead_letter = "bad"}, NULL));
	IS(MR_OK, mr_alter(m, "jobs", &(struct mr_alteration){.no_dead_letter = true}, NULL));
	FAILS(MR_EARGUMENT, "no_dead_letter",
	      mr_alter(m, "jobs", &(struct mr_alteration){.no_dead_letter = true, .max_deliveries = 2}, NULL));
	FAILS(MR_ENO_SUCH_CHANNEL, "nowhere", mr_alter(m, "nowhere", &(struct mr_alteration){.capacity = 9}, NULL));
}
END_TEST

START_TEST(a_delayed_put_counts_at_once_and_comes_later)
{
	const struct mr_put_options later = {.many = true, .delay_ms = 60000};
	struct mr_result result;

	if (!client_knows(m, "delayed_put"))
		return;
	IS(MR_OK, mr_put_with(m, "jobs", &later, "[1,2]", 5, 0, &result));
	ck_assert_uint_eq(result.accepted, 2);
	ck_assert_int_eq(client_stat(m, "jobs", "delayed"), 2);
	IS(MR_TIMEOUT, mr_poll(m, "jobs", NULL));
	IS(MR_OK, mr_put_with(m, "latest", &(struct mr_put_options){.delay_ms = 1}, "3", 1, 0, NULL));
	client_take(m, "latest", "3");
	FAILS(MR_EBAD_REQUEST, "", mr_put_with(m, "meet", &later, "[1]", 3, 0, NULL));
	FAILS(MR_EARGUMENT, "delay_ms",
	      mr_put_with(m, "jobs", &(struct mr_put_options){.delay_ms = -1}, "1", 1, 0, NULL));
}
END_TEST

START_TEST(leases_are_told)
{
	struct mr_result result;
	json_t *rows = NULL;

	if (!client_knows(m, "move")) /* they came together */
		return;
	client_put(m, "jobs", "1");
	IS(MR_OK, mr_take_with(m, "jobs", &(struct mr_take_options){.lease_ms = 60000}, 0, &result));
	IS(MR_OK, mr_leases(m, "jobs", &rows));
	ck_assert_uint_eq(json_array_size(rows), 1);
	ck_assert_str_eq(json_string_value(json_object_get(json_array_get(rows, 0), "channel")), "jobs");
	json_decref(rows);
	mr_result_finish(&result);
}
END_TEST

START_TEST(dead_letters_say_where_they_come_from_and_are_moved_back)
{
	struct mr_definition definition = {.kind = "bounded", .capacity = 4, .max_deliveries = 1, .dead_letter = "bad"};
	struct mr_result result;
	uint64_t moved, left;
	char *json;

	if (!client_knows(m, "move"))
		return;
	client_channel(m, "bad", "bounded", 4);
	IS(MR_OK, mr_create(m, "work", &definition, NULL, NULL));
	client_put(m, "work", "1");
	IS(MR_OK, mr_take_with(m, "work", &(struct mr_take_options){.lease_ms = 60000}, 0, &result));
	IS(MR_OK, mr_nack(m, result.lease, 0));
	mr_result_finish(&result);
	IS(MR_OK, mr_move(m, "bad", NULL, 0, &moved, &left));
	ck_assert_uint_eq(moved, 1);
	ck_assert_uint_eq(left, 0);
	IS(MR_OK, mr_take_with(m, "work", &(struct mr_take_options){.lease_ms = 60000}, 0, &result));
	ck_assert_ptr_null(result.origin);
	IS(MR_OK, mr_nack(m, result.lease, 0));
	mr_result_finish(&result);
	IS(MR_OK, mr_take_with(m, "bad", &(struct mr_take_options){.max = 9}, 0, &result));
	ck_assert_ptr_nonnull(strstr(result.origin, "\"work\""));
	ck_assert_ptr_nonnull(strstr(result.origin, "\"nack\""));
	mr_result_finish(&result);
	client_put(m, "jobs", "1");
	client_put(m, "jobs", "2");
	IS(MR_OK, mr_move(m, "jobs", "work", 1, &moved, &left));
	ck_assert_uint_eq(moved, 1);
	ck_assert_uint_eq(left, 1);
	IS(MR_OK, mr_take_raw(m, "work", &json, NULL, 0));
	ck_assert_str_eq(json, "1");
	mr_free(json);
}
END_TEST

START_TEST(lists_are_whole)
{
	enum { N = 1100 }; /* more than one page */
	char name[32], last[32] = "";
	json_t *rows = NULL, *row;
	size_t i;

	for (i = 0; i < N; i++) {
		snprintf(name, sizeof name, "many.%zu", i);
		client_channel(m, name, "bounded", 1);
	}
	IS(MR_OK, mr_list(m, "many.*", &rows));
	ck_assert_uint_eq(json_array_size(rows), N);
	json_array_foreach(rows, i, row)
	{
		const char *this = json_string_value(json_object_get(row, "channel"));

		ck_assert_str_lt(last, this);
		snprintf(last, sizeof last, "%s", this);
	}
	json_decref(rows);
	IS(MR_OK, mr_list(m, NULL, &rows));
	ck_assert_uint_eq(json_array_size(rows), N + 5);
	json_decref(rows);
	IS(MR_OK, mr_list(m, "none*", &rows));
	assert_json(rows, "[]");
}
END_TEST

START_TEST(waiters_are_all_told)
{
	enum { N = 1010 }; /* more than one page */
	static mr_request *requests[N];
	mr *other = client_connect(daemon_url(d));
	json_t *rows = NULL;

	for (size_t i = 0; i < N; i++)
		IS(MR_OK, mr_begin_take(m, &requests[i], "meet", 0, MR_FOREVER));
	client_await_parked(other, N);
	IS(MR_OK, mr_waiters(other, "meet", &rows));
	ck_assert_uint_eq(json_array_size(rows), N);
	json_decref(rows);
	FAILS(MR_ENO_SUCH_CHANNEL, "nowhere", mr_waiters(other, "nowhere", &rows));
	IS(MR_OK, mr_close(other, "meet"));
	for (size_t i = 0; i < N; i++)
		IS(MR_CLOSED, mr_wait(m, requests[i], NULL));
	mr_destroy(other);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("client: channels");
	const TTest *const tests[] = {
		channels_are_made_and_removed,
		channels_are_altered,
		a_delayed_put_counts_at_once_and_comes_later,
		leases_are_told,
		dead_letters_say_where_they_come_from_and_are_moved_back,
		lists_are_whole,
		waiters_are_all_told,
		NULL,
	};

	suite_case(suite, "calls", client_setup, client_teardown, tests);
	return suite_run(suite);
}
