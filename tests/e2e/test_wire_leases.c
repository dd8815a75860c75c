/* Leases on the wire, and what becomes of values when connections end: with their replies sent, unsent, or half sent.
 */
#include <string.h>

#include "tests/lib/suite.h"
#include "tests/lib/wire.h"

enum { LARGE = 700 * 1024 }; /* bytes of a value: several do not fit into the sockets' buffers */

static struct daemon *d;
static struct wire *w, *other;

static void setup(void)
{
	d = daemon_start((const char *[]){"--set",
					  "channels={jobs: {kind: bounded, capacity: 99, max_deliveries: 2, "
					  "dead_letter: dead}, dead: {kind: bounded, capacity: 1}}",
					  NULL});
	w = wire_connect(d);
	other = wire_connect(d);
}

static void teardown(void)
{
	wire_sync(w);
	wire_close(w);
	wire_close(other);
	daemon_stop(d);
}

/* The next reply's lease; it has to be for these deliveries, as JSON. */
static void take_token(struct wire *wire, const char *value, const char *deliveries, char token[33])
{
	json_t *reply = wire_recv_json(wire);
	json_t *wanted = json_loads(value, JSON_DECODE_ANY, NULL),
	       *counts = json_loads(deliveries, JSON_DECODE_ANY, NULL);
	const char *text = json_string_value(json_object_get(reply, "lease"));
	const json_t *found = json_object_get(reply, json_is_array(counts) ? "values" : "value");
	ck_assert_str_eq(json_string_value(json_object_get(reply, "status")), "ok");
	ck_assert(json_equal(found, wanted));
	ck_assert(json_equal(json_object_get(reply, "deliveries"), counts));
	ck_assert_ptr_nonnull(text);
	ck_assert_uint_eq(strlen(text), 32);
	ck_assert_uint_eq(strspn(text, "0123456789abcdef"), 32);
	strcpy(token, text);
	json_decref(reply);
	json_decref(wanted);
	json_decref(counts);
}

/* Waits until the channel's row has these members. */
static void wait_stat(const char *channel, const char *members)
{
	json_t *wanted = json_loads(members, 0, NULL);
	uint64_t deadline = test_now_ms() + WIRE_DEADLINE_MS;
	for (bool has = false; !has;) {
		wire_sendf(w, "{\"id\":99,\"op\":\"stat\",\"channel\":\"%s\"}", channel);
		json_t *row = wire_recv_json(w);
		has = json_has(row, wanted);
		if (!has && test_now_ms() > deadline) {
			char *text = json_dumps(row, 0);
			ck_abort_msg("never %s, but %s", members, text);
		}
		json_decref(row);
	}
	json_decref(wanted);
}

START_TEST(a_lease_goes_its_whole_way)
{
	char token[33];
	wire_ask(w, "{\"id\":1,\"op\":\"put\",\"channel\":\"jobs\",\"values\":[\"a\",\"b\"]}", "{\"accepted\":2}");
	wire_send(w, "{\"id\":2,\"op\":\"take\",\"channel\":\"jobs\",\"lease_ms\":60000}");
	take_token(w, "\"a\"", "1", token);
	wire_sendf(other, "{\"id\":1,\"op\":\"extend\",\"lease\":\"%s\",\"lease_ms\":120000}", token);
	wire_expect_exactly(other, "{\"id\":1,\"status\":\"ok\"}");
	wire_sendf(other, "{\"id\":2,\"op\":\"nack\",\"lease\":\"%s\"}", token);
	wire_expect_exactly(other, "{\"id\":2,\"status\":\"ok\"}");
	wire_send(w, "{\"id\":3,\"op\":\"take\",\"channel\":\"jobs\",\"max\":9,\"lease_ms\":60000}");
	take_token(w, "[\"a\",\"b\"]", "[2,1]", token);
	wire_sendf(w, "{\"id\":4,\"op\":\"ack\",\"lease\":\"%s\"}", token);
	wire_expect_exactly(w, "{\"id\":4,\"status\":\"ok\"}");
	wire_sendf(w, "{\"id\":5,\"op\":\"ack\",\"lease\":\"%s\"}", token);
	wire_expect_error(w, 5, "no_such_lease", "");
	wait_stat("jobs", "{\"buffered\":0,\"leased\":0,\"taken\":2,\"accepted\":2,\"bytes\":0}");
}
END_TEST

