/* The end of taps: with their source, their target or by untap; what then closes, and where what they held goes. */
#include "tests/lib/core_fixture.h"

START_TEST(when_the_source_is_exhausted_its_taps_end_and_the_target_closes)
{
	expect("a1 create c bounded 9", "a1 ok created");
	expect("a2 create d unbuffered", "a2 ok created");
	expect("a3 tap c d", "a3 ok created");
	expect("a4 put c x", "a4 ok");
	expect("a5 close c", "a5 ok");
	expect_taps("c>d held");
	expect("b1 take d", "b1 ok x");
	expect_taps("");
	expect("b2 take d", "b2 closed");
	expect_books("c", "closed accepted 1 taken 1");
}
END_TEST

START_TEST(without_close_the_target_stays_open)
{
	expect("a1 create c bounded 9", "a1 ok created");
	expect("a2 create d bounded 9", "a2 ok created");
	expect("a3 tap c d stays", "a3 ok created");
	expect("a4 close c", "a4 ok");
	expect_taps("");
	expect_books("d", "");
}
END_TEST

START_TEST(a_target_closes_when_the_last_of_the_taps_with_close_into_it_has_ended)
{
	expect("a1 create c bounded 9", "a1 ok created");
	expect("a2 create d bounded 9", "a2 ok created");
	expect("a3 create m bounded 9", "a3 ok created");
	expect("a4 create e bounded 9", "a4 ok created");
	expect("a5 tap c m", "a5 ok created");
	expect("a6 tap d m", "a6 ok created");
	expect("a7 tap e m stays", "a7 ok created");
	expect("a8 close c", "a8 ok");
	expect_books("m", "");
	expect("b1 take m", "");
	expect("a9 close d", "a9 ok; b1 closed");
	expect_taps("");
	expect_books("e", "");
}
END_TEST

START_TEST(closing_goes_down_a_chain)
{
	expect("a1 create c bounded 9", "a1 ok created");
	expect("a2 create d bounded 9", "a2 ok created");
	expect("a3 create e bounded 9", "a3 ok created");
	expect("a4 tap c d", "a4 ok created");
	expect("a5 tap d e", "a5 ok created");
	expect("b1 take e", "");
	expect("a6 close c", "a6 ok; b1 closed");
	expect_taps("");
}
END_TEST

START_TEST(a_paused_taps_source_is_exhausted_by_another_taker)
{
	expect("a1 create c bounded 9", "a1 ok created");
	expect("a2 create d bounded 9", "a2 ok created");
	expect("a3 put c x", "a3 ok");
	expect("a4 tap c d pause", "a4 ok created");
	expect("a5 close c", "a5 ok");
	expect_taps("c>d pause");
	expect("b1 take c", "b1 ok x");
	expect_taps("");
	expect_books("d", "closed");
}
END_TEST

START_TEST(a_paused_taps_source_is_exhausted_when_the_last_put_gives_up)
{
	expect("a1 create c unbuffered", "a1 ok created");
	expect("a2 create d bounded 9", "a2 ok created");
	expect("a3 put c x timeout 50", "");
	expect("a4 tap c d pause", "a4 ok created");
	expect("a5 close c", "a5 ok");
	expect_taps("c>d pause");
	fixture_later(60);
	expect("tick", "a3 timeout");
	expect_taps("");
	expect_books("d", "closed");
}
END_TEST

START_TEST(a_target_that_is_closed_ends_its_tap)
{
	expect("a1 create c bounded 9", "a1 ok created");
	expect("a2 create d bounded 9", "a2 ok created");
	expect("a3 tap c d", "a3 ok created");
	expect("a4 close d", "a4 ok");
	expect_taps("");
	expect("a5 put c x", "a5 ok");
	expect_buffer("c", "x");
}
END_TEST

START_TEST(a_target_that_is_deleted_ends_its_tap)
{
	expect("a1 create c bounded 9", "a1 ok created");
	expect("a2 create d bounded 9", "a2 ok created");
	expect("a3 tap c d", "a3 ok created");
	expect("a4 delete d", "a4 ok");
	expect_taps("");
	expect("a5 put c x", "a5 ok");
	expect_buffer("c", "x");
}
END_TEST

START_TEST(what_a_tap_holds_when_it_ends_goes_back_to_its_place_if_nobody_got_it)
{
	expect("a1 create c bounded 9", "a1 ok created");
	expect("a2 create d unbuffered", "a2 ok created");
	expect("a3 tap c d", "a3 ok created");
	expect("a4 puts c 1 2", "a4 ok accepted 2");
	expect("a5 untap c d", "a5 ok");
	expect_buffer("c", "1 2");
	expect_books("c", "buffered 2 bytes 2 accepted 2");
	expect_books("d", "");
}
END_TEST

START_TEST(what_goes_back_comes_to_a_tap_that_was_made_meanwhile)
{
	expect("a1 create c bounded 2", "a1 ok created");
	expect("a2 create d unbuffered", "a2 ok created");
	expect("a3 create e bounded 2", "a3 ok created");
	expect("a4 tap c d", "a4 ok created");
	expect("a5 put c x", "a5 ok");
	expect("a6 tap c e", "a6 ok created");
	expect_buffer("e", "");
	expect("a7 untap c d", "a7 ok");
	expect_buffer("e", "x");
}
END_TEST

