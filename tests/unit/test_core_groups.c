/* Groups of a cluster: what is served here, what another has, and how groups come and go with what is in them. */
#include <stdio.h>
#include <string.h>

#include "daemon/journal/record.h"
#include "tests/lib/core_fixture.h"

static struct record_buffer records;
static struct core_recorder recorder;

static void start(void)
{
	recorder = (struct core_recorder){.buffer = &records, .batch = 1, .wall_ms = 1000000};
	fixture.recorder = &recorder;
	expect("- join", "");
}

static void adopt(const char *group)
{
	char line[64];
	snprintf(line, sizeof(line), "- adopt %s", group);
	expect(line, "");
	ck_assert_int_eq(core_group_state(fixture.core, slice_from(group), NULL), CORE_GROUP_RESTORED);
	snprintf(line, sizeof(line), "- serve %s", group);
	expect(line, "");
	ck_assert_int_eq(core_group_state(fixture.core, slice_from(group), NULL), CORE_GROUP_SERVED);
}

static enum core_group_state state_of(const char *group)
{
	return core_group_state(fixture.core, slice_from(group), NULL);
}

/* What the records of one group say is there, for the next `adopt`. */
static void replay(const char *group)
{
	struct slice left = {records.bytes, records.len}, at = {NULL, 0};
	struct record record;
	fixture.restore = core_restore_create(NULL);
	for (ptrdiff_t len; left.len > 0; left.bytes += len, left.len -= (size_t)len) {
		len = record_read(left, &record);
		ck_assert_int_gt(len, 0);
		if (record.kind == RECORD_GROUP)
			at = record.name;
		else if (slice_equal(at, slice_from(group)))
			ck_assert_int_eq(core_restore_record(fixture.restore, &record), 0);
		else
			ck_assert_uint_gt(at.len, 0);
	}
}

/* The kinds of the records that were written since the last time, with the groups' names; then they are forgotten. */
static const char *written(void)
{
	static char text[1024];
	struct slice left = {records.bytes, records.len};
	struct record record;
	text[0] = '\0';
	for (ptrdiff_t len; left.len > 0; left.bytes += len, left.len -= (size_t)len) {
		ck_assert_int_gt(len = record_read(left, &record), 0);
		size_t at = strlen(text);
		if (record.kind == RECORD_GROUP)
			snprintf(text + at, sizeof(text) - at, " %.*s:", (int)record.name.len, record.name.bytes);
		else
			snprintf(text + at, sizeof(text) - at, " %s %llu", record_kind_name(record.kind),
				 (unsigned long long)record.channel);
	}
	records.len = 0;
	return text;
}

static void finish_turns(void)
{
	for (int turns = 0; core_has_backlog(fixture.core); turns++) {
		fixture_later(1);
		expect("- tick", "");
		ck_assert_int_lt(turns, 10000);
	}
}

START_TEST(what_is_not_here_has_moved)
{
	start();
	expect("a1 create c bounded 1", "a1 error moved");
	expect("a2 put c x", "a2 error moved");
	expect("a3 take {g}c timeout 0", "a3 error moved");
	expect("a4 close c", "a4 error moved");
	expect("a5 delete c", "a5 error moved");
	expect("a6 alter c bounded 1", "a6 error moved");
	expect("a7 alts take:c put:d=x", "a7 error moved arm 0");
	expect("a8 move c to d", "a8 error moved");
	expect("a9 tap c d", "a9 error moved");
	expect("a10 untap c d", "a10 error moved");
	expect("a put c x", "a error moved");
	expect("- create c bounded 1", "- error moved");
	ck_assert(!core_serves(fixture.core, SLICE("c")));
	adopt("default");
	ck_assert(core_serves(fixture.core, SLICE("c")));
	ck_assert(!core_serves(fixture.core, SLICE("{g}c")));
	expect("a11 take c timeout 0", "a11 error no_such_channel");
	expect("a12 create c bounded 1", "a12 ok created");
	expect("a13 create {g}c bounded 1", "a13 error moved");
	expect("a14 cancel 3", "a14 error no_such_request");
	expect("a15 ack 1", "a15 error no_such_lease");
}
END_TEST

