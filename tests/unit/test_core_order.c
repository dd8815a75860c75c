/* Order: of values through a channel, of parked puts and of parked takes. */
#include <stdlib.h>

#include "daemon/core/order.h"
#include "tests/lib/core_fixture.h"

START_TEST(values_leave_in_the_order_in_which_they_entered)
{
	expect("a1 create c bounded 3", "a1 ok created");
	expect("a2 put c x", "a2 ok");
	expect("b2 put c y", "b2 ok");
	expect("a3 put c z", "a3 ok");
	expect("b3 take c", "b3 ok x");
	expect("a4 put c w", "a4 ok");
	expect("b4 take c max 10", "b4 ok y z w");
}
END_TEST

START_TEST(parked_puts_enter_in_the_order_in_which_they_parked)
{
	expect("a1 create c bounded 1", "a1 ok created");
	expect("a2 put c w", "a2 ok");
	expect("c1 put c x", "");
	expect("a3 put c y", "");
	expect("b1 put c z", "");
	expect("d1 take c", "d1 ok w; c1 ok");
	expect("d2 take c", "d2 ok x; a3 ok");
	expect("d3 take c", "d3 ok y; b1 ok");
	expect("d4 take c", "d4 ok z");
}
END_TEST

START_TEST(parked_puts_on_an_unbuffered_channel_are_taken_in_the_order_in_which_they_parked)
{
	expect("a1 create c unbuffered", "a1 ok created");
	expect("c1 put c x", "");
	expect("a2 put c y", "");
	expect("b1 put c z", "");
	expect("d1 take c", "d1 ok x; c1 ok");
	expect("d2 take c max 2", "d2 ok y z; a2 ok; b1 ok");
}
END_TEST

START_TEST(parked_takes_are_served_in_the_order_in_which_they_parked)
{
	expect("a1 create c bounded 1", "a1 ok created");
	expect("d1 take c", "");
	expect("b1 take c", "");
	expect("c1 alts take:c", "");
	expect("a2 put c x", "d1 ok x; a2 ok");
	expect("a3 put c y", "b1 ok y; a3 ok");
	expect("a4 put c z", "c1 ok arm 0 take c z; a4 ok");
}
END_TEST

START_TEST(a_parked_take_is_room)
{
	expect("a1 create b bounded 1", "a1 ok created");
	expect("a2 create d dropping 1", "a2 ok created");
	expect("a3 create s sliding 1", "a3 ok created");
	expect("b1 take b", "");
	expect("b2 take d", "");
	expect("b3 take s", "");
	expect("a4 puts b x y", "b1 ok x; a4 ok accepted 2");
	expect("a5 puts d x y", "b2 ok x; a5 ok accepted 2");
	expect("a6 puts s x y", "b3 ok x; a6 ok accepted 2");
	expect_buffer("b", "y");
	expect_buffer("d", "y");
	expect_buffer("s", "y");
	expect_books("b", "buffered 1 bytes 1 accepted 2 taken 1");
}
END_TEST

START_TEST(a_put_is_handed_to_a_parked_take_directly)
{
	expect("a1 create c unbuffered", "a1 ok created");
	expect("b1 take c", "");
	expect("a2 put c x timeout 0", "b1 ok x; a2 ok");
	expect_buffer("c", "");
}
END_TEST

START_TEST(a_take_that_finds_nothing_buffered_takes_from_the_oldest_parked_put)
{
	expect("a1 create c unbuffered", "a1 ok created");
	expect("a2 put c x", "");
	expect("b2 alts put:c=y", "");
	expect("c1 take c timeout 0", "c1 ok x; a2 ok");
	expect("c2 take c timeout 0", "c2 ok y; b2 ok arm 0 put c");
}
END_TEST

START_TEST(a_parked_put_and_a_parked_take_never_stand_together)
{
	expect("a1 create c unbuffered", "a1 ok created");
	expect("a2 put c x", "");
	expect("b1 take c", "b1 ok x; a2 ok");
	expect("b2 take c", "");
	expect("a3 put c y", "b2 ok y; a3 ok");
	expect_waiters("c", "");
}
END_TEST

