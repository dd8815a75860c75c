/* Leases by the blocking client, through the real daemon. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "client/millrace_stream.h"
#include "tests/lib/client.h"
#include "tests/lib/suite.h"

static struct daemon *d;
static mr *m, *other;

static void setup(void)
{
	d = daemon_start(NULL);
	m = client_connect(daemon_url(d));
	other = client_connect(daemon_url(d));
	client_channel(m, "jobs", "bounded", 4);
	client_channel(m, "dead", "bounded", 4);
	client_channel(m, "meet", "unbuffered", 0);
}

static void teardown(void)
{
	mr_destroy(m);
	mr_destroy(other);
	daemon_stop(d);
}

static const struct mr_take_options leased = {.lease_ms = 60000};

static void take_leased(mr *by, const struct mr_take_options *options, const char *expected, uint64_t deliveries,
			struct mr_result *result)
{
	IS(MR_OK, mr_take_with(by, "jobs", options, MR_FOREVER, result));
	ck_assert_str_eq(result->raw, expected);
	ck_assert_ptr_nonnull(result->lease);
	ck_assert_uint_eq(result->deliveries, deliveries);
}

START_TEST(a_leased_value_is_done_given_back_or_kept_longer)
{
	struct mr_result result;

	client_put(m, "jobs", "{\"n\": 1}");
	take_leased(m, &leased, "{\"n\": 1}", 1, &result);
	ck_assert_int_eq(client_stat(other, "jobs", "leased"), 1);
	IS(MR_OK, mr_extend(other, result.lease, 120000)); /* any connection will do */
	IS(MR_OK, mr_nack(other, result.lease, 0));
	FAILS(MR_ENO_SUCH_LEASE, "", mr_ack(m, result.lease));
	mr_result_finish(&result);
	take_leased(m, &leased, "{\"n\": 1}", 2, &result);
	IS(MR_OK, mr_ack(m, result.lease));
	FAILS(MR_ENO_SUCH_LEASE, "", mr_nack(m, result.lease, 0));
	FAILS(MR_ENO_SUCH_LEASE, "", mr_extend(m, result.lease, 1));
	mr_result_finish(&result);
	ck_assert_int_eq(client_stat(other, "jobs", "leased"), 0);
	client_put(m, "jobs", "2");
	take_leased(m, &leased, "2", 1, &result);
	IS(MR_OK, mr_nack(m, result.lease, 1)); /* later */
	mr_result_finish(&result);
	take_leased(m, &(struct mr_take_options){.lease_ms = 1}, "2", 2, &result);
	mr_result_finish(&result);
	take_leased(m, &leased, "2", 3, &result); /* after its lease has ended by itself */
	mr_result_finish(&result);
}
END_TEST

START_TEST(a_batch_has_one_lease)
{
	struct mr_take_options options = {.max = 3, .lease_ms = 60000};
	struct mr_result result;
	json_t *values;

	IS(MR_OK, mr_put_many_raw(m, "jobs", "[1,2]", 5, MR_FOREVER, NULL));
	IS(MR_OK, mr_take_with(m, "jobs", &options, MR_FOREVER, &result));
	ck_assert_str_eq(result.raw, "[1,2]");
	ck_assert_str_eq(result.all_deliveries, "[1,1]");
	ck_assert_uint_eq(result.deliveries, 1);
	IS(MR_OK, mr_result_json(&result, &values));
	ck_assert_uint_eq(json_array_size(values), 2);
	json_decref(values);
	IS(MR_OK, mr_ack(m, result.lease));
	mr_result_finish(&result);
	IS(MR_TIMEOUT, mr_take_with(m, "jobs", &options, 0, &result));
	FAILS(MR_EARGUMENT, "no value", mr_result_json(&result, &values));
}
END_TEST