START_TEST(one_request_has_one_group)
{
	start();
	adopt("default");
	expect("a1 create c bounded 1", "a1 ok created");
	expect("a2 alts take:c take:{g}c", "a2 error cross_group arm 1");
	expect("a3 alts put:{h}c=x take:{g}c", "a3 error cross_group arm 1"); /* though neither is here */
	expect("a4 move c to {g}c", "a4 error cross_group");
	expect("a5 tap c {g}c", "a5 error cross_group");
	expect("a6 untap c {g}c", "a6 error cross_group");
	expect("a7 create d bounded 1 dead 2 {g}c", "a7 error cross_group");
	expect("a8 alter c bounded 1 dead 2 {g}c", "a8 error cross_group");
	expect("a9 alts take:c take:{default}c timeout 0", "a9 error no_such_channel arm 1");
}
END_TEST

START_TEST(nobody_sees_a_group_before_it_is_served)
{
	start();
	expect("- adopt default", "");
	expect("a1 create c bounded 1", "a1 error moved");
	expect("- create c bounded 1", "- ok created");
	expect("a2 put c x", "a2 error moved");
	expect("- serve default", "");
	expect("a3 put c x", "a3 ok");
}
END_TEST

START_TEST(records_name_their_groups)
{
	start();
	adopt("default");
	adopt("g");
	expect("a1 create c bounded 9 durable", "a1 ok created");
	ck_assert_str_eq(written(), " default: create 1");
	expect("a2 create d bounded 9 durable", "a2 ok created");
	ck_assert_str_eq(written(), " create 2");
	expect("a3 create {g}c bounded 9 durable", "a3 ok created");
	expect("a4 put {g}c x", "a4 ok");
	expect("a5 put c x", "a5 ok");
	ck_assert_str_eq(written(), " g: create 1 put 1 default: put 1");
	recorder.batch++;
	expect("a6 take c", "a6 ok x");
	expect("a7 take {g}c", "a7 ok x");
	ck_assert_str_eq(written(), " default: gone 1 g: gone 1");
	/* The name is written again in each batch, and a group that comes again is another. */
	expect("- release g", "");
	finish_turns();
	adopt("g");
	expect("a8 create {g}c bounded 9 durable", "a8 ok created");
	ck_assert_str_eq(written(), " g: create 1");
}
END_TEST

START_TEST(definitions_are_kept_of_what_clients_create)
{
	start();
	adopt("g");
	expect("- create {g}own bounded 1", "- ok created"); /* the configuration's */
	expect("a1 create {g}e bounded 1 ephemeral", "a1 ok created");
	ck_assert_str_eq(written(), "");
	expect("a2 create {g}u unbuffered", "a2 ok created");
	expect("a3 create {g}b bounded 2", "a3 ok created");
	expect("a4 put {g}b x", "a4 ok");
	expect("a5 alter {g}b bounded 3", "a5 ok altered");
	expect("a6 create {g}gone sliding 1", "a6 ok created");
	expect("a7 delete {g}gone", "a7 ok");
	expect("a8 create {g}shut promise", "a8 ok created");
	expect("a9 close {g}shut", "a9 ok");
	replay("g");
	ck_assert_str_eq(written(), " g: define 1 define 2 alter 2 define 3 delete 3 define 4 close 4");
	expect("- checkpoint", "");
	ck_assert_str_eq(written(), " define 2 define 4 define 1");
	expect("- release g", "");
	finish_turns();
	adopt("g");
	expect_books("{g}own", "none");
	expect_books("{g}gone", "none");
	expect_books("{g}shut", "closed");
	expect_books("{g}b", "");
	expect("a10 puts {g}b x y z timeout 0", "a10 ok accepted 3");
	expect("a11 create {g}b bounded 3", "a11 ok");
	expect("a12 create {g}new unbuffered", "a12 ok created");
	ck_assert_str_eq(written(), " g: define 5");
}
END_TEST

