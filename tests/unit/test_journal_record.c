/* The journal's bytes: checksums, records, heads of batches and segments. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "daemon/journal/crc32c.h"
#include "daemon/journal/format.h"
#include "daemon/journal/record.h"
#include "tests/lib/suite.h"

START_TEST(the_checksum_is_crc32c)
{
	static const unsigned char zeros[32];
	ck_assert_uint_eq(crc32c(0, "123456789", 9), 0xe3069283);
	ck_assert_uint_eq(crc32c(0, zeros, 32), 0x8a9136aa); /* RFC 3720, B.4 */
	ck_assert_uint_eq(crc32c(0, "", 0), 0);
}
END_TEST

START_TEST(the_table_and_the_instruction_agree_on_any_length_and_alignment)
{
	unsigned char bytes[80];
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (unsigned char)(i * 37 + 11);
	for (size_t begin = 0; begin < 9; begin++)
		for (size_t len = 0; begin + len < sizeof(bytes); len++)
			ck_assert_uint_eq(crc32c(5, bytes + begin, len), crc32c_by_table(5, bytes + begin, len));
}
END_TEST

START_TEST(a_checksum_goes_on_where_another_has_ended)
{
	ck_assert_uint_eq(crc32c(crc32c(0, "1234", 4), "56789", 5), crc32c(0, "123456789", 9));
}
END_TEST

static const struct record samples[] = {
	{.kind = RECORD_CREATE,
	 .channel = 1,
	 .name = {"jobs", 4},
	 .channel_kind = 3,
	 .capacity = UINT64_MAX,
	 .max_waiters = 7,
	 .max_deliveries = 3,
	 .dead_letter = {"dead", 4},
	 .closed = 1,
	 .place = 300},
	{.kind = RECORD_ALTER, .channel = 128, .capacity = 127},
	{.kind = RECORD_CLOSE, .channel = 1},
	{.kind = RECORD_DELETE, .channel = 1},
	{.kind = RECORD_PUT,
	 .channel = 2,
	 .place = 1ull << 40,
	 .deliveries = 2,
	 .due_ms = 1700000000000,
	 .origin = {"jobs", 4},
	 .origin_deliveries = 3,
	 .origin_reason = 1,
	 .origin_ms = 1700000000001,
	 .value = {"{\"a\":1}", 7}},
	{.kind = RECORD_BACK, .channel = 2, .place = 5, .value = {"1", 1}},
	{.kind = RECORD_GONE, .channel = 2, .place = 5, .why = RECORD_EVICTED},
	{.kind = RECORD_LEASED,
	 .channel = 2,
	 .place = 5,
	 .deliveries = 1,
	 .token = {UINT64_MAX, 1},
	 .deadline_ms = 1700000000002},
	{.kind = RECORD_UNLEASED, .channel = 2, .place = 5, .deliveries = 1},
	{.kind = RECORD_ONCE, .channel = 2, .producer = {"p", 1}, .seq = 9, .status = 1, .accepted = 3, .evicted = 2},
	{.kind = RECORD_TAP, .channel = 2, .target = 3, .match = {"{}", 2}, .closes = 1, .state = 2},
	{.kind = RECORD_UNTAP, .channel = 2, .target = 3},
	{.kind = RECORD_CARRIED, .channel = 2, .place = 9, .target = 3, .status = RECORD_CARRIED_ACCEPTED},
	{.kind = RECORD_CHECKPOINT_BEGIN},
	{.kind = RECORD_CHECKPOINT_END, .begin = 77},
	{.kind = RECORD_GROUP, .name = {"orders", 6}},
	{.kind = RECORD_DEFINE, .channel = 5, .name = {"u", 1}, .channel_kind = 0, .closed = 1},
};

enum { N_SAMPLES = sizeof(samples) / sizeof(samples[0]) };

static bool equal(struct slice a, struct slice b)
{
	return a.len == b.len && (a.len == 0 || memcmp(a.bytes, b.bytes, a.len) == 0);
}