START_TEST(a_parked_put_and_a_parked_take_stand_together_only_as_arms_of_one_alts)
{
	expect("a1 create c unbuffered", "a1 ok created");
	expect("a2 alts take:c put:c=x", "");
	expect_books("c", "puts 1 takes 1 bytes 1");
	expect("b1 take c", "b1 ok x; a2 ok arm 1 put c");
	expect("a3 alts take:c put:c=x", "");
	expect("b2 put c y", "a3 ok arm 0 take c y; b2 ok");
	expect_books("c", "accepted 2 taken 2");
}
END_TEST

START_TEST(a_put_that_leaves_does_not_hold_up_those_behind_it)
{
	expect("a1 create c unbuffered", "a1 ok created");
	expect("a2 put c x", "");
	expect("a3 put c y", "");
	expect("a4 put c z timeout 5", "");
	expect("a5 cancel 2", "a2 cancelled; a5 ok");
	fixture_later(5);
	expect("b1 take c max 5", "a4 timeout; b1 ok y; a3 ok");
}
END_TEST

START_TEST(the_reply_of_a_take_comes_before_those_of_the_puts_that_it_lets_in)
{
	expect("a1 create c bounded 2", "a1 ok created");
	expect("a2 puts c v w", "a2 ok accepted 2");
	expect("a3 put c x", "");
	expect("a4 alts put:c=y", "");
	expect("b1 take c max 2", "b1 ok v w; a3 ok; a4 ok arm 0 put c");
	expect_buffer("c", "x y");
}
END_TEST

/* -- The table of all who are parked -- */

enum { REQUESTS = 3000, STEPS = 40000, PLACES_A_STEP = 8 };

/* Live ones in order of seq: a search through all of them. */
static struct request *naive_after(struct request *const requests[], size_t n, uint64_t after)
{
	struct request *found = NULL;
	for (size_t i = 0; i < n; i++)
		if (requests[i]->parked.seq > after && (!found || requests[i]->parked.seq < found->parked.seq))
			found = requests[i];
	return found;
}

START_TEST(the_order_of_parking_is_compacted_a_little_with_each_step)
{
	static struct request *live[REQUESTS];
	struct order order = {0};
	size_t n = 0;
	uint64_t random = 1;
	for (int step = 0; step < STEPS; step++) {
		bool fills = step / REQUESTS % 2 == 0;
		uint32_t read = order.read;
		random = random * 6364136223846793005 + 1442695040888963407;
		size_t any = n ? (random >> 33) % n : 0;
		if (n < REQUESTS && (n == 0 || (random >> 20) % 10 < (fills ? 8 : 1))) {
			ck_assert_int_eq(order_reserve(&order), 0);
			order_append(&order, live[n++] = calloc(1, sizeof(struct request)));
		} else {
			order_remove(&order, live[any]);
			free(live[any]);
			live[any] = live[--n];
		}
		ck_assert(order.read == 0 || order.read - read <= PLACES_A_STEP);
		if (n == 0)
			continue;
		any = (random >> 40) % n;
		ck_assert_ptr_eq(order_find(&order, live[any]->parked.seq), live[any]);
		ck_assert_uint_le(order.n, 3 * n + 2 * 64 + REQUESTS / 2);
		if (step % 16 == 0)
			ck_assert_ptr_eq(order_after(&order, live[any]->parked.seq),
					 naive_after(live, n, live[any]->parked.seq));
	}
	while (n > 0)
		free(live[--n]);
	order_finish(&order);
}
END_TEST

int main(void)
{
	const TTest *tests[] = {
		the_order_of_parking_is_compacted_a_little_with_each_step,
		values_leave_in_the_order_in_which_they_entered,
		parked_puts_enter_in_the_order_in_which_they_parked,
		parked_puts_on_an_unbuffered_channel_are_taken_in_the_order_in_which_they_parked,
		parked_takes_are_served_in_the_order_in_which_they_parked,
		a_parked_take_is_room,
		a_put_is_handed_to_a_parked_take_directly,
		a_take_that_finds_nothing_buffered_takes_from_the_oldest_parked_put,
		a_parked_put_and_a_parked_take_never_stand_together,
		a_parked_put_and_a_parked_take_stand_together_only_as_arms_of_one_alts,
		a_put_that_leaves_does_not_hold_up_those_behind_it,
		the_reply_of_a_take_comes_before_those_of_the_puts_that_it_lets_in,
	};
	return fixture_main("core: order", tests, sizeof(tests) / sizeof(tests[0]));
}
