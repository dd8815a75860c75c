/* The five kinds of channel: when a put parks, what is shed, and what `ok` means. */
#include <stdio.h>

#include "tests/lib/core_fixture.h"

START_TEST(unbuffered_a_put_parks_until_a_take_comes)
{
	expect("a1 create c unbuffered", "a1 ok created");
	expect("a2 put c x", "");
	expect_books("c", "puts 1 bytes 1");
	expect("b1 take c", "b1 ok x; a2 ok");
	expect_books("c", "accepted 1 taken 1");
}
END_TEST

START_TEST(unbuffered_ok_on_a_put_means_matched_with_a_take)
{
	expect("a1 create c unbuffered", "a1 ok created");
	expect("b1 take c", "");
	expect("a2 put c x", "b1 ok x; a2 ok");
	expect("a3 put c y timeout 0", "a3 timeout");
	expect_books("c", "accepted 1 taken 1");
}
END_TEST

START_TEST(unbuffered_never_buffers)
{
	expect("a1 create c unbuffered", "a1 ok created");
	expect("a2 puts c x y", "");
	expect_buffer("c", "");
	expect("b1 take c", "b1 ok x");
	expect_books("c", "puts 1 bytes 1 accepted 1 taken 1");
}
END_TEST

START_TEST(bounded_a_put_is_ok_once_buffered)
{
	expect("a1 create c bounded 2", "a1 ok created");
	expect("a2 put c x", "a2 ok");
	expect("a3 put c y", "a3 ok");
	expect_buffer("c", "x y");
	expect_books("c", "buffered 2 bytes 2 accepted 2");
}
END_TEST

START_TEST(bounded_a_put_without_room_parks)
{
	expect("a1 create c bounded 1", "a1 ok created");
	expect("a2 put c x", "a2 ok");
	expect("a3 put c y", "");
	expect_waiters("c", "a3 put c");
	expect_books("c", "buffered 1 puts 1 bytes 2 accepted 1");
	expect("b1 take c", "b1 ok x; a3 ok");
	expect_buffer("c", "y");
}
END_TEST

START_TEST(dropping_the_new_value_is_shed)
{
	expect("a1 create c dropping 2", "a1 ok created");
	expect("a2 puts c x y", "a2 ok accepted 2");
	expect("a3 put c z", "a3 dropped");
	expect_buffer("c", "x y");
	expect_books("c", "buffered 2 bytes 2 accepted 2 dropped 1");
	expect("b1 take c", "b1 ok x");
	expect("a4 put c w", "a4 ok");
	expect_buffer("c", "y w");
}
END_TEST

START_TEST(dropping_never_parks_a_put)
{
	expect("a1 create c dropping 1", "a1 ok created");
	expect("a2 put c x", "a2 ok");
	expect("a3 put c y timeout 50", "a3 dropped");
	expect_waiters("", "");
}
END_TEST

START_TEST(sliding_the_oldest_value_is_shed)
{
	expect("a1 create c sliding 2", "a1 ok created");
	expect("a2 puts c x y", "a2 ok accepted 2");
	expect("a3 put c z", "a3 ok evicted 1");
	expect_buffer("c", "y z");
	expect_books("c", "buffered 2 bytes 2 accepted 3 evicted 1");
}
END_TEST

START_TEST(sliding_never_parks_a_put)
{
	expect("a1 create c sliding 1", "a1 ok created");
	expect("a2 put c x", "a2 ok");
	expect("a3 put c y timeout 50", "a3 ok evicted 1");
	expect_waiters("", "");
	expect_buffer("c", "y");
}
END_TEST

START_TEST(every_kind_with_capacity_is_first_in_first_out_and_hands_over_to_a_parked_take)
{
	static const char *const creates[] = {"a1 create c bounded 3", "a1 create c dropping 3",
					      "a1 create c sliding 3"};
	for (size_t i = 0; i < 3; i++) {
		expect(creates[i], "a1 ok created");
		expect("b1 take c", "");
		expect("a2 put c x", "b1 ok x; a2 ok");
		expect("a3 puts c u v w", "a3 ok accepted 3");
		expect("b2 take c", "b2 ok u");
		expect("b3 take c", "b3 ok v");
		expect("b4 take c", "b4 ok w");
		expect("b5 take c timeout 0", "b5 timeout");
		expect("a4 delete c", "a4 ok");
	}
}
END_TEST

START_TEST(promise_the_first_value_stays)
{
	expect("a1 create c promise", "a1 ok created");
	expect("a2 put c x", "a2 ok");
	expect("b1 take c", "b1 ok x");
	expect("b2 take c", "b2 ok x");
	expect("b3 take c max 10", "b3 ok x");
	expect_books("c", "buffered 1 bytes 1 accepted 1 taken 3");
}
END_TEST

START_TEST(promise_later_puts_get_dropped)
{
	expect("a1 create c promise", "a1 ok created");
	expect("a2 put c x", "a2 ok");
	expect("a3 put c y", "a3 dropped");
	expect("a4 puts c y z", "a4 dropped accepted 0");
	expect("b1 take c", "b1 ok x");
	expect_books("c", "buffered 1 bytes 1 accepted 1 taken 1 dropped 3");
}
END_TEST

