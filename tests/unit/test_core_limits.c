/* Limits: each at its edge, and that a refusal changes nothing. */
#include "tests/lib/core_fixture.h"

START_TEST(max_inflight_counts_parked_requests_of_one_connection)
{
	fixture.limits.max_inflight = 2;
	fixture_set_limits();
	expect("a1 create c unbuffered", "a1 ok created");
	expect("b1 take c", "");
	expect("b2 alts take:c take:c take:c", "");
	expect("b3 take c", "b3 error too_many_inflight");
	expect("b4 put c x timeout 0", "b1 ok x; b4 ok");
	expect("b5 take c", "");
	expect("c1 take c", "");
	expect_books("c", "takes 5 accepted 1 taken 1");
}
END_TEST

START_TEST(a_quota_counts_parked_requests_of_several_connections)
{
	struct core_quota quota = {.n_parked = 0};
	fixture_set_quota(&quota, (struct core_quota_limits){.max_parked = 2});
	expect("a1 create c unbuffered", "a1 ok created");
	expect("b9 take c timeout 0", "b9 timeout");
	expect("c9 take c timeout 0", "c9 timeout");
	fixture_join_quota('b', &quota);
	fixture_join_quota('c', &quota);
	expect("b1 take c", "");
	expect("c1 take c count 5", "");
	expect("b2 take c", "b2 error too_many_inflight");
	expect("c2 alts take:c take:c", "c2 error too_many_inflight");
	expect("a2 take c timeout 1000", "");
	ck_assert_uint_eq(quota.n_parked, 2);
	expect("a3 put c x", "b1 ok x; a3 ok");
	expect("b2 take c", "");
	expect("c leaves", "");
	ck_assert_uint_eq(quota.n_parked, 1);
	expect("b leaves", "");
	ck_assert_uint_eq(quota.n_parked, 0);
}
END_TEST

START_TEST(who_joins_a_quota_brings_along_what_it_has_parked)
{
	struct core_quota first = {.n_parked = 0}, second = {.n_parked = 0};
	fixture_set_quota(&first, (struct core_quota_limits){.max_parked = 2});
	fixture_set_quota(&second, (struct core_quota_limits){.max_parked = 1});
	expect("a1 create c unbuffered", "a1 ok created");
	expect("b1 take c", "");
	expect("b2 take c count 5", "");
	fixture_join_quota('b', &first);
	ck_assert_uint_eq(first.n_parked, 2);
	expect("b3 take c", "b3 error too_many_inflight");
	fixture_join_quota('b', &second);
	ck_assert_uint_eq(first.n_parked, 0);
	ck_assert_uint_eq(second.n_parked, 2);
	fixture_join_quota('b', NULL);
	ck_assert_uint_eq(second.n_parked, 0);
	expect("b3 take c", "");
	expect("b leaves", "");
}
END_TEST

START_TEST(a_quota_counts_channels_that_its_connections_have_created)
{
	struct core_quota quota = {.n_parked = 0};
	fixture_set_quota(&quota, (struct core_quota_limits){.max_parked = 9, .max_channels = 2});
	expect("a1 create other unbuffered", "a1 ok created");
	expect("b1 create early unbuffered ephemeral", "b1 ok created");
	fixture_join_quota('b', &quota);
	fixture_join_quota('c', &quota);
	ck_assert_uint_eq(quota.n_channels, 1);
	expect("c1 create c bounded 1", "c1 ok created");
	expect("c2 create d bounded 1", "c2 error overloaded");
	expect("c3 create c bounded 1", "c3 ok");
	expect("b2 create other unbuffered", "b2 ok");
	expect("b leaves", "");
	ck_assert_uint_eq(quota.n_channels, 1);
	expect("c4 create e unbuffered ephemeral", "c4 ok created");
	fixture_join_quota('c', NULL); /* the ephemeral one goes along */
	ck_assert_uint_eq(quota.n_channels, 1);
	expect("c leaves", "");
	expect("a2 delete c", "a2 ok");
	ck_assert_uint_eq(quota.n_channels, 0);
}
END_TEST

START_TEST(values_count_towards_their_account_for_as_long_as_they_are_there)
{
	struct value_account account = {0};
	struct value *a = value_create("12345", 5, &account), *b = value_create("67", 2, &account),
		     *other = value_create("x", 1, NULL);
	ck_assert_uint_eq(account.bytes, 7 + 2 * VALUE_OVERHEAD);
	ck_assert_uint_eq(account.n, 2);
	value_destroy(a);
	value_destroy(other);
	ck_assert_uint_eq(account.bytes, 2 + VALUE_OVERHEAD);
	value_destroy(b);
	value_destroy(NULL);
	ck_assert_uint_eq(account.bytes, 0);
	ck_assert_uint_eq(account.n, 0);
}
END_TEST

