/* The journal: gathers the records of the core's steps into batches, and hands them to what carries them (the disk, or
 * an engine), a run at a time. For the loop's thread; it never blocks.
 *
 *   core_step()  ... record_write(journal_records(journal), ...)
 *   journal_end_step(journal)        the records of one step are in one batch
 *   journal_end_turn(journal, now)   what has gathered is on its way, unless a run is under way already
 *   journal_notice(journal)          the carrier has said that something has changed: see journal_committed()
 *
 * A reply that depends on what was recorded waits until journal_committed() has reached the number that
 * journal_batch() had in the reply's step. */
#ifndef MILLRACE_JOURNAL_JOURNAL_H
#define MILLRACE_JOURNAL_JOURNAL_H

#include "daemon/journal/company.h"
#include "daemon/journal/format.h"
#include "daemon/journal/record.h"

/* How long batches took from their hand-over until they were kept, by at most so many microseconds each. */
enum { CARRIER_BOUNDS = 10 };
extern const uint64_t carrier_bounds_us[CARRIER_BOUNDS];

struct carrier_status {
	uint64_t committed;       /* all batches up to this number are kept */
	bool is_full;             /* there is no room for more than records that make room */
	bool waits_for_room;      /* not even for those: what was handed over stays until there is */
	const char *failure;      /* NULL, or what failed: nothing will be committed any more. Static */
	int failure_errno;        /* with it; 0: none */
	uint64_t bytes, segments; /* what it holds */
	uint64_t left;            /* bytes of room when it is full */
	uint64_t commits[CARRIER_BOUNDS + 1], commits_us;
};

struct carrier;

struct carrier_calls {
	/* Takes over a run of batches, the last of which has that number. Only once the one before is committed. The
	 * bytes stay where they are until then, and may be changed. */
	void (*append)(struct carrier *carrier, char *run, size_t len, uint64_t last);
	/* Batches with smaller numbers are not needed any more. */
	void (*drop_before)(struct carrier *carrier, uint64_t number);
	void (*status)(struct carrier *carrier, struct carrier_status *status);
};

struct carrier {
	const struct carrier_calls *calls;
};

struct journal_settings {
	size_t max_batch;                /* bytes: a batch that is longer ends with its step */
	uint64_t max_delay_us;           /* how long records wait at least, while the carrier has nothing to do */
	uint64_t least_checkpoint_bytes; /* a carrier that holds less gets no checkpoint; 0: 64 MiB */
};

struct journal {
	struct carrier *carrier;
	struct journal_settings settings;
	struct record_buffer records;   /* that gather */
	struct record_buffer under_way; /* with the carrier; its memory then serves to gather again */
	size_t batch_at;                /* where in `records` the batch begins that gathers */
	uint64_t number;                /* of that */
	uint64_t since_us;              /* when its first record was seen; UINT64_MAX: there is none */
	size_t seen;                    /* bytes of `records` at the end of the last step */
	struct company company;
	uint64_t last_under_way;                   /* the number of the last batch that was handed over */
	uint64_t checkpoint_begin, checkpoint_end; /* the numbers of their batches; 0: none is under way; not yet */
	uint64_t checkpoints;                      /* how many were completed */
	struct carrier_status status;
};

/* `next`: the number of the first batch. -1: no memory. The carrier has to outlive it. */
int journal_init(struct journal *journal, const struct journal_settings *settings, struct carrier *carrier,
		 uint64_t next);
void journal_finish(struct journal *journal);

static inline struct record_buffer *journal_records(struct journal *journal)
{
	return &journal->records;
}

/* The number of the batch that gathers. */
static inline uint64_t journal_batch(const struct journal *journal)
{
	return journal->number;
}

static inline uint64_t journal_committed(const struct journal *journal)
{
	return journal->status.committed;
}

/* The number of the last batch that has records. */
uint64_t journal_last_batch(const struct journal *journal);

void journal_end_step(struct journal *journal);

/* Returns when it has to be called again at the latest; UINT64_MAX: not before something has changed. */
uint64_t journal_end_turn(struct journal *journal, uint64_t now_us);

/* Whether the carrier has yet to commit what was handed over. */
bool journal_is_under_way(const struct journal *journal);

/* Asks the carrier for its status. True: more batches are committed than before, or it has failed. */
bool journal_notice(struct journal *journal);

/* Why nothing will be committed any more, or NULL. */
const char *journal_failure(const struct journal *journal);

/* Bytes that are in memory until they are committed. */
uint64_t journal_pending_bytes(const struct journal *journal);

/* Whether it is time for a checkpoint of what is there, which would take about `live_bytes`. */
bool journal_wants_checkpoint(const struct journal *journal, uint64_t live_bytes);
void journal_begin_checkpoint(struct journal *journal);
/* All that is there was recorded again since it began. What the carrier has from before goes, once that is committed.
 */
void journal_end_checkpoint(struct journal *journal);

#endif
