/* Requests that are good: what is decoded from them. */
#include <stdlib.h>
#include <string.h>

#include "tests/lib/message_fixture.h"
#include "tests/lib/suite.h"

START_TEST(a_put_has_its_parts)
{
	decodes("{\"id\":7,\"op\":\"put\",\"channel\":\"jobs\",\"value\":{\"a\": 1.0,  "
		"\"b\":\"\\u00e9\"},\"timeout_ms\":250}");
	ck_assert_uint_eq(request.id, 7);
	ck_assert_int_eq(request.op, OP_PUT);
	equals(request.channel, "jobs");
	equals(request.value, "{\"a\": 1.0,  \"b\":\"\\u00e9\"}");
	ck_assert(message_has(&request, MEMBER_TIMEOUT_MS));
	ck_assert_uint_eq(request.timeout_ms, 250);
	ck_assert(!message_has(&request, MEMBER_VALUES));
}
END_TEST

START_TEST(members_may_come_in_any_order)
{
	decodes(" { \"value\" : [ 1 ] , \"timeout_ms\" : 0 , \"channel\" : \"c\" , \"op\" : \"put\" , \"id\" : 0 } ");
	ck_assert_int_eq(request.op, OP_PUT);
	ck_assert(request.has_id && request.id == 0);
	equals(request.value, "[ 1 ]");
	ck_assert(message_has(&request, MEMBER_TIMEOUT_MS) && request.timeout_ms == 0);
}
END_TEST

START_TEST(names_are_compared_after_unescaping)
{
	decodes("{\"\\u0069d\":1,\"\\u006fp\":\"p\\u0075t\",\"ch\\u0061nnel\":\"j\\u006fbs\",\"value\":\"\\u006f\"}");
	ck_assert_int_eq(request.op, OP_PUT);
	equals(request.channel, "jobs");
	equals(request.value, "\"\\u006f\"");
}
END_TEST

START_TEST(a_batch_is_split)
{
	decodes("{\"id\":1,\"op\":\"put\",\"channel\":\"c\",\"values\":[1, \"two\",[3 ,3],{\"f\":4} ]}");
	ck_assert_uint_eq(request.n_values, 4);
	equals(request.values[0], "1");
	equals(request.values[1], "\"two\"");
	equals(request.values[2], "[3 ,3]");
	equals(request.values[3], "{\"f\":4}");
}
END_TEST

START_TEST(a_large_batch_gives_its_memory_back)
{
	enum { N = 100000 };
	char *text = malloc(3 * N + 100);
	ck_assert_ptr_nonnull(text);
	strcpy(text, "{\"id\":1,\"op\":\"put\",\"channel\":\"c\",\"values\":[7");
	size_t len = strlen(text);
	for (int i = 1; i < N; i++, len += 2)
		memcpy(text + len, ",7", 2);
	strcpy(text + len, "]}");
	decodes(text);
	ck_assert_uint_eq(request.n_values, N);
	equals(request.values[N - 1], "7");
	decodes("{\"id\":1,\"op\":\"ping\"}");
	ck_assert_uint_lt(decoder.values_cap, N / 10);
	free(text);
}
END_TEST

START_TEST(arms_are_takes_and_puts)
{
	decodes("{\"id\":1,\"op\":\"alts\",\"priority\":true,\"arms\":[{\"take\":\"a\"},{\"value\":[1],\"put\":\"b\"},{"
		"\"take\":\"a\"}],\"timeout_ms\":5}");
	ck_assert_uint_eq(request.n_arms, 3);
	ck_assert(request.priority);
	ck_assert(!request.arms[0].is_put && request.arms[1].is_put && !request.arms[2].is_put);
	equals(request.arms[0].channel, "a");
	equals(request.arms[1].channel, "b");
	equals(request.arms[1].value, "[1]");
}
END_TEST

