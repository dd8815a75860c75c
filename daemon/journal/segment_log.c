#include "daemon/journal/segment_log.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum {
	FILL_BYTES = 256 * 1024, /* at once */
	NEAR_BYTES = 32 * 1024,  /* when so little is left of them */
	SHORT_RUN_BYTES = 32 * 1024,
};

static const char spare[] = "spare";

void segment_log_init(struct segment_log *log, struct disk *disk, uint64_t segment_bytes, uint64_t random)
{
	*log = (struct segment_log){.disk = disk,
				    .segment_bytes = segment_bytes,
				    .random = random,
				    .doing = "reading",
				    .next = 1,
				    .handle = -1};
}

void segment_log_finish(struct segment_log *log)
{
	if (log->handle >= 0)
		log->disk->calls->close(log->disk, log->handle);
	free(log->segments);
	log->segments = NULL;
	log->handle = -1;
}

int segment_log_add(struct segment_log *log, uint64_t first, uint64_t size)
{
	if (log->n_segments == log->cap) {
		size_t cap = log->cap ? log->cap * 2 : 16;
		struct segment *segments = realloc(log->segments, cap * sizeof(*segments));
		if (!segments)
			return -ENOMEM;
		log->segments = segments;
		log->cap = cap;
	}
	log->segments[log->n_segments++] = (struct segment){first, size};
	return 0;
}

uint64_t segment_log_bytes(const struct segment_log *log)
{
	uint64_t bytes = 0;
	for (size_t i = 0; i < log->n_segments; i++)
		bytes += log->segments[i].size;
	return bytes;
}

/* A number that differs from start to start and from segment to segment. */
static uint64_t make_salt(struct segment_log *log)
{
	uint64_t x = log->random += UINT64_C(0x9e3779b97f4a7c15);
	x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
	return x ^ x >> 31;
}

int segment_log_make_spare(struct segment_log *log)
{
	struct disk *disk = log->disk;
	uint64_t size = log->needed > log->segment_bytes ? log->needed : log->segment_bytes;
	if (log->has_spare && log->spare_size >= log->needed)
		return 0;
	log->has_spare = false;
	log->doing = "making the next segment";
	int handle = disk->calls->open(disk, spare, true);
	if (handle < 0)
		return handle;
	int result = disk->calls->allocate(disk, handle, size);
	if (result == 0)
		result = disk->calls->sync(disk, handle);
	disk->calls->close(disk, handle);
	if (result < 0) {
		disk->calls->remove(disk, spare); /* it may have taken what room there was */
		return result;
	}
	log->has_spare = true;
	log->spare_size = size;
	return disk->calls->sync_folder(disk);
}

/* Gives the spare a head, and then its name: so a file with a segment's name always has a head. */
static int name_spare(struct segment_log *log, int handle)
{
	struct disk *disk = log->disk;
	char block[JOURNAL_BLOCK], name[SEGMENT_NAME_BYTES];
	log->salt = make_salt(log);
	segment_head_write(block, &(struct segment_head){log->salt, log->next, log->chain, log->spare_size});
	segment_name(name, log->next);
	int result = disk->calls->write(disk, handle, block, sizeof(block), 0);
	if (result == 0)
		result = disk->calls->sync(disk, handle);
	if (result == 0)
		result = disk->calls->rename(disk, spare, name);
	return result < 0 ? result : disk->calls->sync_folder(disk);
}

/* The spare becomes the last segment. */
static int next_segment(struct segment_log *log)
{
	struct disk *disk = log->disk;
	log->doing = "beginning a segment";
	int handle = disk->calls->open(disk, spare, false);
	if (handle < 0)
		return handle;
	int result = name_spare(log, handle);
	if (result == 0 && log->n_segments > 0 && log->segments[log->n_segments - 1].first == log->next)
		log->n_segments--; /* it had no batch yet, and has lost its name to this one */
	if (result < 0 || (result = segment_log_add(log, log->next, log->spare_size)) < 0) {
		disk->calls->close(disk, handle);
		return result;
	}
	if (log->handle >= 0)
		disk->calls->close(disk, log->handle);
	log->handle = handle;
	log->at = log->filled = JOURNAL_BLOCK;
	log->has_spare = false;
	log->needed = 0;
	return 0;
}

/* What recovery read of the last segment may be in the page cache alone. */
static int sync_last(struct segment_log *log)
{
	char name[SEGMENT_NAME_BYTES];
	log->doing = "syncing what was read";
	segment_name(name, log->segments[log->n_segments - 1].first);
	int handle = log->disk->calls->open(log->disk, name, false);
	if (handle < 0)
		return handle;
	int result = log->disk->calls->sync(log->disk, handle);
	log->disk->calls->close(log->disk, handle);
	return result;
}

