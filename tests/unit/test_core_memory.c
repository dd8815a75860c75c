/* The core without memory: every allocation of a session fails once, in turn. The answer is `overloaded`, nothing has
 * happened, and nothing leaks. Under a sanitizer the session runs once, with all the memory it wants. */
#include <stdio.h>
#include <stdlib.h>

#include "tests/lib/core_fixture.h"
#include "tests/lib/memory.h"

static void before(void)
{
	memory.is_counting = true;
}

static void after(void)
{
	memory.is_counting = false;
}

static void fail_at(unsigned long n)
{
	memory.countdown = memory_can_fail() ? n : 0;
	memory.run = 1;
}

/* Everything that allocates, and what comes of it. */
static const char *const session[] = {
	"a1 create c bounded 2",
	"a2 create d unbuffered",
	"a3 create r dropping 1 ephemeral",
	"a4 create p promise",
	"a5 puts c u v",
	"b1 put c w timeout 50",
	"b2 puts c x y z",
	"b3 alts put:c=s take:d put:d=t timeout 70",
	"c1 take d timeout 10",
	"c2 take d max 3",
	"c3 alts take:d take:r take:p",
	"c4 put r q",
	"c5 take c max 9",
	"c6 take c",
	"b9 take c count 9",
	"a9 puts c g h i",
	"d1 put p m",
	"d2 take p",
	"d3 cancel 2",
	"c7 cancel 2",
	"a6 delete d force",
	"a7 close c",
	"d4 take c max 5",
	"d9 create g bounded 1",
	"d10 create e bounded 9 dead 1 g",
	"d11 puts e k l n o",
	"b10 take e lease 900",
	"b11 nack 1",
	"b12 take e max 2 lease 900",
	"b13 nack 2", /* g is full: they wait */
	"b14 take e lease 900 sticky",
	"c8 take e count 3 timeout 90 lease 900",
	"c9 alts take:e lease 900",
	"d12 puts e r s t",
	"d13 ack 3",
	"b4 leaves",
	"a8 leaves",
	"tick",
};

static void play(void)
{
	for (size_t i = 0; i < sizeof(session) / sizeof(session[0]); i++) {
		memory.has_failed = false;
		const char *replies = fixture_do(session[i]); /* asserts core_check() */
		if (memory.has_failed)
			ck_assert_msg(strstr(replies, "overloaded") || strstr(replies, "undeliverable") ||
					      strstr(session[i], "leaves"),
				      "%s: %s", session[i], replies);
		fixture_later(7);
	}
}

START_TEST(a_session_in_which_each_allocation_fails_once)
{
	fixture_before_step = before;
	fixture_after_step = after;
	unsigned long n = 0;
	long live_before = 0;
	do {
		fixture_stop();
		ck_assert(n < 2 || memory.live == live_before); /* the first round also makes what the process keeps */
		live_before = memory.live;
		fixture_start();
		for (char who = 'a'; who <= 'd'; who++) /* they connect beforehand */
			fixture_do((char[]){who, '0', ' ', 't', 'a', 'k', 'e', ' ', 'n', 'o', '\0'});
		n++;
		fail_at(n);
		play();
	} while (memory.countdown == 0 && memory_can_fail());
	memory.countdown = 0;
	if (memory_can_fail())
		ck_assert_uint_gt(n, 8); /* the core allocates nodes by the block */
}
END_TEST

START_TEST(a_refused_put_has_put_nothing)
{
	unsigned refused = 0;
	fixture_before_step = before;
	fixture_after_step = after;
	for (unsigned long n = 1; n < 20 && memory_can_fail(); n++) {
		fixture_stop();
		fixture_start();
		fixture_do("a1 create c bounded 1");
		fixture_do("a2 put c x");
		fail_at(n);
		if (strstr(fixture_do("a3 puts c y z"), "overloaded")) {
			expect_books("c", "buffered 1 bytes 1 accepted 1");
			expect_waiters("c", "");
			refused++;
		}
		memory.countdown = 0;
	}
	ck_assert(!memory_can_fail() || refused > 0);
}
END_TEST

/* The `count` take is the only room of the channel, and ends where its reply cannot be allocated. */
START_TEST(a_put_arm_whose_take_ends_for_want_of_memory_parks)
{
	unsigned parked = 0;
	fixture_before_step = before;
	fixture_after_step = after;
	for (unsigned long n = 1; n < 20 && memory_can_fail(); n++) {
		fixture_stop();
		fixture_start();
		fixture_do("a1 create d unbuffered");
		fixture_do("b1 take d count 3");
		fixture_do("c0 take no");
		fail_at(n);
		const char *replies = fixture_do("c1 alts put:d=x take:d");
		memory.countdown = 0;
		if (strcmp(replies, "b1 error overloaded left 3") != 0)
			continue;
		expect_books("d", "puts 1 takes 1 bytes 1");
		expect("a2 take d", "a2 ok x; c1 ok arm 0 put d");
		parked++;
	}
	ck_assert(!memory_can_fail() || parked > 0);
}
END_TEST

int main(void)
{
	const TTest *tests[] = {
		a_session_in_which_each_allocation_fails_once,
		a_refused_put_has_put_nothing,
		a_put_arm_whose_take_ends_for_want_of_memory_parks,
	};
	return fixture_main("core: memory", tests, sizeof(tests) / sizeof(tests[0]));
}