/* All but the slices, which are compared by what they hold. */
static bool records_equal(struct record a, struct record b)
{
	bool same = equal(a.name, b.name) && equal(a.dead_letter, b.dead_letter) && equal(a.origin, b.origin) &&
		    equal(a.value, b.value) && equal(a.producer, b.producer) && equal(a.match, b.match);
	a.name = a.dead_letter = a.origin = a.value = a.producer = a.match = (struct slice){0};
	b.name = b.dead_letter = b.origin = b.value = b.producer = b.match = (struct slice){0};
	return same && memcmp(&a, &b, sizeof(a)) == 0;
}

START_TEST(each_kind_of_record_is_read_as_it_was_written)
{
	struct record_buffer buffer = {0};
	ck_assert_int_eq(N_SAMPLES, RECORD_KINDS - 1);
	for (int i = 0; i < N_SAMPLES; i++)
		record_write(&buffer, &samples[i]);
	struct slice left = {buffer.bytes, buffer.len};
	for (int i = 0; i < N_SAMPLES; i++) {
		struct record record;
		ptrdiff_t len = record_read(left, &record);
		ck_assert_msg(len > 0 && records_equal(record, samples[i]), "%s", record_kind_name(samples[i].kind));
		left.bytes += len;
		left.len -= (size_t)len;
	}
	ck_assert_uint_eq(left.len, 0);
	record_buffer_finish(&buffer);
}
END_TEST

START_TEST(a_record_that_is_cut_off_anywhere_is_none)
{
	for (int i = 0; i < N_SAMPLES; i++) {
		struct record_buffer buffer = {0};
		struct record record;
		record_write(&buffer, &samples[i]);
		for (size_t len = 0; len < buffer.len; len++)
			ck_assert_int_eq(record_read((struct slice){buffer.bytes, len}, &record), -1);
		record_buffer_finish(&buffer);
	}
}
END_TEST

START_TEST(bytes_that_are_no_record_are_refused)
{
	struct record record;
	const char unknown[] = {RECORD_KINDS, 0}, none[] = {0, 0}, high[] = {(char)0xff, 0};
	const char endless[] = {RECORD_CLOSE, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1};
	ck_assert_int_eq(record_read((struct slice){unknown, 2}, &record), -1);
	ck_assert_int_eq(record_read((struct slice){none, 2}, &record), -1);
	ck_assert_int_eq(record_read((struct slice){high, 2}, &record), -1);
	ck_assert_int_eq(record_read((struct slice){endless, sizeof(endless)}, &record), -1);
}
END_TEST

START_TEST(what_was_reserved_and_promised_is_there_without_another_allocation)
{
	struct record_buffer buffer = {.promised = 100};
	ck_assert_int_eq(record_reserve(&buffer, 1000), 0);
	ck_assert_uint_ge(buffer.cap, 1100);
	char *bytes = buffer.bytes;
	record_write(&buffer, &samples[4]);
	ck_assert_ptr_eq(buffer.bytes, bytes);
	record_buffer_finish(&buffer);
}
END_TEST

START_TEST(records_are_printed_as_json)
{
	char line[400];
	ck_assert(record_print(&samples[6], line, sizeof(line)));
	ck_assert_str_eq(line, "{\"record\":\"gone\",\"channel\":2,\"place\":5,\"why\":1}");
	ck_assert(record_print(&samples[4], line, sizeof(line)));
	ck_assert_str_eq(line, "{\"record\":\"put\",\"channel\":2,\"place\":1099511627776,\"deliveries\":2,\"due_ms\":"
			       "1700000000000,\"origin\":\"jobs\",\"origin_deliveries\":3,\"origin_reason\":1,"
			       "\"origin_ms\":1700000000001,\"value\":{\"a\":1}}");
	struct record quoted = {.kind = RECORD_ONCE, .producer = {"a\"\\\n", 4}};
	ck_assert(record_print(&quoted, line, sizeof(line)));
	ck_assert_ptr_nonnull(strstr(line, "\"producer\":\"a???\""));
}
END_TEST

START_TEST(a_line_that_is_too_short_for_a_record_is_never_written_over)
{
	for (int i = 0; i < N_SAMPLES; i++) {
		char whole[1000], part[1000];
		ck_assert(record_print(&samples[i], whole, sizeof(whole)));
		for (size_t cap = 1; cap <= strlen(whole); cap++) {
			memset(part, 'x', sizeof(part));
			ck_assert(!record_print(&samples[i], part, cap));
			ck_assert_int_eq(part[cap], 'x');
		}
		ck_assert(record_print(&samples[i], part, strlen(whole) + 1));
	}
}
END_TEST