START_TEST(what_is_no_token_names_no_lease)
{
	const char *none[] = {"", "x", "0123456789abcdef0123456789abcdef", "0123456789abcdef0123456789abcdef0",
			      "0123456789ABCDEF0123456789ABCDEF"};
	for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++) {
		wire_sendf(w, "{\"id\":1,\"op\":\"ack\",\"lease\":\"%s\"}", none[i]);
		wire_expect_error(w, 1, "no_such_lease", "");
	}
}
END_TEST

START_TEST(an_alts_leases_what_it_takes)
{
	char token[33];
	wire_send(w, "{\"id\":1,\"op\":\"alts\",\"arms\":[{\"take\":\"jobs\"},{\"take\":\"dead\"}],\"lease_ms\":60000,"
		     "\"sticky\":true}");
	wire_sync(other);
	wire_ask(other, "{\"id\":1,\"op\":\"put\",\"channel\":\"dead\",\"value\":7}", "{\"status\":\"ok\"}");
	take_token(w, "7", "1", token);
	wire_ask_error(w, "{\"id\":2,\"op\":\"delete\",\"channel\":\"dead\"}", 2, "not_empty", "leased");
}
END_TEST

START_TEST(a_lease_that_ends_by_itself_brings_the_value_to_who_waits)
{
	char token[33];
	wire_ask(w, "{\"id\":1,\"op\":\"put\",\"channel\":\"jobs\",\"value\":1}", "{\"status\":\"ok\"}");
	wire_send(w, "{\"id\":2,\"op\":\"take\",\"channel\":\"jobs\",\"lease_ms\":1}");
	take_token(w, "1", "1", token);
	wire_send(other, "{\"id\":1,\"op\":\"take\",\"channel\":\"jobs\",\"lease_ms\":60000}");
	take_token(other, "1", "2", token);
	wire_sendf(other, "{\"id\":2,\"op\":\"nack\",\"lease\":\"%s\",\"delay_ms\":1}", token);
	wire_expect(other, "{\"id\":2,\"status\":\"ok\"}");
	wait_stat("jobs", "{\"buffered\":0,\"leased\":0,\"dead_lettered\":1}");
	wait_stat("dead", "{\"buffered\":1,\"accepted\":1}");
}
END_TEST

START_TEST(the_end_of_a_connection_returns_its_leases)
{
	char token[33];
	wire_ask(w, "{\"id\":1,\"op\":\"put\",\"channel\":\"jobs\",\"values\":[1,2,3]}", "{\"accepted\":3}");
	wire_send(other, "{\"id\":1,\"op\":\"take\",\"channel\":\"jobs\",\"lease_ms\":60000}");
	take_token(other, "1", "1", token);
	wire_send(other, "{\"id\":2,\"op\":\"take\",\"channel\":\"jobs\",\"lease_ms\":60000,\"sticky\":true}");
	take_token(other, "2", "1", token);
	wire_reset(other);
	wait_stat("jobs", "{\"buffered\":2,\"leased\":1}");
	wire_ask(w, "{\"id\":2,\"op\":\"peek\",\"channel\":\"jobs\",\"max\":9}", "{\"values\":[1,3]}");
	wire_sendf(w, "{\"id\":3,\"op\":\"nack\",\"lease\":\"%s\"}", token);
	wire_expect(w, "{\"id\":3,\"status\":\"ok\"}");
	wire_ask(w, "{\"id\":4,\"op\":\"peek\",\"channel\":\"jobs\",\"max\":9}", "{\"values\":[1,2,3]}");
	other = wire_connect(d);
}
END_TEST

START_TEST(a_half_closed_connection_gets_its_lease_before_that_ends)
{
	char token[33];
	wire_ask(w, "{\"id\":1,\"op\":\"put\",\"channel\":\"jobs\",\"value\":1}", "{\"status\":\"ok\"}");
	wire_send(other, "{\"id\":1,\"op\":\"take\",\"channel\":\"jobs\",\"lease_ms\":60000}");
	wire_end_sending(other);
	take_token(other, "1", "1", token);
	wire_closed(other);
	wait_stat("jobs", "{\"buffered\":1,\"leased\":0}");
}
END_TEST

/* -- unsent -- */

static void put_large(int n)
{
	static char value[LARGE + 1];
	memset(value, 'x', LARGE);
	for (int i = 0; i < n; i++)
		wire_sendf(w, "{\"op\":\"put\",\"channel\":\"jobs\",\"value\":[%d,\"%s\"]}", i, value);
	wire_sync(w);
}

