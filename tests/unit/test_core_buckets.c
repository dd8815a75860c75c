/* The buckets of the core's hash tables: everything is found, whatever came and went; and no single step is long. */
#include <stdlib.h>

#include "daemon/core/buckets.h"
#include "daemon/core/hash.h"
#include "tests/lib/suite.h"

enum { ITEMS = 50000, MOST_HASHED = 40 };

struct item {
	struct item *next;
	uint64_t key;
	int is_in;
};

static struct item items[ITEMS];
static struct buckets buckets;
static int n_hashed;

static uint64_t hash_of(const void *owner, const void *item)
{
	(void)owner;
	n_hashed++;
	return hash_mix(((const struct item *)item)->key);
}

static const struct buckets_kind kind = {offsetof(struct item, next), 1, hash_of};

static int is_found(const struct item *item)
{
	const struct item *at = *buckets_at(&buckets, hash_mix(item->key));
	while (at && at != item)
		at = at->next;
	return at != NULL;
}

static void toggle(struct item *item)
{
	n_hashed = 0;
	if (item->is_in)
		buckets_remove(&buckets, NULL, item);
	else
		buckets_insert(&buckets, NULL, item);
	item->is_in = !item->is_in;
	ck_assert_int_le(n_hashed, MOST_HASHED);
}

static void setup(void)
{
	ck_assert_int_eq(buckets_init(&buckets, &kind), 0);
	for (int i = 0; i < ITEMS; i++)
		items[i] = (struct item){.key = (uint64_t)i};
}

static void teardown(void)
{
	buckets_finish(&buckets);
}

START_TEST(they_grow_and_shrink_a_few_buckets_at_a_time)
{
	for (int i = 0; i < ITEMS; i++) {
		size_t before = buckets.n_buckets;
		toggle(&items[i]);
		ck_assert_uint_le(buckets.n_buckets - before, 2);
	}
	ck_assert_uint_ge(buckets.n_buckets, ITEMS);
	for (int i = 0; i < ITEMS; i++)
		ck_assert(is_found(&items[i]));
	for (int i = 0; i < ITEMS; i++) {
		size_t before = buckets.n_buckets;
		toggle(&items[i]);
		ck_assert_uint_le(before - buckets.n_buckets, 8);
		ck_assert(i == ITEMS - 1 || is_found(&items[ITEMS - 1]));
	}
	ck_assert_uint_eq(buckets.n_buckets, BUCKETS_FIRST);
	for (int i = 1; i < BUCKETS_SEGMENTS; i++)
		ck_assert_ptr_null(buckets.segments[i]);
}
END_TEST

START_TEST(whatever_comes_and_goes_is_found_while_it_is_there)
{
	srand(1);
	for (int round = 0; round < 40; round++) {
		int range = 1 + rand() % ITEMS;
		for (int i = 0; i < 10000; i++)
			toggle(&items[rand() % range]);
		size_t n = 0;
		for (int i = 0; i < ITEMS; i++) {
			ck_assert_int_eq(is_found(&items[i]), items[i].is_in);
			n += (size_t)items[i].is_in;
		}
		ck_assert_uint_eq(buckets.n, n);
	}
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		they_grow_and_shrink_a_few_buckets_at_a_time,
		whatever_comes_and_goes_is_found_while_it_is_there,
		NULL,
	};
	Suite *suite = suite_create("core: buckets");
	suite_case(suite, "all", setup, teardown, tests);
	return suite_run(suite);
}