START_TEST(a_sticky_lease_outlives_its_connection)
{
	mr *brief = client_connect(daemon_url(d));
	struct mr_result sticky, plain;

	client_put(m, "jobs", "1");
	client_put(m, "jobs", "2");
	take_leased(brief, &(struct mr_take_options){.lease_ms = 60000, .sticky = true}, "1", 1, &sticky);
	take_leased(brief, &leased, "2", 1, &plain);
	mr_destroy(brief);
	mr_result_finish(&plain);
	take_leased(m, &leased, "2", 2, &plain);
	ck_assert_int_eq(client_stat(other, "jobs", "leased"), 2);
	IS(MR_OK, mr_ack(m, sticky.lease));
	mr_result_finish(&sticky);
	mr_result_finish(&plain);
}
END_TEST

START_TEST(an_alts_leases_what_its_take_arm_takes)
{
	struct mr_arm arms[] = {{.channel = "meet"}, {.channel = "jobs"}};
	struct mr_choice choice;

	client_put(m, "jobs", "1");
	IS(MR_OK, mr_alts_with(m, arms, 2, &(struct mr_alts_options){.lease_ms = 60000}, MR_FOREVER, &choice));
	ck_assert_uint_eq(choice.arm, 1);
	ck_assert_uint_eq(choice.deliveries, 1);
	IS(MR_OK, mr_nack(m, choice.lease, 0));
	mr_choice_finish(&choice);
	client_take(m, "jobs", "1");
}
END_TEST

START_TEST(a_consumer_has_a_lease_for_each)
{
	struct mr_result results[3];
	mr_consumer *c;

	IS(MR_OK, mr_consumer_create(&c, m, "jobs", &(struct mr_consumer_options){.credit = 2, .lease_ms = 60000}));
	for (size_t i = 0; i < 3; i++) {
		client_put(other, "jobs", "1");
		IS(MR_OK, mr_consumer_next(c, &results[i], MR_FOREVER));
		ck_assert_uint_eq(results[i].deliveries, 1);
	}
	ck_assert_str_ne(results[0].lease, results[1].lease);
	IS(MR_OK, mr_ack(m, results[1].lease));
	IS(MR_OK, mr_nack(m, results[0].lease, 0)); /* to the same consumer */
	mr_result_finish(&results[0]);
	IS(MR_OK, mr_consumer_next(c, &results[0], MR_FOREVER));
	ck_assert_uint_eq(results[0].deliveries, 2);
	for (size_t i = 0; i < 3; i++)
		mr_result_finish(&results[i]);
	mr_consumer_destroy(c);
}
END_TEST

START_TEST(what_is_given_up_goes_to_the_dead_letters)
{
	struct mr_result result;

	IS(MR_OK, mr_create(m, "fragile",
			    &(struct mr_definition){
				    .kind = "bounded", .capacity = 1, .max_deliveries = 1, .dead_letter = "dead"},
			    NULL, NULL));
	client_put(m, "fragile", "\"bad\"");
	IS(MR_OK, mr_take_with(m, "fragile", &leased, MR_FOREVER, &result));
	IS(MR_OK, mr_nack(m, result.lease, 0));
	mr_result_finish(&result);
	client_take(m, "dead", "\"bad\"");
}
END_TEST

START_TEST(impossible_leases)
{
	struct mr_result result;

	FAILS(MR_EARGUMENT, "lease", mr_take_with(m, "jobs", &(struct mr_take_options){.lease_ms = -1}, 0, &result));
	FAILS(MR_EARGUMENT, "sticky", mr_take_with(m, "jobs", &(struct mr_take_options){.sticky = true}, 0, &result));
	FAILS(MR_EARGUMENT, "NULL", mr_ack(m, NULL));
	FAILS(MR_EARGUMENT, "delay", mr_nack(m, "x", -1));
	FAILS(MR_EARGUMENT, "lease", mr_extend(m, "x", 0));
	FAILS(MR_ENO_SUCH_LEASE, "", mr_ack(m, "x"));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("client: leases");
	const TTest *const tests[] = {
		a_leased_value_is_done_given_back_or_kept_longer,
		a_batch_has_one_lease,
		a_sticky_lease_outlives_its_connection,
		an_alts_leases_what_its_take_arm_takes,
		a_consumer_has_a_lease_for_each,
		what_is_given_up_goes_to_the_dead_letters,
		impossible_leases,
		NULL,
	};

	suite_case(suite, "leases", setup, teardown, tests);
	return suite_run(suite);
}