START_TEST(a_group_comes_with_what_it_had)
{
	start();
	adopt("default");
	adopt("g");
	expect("a1 create {g}dead bounded 9 durable", "a1 ok created");
	expect("a2 create {g}c bounded 99 durable dead 1 {g}dead", "a2 ok created");
	expect("a3 create c bounded 9 durable", "a3 ok created");
	expect("a4 put c other", "a4 ok");
	expect("a5 puts {g}c 1 2 3 4 5", "a5 ok accepted 5");
	expect("a6 take {g}c", "a6 ok 1");
	expect("a7 take {g}c lease 60000 sticky", "a7 ok 2 lease 1 deliveries 1");
	expect("a8 take {g}c lease 60000", "a8 ok 3 lease 2 deliveries 1");
	expect("a9 put {g}c later delay 5000", "a9 ok");
	expect("a10 put {g}c once once p 7", "a10 ok");
	replay("g");
	expect("- release g", "");
	finish_turns();
	ck_assert_int_eq(state_of("g"), CORE_GROUP_NONE);
	expect("a11 ack 1", "a11 error no_such_lease");
	expect("a12 take {g}c", "a12 error moved");
	expect_buffer("c", "other"); /* of the same number, and of another group */

	recorder.wall_ms += 1000;
	adopt("g");
	struct core_restored restored;
	core_group_state(fixture.core, SLICE("g"), &restored);
	ck_assert_uint_eq(restored.channels, 2);
	ck_assert_uint_eq(restored.values, 6);
	ck_assert_uint_eq(restored.lost, 0);
	expect_buffer("{g}c", "4 5 once");
	expect_buffer("{g}dead", "3"); /* the lease ended with its daemon, and was the last delivery */
	expect("a13 put {g}c once once p 7", "a13 ok duplicate");
	expect("a14 ack 1", "a14 ok");
	fixture_later(4000);
	expect("- tick", "");
	expect_buffer("{g}c", "4 5 once later");
	expect_buffer("c", "other");
	expect("a15 create {g}next bounded 1 durable", "a15 ok created");
	expect("a16 take c", "a16 ok other");
}
END_TEST

START_TEST(who_waits_is_told_that_it_has_moved)
{
	start();
	adopt("default");
	adopt("g");
	expect("a1 create {g}c bounded 1", "a1 ok created");
	expect("a2 create {g}d bounded 1", "a2 ok created");
	expect("a3 create c bounded 1", "a3 ok created");
	expect("b4 take {g}c", "");
	expect("b5 take {g}c count 5", "");
	expect("b6 alts take:{g}c take:{g}d", "");
	expect("b7 take c", "");
	expect("c1 pauses", "");
	expect("c8 take {g}c count 3", ""); /* rests */
	expect("a9 put {g}d x", "b6 ok arm 1 take {g}d x; a9 ok");
	expect("a10 put {g}d x", "a10 ok");
	expect("a11 puts {g}d 1 2", "");
	expect("a put {g}d y", "");
	expect("- release g", "b4 error moved; b5 error moved left 5; a11 error moved accepted 0; a error moved; "
			      "c8 error moved left 3");
	expect("a12 put c z", "b7 ok z; a12 ok");
	expect("a13 put {g}d z", "a13 error moved");
	finish_turns();
	ck_assert_int_eq(state_of("g"), CORE_GROUP_NONE);
}
END_TEST