/* Its end can be seen: with it goes a channel. */
static struct wire *connect_slow(void)
{
	struct wire *slow = wire_connect_slow(d);
	wire_ask(slow, "{\"id\":1,\"op\":\"create\",\"channel\":\"witness\",\"kind\":\"promise\",\"ephemeral\":true}",
		 "{\"created\":true}");
	return slow;
}

static void reset_slow(struct wire *slow)
{
	uint64_t deadline = test_now_ms() + WIRE_DEADLINE_MS;
	wire_reset(slow);
	for (bool is_there = true; is_there;) {
		wire_send(w, "{\"id\":98,\"op\":\"stat\",\"channel\":\"witness\"}");
		json_t *reply = wire_recv_json(w);
		is_there = strcmp(json_string_value(json_object_get(reply, "status")), "ok") == 0;
		json_decref(reply);
		ck_assert_uint_lt(test_now_ms(), deadline);
	}
}

/* Of these, what is known to have been read is gone; what the daemon still had is back, in order, as if it had never
 * been taken. */
static void expect_back(int n)
{
	wire_send(w, "{\"id\":1,\"op\":\"stat\",\"channel\":\"jobs\"}");
	json_t *row = wire_recv_json(w);
	int back = (int)json_integer_value(json_object_get(row, "buffered"));
	json_decref(row);
	ck_assert_int_gt(back, 0);
	ck_assert_int_lt(back, n);
	for (int i = n - back; i < n; i++) {
		wire_send(w, "{\"id\":2,\"op\":\"take\",\"channel\":\"jobs\",\"lease_ms\":60000,\"sticky\":true}");
		json_t *reply = wire_recv_json(w);
		ck_assert_int_eq(json_integer_value(json_array_get(json_object_get(reply, "value"), 0)), i);
		ck_assert_int_eq(json_integer_value(json_object_get(reply, "deliveries")), 1);
		json_decref(reply);
	}
}

START_TEST(plain_takes_that_were_not_sent_go_back)
{
	enum { N = 30 };
	struct wire *slow = connect_slow();
	put_large(N);
	for (int i = 0; i < N; i++)
		wire_sendf(slow, "{\"id\":%d,\"op\":\"take\",\"channel\":\"jobs\"}", i);
	wire_sync(w);
	reset_slow(slow);
	expect_back(N);
}
END_TEST

START_TEST(a_consumer_that_dies_with_unsent_values_loses_none_of_them)
{
	enum { N = 30 };
	struct wire *slow = connect_slow();
	wire_send(slow, "{\"id\":1,\"op\":\"take\",\"channel\":\"jobs\",\"count\":1000}");
	wait_stat("jobs", "{\"parked_takes\":1}");
	put_large(N);
	reset_slow(slow);
	expect_back(N);
	wire_send(w, "{\"id\":4,\"op\":\"stat\",\"channel\":\"jobs\"}");
	json_t *row = wire_recv_json(w);
	ck_assert_int_ge(json_integer_value(json_object_get(row, "returned")), 1);
	json_decref(row);
}
END_TEST

START_TEST(leased_values_that_were_not_sent_go_back_undelivered)
{
	enum { N = 30 };
	struct wire *slow = connect_slow();
	wire_send(slow,
		  "{\"id\":1,\"op\":\"take\",\"channel\":\"jobs\",\"count\":1000,\"lease_ms\":60000,\"sticky\":true}");
	wait_stat("jobs", "{\"parked_takes\":1}");
	put_large(N);
	reset_slow(slow);
	wire_ask(w, "{\"id\":3,\"op\":\"waiters\"}", "{\"waiters\":[]}");
	wait_stat("jobs", "{\"parked_takes\":0,\"returned\":0,\"dead_lettered\":0}");
	expect_back(N);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("wire leases");
	suite_case(suite, "leases", setup, teardown,
		   (const TTest *const[]){a_lease_goes_its_whole_way, what_is_no_token_names_no_lease,
					  an_alts_leases_what_it_takes,
					  a_lease_that_ends_by_itself_brings_the_value_to_who_waits,
					  the_end_of_a_connection_returns_its_leases,
					  a_half_closed_connection_gets_its_lease_before_that_ends, NULL});
	suite_case(suite, "unsent", setup, teardown,
		   (const TTest *const[]){plain_takes_that_were_not_sent_go_back,
					  a_consumer_that_dies_with_unsent_values_loses_none_of_them,
					  leased_values_that_were_not_sent_go_back_undelivered, NULL});
	return suite_run(suite);
}
