/* Preloaded into the daemon, which knows nothing of it: something befalls one of the journal's calls to the disk.
 * $MILLRACE_DISK_FAULT says what, at which point, and at which call there (1: the first), such as "after write 3":
 *
 * - before, within, after: the process is killed by SIGKILL there; within: of a write the first half is done,
 * - EIO, ENOSPC: the call fails, this once; or, with a second number behind the first, that many of them,
 * - swallow: this call and all further ones there are not done, and said to be. */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "daemon/journal/format.h"
#include "daemon/journal/record.h"

#define EXPORTED   __attribute__((visibility("default")))
#define REAL(name) ((__typeof__(name) *)real(#name))

/* A call may be at several points at once. */
enum point {
	WRITE,        /* of batches */
	HEAD,         /* the write of a segment's head */
	SYNC,         /* of batches that were written */
	SYNC_SEGMENT, /* of what is no batch */
	ALLOCATE,     /* room for a segment */
	NAME,         /* a spare gets its name as a segment */
	DROP,         /* a segment goes, or becomes the spare */
	FOLDER,       /* the folder is synced */
	BEGIN,        /* the write that has the beginning of a checkpoint */
	MIDST,        /* a write of batches after that, */
	END,          /* and that with the end */
	POINTS,
};

static const char *const point_names[POINTS] = {
	[WRITE] = "write",       [HEAD] = "head",   [SYNC] = "sync", [SYNC_SEGMENT] = "sync_segment",
	[ALLOCATE] = "allocate", [NAME] = "name",   [DROP] = "drop", [FOLDER] = "folder",
	[BEGIN] = "begin",       [MIDST] = "midst", [END] = "end",
};

enum deed { NOTHING, BEFORE, WITHIN, AFTER, FAIL_EIO, FAIL_ENOSPC, SWALLOW, DEEDS };
static const char *const deed_names[DEEDS] = {"nothing", "before", "within", "after", "EIO", "ENOSPC", "swallow"};

/* The journal's calls come one after the other, whatever threads they are of. */
static enum deed planned;
static enum point planned_point;
static unsigned long countdown, left_to_strike;

static void *real(const char *name)
{
	void *function = dlsym(RTLD_NEXT, name);
	if (!function)
		abort();
	return function;
}

static int find_name(const char *const *names, int n, const char *name)
{
	while (n > 0 && strcmp(names[n - 1], name) != 0)
		n--;
	return n - 1;
}

__attribute__((constructor)) static void read_plan(void)
{
	char deed[16], point[16];
	unsigned long nth;
	const char *text = getenv("MILLRACE_DISK_FAULT");
	if (!text)
		return;
	unsigned long n = 1;
	if (sscanf(text, "%15s %15s %lu %lu", deed, point, &nth, &n) < 3 || find_name(deed_names, DEEDS, deed) <= 0 ||
	    find_name(point_names, POINTS, point) < 0 || nth == 0) {
		fprintf(stderr, "MILLRACE_DISK_FAULT: \"%s\" is no fault\n", text);
		abort();
	}
	planned = (enum deed)find_name(deed_names, DEEDS, deed);
	planned_point = (enum point)find_name(point_names, POINTS, point);
	countdown = nth;
	left_to_strike = planned == SWALLOW ? ULONG_MAX : n;
}

static void die(void)
{
	kill(getpid(), SIGKILL);
	for (;;)
		pause();
}

/* What befalls a call that is at these points. */
static enum deed befalls(unsigned points)
{
	if (!planned || !(points & 1u << planned_point))
		return NOTHING;
	if (countdown > 1) {
		countdown--;
		return NOTHING;
	}
	if (left_to_strike == 0)
		return NOTHING;
	left_to_strike--;
	if (planned == BEFORE)
		die();
	return planned;
}

static void has_been_done(enum deed deed)
{
	if (deed == AFTER || deed == WITHIN)
		die();
}

/* Whether it is not to be done; *error is why, or 0. */
static bool is_not_done(enum deed deed, int *error)
{
	*error = deed == FAIL_EIO ? EIO : deed == FAIL_ENOSPC ? ENOSPC : 0;
	return *error || deed == SWALLOW;
}