START_TEST(what_leaves_is_neither_recorded_nor_shown)
{
	start();
	fixture_limit_work(8);
	adopt("g");
	expect("a1 create {g}c bounded 99 durable dead 1 {g}dead", "a1 error bad_channel");
	expect("a2 create {g}dead bounded 1 durable", "a2 ok created");
	expect("a3 create {g}z bounded 99 durable dead 1 {g}dead", "a3 ok created");
	expect("a4 puts {g}z 1 2 3 4", "a4 ok accepted 4");
	for (int i = 0; i < 20; i++) {
		char line[64];
		snprintf(line, sizeof(line), "a5 create {g}%c bounded 9", 'a' + i);
		fixture_do(line);
		snprintf(line, sizeof(line), "a6 put {g}%c x", 'a' + i);
		fixture_do(line);
	}
	expect("b1 take {g}z lease 10", "b1 ok 1 lease 1 deliveries 1");
	expect("b2 take {g}z lease 10", "b2 ok 2 lease 2 deliveries 1");
	expect("b3 take {g}z lease 10000", "b3 ok 3 lease 3 deliveries 1");
	expect("b4 put {g}z d delay 10", "b4 ok");
	expect("c5 take {g}dead", "");
	written();
	fixture_later(1);
	expect("- tick", "");
	expect("- release g", "c5 error moved");
	ck_assert_int_eq(state_of("g"), CORE_GROUP_LEAVING);
	expect("b6 take {g}z timeout 0", "b6 error moved");
	expect("b7 ack 3", "b7 error no_such_lease"); /* it would not be recorded */
	expect("b leaves", "");
	fixture_later(20); /* leases end, and delays */
	finish_turns();
	ck_assert_str_eq(written(), "");
	ck_assert_int_eq(state_of("g"), CORE_GROUP_NONE);
	struct core_totals totals = fixture_totals();
	ck_assert_uint_eq(totals.channels + totals.bytes + totals.leased + totals.durable_bytes, 0);
}
END_TEST

START_TEST(a_group_comes_in_slices)
{
	start();
	adopt("default");
	adopt("g");
	expect("a1 create {g}c bounded 9999 durable", "a1 ok created");
	for (int i = 0; i < 300; i++)
		fixture_do("a2 put {g}c x");
	for (int i = 0; i < 50; i++)
		fixture_do(i % 2 ? "b3 take {g}c lease 1000000 sticky" : "b3 take {g}c lease 1000000");
	replay("g");
	expect("- release g", "");
	finish_turns();
	records.len = 0;
	recorder.batch++;

	fixture_limit_work(50);
	fixture_later(1);
	expect("- tick", "");
	expect("- checkpoint", ""); /* one that has begun, and waits */
	expect("- adopt g", "");
	ck_assert_int_eq(state_of("g"), CORE_GROUP_COMING);
	expect("a4 take {g}c timeout 0", "a4 error moved");
	int turns = 0;
	for (; state_of("g") == CORE_GROUP_COMING; turns++) {
		ck_assert(core_has_backlog(fixture.core));
		expect("- checkpoint", "");
		fixture_later(1);
		expect("- tick", "");
	}
	ck_assert_int_gt(turns, 5);
	expect("- serve g", "");
	expect_books("{g}c", "buffered 275 leased 25 bytes 300");
	records.len = 0;
	recorder.batch++;
	expect("- checkpoint", "");
	replay("g");
	expect("- release g", "");
	finish_turns();
	fixture_limit_work(0);
	fixture_later(1);
	expect("- tick", "");
	adopt("g");
	expect_books("{g}c", "buffered 275 leased 25 bytes 300");
}
END_TEST

START_TEST(a_group_that_comes_may_go)
{
	start();
	adopt("g");
	expect("a1 create {g}c bounded 9999 durable", "a1 ok created");
	for (int i = 0; i < 300; i++)
		fixture_do(i % 3 ? "a2 put {g}c x" : "a2 put {g}c x delay 60000");
	replay("g");
	expect("- release g", "");
	finish_turns();
	fixture_limit_work(50);
	fixture_later(1);
	expect("- adopt g", "");
	ck_assert_int_eq(state_of("g"), CORE_GROUP_COMING);
	expect("- release g", "");
	ck_assert_int_eq(state_of("g"), CORE_GROUP_LEAVING);
	replay("g"); /* and come again, before it is gone */
	expect("- adopt g", "");
	while (state_of("g") == CORE_GROUP_COMING) {
		fixture_later(1);
		expect("- tick", "");
	}
	expect("- serve g", "");
	expect_books("{g}c", "buffered 200 leased 100 delayed 100 bytes 300");
}
END_TEST

