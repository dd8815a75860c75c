/* Records: what a durable channel lived through, as bytes. Pure: no I/O, no clock.
 *
 * A record is its kind (one byte) and its fields in the order of record.c's table: numbers as little-endian base 128,
 * bytes as their length and themselves. Channels have numbers, which their `create` gives them; values have places,
 * which rise in the order in which they entered their channel and are never used twice.
 *
 * Replaying is idempotent: a place that is put again is replaced, and one that is gone may be gone again. A checkpoint
 * relies on it: it creates and puts anew, among the records of what happens meanwhile, all that is there. */
#ifndef MILLRACE_JOURNAL_RECORD_H
#define MILLRACE_JOURNAL_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/slice.h"

enum record_kind {
	RECORD_CREATE = 1, /* a channel, as it is; one with a number that is known replaces its definition */
	RECORD_ALTER,
	RECORD_CLOSE,
	RECORD_DELETE, /* with all that was in it */
	RECORD_PUT,
	RECORD_BACK, /* a value that was plainly taken and never sent is there again; written as RECORD_PUT */
	RECORD_GONE,
	RECORD_LEASED,
	RECORD_UNLEASED,
	RECORD_ONCE, /* what a producer's put with this `seq` has brought about so far */
	RECORD_TAP,  /* of two durable channels, as it is; one that is known changes */
	RECORD_UNTAP,
	RECORD_CARRIED, /* the value that a channel's taps hold need not come to this target: see `status` */
	RECORD_CHECKPOINT_BEGIN,
	RECORD_CHECKPOINT_END, /* all that was there at `begin` has been written again since */
	RECORD_GROUP,  /* in a cluster: the records that follow in this batch, up to the next such, are of this group's
			  channels. Numbers of channels are the group's own */
	RECORD_DEFINE, /* in a cluster: as RECORD_CREATE, of a channel that is not durable: it is there again, empty */
	RECORD_KINDS,
};

enum record_why {
	RECORD_TAKEN,
	RECORD_EVICTED,
	RECORD_DEAD_LETTERED,
	RECORD_DISCARDED,
	RECORD_ENTERED, /* a delayed put: it is put again, at the place that it has now */
	RECORD_WHYS,
};

/* `status` of a once: flags. */
enum record_once {
	RECORD_ONCE_SHED = 1,      /* its outcome was `dropped`; else `ok` */
	RECORD_ONCE_PART = 2,      /* of a batch only the first `accepted` values have entered */
	RECORD_ONCE_FORGOTTEN = 4, /* this number and all lower ones may have been forgotten; there is no outcome */
	RECORD_ONCE_SILENT = 8,    /* the producer is forgotten; there is no number */
};

/* `status` of a carried. */
enum record_carried {
	RECORD_CARRIED_PAST,     /* it has gone past this tap, which is younger; or see: */
	RECORD_CARRIED_ACCEPTED, /* somebody has the value; without a target: whoever it was */
};

/* Slices point into memory of whoever filled the record in; those of one that was read, into what it was read from. */
struct record {
	enum record_kind kind;
	uint64_t channel;
	struct slice name; /* create; group: the group's */
	uint64_t channel_kind, capacity, max_waiters, max_deliveries;
	struct slice dead_letter;
	uint64_t closed;
	uint64_t place;      /* of a value; create: the last that was given */
	uint64_t deliveries; /* put, leased, unleased */
	uint64_t due_ms;     /* put: when a delayed one enters, by wall clock; 0: it has */
	struct slice origin; /* put: of a dead letter, the channel that gave it up; empty: it is none */
	uint64_t origin_deliveries, origin_reason;
	uint64_t origin_ms;    /* when, by wall clock */
	struct slice value;    /* put */
	uint64_t why;          /* gone: enum record_why */
	uint64_t token[2];     /* leased: of a sticky lease, and: */
	uint64_t deadline_ms;  /* when it ends, by wall clock; 0: the lease is not sticky */
	struct slice producer; /* once */
	uint64_t seq, status, accepted, evicted;
	uint64_t target; /* tap, untap, carried: the channel where it puts */
	struct slice match;
	uint64_t closes, state;
	uint64_t begin; /* checkpoint_end: the number of the batch with its checkpoint_begin */
};

/* Where records gather. Whoever is about to move anything reserves first, and then writes without fail. */
struct record_buffer { /* zero-initialised is empty */
	char *bytes;
	size_t len, cap;
	size_t promised; /* bytes of records that are sure to come, of what is parked: they stay reserved */
	bool has_failed; /* more was written than reserved, and there was no memory: what is here must not be kept */
};

void record_buffer_finish(struct record_buffer *buffer);

/* Room for so many bytes, beside those that are promised. -1: no memory. */
int record_reserve(struct record_buffer *buffer, size_t bytes);

/* An upper bound of what a record takes: its slices not included, and with them. */
enum { RECORD_MAX_BYTES = 160 };
size_t record_bound(const struct record *record);

void record_write(struct record_buffer *buffer, const struct record *record);

/* Reads the first record of these bytes, and returns its length; -1: it is cut off, or no record of this format. */
ptrdiff_t record_read(struct slice bytes, struct record *record);

/* As an object of JSON, in one line without its end, into `out`. False: it does not fit. */
bool record_print(const struct record *record, char *out, size_t cap);

const char *record_kind_name(enum record_kind kind);

#endif
