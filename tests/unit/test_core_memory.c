/* The core without memory: every allocation of a session fails once, in turn. The answer is `overloaded`, nothing has happened, and nothing leaks.
 *
 * The program's own malloc stands in front of libc's. A sanitizer brings its own, which cannot be stood in front of: there the session runs once, with all
 * the memory it wants. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/lib/core_fixture.h"

static unsigned long countdown; /* 0: nothing fails; 1: the next allocation does */
static bool counting, failed;
static long live; /* blocks */

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
enum { CAN_FAIL = 0 };
#else
enum { CAN_FAIL = 1 };

/* For libc too, whose strdup() and its like allocate what others free. */
#define EXPORTED __attribute__((visibility("default")))

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *old, size_t size);
void __libc_free(void *block);

static bool fails(void)
{
	if (!counting || countdown == 0 || --countdown > 0)
		return false;
	failed = true;
	errno = ENOMEM;
	return true;
}

static void *counted(void *block)
{
	live += block != NULL;
	return block;
}

EXPORTED void *malloc(size_t size)
{
	return fails() ? NULL : counted(__libc_malloc(size));
}

EXPORTED void *calloc(size_t n, size_t size)
{
	return fails() ? NULL : counted(__libc_calloc(n, size));
}

EXPORTED void *realloc(void *old, size_t size)
{
	if (fails())
		return NULL;
	return old ? __libc_realloc(old, size) : counted(__libc_malloc(size));
}

EXPORTED void free(void *block)
{
	live -= block != NULL;
	__libc_free(block);
}
#endif

static void before(void)
{
	counting = true;
}

static void after(void)
{
	counting = false;
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
		failed = false;
		const char *replies = fixture_do(session[i]); /* asserts core_check() */
		if (failed)
			ck_assert_msg(strstr(replies, "overloaded") || strstr(replies, "undeliverable") || strstr(session[i], "leaves"), "%s: %s", session[i], replies);
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
		ck_assert(n < 2 || live == live_before); /* the first round also makes what the process keeps */
		live_before = live;
		fixture_start();
		for (char who = 'a'; who <= 'd'; who++) /* they connect beforehand */
			fixture_do((char[]){who, '0', ' ', 't', 'a', 'k', 'e', ' ', 'n', 'o', '\0'});
		countdown = CAN_FAIL ? ++n : 0;
		play();
	} while (countdown == 0 && CAN_FAIL);
	countdown = 0;
	if (CAN_FAIL)
		ck_assert_uint_gt(n, 8); /* the core allocates nodes by the block */
}
END_TEST

START_TEST(a_refused_put_has_put_nothing)
{
	unsigned refused = 0;
	fixture_before_step = before;
	fixture_after_step = after;
	for (unsigned long n = 1; n < 20 && CAN_FAIL; n++) {
		fixture_stop();
		fixture_start();
		fixture_do("a1 create c bounded 1");
		fixture_do("a2 put c x");
		countdown = n;
		if (strstr(fixture_do("a3 puts c y z"), "overloaded")) {
			expect_books("c", "buffered 1 bytes 1 accepted 1");
			expect_waiters("c", "");
			refused++;
		}
		countdown = 0;
	}
	ck_assert(!CAN_FAIL || refused > 0);
}
END_TEST

int main(void)
{
	const TTest *tests[] = {
		a_session_in_which_each_allocation_fails_once,
		a_refused_put_has_put_nothing,
	};
	return fixture_main("core: memory", tests, sizeof(tests) / sizeof(tests[0]));
}