START_TEST(bytes_that_values_share_count_once)
{
	struct value_account account = {0};
	struct value *a = value_create("12345", 5, &account), *b = value_copy(a), *c = value_copy(b);
	ck_assert_ptr_eq(c->bytes, a->bytes);
	ck_assert_uint_eq(c->len, 5);
	ck_assert_uint_eq(account.bytes, 5 + 3 * VALUE_OVERHEAD);
	value_destroy(a);
	ck_assert_uint_eq(account.bytes, 5 + 2 * VALUE_OVERHEAD);
	value_destroy(c);
	ck_assert_mem_eq(b->bytes, "12345", 5);
	value_destroy(b);
	ck_assert_uint_eq(account.bytes, 0);
	ck_assert_uint_eq(account.n, 0);
}
END_TEST

static void put_values(const char *channel, struct value *value, uint64_t id)
{
	struct core_effects effects = {0};
	struct core_event event = {.op = CORE_PUT,
				   .now_us = fixture.now_us,
				   .connection = fixture.connections[0],
				   .id = id,
				   .channel = slice_from(channel)};
	value_list_push(&event.values, value);
	core_step(fixture.core, &event, &effects);
	core_effects_release(fixture.core, &effects);
	ck_assert_ptr_null(core_check(fixture.core));
}

START_TEST(bytes_that_channels_share_count_once_towards_max_memory)
{
	struct value *value = value_create("12345", 5, NULL);
	expect("a1 create c bounded 9", "a1 ok created");
	expect("a2 create d bounded 9", "a2 ok created");
	put_values("d", value_copy(value), 3);
	put_values("c", value, 4);
	ck_assert_uint_eq(fixture_totals().bytes, 5 + 2 * VALUE_OVERHEAD);
	expect_books("c", "buffered 1 bytes 5 accepted 1");
	expect_books("d", "buffered 1 bytes 5 accepted 1");
	expect("a5 take c", "a5 ok 12345");
	ck_assert_uint_eq(fixture_totals().bytes, 5 + VALUE_OVERHEAD);
	expect("a6 take d", "a6 ok 12345");
	ck_assert_uint_eq(fixture_totals().bytes, 0);
}
END_TEST

START_TEST(each_value_counts_beside_its_bytes)
{
	fixture.limits.max_memory = 10 * (VALUE_OVERHEAD + 1);
	fixture_set_limits();
	expect("a1 create c bounded 100", "a1 ok created");
	expect("a2 create u unbuffered", "a2 ok created");
	expect("a3 puts c 1 1 1 1 1 1 1 1 1 1 1", "a3 error overloaded accepted 0");
	expect("a4 puts c 1 1 1 1", "a4 ok accepted 4");
	expect("a5 puts u 1 1 1", ""); /* parked */
	expect("a6 alts put:u=1 put:u=1", "");
	expect("b1 take c lease 9000", "b1 ok 1 lease 1 deliveries 1");
	expect("a7 put c 1", "a7 ok");
	expect("a8 put c 1", "a8 error overloaded");
	expect("a9 alts put:c=1", "a9 error overloaded");
	expect("b2 ack 1", "b2 ok");
	expect("a10 put c 1", "a10 ok");
}
END_TEST

START_TEST(an_ephemeral_channel_has_an_owner)
{
	struct core_quota quota = {.n_parked = 0};
	expect("a1 create c unbuffered", "a1 ok created");
	expect("a2 create e unbuffered ephemeral", "a2 ok created");
	ck_assert_ptr_null(core_owner_quota(fixture.core, SLICE("e")));
	fixture_join_quota('a', &quota);
	ck_assert_ptr_eq(core_owner_quota(fixture.core, SLICE("e")), &quota);
	ck_assert_ptr_null(core_owner_quota(fixture.core, SLICE("c")));
	ck_assert_ptr_null(core_owner_quota(fixture.core, SLICE("nowhere")));
	expect("a leaves", "");
}
END_TEST

START_TEST(what_does_not_park_is_not_counted)
{
	fixture.limits.max_inflight = 1;
	fixture_set_limits();
	expect("a1 create c bounded 1", "a1 ok created");
	expect("b1 alts take:c", "");
	expect("b2 take c timeout 0", "b2 timeout");
	expect("b3 put c x", "b1 ok arm 0 take c x; b3 ok");
}
END_TEST

START_TEST(max_waiters_of_a_channel_counts_arms_and_refuses_whole_requests)
{
	expect("a1 create c unbuffered waiters 3", "a1 ok created");
	expect("b1 take c", "");
	expect("b2 alts take:c take:c take:c", "b2 error too_many_waiters arm 2");
	expect_books("c", "takes 1");
	expect("b3 alts take:c take:c", "");
	expect("b4 take c", "b4 error too_many_waiters");
	expect("b5 take c timeout 0", "b5 timeout");
	expect("b6 cancel 1", "b1 cancelled; b6 ok");
	expect("b7 take c", "");
}
END_TEST

