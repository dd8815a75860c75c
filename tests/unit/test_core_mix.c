/* Several taps into one channel: a merge, and a mix, whose taps are paused, muted or solo. */
#include "tests/lib/core_fixture.h"

START_TEST(several_taps_to_a_channel_are_a_merge_fair_by_turns)
{
	expect("a1 create c bounded 9", "a1 ok created");
	expect("a2 create d bounded 9", "a2 ok created");
	expect("a3 create e bounded 9", "a3 ok created");
	expect("a4 puts c c1 c2 c3", "a4 ok accepted 3");
	expect("a5 puts d d1 d2 d3", "a5 ok accepted 3");
	expect("a6 create f unbuffered", "a6 ok created");
	expect("a7 tap c f", "a7 ok created");
	expect("a8 tap d f", "a8 ok created");
	expect("b1 take f max 9", "b1 ok c1 d1");
	expect("b2 take f max 9", "b2 ok c2 d2");
	expect("b3 take f max 9", "b3 ok c3 d3");
}
END_TEST

START_TEST(a_paused_tap_alone_on_its_source_holds_the_source_up)
{
	expect("a1 create c bounded 1", "a1 ok created");
	expect("a2 create d bounded 9", "a2 ok created");
	expect("a3 tap c d pause", "a3 ok created");
	expect("a4 put c 1", "a4 ok");
	expect("a5 put c 2", "");
	expect_books("d", "");
	expect("a6 tap c d", "a6 ok; a5 ok");
	expect_buffer("d", "1 2");
	expect_taps("c>d carried 2");
}
END_TEST

START_TEST(a_paused_tap_in_a_mult_stands_out_of_it)
{
	expect("a1 create c bounded 1", "a1 ok created");
	expect("a2 create d bounded 9", "a2 ok created");
	expect("a3 create e bounded 9", "a3 ok created");
	expect("a4 tap c d pause", "a4 ok created");
	expect("a5 tap c e", "a5 ok created");
	expect("a6 put c x", "a6 ok");
	expect_buffer("d", "");
	expect_buffer("e", "x");
}
END_TEST

START_TEST(mute_takes_and_discards_and_counts)
{
	expect("a1 create c bounded 1", "a1 ok created");
	expect("a2 create d bounded 9", "a2 ok created");
	expect("a3 tap c d mute", "a3 ok created");
	expect("a4 puts c 1 2", "a4 ok accepted 2");
	expect_books("d", "");
	expect_taps("c>d mute muted 2");
}
END_TEST

START_TEST(while_a_tap_into_a_target_is_solo_the_others_into_it_are_as_if_paused)
{
	expect("a1 create c bounded 9", "a1 ok created");
	expect("a2 create d bounded 9", "a2 ok created");
	expect("a3 create m bounded 9", "a3 ok created");
	expect("a4 tap c m", "a4 ok created");
	expect("a5 tap d m solo", "a5 ok created");
	expect("a6 put c c1", "a6 ok");
	expect("a7 put d d1", "a7 ok");
	expect_buffer("m", "d1");
	expect_buffer("c", "c1");
	expect("a8 tap d m", "a8 ok");
	expect_buffer("m", "d1 c1");
}
END_TEST

START_TEST(the_others_go_on_when_the_solo_tap_ends)
{
	expect("a1 create c bounded 9", "a1 ok created");
	expect("a2 create d bounded 9", "a2 ok created");
	expect("a3 create m bounded 9", "a3 ok created");
	expect("a4 tap c m", "a4 ok created");
	expect("a5 tap d m solo", "a5 ok created");
	expect("a6 put c c1", "a6 ok");
	expect("a7 untap d m", "a7 ok");
	expect_buffer("m", "c1");
}
END_TEST

START_TEST(what_a_tap_holds_when_it_is_paused_stays)
{
	expect("a1 create c bounded 9", "a1 ok created");
	expect("a2 create d unbuffered", "a2 ok created");
	expect("a3 tap c d", "a3 ok created");
	expect("a4 puts c 1 2", "a4 ok accepted 2");
	expect("a5 tap c d pause", "a5 ok");
	expect_taps("c>d pause held");
	expect("b1 take d", "b1 ok 1");
	expect("b2 take d timeout 0", "b2 timeout");
	expect_buffer("c", "2");
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		several_taps_to_a_channel_are_a_merge_fair_by_turns,
		a_paused_tap_alone_on_its_source_holds_the_source_up,
		a_paused_tap_in_a_mult_stands_out_of_it,
		mute_takes_and_discards_and_counts,
		while_a_tap_into_a_target_is_solo_the_others_into_it_are_as_if_paused,
		the_others_go_on_when_the_solo_tap_ends,
		what_a_tap_holds_when_it_is_paused_stays,
	};
	return fixture_main("core: taps that are mixed", tests, sizeof(tests) / sizeof(tests[0]));
}