START_TEST(every_op_is_known_with_all_its_members)
{
	static const struct {
		const char *text;
		enum message_op op;
	} good[] = {
		{"{\"id\":1,\"op\":\"hello\",\"protocol\":1,\"name\":\"n\",\"token\":\"t\"}", OP_HELLO},
		{"{\"id\":1,\"op\":\"ping\"}", OP_PING},
		{"{\"id\":1,\"op\":\"create\",\"channel\":\"c\",\"kind\":\"bounded\",\"capacity\":3,\"ephemeral\":true,"
		 "\"max_waiters\":9}",
		 OP_CREATE},
		{"{\"id\":1,\"op\":\"create\",\"kind\":\"promise\",\"ephemeral\":false}", OP_CREATE},
		{"{\"id\":1,\"op\":\"close\",\"channel\":\"c\"}", OP_CLOSE},
		{"{\"id\":1,\"op\":\"delete\",\"channel\":\"c\",\"force\":true}", OP_DELETE},
		{"{\"id\":1,\"op\":\"put\",\"channel\":\"_r.1\",\"value\":0}", OP_PUT},
		{"{\"id\":1,\"op\":\"take\",\"channel\":\"c\",\"max\":1000,\"timeout_ms\":2147483647}", OP_TAKE},
		{"{\"id\":1,\"op\":\"take\",\"channel\":\"c\",\"count\":1000000}", OP_TAKE},
		{"{\"id\":1,\"op\":\"take\",\"channel\":\"c\",\"lease_ms\":1,\"sticky\":true}", OP_TAKE},
		{"{\"id\":1,\"op\":\"alts\",\"arms\":[{\"take\":\"c\"}],\"lease_ms\":1,\"sticky\":true}", OP_ALTS},
		{"{\"id\":1,\"op\":\"put\",\"channel\":\"c\",\"value\":0,\"timeout_ms\":0,\"delay_ms\":2147483647,"
		 "\"producer\":\"p\",\"seq\":9007199254740991}",
		 OP_PUT},
		{"{\"id\":1,\"op\":\"put\",\"channel\":\"c\",\"values\":[0],\"producer\":\"p\",\"seq\":0}", OP_PUT},
		{"{\"id\":1,\"op\":\"alter\",\"channel\":\"c\"}", OP_ALTER},
		{"{\"id\":1,\"op\":\"alter\",\"channel\":\"c\",\"capacity\":3,\"max_waiters\":4,\"max_deliveries\":5,"
		 "\"dead_letter\":\"bad\"}",
		 OP_ALTER},
		{"{\"id\":1,\"op\":\"alter\",\"channel\":\"c\",\"max_deliveries\":0,\"dead_letter\":null}", OP_ALTER},
		{"{\"id\":1,\"op\":\"nack\",\"lease\":\"t\",\"counted\":false}", OP_NACK},
		{"{\"id\":1,\"op\":\"leases\"}", OP_LEASES},
		{"{\"id\":1,\"op\":\"leases\",\"channel\":\"c\",\"after\":7,\"limit\":1}", OP_LEASES},
		{"{\"id\":1,\"op\":\"move\",\"from\":\"c\"}", OP_MOVE},
		{"{\"id\":1,\"op\":\"move\",\"from\":\"c\",\"to\":\"d\",\"max\":10000}", OP_MOVE},
		{"{\"id\":1,\"op\":\"ack\",\"lease\":\"t\"}", OP_ACK},
		{"{\"id\":1,\"op\":\"nack\",\"lease\":\"t\",\"delay_ms\":0}", OP_NACK},
		{"{\"id\":1,\"op\":\"extend\",\"lease\":\"t\",\"lease_ms\":1}", OP_EXTEND},
		{"{\"id\":1,\"op\":\"create\",\"channel\":\"c\",\"kind\":\"bounded\",\"capacity\":3,\"max_deliveries\":"
		 "3,\"dead_letter\":\"d\"}",
		 OP_CREATE},
		{"{\"id\":1,\"op\":\"cancel\",\"request\":9007199254740991}", OP_CANCEL},
		{"{\"id\":1,\"op\":\"peek\",\"channel\":\"c\",\"max\":1000000}", OP_PEEK},
		{"{\"id\":1,\"op\":\"list\",\"match\":\"a*\",\"after\":\"b\",\"limit\":2}", OP_LIST},
		{"{\"id\":1,\"op\":\"stat\",\"channel\":\"c\"}", OP_STAT},
		{"{\"id\":1,\"op\":\"waiters\",\"channel\":\"c\",\"after\":12,\"limit\":1}", OP_WAITERS},
	};
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		decodes(good[i].text);
		ck_assert_int_eq(request.op, good[i].op);
	}
	ck_assert_uint_eq(request.after_seq, 12);
	decodes("{\"id\":1,\"op\":\"list\"}");
	ck_assert_uint_eq(request.limit, 1000);
	decodes("{\"id\":1,\"op\":\"peek\",\"channel\":\"c\"}");
	ck_assert_uint_eq(request.max, 1);
}
END_TEST

START_TEST(hello_alone_ignores_what_it_does_not_know)
{
	decodes("{\"id\":1,\"op\":\"hello\",\"protocol\":1,\"future\":{\"x\":[1]},\"value\":null,\"future\":2,\"arms\":"
		"7}");
	is_bad("{\"id\":1,\"op\":\"hello\",\"protocol\":1,\"protocol\":1}", "\"protocol\" is there twice");
	is_bad("{\"id\":1,\"op\":\"hello\"}", "\"protocol\" is missing");
	is_bad("{\"id\":1,\"op\":\"ping\",\"future\":1}", "\"future\" is no member of ping");
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		a_put_has_its_parts,
		members_may_come_in_any_order,
		names_are_compared_after_unescaping,
		a_batch_is_split,
		a_large_batch_gives_its_memory_back,
		arms_are_takes_and_puts,
		every_op_is_known_with_all_its_members,
		hello_alone_ignores_what_it_does_not_know,
		NULL,
	};
	Suite *suite = suite_create("proto: requests");
	suite_case(suite, "all", NULL, message_teardown, tests);
	return suite_run(suite);
}