int segment_log_begin(struct segment_log *log)
{
	struct disk *disk = log->disk;
	char name[SEGMENT_NAME_BYTES];
	int result = disk->calls->sync_folder(disk);
	if (result < 0)
		return result;
	if (log->n_segments > 0 && log->segments[log->n_segments - 1].first == log->next) {
		/* No batch in it is whole. The new segment has the same name: this one is the spare again. */
		struct segment *empty = &log->segments[--log->n_segments];
		log->doing = "using the last segment again";
		segment_name(name, empty->first);
		result = disk->calls->rename(disk, name, spare);
		if (result == 0) /* before its head is written over */
			result = disk->calls->sync_folder(disk);
		log->has_spare = true;
		log->spare_size = empty->size;
	}
	if (result == 0 && log->n_segments > 0)
		result = sync_last(log);
	log->needed = JOURNAL_BLOCK; /* somebody may have cut it short */
	if (result == 0)
		result = segment_log_make_spare(log);
	return result < 0 ? result : next_segment(log);
}

/* Seals the batches at the beginning of a run that fit into the last segment. Returns how many bytes they take. */
static size_t seal(struct segment_log *log, char *run, size_t len)
{
	uint64_t synced = log->next - 1, size = log->segments[log->n_segments - 1].size;
	size_t done = 0;
	while (done < len) {
		struct batch_head head;
		batch_head_read(run + done, 0, &head);
		assert(head.number == log->next);
		uint64_t span = batch_span(head.len);
		if (log->at + done + span > size)
			break;
		head.salt = log->salt;
		head.synced = synced;
		head.chain = log->chain;
		log->chain = batch_seal(run + done, head);
		log->next++;
		done += span;
	}
	return done;
}

int segment_log_append(struct segment_log *log, char *run, size_t len, size_t *done)
{
	struct disk *disk = log->disk;
	log->last_run = len;
	assert(log->handle >= 0 && len % JOURNAL_BLOCK == 0);
	while (*done < len) {
		size_t part = seal(log, run + *done, len - *done);
		int result;
		if (part == 0) {
			struct batch_head head;
			batch_head_read(run + *done, 0, &head);
			log->needed = JOURNAL_BLOCK + batch_span(head.len);
			if ((result = segment_log_make_spare(log)) < 0)
				return segment_log_lacks_room(result) ? 1 : result;
			if ((result = next_segment(log)) < 0)
				return result;
			continue;
		}
		log->doing = "writing";
		if ((result = disk->calls->write(disk, log->handle, run + *done, part, log->at)) < 0)
			return result;
		log->doing = "fdatasync";
		if ((result = disk->calls->sync(disk, log->handle)) < 0)
			return result;
		log->at += part;
		*done += part;
	}
	return 0;
}

bool segment_log_lacks_room(int result)
{
	return result == -ENOSPC || result == -EDQUOT || result == -EFBIG;
}

int segment_log_fill_ahead(struct segment_log *log)
{
	static char zeros[FILL_BYTES]; /* not const: it would be in the program's file */
	struct disk *disk = log->disk;
	uint64_t size = log->segments[log->n_segments - 1].size, from = log->filled < log->at ? log->at : log->filled;
	uint64_t len = size - from < FILL_BYTES ? size - from : FILL_BYTES;
	if (log->last_run == 0 || log->last_run > SHORT_RUN_BYTES || from - log->at > NEAR_BYTES || len == 0)
		return 0;
	log->doing = "writing ahead";
	int result = disk->calls->write(disk, log->handle, zeros, len, from);
	if (segment_log_lacks_room(result)) {
		log->filled = size;
		return 0;
	}
	log->filled = from + len;
	return result < 0 ? result : disk->calls->sync(disk, log->handle);
}

int segment_log_drop_before(struct segment_log *log, uint64_t number)
{
	struct disk *disk = log->disk;
	char name[SEGMENT_NAME_BYTES];
	log->doing = "dropping a segment";
	while (log->n_segments > 1 && log->segments[1].first <= number) {
		segment_name(name, log->segments[0].first);
		int result = log->has_spare ? disk->calls->remove(disk, name) : disk->calls->rename(disk, name, spare);
		if (result == 0)
			result = disk->calls->sync_folder(disk);
		if (result < 0)
			return result;
		if (!log->has_spare)
			log->spare_size = log->segments[0].size;
		log->has_spare = true;
		memmove(log->segments, log->segments + 1, --log->n_segments * sizeof(*log->segments));
	}
	return 0;
}