START_TEST(what_goes_back_is_served_to_who_waits)
{
	expect("a1 create c unbuffered", "a1 ok created");
	expect("a2 create d unbuffered", "a2 ok created");
	expect("a3 tap c d", "a3 ok created");
	expect("a4 put c x", "a4 ok");
	expect("b1 take c", "");
	expect("a5 close d", "b1 ok x; a5 ok");
}
END_TEST

START_TEST(what_somebody_got_does_not_go_back)
{
	expect("a1 create c bounded 9", "a1 ok created");
	expect("a2 create d unbuffered", "a2 ok created");
	expect("a3 create e bounded 9", "a3 ok created");
	expect("a4 tap c d", "a4 ok created");
	expect("a5 tap c e", "a5 ok created");
	expect("a6 put c x", "a6 ok");
	expect("a7 untap c e", "a7 ok");
	expect("a8 untap c d", "a8 ok");
	expect_buffer("c", "");
	expect_books("c", "accepted 1 taken 1");
}
END_TEST

START_TEST(a_value_goes_on_to_no_tap_that_did_not_match_it)
{
	expect("a1 create c bounded 9", "a1 ok created");
	expect("a2 create d unbuffered", "a2 ok created");
	expect("a3 create e bounded 9", "a3 ok created");
	expect("a4 tap c d match x", "a4 ok created");
	expect("a5 tap c e match y", "a5 ok created");
	expect("a6 put c x", "a6 ok");
	expect("a7 untap c d", "a7 ok");
	expect_taps("c>e match y unmatched 1");
	expect_books("c", "takes 1 accepted 1 taken 1");
}
END_TEST

START_TEST(a_tap_whose_target_closes_while_it_is_held_up_starves_no_other)
{
	expect("a1 create c bounded 9", "a1 ok created");
	expect("a2 create d unbuffered", "a2 ok created");
	expect("a3 create e bounded 9", "a3 ok created");
	expect("a4 tap c d", "a4 ok created");
	expect("a5 tap c e", "a5 ok created");
	expect("a6 puts c 1 2 3", "a6 ok accepted 3");
	expect_buffer("e", "1");
	expect("a7 close d", "a7 ok");
	expect_buffer("e", "1 2 3");
}
END_TEST

START_TEST(delete_of_a_source_ends_its_taps_withdraws_what_they_hold_and_closes_nothing)
{
	expect("a1 create c bounded 9", "a1 ok created");
	expect("a2 create d unbuffered", "a2 ok created");
	expect("a3 tap c d", "a3 ok created");
	expect("a4 puts c 1 2", "a4 ok accepted 2");
	expect("a5 delete c", "a5 error not_empty");
	expect("a6 delete c force", "a6 ok discarded 2");
	expect_taps("");
	expect_books("d", "");
}
END_TEST

START_TEST(a_tap_of_a_source_that_is_exhausted_ends_at_once)
{
	expect("a1 create c bounded 9", "a1 ok created");
	expect("a2 create d bounded 9", "a2 ok created");
	expect("a3 close c", "a3 ok");
	expect("a4 tap c d", "a4 ok created");
	expect_taps("");
	expect_books("d", "closed");
}
END_TEST

START_TEST(a_tap_to_a_closed_target_is_answered_closed)
{
	expect("a1 create c bounded 9", "a1 ok created");
	expect("a2 create d bounded 9", "a2 ok created");
	expect("a3 close d", "a3 ok");
	expect("a4 tap c d", "a4 closed");
	expect_taps("");
}
END_TEST

START_TEST(untap_closes_nothing_and_names_what_is_not_there)
{
	expect("a1 create c bounded 9", "a1 ok created");
	expect("a2 create d bounded 9", "a2 ok created");
	expect("a3 untap c d", "a3 error no_such_tap");
	expect("a4 untap c x", "a4 error no_such_channel");
	expect("a5 tap c d", "a5 ok created");
	expect("a6 untap c d", "a6 ok");
	expect_books("d", "");
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		when_the_source_is_exhausted_its_taps_end_and_the_target_closes,
		without_close_the_target_stays_open,
		a_target_closes_when_the_last_of_the_taps_with_close_into_it_has_ended,
		closing_goes_down_a_chain,
		a_paused_taps_source_is_exhausted_by_another_taker,
		a_paused_taps_source_is_exhausted_when_the_last_put_gives_up,
		a_target_that_is_closed_ends_its_tap,
		a_target_that_is_deleted_ends_its_tap,
		what_a_tap_holds_when_it_ends_goes_back_to_its_place_if_nobody_got_it,
		what_goes_back_comes_to_a_tap_that_was_made_meanwhile,
		what_goes_back_is_served_to_who_waits,
		what_somebody_got_does_not_go_back,
		a_value_goes_on_to_no_tap_that_did_not_match_it,
		a_tap_whose_target_closes_while_it_is_held_up_starves_no_other,
		delete_of_a_source_ends_its_taps_withdraws_what_they_hold_and_closes_nothing,
		a_tap_of_a_source_that_is_exhausted_ends_at_once,
		a_tap_to_a_closed_target_is_answered_closed,
		untap_closes_nothing_and_names_what_is_not_there,
	};
	return fixture_main("core: the end of taps", tests, sizeof(tests) / sizeof(tests[0]));
}