START_TEST(what_a_group_that_goes_takes_with_it_is_known)
{
	start();
	adopt("g");
	adopt("other");
	expect("a1 create {g}kept bounded 9 durable", "a1 ok created");
	expect("a2 create {g}c bounded 9", "a2 ok created");
	expect("a3 create {other}c bounded 9", "a3 ok created");
	expect("a4 put {g}kept x", "a4 ok");
	ck_assert_uint_eq(core_group_unkept(fixture.core, SLICE("g")), 0);
	expect("a5 put {g}c x", "a5 ok");
	fixture_do("a6 put {g}c x delay 60000"); /* which is as if leased */
	expect("a7 put {other}c x", "a7 ok");
	ck_assert_uint_eq(core_group_unkept(fixture.core, SLICE("g")), 2);
	ck_assert_uint_eq(core_group_unkept(fixture.core, SLICE("none")), 0);
}
END_TEST

START_TEST(a_reply_waits_for_a_definition_alone)
{
	start();
	recorder.committed = 0;
	adopt("default");
	struct core_effects effects = {0};
	expect("a1 create c bounded 9", "a1 ok created"); /* in batch 1 */
	fixture_later(1);                                 /* in the turn in which a group has come nothing goes alone */
	struct core_event event = {.op = CORE_TICK, .now_us = fixture.now_us, .recorder = &recorder};
	core_step(fixture.core, &event, &effects);
	core_effects_release(fixture.core, &effects);
	struct value *value = value_create("x", 1, NULL);
	struct core_alone put = {fixture.now_us, 0, fixture.connections[0], 2, SLICE("c"), false, 0};
	struct core_reply handed;
	/* Until the definition is kept, what is put there may be undone, and waits. */
	ck_assert(!core_put_alone(fixture.core, &put, value, &handed));
	recorder.batch = 2;
	recorder.committed = 1;
	expect("a3 put c y", "a3 ok");
	ck_assert(core_put_alone(fixture.core, &put, value, &handed));
	expect_buffer("c", "y x");
}
END_TEST

static void tell_of_put(uint64_t place, const char *value)
{
	const struct record record = {.kind = RECORD_PUT, .channel = 1, .place = place, .value = slice_from(value)};
	ck_assert_int_eq(core_restore_record(fixture.restore, &record), 0);
}

/* So a checkpoint tells of what had come back. */
START_TEST(values_that_records_tell_of_in_any_order_are_in_their_own)
{
	const struct record create = {
		.kind = RECORD_CREATE, .channel = 1, .name = SLICE("c"), .channel_kind = KIND_BOUNDED, .capacity = 9};
	start();
	fixture.restore = core_restore_create(NULL);
	ck_assert_int_eq(core_restore_record(fixture.restore, &create), 0);
	tell_of_put(4, "4");
	tell_of_put(6, "6");
	tell_of_put(2, "2");
	tell_of_put(5, "5");
	tell_of_put(1, "1");
	tell_of_put(7, "7");
	adopt("default");
	expect_buffer("c", "1 2 4 5 6 7");
	expect("a1 put c 8", "a1 ok");
	expect("a2 take c max 9", "a2 ok 1 2 4 5 6 7 8");
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		what_is_not_here_has_moved,
		one_request_has_one_group,
		nobody_sees_a_group_before_it_is_served,
		records_name_their_groups,
		definitions_are_kept_of_what_clients_create,
		a_group_comes_with_what_it_had,
		who_waits_is_told_that_it_has_moved,
		what_leaves_is_neither_recorded_nor_shown,
		a_group_comes_in_slices,
		a_group_that_comes_may_go,
		what_a_group_that_goes_takes_with_it_is_known,
		a_reply_waits_for_a_definition_alone,
		values_that_records_tell_of_in_any_order_are_in_their_own,
	};
	return fixture_main("groups of a cluster", tests, sizeof(tests) / sizeof(tests[0]));
}