START_TEST(the_head_of_a_segment_tells_what_it_is)
{
	char block[JOURNAL_BLOCK];
	struct segment_head head = {.salt = 1, .first = 2, .chain = 3}, again;
	uint32_t format;
	segment_head_write(block, &head);
	ck_assert_int_eq(segment_head_read(block, &again, &format), SEGMENT_GOOD);
	ck_assert(again.salt == 1 && again.first == 2 && again.chain == 3 && format == JOURNAL_FORMAT);
	head.size = 4;
	segment_head_write(block, &head);
	ck_assert_int_eq(segment_head_read(block, &again, &format), SEGMENT_GOOD);
	ck_assert_uint_eq(again.size, 4);
	for (int at = 20; at < 56; at++) {
		block[at] ^= 1;
		ck_assert_int_eq(segment_head_read(block, &again, &format), SEGMENT_BROKEN);
		block[at] ^= 1;
	}
	block[16]++;
	ck_assert_int_eq(segment_head_read(block, &again, &format), SEGMENT_NEWER);
	ck_assert_uint_eq(format, JOURNAL_FORMAT + 1);
	block[0] ^= 1;
	ck_assert_int_eq(segment_head_read(block, &again, &format), SEGMENT_FOREIGN);
}
END_TEST

START_TEST(a_batch_is_whole_only_as_it_was_sealed)
{
	char batch[BATCH_HEAD_BYTES + 20];
	memset(batch, 'v', sizeof(batch));
	struct batch_head head = {.salt = 1, .number = 2, .synced = 1, .len = 20, .chain = 4}, again;
	uint32_t sum = batch_seal(batch, head);
	ck_assert(batch_head_read(batch, 1, &again) && batch_is_whole(batch, &again));
	ck_assert(again.number == 2 && again.synced == 1 && again.len == 20 && again.chain == 4 && again.sum == sum);
	ck_assert(!batch_head_read(batch, 2, &again));
	for (size_t bit = 0; bit < 8 * sizeof(batch); bit++) {
		batch[bit / 8] ^= (char)(1 << bit % 8);
		bool is_read = batch_head_read(batch, 1, &again) && again.len <= 20;
		ck_assert_msg(!is_read || !batch_is_whole(batch, &again), "bit %zu", bit);
		batch[bit / 8] ^= (char)(1 << bit % 8);
	}
}
END_TEST

START_TEST(names_of_segments_are_read_back_and_nothing_else_is)
{
	char name[SEGMENT_NAME_BYTES], before[SEGMENT_NAME_BYTES] = "";
	static const uint64_t numbers[] = {1, 9, 10, 1ull << 40, UINT64_MAX};
	static const char *const others[] = {"",
					     "spare",
					     "lock",
					     "1.journal",
					     "00000000000000000001.journal~",
					     "0000000000000000000x.journal",
					     "00000000000000000001"};
	uint64_t first;
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		segment_name(name, numbers[i]);
		ck_assert(segment_name_read(name, &first) && first == numbers[i]);
		ck_assert_int_lt(strcmp(before, name), 0);
		strcpy(before, name);
	}
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		ck_assert_msg(!segment_name_read(others[i], &first), "%s", others[i]);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		the_checksum_is_crc32c,
		the_table_and_the_instruction_agree_on_any_length_and_alignment,
		a_checksum_goes_on_where_another_has_ended,
		each_kind_of_record_is_read_as_it_was_written,
		a_record_that_is_cut_off_anywhere_is_none,
		bytes_that_are_no_record_are_refused,
		what_was_reserved_and_promised_is_there_without_another_allocation,
		records_are_printed_as_json,
		a_line_that_is_too_short_for_a_record_is_never_written_over,
		the_head_of_a_segment_tells_what_it_is,
		a_batch_is_whole_only_as_it_was_sealed,
		names_of_segments_are_read_back_and_nothing_else_is,
		NULL,
	};
	Suite *suite = suite_create("journal: records");
	suite_case(suite, "records", NULL, NULL, tests);
	return suite_run(suite);
}