static int result_of(int error)
{
	errno = error;
	return error ? -1 : 0;
}

/* -- Which points a call is at -- */

static bool wrote_batches, is_checkpointing;

static unsigned points_of_records(struct slice records)
{
	unsigned points = 0;
	struct record record;
	for (ptrdiff_t len; records.len > 0 && (len = record_read(records, &record)) > 0;) {
		if (record.kind == RECORD_CHECKPOINT_BEGIN || record.kind == RECORD_CHECKPOINT_END) {
			is_checkpointing = record.kind == RECORD_CHECKPOINT_BEGIN;
			points |= 1u << (is_checkpointing ? BEGIN : END);
		}
		records.bytes += len;
		records.len -= (size_t)len;
	}
	return points;
}

static unsigned points_of_write(const char *bytes, size_t len, off_t offset)
{
	struct segment_head segment;
	uint32_t format;
	if (offset == 0)
		return len == JOURNAL_BLOCK && segment_head_read(bytes, &segment, &format) == SEGMENT_GOOD ? 1u << HEAD
													   : 0;
	unsigned points = 0;
	bool was_checkpointing = is_checkpointing;
	struct batch_head head;
	for (size_t at = 0; at + BATCH_HEAD_BYTES <= len; at += batch_span(head.len)) {
		batch_head_read(bytes + at, 0, &head);
		if (head.number == 0 || batch_span(head.len) > len - at)
			break;
		points |= 1u << WRITE;
		points |= points_of_records((struct slice){bytes + at + BATCH_HEAD_BYTES, head.len});
	}
	if (was_checkpointing && !(points & 1u << END))
		points |= 1u << MIDST;
	return points;
}

static bool is_segment(const char *name)
{
	uint64_t first;
	return segment_name_read(name, &first);
}

/* -- The calls -- */

EXPORTED ssize_t pwrite(int fd, const void *bytes, size_t len, off_t offset)
{
	int error;
	unsigned points = points_of_write(bytes, len, offset);
	enum deed deed = befalls(points);
	wrote_batches = points & 1u << WRITE;
	if (is_not_done(deed, &error))
		return error ? result_of(error) : (ssize_t)len;
	ssize_t n = REAL(pwrite)(fd, bytes, deed == WITHIN ? len / 2 : len, offset);
	has_been_done(deed);
	return n;
}

EXPORTED int fdatasync(int fd)
{
	int error;
	enum deed deed = befalls(1u << (wrote_batches ? SYNC : SYNC_SEGMENT));
	wrote_batches = false;
	if (is_not_done(deed, &error))
		return result_of(error);
	int result = REAL(fdatasync)(fd);
	has_been_done(deed);
	return result;
}

EXPORTED int fsync(int fd)
{
	int error;
	enum deed deed = befalls(1u << FOLDER);
	if (is_not_done(deed, &error))
		return result_of(error);
	int result = REAL(fsync)(fd);
	has_been_done(deed);
	return result;
}

EXPORTED int posix_fallocate(int fd, off_t offset, off_t len)
{
	int error;
	enum deed deed = befalls(1u << ALLOCATE);
	if (is_not_done(deed, &error))
		return error;
	int result = REAL(posix_fallocate)(fd, offset, deed == WITHIN ? len / 2 : len);
	has_been_done(deed);
	return result;
}

EXPORTED int renameat(int from_fd, const char *from, int to_fd, const char *to)
{
	int error;
	enum deed deed = befalls(is_segment(to) ? 1u << NAME : is_segment(from) ? 1u << DROP : 0);
	if (is_not_done(deed, &error))
		return result_of(error);
	int result = REAL(renameat)(from_fd, from, to_fd, to);
	has_been_done(deed);
	return result;
}

EXPORTED int unlinkat(int fd, const char *name, int flags)
{
	int error;
	enum deed deed = befalls(is_segment(name) ? 1u << DROP : 0);
	if (is_not_done(deed, &error))
		return result_of(error);
	int result = REAL(unlinkat)(fd, name, flags);
	has_been_done(deed);
	return result;
}
