/* A batch stands in the buffer as the carrier will keep it: its head, its records, and zeros up to the next block. Room
 * for the head and those zeros is always promised. */
#include "daemon/journal/journal.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum {
	STEP_BYTES = 128 * 1024,  /* reserved when a batch begins: most steps need no more */
	KEPT_BYTES = 8 * 1048576, /* a buffer that has grown beyond goes back when it is empty */
	LEAST_CHECKPOINT_BYTES = 64 * 1048576,
};

const uint64_t carrier_bounds_us[CARRIER_BOUNDS] = {100, 250, 500, 1000, 2500, 5000, 10000, 50000, 250000, 1000000};

/* An empty batch begins at the end of the buffer. -1: no memory. */
static int begin_batch(struct journal *journal)
{
	struct record_buffer *records = &journal->records;
	if (record_reserve(records, BATCH_HEAD_BYTES + STEP_BYTES) < 0)
		return -1;
	journal->batch_at = records->len;
	memset(records->bytes + records->len, 0, BATCH_HEAD_BYTES);
	records->len += BATCH_HEAD_BYTES;
	return 0;
}

int journal_init(struct journal *journal, const struct journal_settings *settings, struct carrier *carrier,
		 uint64_t next)
{
	*journal = (struct journal){.carrier = carrier,
				    .settings = *settings,
				    .number = next,
				    .since_us = UINT64_MAX,
				    .last_under_way = next - 1};
	if (!settings->least_checkpoint_bytes)
		journal->settings.least_checkpoint_bytes = LEAST_CHECKPOINT_BYTES;
	journal->records.promised = journal->under_way.promised = JOURNAL_BLOCK + BATCH_HEAD_BYTES;
	if (begin_batch(journal) < 0)
		return -1;
	journal_notice(journal);
	return 0;
}

void journal_finish(struct journal *journal)
{
	record_buffer_finish(&journal->records);
	record_buffer_finish(&journal->under_way);
}

static size_t gathered(const struct journal *journal)
{
	return journal->records.len - journal->batch_at - BATCH_HEAD_BYTES;
}

/* The batch that gathers, which is not empty, is complete; the next one has no head yet. False: no memory. */
static bool end_batch(struct journal *journal)
{
	struct record_buffer *records = &journal->records;
	size_t len = gathered(journal), end = journal->batch_at + batch_span((uint32_t)len);
	assert(len > 0);
	if (records->has_failed)
		return false;
	if (end > records->cap && record_reserve(records, JOURNAL_BLOCK) < 0)
		return false;
	batch_open(records->bytes + journal->batch_at, journal->number, (uint32_t)len);
	memset(records->bytes + records->len, 0, end - records->len);
	records->len = end;
	journal->number++;
	return true;
}

uint64_t journal_last_batch(const struct journal *journal)
{
	return gathered(journal) > 0 ? journal->number : journal->number - 1;
}

static void end_long_batch(struct journal *journal)
{
	size_t len = journal->records.len, number = journal->number;
	if (end_batch(journal) && begin_batch(journal) < 0) {
		/* Without memory for the head of another, it goes on after all. */
		journal->records.len = len;
		journal->number = number;
	}
}

void journal_end_step(struct journal *journal)
{
	if (journal->records.len > journal->seen)
		company_gather(&journal->company);
	if (gathered(journal) >= journal->settings.max_batch)
		end_long_batch(journal);
	journal->seen = journal->records.len;
}

bool journal_is_under_way(const struct journal *journal)
{
	return journal->status.committed < journal->last_under_way;
}

/* Hands over what has gathered, and goes on in the other buffer. */
static void hand_over(struct journal *journal, uint64_t now_us)
{
	struct record_buffer *next = &journal->under_way;
	if (next->cap > KEPT_BYTES)
		record_buffer_finish(next);
	next->promised = journal->records.promised;
	next->len = 0;
	if (record_reserve(next, BATCH_HEAD_BYTES + STEP_BYTES) < 0)
		return; /* in the next turn */
	if (gathered(journal) == 0)
		journal->records.len = journal->batch_at; /* the last one is empty: only those before it go */
	else if (!end_batch(journal))
		return;
	struct record_buffer run = journal->records;
	journal->records = *next;
	journal->under_way = run;
	int result = begin_batch(journal);
	assert(result == 0);
	(void)result;
	journal->since_us = UINT64_MAX;
	journal->seen = journal->records.len;
	company_leave(&journal->company, now_us);
	journal->last_under_way = journal->number - 1;
	journal->carrier->calls->append(journal->carrier, run.bytes, run.len, journal->last_under_way);
}

uint64_t journal_end_turn(struct journal *journal, uint64_t now_us)
{
	bool has_more = gathered(journal) > 0 || journal->batch_at > 0;
	if (has_more && journal->since_us == UINT64_MAX)
		journal->since_us = now_us;
	if (journal_is_under_way(journal) || journal_failure(journal))
		return UINT64_MAX;
	uint64_t due_us = company_awaited_until(&journal->company, now_us);
	if (!has_more)
		return UINT64_MAX;
	if (due_us < journal->since_us + journal->settings.max_delay_us)
		due_us = journal->since_us + journal->settings.max_delay_us;
	if (now_us < due_us && journal->records.len < journal->settings.max_batch)
		return due_us;
	hand_over(journal, now_us);
	return UINT64_MAX;
}

bool journal_notice(struct journal *journal)
{
	uint64_t before = journal->status.committed;
	journal->carrier->calls->status(journal->carrier, &journal->status);
	if (journal->checkpoint_end && journal->status.committed >= journal->checkpoint_end) {
		uint64_t begin = journal->checkpoint_begin;
		journal->checkpoint_begin = journal->checkpoint_end = 0; /* first: the carrier may tell of a change */
		journal->checkpoints++;
		journal->carrier->calls->drop_before(journal->carrier, begin);
	}
	if (journal->status.committed > before && !journal_is_under_way(journal))
		company_is_answered(&journal->company);
	return journal->status.committed > before || journal_failure(journal);
}

const char *journal_failure(const struct journal *journal)
{
	return journal->records.has_failed ? "no memory for records of what has happened" : journal->status.failure;
}

uint64_t journal_pending_bytes(const struct journal *journal)
{
	return journal->records.len - BATCH_HEAD_BYTES + (journal_is_under_way(journal) ? journal->under_way.len : 0);
}

bool journal_wants_checkpoint(const struct journal *journal, uint64_t live_bytes)
{
	const struct carrier_status *status = &journal->status;
	if (journal->checkpoint_begin || status->segments < 2 || status->failure)
		return false;
	if (status->is_full)
		return live_bytes < status->left / 2;
	return status->bytes > journal->settings.least_checkpoint_bytes && status->bytes / 2 > live_bytes;
}

void journal_begin_checkpoint(struct journal *journal)
{
	assert(!journal->checkpoint_begin);
	record_write(&journal->records, &(struct record){.kind = RECORD_CHECKPOINT_BEGIN});
	journal->checkpoint_begin = journal->number;
}

void journal_end_checkpoint(struct journal *journal)
{
	assert(journal->checkpoint_begin && !journal->checkpoint_end);
	record_write(&journal->records,
		     &(struct record){.kind = RECORD_CHECKPOINT_END, .begin = journal->checkpoint_begin});
	journal->checkpoint_end = journal->number;
}