START_TEST(max_waiters_never_refuses_a_match)
{
	expect("a1 create c bounded 1 waiters 1", "a1 ok created");
	expect("a2 put c x", "a2 ok");
	expect("b1 put c y", "");
	expect("b2 put c z", "b2 error too_many_waiters");
	expect("c1 take c", "c1 ok x; b1 ok");
}
END_TEST

START_TEST(max_channels)
{
	fixture.limits.max_channels = 2;
	fixture_set_limits();
	expect("a1 create c unbuffered", "a1 ok created");
	expect("a2 create d unbuffered", "a2 ok created");
	expect("a3 create e unbuffered", "a3 error overloaded");
	expect("a4 create d unbuffered", "a4 ok");
	expect("a5 create d bounded 1", "a5 error channel_exists");
	expect("a6 delete c", "a6 ok");
	expect("a7 create e unbuffered", "a7 ok created");
}
END_TEST

START_TEST(max_memory_is_looked_at_when_a_put_arrives_even_if_a_take_waits)
{
	fixture.limits.max_memory = 10 + 2 * VALUE_OVERHEAD;
	fixture_set_limits();
	expect("a1 create c bounded 9", "a1 ok created");
	expect("a2 create d unbuffered", "a2 ok created");
	expect("b1 take d", "");
	expect("a3 put c xxxxx", "a3 ok");
	expect("a4 put c yyyyy", "a4 ok");
	expect("a5 put d z", "a5 error overloaded");
	expect("a6 alts put:d=z take:c", "a6 error overloaded");
	expect("b2 take c", "b2 ok xxxxx");
	expect("a7 put d z", "b1 ok z; a7 ok");
	expect_books("c", "buffered 1 bytes 5 accepted 2 taken 1");
}
END_TEST

START_TEST(max_memory_counts_parked_puts_arms_and_what_is_unsent)
{
	fixture.limits.max_memory = 10 + 2 * VALUE_OVERHEAD;
	fixture_set_limits();
	expect("a1 create c unbuffered", "a1 ok created");
	expect("a2 alts put:c=xxxxx", "");
	expect("a3 put c yyyyy", "");
	expect("a4 put c z", "a4 error overloaded");
	expect("a5 cancel 2", "a2 cancelled; a5 ok");
	fixture.unsent_bytes = 5 + VALUE_OVERHEAD;
	expect("a6 put c z", "a6 error overloaded");
	fixture.unsent_bytes = 0;
	expect("a7 put c z", "");
}
END_TEST

START_TEST(over_the_limit_takes_go_on_and_nothing_is_dropped)
{
	fixture.limits.max_memory = 10 + 2 * VALUE_OVERHEAD;
	fixture_set_limits();
	expect("a1 create c bounded 1", "a1 ok created");
	expect("a2 put c xxxxx", "a2 ok");
	expect("a3 put c yyyyy", "");
	fixture.limits.max_memory = 1;
	fixture_set_limits();
	expect("b1 take c", "b1 ok xxxxx; a3 ok");
	expect("b2 take c", "b2 ok yyyyy");
}
END_TEST

/* -- max_parked -- */

/* No more than what is there now, and so many bytes. */
static void limit_parked(uint64_t more)
{
	fixture.limits.max_parked = fixture_totals().parked_bytes + more;
	fixture_set_limits();
}

START_TEST(max_parked_counts_what_waits_beside_its_values)
{
	expect("a1 create c bounded 5", "a1 ok created");
	expect("b1 take c", "");
	uint64_t one = fixture_totals().parked_bytes;
	expect("b2 alts take:c take:c", "");
	ck_assert_uint_gt(fixture_totals().parked_bytes, 2 * one);
	ck_assert_uint_lt(fixture_totals().parked_bytes, 3 * one);
	expect("b3 cancel 2", "b2 cancelled; b3 ok");
	ck_assert_uint_eq(fixture_totals().parked_bytes, one);
	expect("b4 take c lease 100", ""); /* a lease is prepared for it */
	ck_assert_uint_gt(fixture_totals().parked_bytes, 2 * one);
	expect("a2 put c x", "b1 ok x; a2 ok");
	expect("a3 put c y", "b4 ok y lease 1 deliveries 1; a3 ok");
	ck_assert_uint_gt(fixture_totals().parked_bytes, 0);
	expect("a4 ack 1", "a4 ok");
	ck_assert_uint_eq(fixture_totals().parked_bytes, 0);
	expect("a5 put c z delay 10", "a5 ok");
	ck_assert_uint_gt(fixture_totals().parked_bytes, 0);
	fixture_later(10);
	expect("- tick", "");
	ck_assert_uint_eq(fixture_totals().parked_bytes, 0);
}
END_TEST

