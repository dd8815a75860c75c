/* One folder on a disk: all that the journal does to a disk, as a table of calls, so that the tests can stand a
 * simulated disk there. Calls return 0, or what their comment says, or a negative errno. They block. One thread at a
 * time. Names are those of files in the folder. */
#ifndef MILLRACE_JOURNAL_DISK_H
#define MILLRACE_JOURNAL_DISK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct disk;

typedef void disk_name_cb(void *arg, const char *name, uint64_t size);

struct disk_calls {
	int (*open)(struct disk *disk, const char *name, bool create); /* a handle */
	void (*close)(struct disk *disk, int handle);
	int64_t (*read)(struct disk *disk, int handle, void *bytes, size_t len, uint64_t offset);    /* how many: fewer
													only at the end */
	int (*write)(struct disk *disk, int handle, const void *bytes, size_t len, uint64_t offset); /* all of them */
	int (*allocate)(struct disk *disk, int handle, uint64_t size); /* so that writes up to there find room */
	int (*sync)(struct disk *disk, int handle);                    /* what was written and allocated is kept */
	int (*rename)(struct disk *disk, const char *from, const char *to);
	int (*remove)(struct disk *disk, const char *name);
	int (*sync_folder)(struct disk *disk); /* what was created, renamed and removed is so for good */
	int (*list)(struct disk *disk, disk_name_cb *cb, void *arg);
};

struct disk {
	const struct disk_calls *calls;
};

enum { DISK_ERROR_BYTES = 400 };

/* Makes the last part of an absolute path, if it is lacking, and gives it to the account. -1, with `error`. */
int disk_make(const char *path, uid_t uid, gid_t gid, char error[DISK_ERROR_BYTES]);

/* The folder at an absolute path; its last part is made if it is lacking. Locked against other daemons until
 * disk_close(). With `read_only` nothing is made nor locked. NULL, with `error` for people. */
struct disk *disk_open(const char *path, bool read_only, char error[DISK_ERROR_BYTES]);
void disk_close(struct disk *disk); /* NULL is fine */

#endif
