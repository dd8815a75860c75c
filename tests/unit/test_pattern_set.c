/* A user's patterns as a set: it gives the rights that trying every pattern gives, and tries few. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/access/pattern_set.h"
#include "proto/name.h"
#include "tests/lib/suite.h"

enum { PATTERNS = 999, GLOB_BYTES = 12 };

static char globs[PATTERNS][GLOB_BYTES];
static unsigned rights[PATTERNS];
static struct pattern_set *set;

static void teardown(void)
{
	pattern_set_destroy(set);
	set = NULL;
}

static void build(void)
{
	set = pattern_set_create(PATTERNS);
	ck_assert_ptr_nonnull(set);
	for (int i = 0; i < PATTERNS; i++)
		pattern_set_add(set, globs[i], rights[i]);
	pattern_set_sort(set);
}

static void random_text(char *text, size_t size, const char *bytes)
{
	size_t len = (size_t)rand() % (size - 1);
	for (size_t i = 0; i < len; i++)
		text[i] = bytes[(size_t)rand() % strlen(bytes)];
	text[len] = '\0';
}

static unsigned rights_one_by_one(struct slice name)
{
	unsigned found = 0;
	for (int i = 0; i < PATTERNS; i++)
		if (name_is_reserved(name) == (globs[i][0] == '_') && name_matches(name, slice_from(globs[i])))
			found |= rights[i];
	return found;
}

START_TEST(a_set_answers_as_its_patterns_do)
{
	srand(1);
	for (int round = 0; round < 20; round++) {
		for (int i = 0; i < PATTERNS; i++) {
			random_text(globs[i], GLOB_BYTES, round % 2 ? "ab_*?" : "abc._*?[]\\-!");
			rights[i] = 1u << rand() % 8;
		}
		build();
		for (int i = 0; i < 500; i++) {
			char name[10];
			uint64_t n_tried = 0;
			random_text(name, sizeof(name), "abc._");
			ck_assert_uint_eq(pattern_set_rights(set, slice_from(name), &n_tried),
					  rights_one_by_one(slice_from(name)));
		}
		teardown();
	}
}
END_TEST

START_TEST(only_patterns_that_begin_as_the_name_does_are_tried)
{
	for (int i = 0; i < PATTERNS; i++) {
		snprintf(globs[i], GLOB_BYTES, i % 3 ? "t%d.*" : "t%d.?x*", i);
		rights[i] = 1;
	}
	build();
	uint64_t n_tried = 0;
	ck_assert_uint_eq(pattern_set_rights(set, SLICE("t334.abc"), &n_tried), 1);
	ck_assert_uint_eq(n_tried, 0);
	ck_assert_uint_eq(pattern_set_rights(set, SLICE("t333.abc"), &n_tried), 0);
	ck_assert_uint_eq(n_tried, 1);
	ck_assert_uint_eq(pattern_set_rights(set, SLICE("q"), &n_tried), 0);
	ck_assert_uint_eq(n_tried, 1);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		a_set_answers_as_its_patterns_do,
		only_patterns_that_begin_as_the_name_does_are_tried,
		NULL,
	};
	Suite *suite = suite_create("access: pattern set");
	suite_case(suite, "all", NULL, teardown, tests);
	return suite_run(suite);
}