START_TEST(promise_takes_park_until_it_is_made_and_all_get_it)
{
	expect("a1 create c promise", "a1 ok created");
	expect("b1 take c", "");
	expect("c1 take c max 5", "");
	expect("d1 alts take:c", "");
	expect("a2 put c x", "b1 ok x; c1 ok x; d1 ok arm 0 take c x; a2 ok");
	expect_books("c", "buffered 1 bytes 1 accepted 1 taken 3");
}
END_TEST

START_TEST(promise_stays_after_close)
{
	expect("a1 create c promise", "a1 ok created");
	expect("a2 put c x", "a2 ok");
	expect("a3 close c", "a3 ok");
	expect("b1 take c", "b1 ok x");
	expect("b2 take c", "b2 ok x");
	expect("a4 put c y", "a4 closed");
}
END_TEST

START_TEST(promise_of_a_batch_is_its_first)
{
	expect("a1 create c promise", "a1 ok created");
	expect("a2 puts c x y z", "a2 dropped accepted 1");
	expect("b1 take c", "b1 ok x");
	expect_books("c", "buffered 1 bytes 1 accepted 1 taken 1 dropped 2");
}
END_TEST

START_TEST(a_channel_that_nobody_has_declared_does_not_exist)
{
	expect("a1 put c x", "a1 error no_such_channel");
	expect("a2 take c", "a2 error no_such_channel");
	expect("a3 close c", "a3 error no_such_channel");
	expect("a4 delete c force", "a4 error no_such_channel");
	expect("a5 alts take:c", "a5 error no_such_channel arm 0");
	expect_books("c", "none");
	expect_buffer("c", "none");
}
END_TEST

START_TEST(there_are_five_kinds_and_no_unbounded_one)
{
	static const char *const names[] = {"unbuffered", "bounded", "dropping", "sliding", "promise"};
	ck_assert_int_eq(KIND_COUNT, 5);
	for (enum channel_kind kind = 0; kind < KIND_COUNT; kind++) {
		ck_assert_str_eq(channel_kind_name(kind), names[kind]);
		ck_assert_int_eq(channel_kind_from_name(slice_from(names[kind])), kind);
	}
	ck_assert_int_eq(channel_kind_from_name(SLICE("unbounded")), KIND_COUNT);
	ck_assert_int_eq(channel_kind_from_name(SLICE("bounde")), KIND_COUNT);
	ck_assert_int_eq(channel_kind_from_name(SLICE("")), KIND_COUNT);
}
END_TEST

START_TEST(a_value_keeps_its_bytes)
{
	const char *value = "{\"a\": 1.0,  \"b\":\"\\u00e9\"}";
	expect("a1 create c bounded 1", "a1 ok created");
	expect("a2 put c '{\"a\": 1.0,  \"b\":\"\\u00e9\"}'", "a2 ok");
	ck_assert_str_eq(fixture_buffer("c"), value);
	char reply[100];
	snprintf(reply, sizeof(reply), "b1 ok %s", value);
	expect("b1 take c", reply);

	static const char binary[] = {'"', 0, 'x', (char)0xff, '"'}; /* the core looks into none */
	struct core_event put = {.op = CORE_PUT,
				 .now_us = fixture.now_us,
				 .connection = fixture.connections[0],
				 .id = 3,
				 .channel = SLICE("c")};
	struct core_event take = {.op = CORE_TAKE,
				  .now_us = fixture.now_us,
				  .connection = fixture.connections[0],
				  .id = 4,
				  .channel = SLICE("c"),
				  .max = 1};
	struct core_effects effects = {0};
	value_list_push(&put.values, value_create(binary, sizeof(binary), NULL));
	core_step(fixture.core, &put, &effects);
	core_effects_release(fixture.core, &effects);
	core_step(fixture.core, &take, &effects);
	ck_assert_uint_eq(effects.head->value->len, sizeof(binary));
	ck_assert_mem_eq(effects.head->value->bytes, binary, sizeof(binary));
	core_effects_release(fixture.core, &effects);
}
END_TEST

int main(void)
{
	const TTest *tests[] = {
		unbuffered_a_put_parks_until_a_take_comes,
		unbuffered_ok_on_a_put_means_matched_with_a_take,
		unbuffered_never_buffers,
		bounded_a_put_is_ok_once_buffered,
		bounded_a_put_without_room_parks,
		dropping_the_new_value_is_shed,
		dropping_never_parks_a_put,
		sliding_the_oldest_value_is_shed,
		sliding_never_parks_a_put,
		every_kind_with_capacity_is_first_in_first_out_and_hands_over_to_a_parked_take,
		promise_the_first_value_stays,
		promise_later_puts_get_dropped,
		promise_takes_park_until_it_is_made_and_all_get_it,
		promise_stays_after_close,
		promise_of_a_batch_is_its_first,
		a_channel_that_nobody_has_declared_does_not_exist,
		there_are_five_kinds_and_no_unbounded_one,
		a_value_keeps_its_bytes,
	};
	return fixture_main("core: kinds", tests, sizeof(tests) / sizeof(tests[0]));
}