START_TEST(over_max_parked_what_would_wait_is_refused_and_nothing_has_happened)
{
	expect("a1 create c bounded 1", "a1 ok created");
	expect("a2 create d bounded 5", "a2 ok created");
	expect("b1 take d", "");
	limit_parked(0);
	expect("b2 take d", "b2 error overloaded");
	expect("b2 take d count 5", "b2 error overloaded");
	expect("b2 alts take:d take:d", "b2 error overloaded");
	expect("b2 take d timeout 0", "b2 timeout"); /* which does not wait */
	expect("a3 put c x", "a3 ok");
	expect("a4 put c y", "a4 error overloaded");
	expect("a4 puts d z w delay 10", "a4 error overloaded accepted 0");
	expect("b2 take c lease 100", "b2 error overloaded");
	expect_buffer("c", "x");
	expect_books("d", "takes 1");
	expect("b2 take c", "b2 ok x");
	expect("a5 put d v", "b1 ok v; a5 ok"); /* who waits is served */
	expect("b2 take d", "");
	expect("b3 take d", "b3 error overloaded");
	limit_parked(1000);
	expect("b3 take d", "");
}
END_TEST

START_TEST(over_max_parked_a_tap_matches_no_more_than_before)
{
	expect("a1 create c bounded 1", "a1 ok created");
	expect("a2 create d bounded 1", "a2 ok created");
	expect("a3 create e bounded 1", "a3 ok created");
	expect("a4 tap c d match x", "a4 ok created");
	limit_parked(0);
	expect("a5 tap c e match y", "a5 error overloaded");
	expect("a5 tap d e match y", "a5 error overloaded");
	expect("a5 tap c d match y", "a5 ok"); /* in the place of the other */
	fixture.limits.max_parked = 1;
	fixture_set_limits();
	expect("a6 tap c d match x", "a6 ok");
	expect("a7 tap c e", "a7 ok created"); /* without a match it takes none of it */
	expect("a8 tap c d", "a8 ok");
	ck_assert_uint_eq(fixture_totals().parked_bytes, 0);
	expect("a9 tap c d match x", "a9 error overloaded");
	expect_taps("c>d; c>e");
}
END_TEST

START_TEST(a_count_take_with_leases_ends_at_max_parked)
{
	expect("a1 create c bounded 9", "a1 ok created");
	expect("b1 take c count 9 lease 100", "");
	limit_parked(0);
	expect("a2 put c x", "b1 error overloaded left 9; a2 ok");
	expect_buffer("c", "x");
}
END_TEST

START_TEST(max_parked_refuses_nothing_that_was_accepted)
{
	expect("a1 create dead bounded 1", "a1 ok created");
	expect("a2 create c bounded 5 dead 1 dead", "a2 ok created");
	expect("a3 put dead x", "a3 ok");
	expect("a4 put c y", "a4 ok");
	expect("a5 put c z", "a5 ok");
	expect("b1 take c lease 100", "b1 ok y lease 1 deliveries 1");
	expect("b2 put dead w once p 1", "");
	limit_parked(0);
	expect("b3 nack 1", "b3 ok"); /* it parks as a dead letter */
	expect_books("c", "buffered 1 leased 1 bytes 1 accepted 2");
	expect("d1 put dead w once p 1", "b2 cancelled"); /* it takes its twin's place, and its room */
	expect("b4 take dead", "b4 ok x; d1 ok");
}
END_TEST

int main(void)
{
	const TTest *tests[] = {
		max_parked_counts_what_waits_beside_its_values,
		over_max_parked_what_would_wait_is_refused_and_nothing_has_happened,
		over_max_parked_a_tap_matches_no_more_than_before,
		a_count_take_with_leases_ends_at_max_parked,
		max_parked_refuses_nothing_that_was_accepted,
		max_inflight_counts_parked_requests_of_one_connection,
		a_quota_counts_parked_requests_of_several_connections,
		who_joins_a_quota_brings_along_what_it_has_parked,
		a_quota_counts_channels_that_its_connections_have_created,
		values_count_towards_their_account_for_as_long_as_they_are_there,
		an_ephemeral_channel_has_an_owner,
		what_does_not_park_is_not_counted,
		max_waiters_of_a_channel_counts_arms_and_refuses_whole_requests,
		max_waiters_never_refuses_a_match,
		max_channels,
		bytes_that_values_share_count_once,
		bytes_that_channels_share_count_once_towards_max_memory,
		each_value_counts_beside_its_bytes,
		max_memory_is_looked_at_when_a_put_arrives_even_if_a_take_waits,
		max_memory_counts_parked_puts_arms_and_what_is_unsent,
		over_the_limit_takes_go_on_and_nothing_is_dropped,
	};
	return fixture_main("core: limits", tests, sizeof(tests) / sizeof(tests[0]));
}
