/* The one file that touches the disk. */
#include "daemon/journal/disk.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

struct folder {
	struct disk disk;
	int fd, lock; /* lock: -1 where nothing is written */
};

static int fd_of(struct disk *disk)
{
	return ((struct folder *)disk)->fd;
}

static int folder_open(struct disk *disk, const char *name, bool create)
{
	bool writes = ((struct folder *)disk)->lock >= 0;
	int flags = O_CLOEXEC | (writes ? O_RDWR : O_RDONLY) | (create ? O_CREAT : 0);
	int handle = openat(fd_of(disk), name, flags | O_NONBLOCK, 0600); /* at a pipe it would wait for a writer */
	if (handle < 0 && errno == EWOULDBLOCK)
		handle = openat(fd_of(disk), name, flags, 0600); /* somebody has a lease on it, and will let go */
	return handle < 0 ? -errno : handle;
}

static void folder_close(struct disk *disk, int handle)
{
	(void)disk;
	close(handle);
}

static int64_t folder_read(struct disk *disk, int handle, void *bytes, size_t len, uint64_t offset)
{
	(void)disk;
	size_t done = 0;
	while (done < len) {
		ssize_t n = pread(handle, (char *)bytes + done, len - done, (off_t)(offset + done));
		if (n < 0 && errno != EINTR)
			return -errno;
		if (n == 0)
			break;
		done += n > 0 ? (size_t)n : 0;
	}
	return (int64_t)done;
}

static int folder_write(struct disk *disk, int handle, const void *bytes, size_t len, uint64_t offset)
{
	(void)disk;
	for (size_t done = 0; done < len;) {
		ssize_t n = pwrite(handle, (const char *)bytes + done, len - done, (off_t)(offset + done));
		if (n < 0 && errno != EINTR)
			return -errno;
		done += n > 0 ? (size_t)n : 0;
	}
	return 0;
}

static int folder_allocate(struct disk *disk, int handle, uint64_t size)
{
	(void)disk;
	return -posix_fallocate(handle, 0, (off_t)size);
}

static int folder_sync(struct disk *disk, int handle)
{
	(void)disk;
	return fdatasync(handle) < 0 ? -errno : 0;
}

static int folder_rename(struct disk *disk, const char *from, const char *to)
{
	return renameat(fd_of(disk), from, fd_of(disk), to) < 0 ? -errno : 0;
}

static int folder_remove(struct disk *disk, const char *name)
{
	return unlinkat(fd_of(disk), name, 0) < 0 ? -errno : 0;
}

static int folder_sync_folder(struct disk *disk)
{
	return fsync(fd_of(disk)) < 0 ? -errno : 0;
}

static int folder_list(struct disk *disk, disk_name_cb *cb, void *arg)
{
	DIR *entries = fdopendir(openat(fd_of(disk), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	if (!entries)
		return -errno;
	struct dirent *entry;
	while ((errno = 0, entry = readdir(entries))) {
		struct stat status;
		bool is_there = fstatat(fd_of(disk), entry->d_name, &status, 0) == 0;
		cb(arg, entry->d_name, is_there ? (uint64_t)status.st_size : 0); /* or it cannot be opened either */
	}
	int failure = -errno;
	closedir(entries);
	return failure;
}

static const struct disk_calls calls = {folder_open, folder_close,  folder_read,   folder_write,       folder_allocate,
					folder_sync, folder_rename, folder_remove, folder_sync_folder, folder_list};

/* -- The folder itself -- */

static const char *advice(int reason)
{
	return reason == EACCES ? ". It has to belong, with all that is in it, to the account that the daemon runs as"
				: "";
}

/* Held by the file's open description: it is gone with the process, however that ends. */
static int lock(int folder, const char *path, char error[DISK_ERROR_BYTES])
{
	int fd = openat(folder, "lock", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	char pid[16] = "";
	if (fd < 0) {
		snprintf(error, DISK_ERROR_BYTES, "%s cannot be written to: %s%s", path, strerror(errno),
			 advice(errno));
		return -1;
	}
	if (flock(fd, LOCK_EX | LOCK_NB) == 0) {
		int len = snprintf(pid, sizeof(pid), "%d\n", (int)getpid());
		bool is_told = ftruncate(fd, 0) == 0 && pwrite(fd, pid, (size_t)len, 0) == len;
		(void)is_told; /* the number is for people alone: on a full disk it stays away */
		return fd;
	}
	if (pread(fd, pid, sizeof(pid) - 1, 0) > 0)
		pid[strcspn(pid, "\n")] = '\0';
	snprintf(error, DISK_ERROR_BYTES, "%s is in use by another millraced%s%.15s: each needs a folder of its own",
		 path, pid[0] ? ", process " : "", pid);
	close(fd);
	return -1;
}

/* Makes the last part of the path, for that account (-1: the process's own), and keeps it. */
static int make_folder(const char *path, uid_t uid, gid_t gid)
{
	if (mkdir(path, 0700) < 0)
		return errno == EEXIST ? 0 : -1;
	if (lchown(path, uid, gid) < 0)
		return -1;
	char *parent = strdup(path), *end = parent ? strrchr(parent, '/') : NULL;
	if (!end)
		return -1;
	end[end == parent] = '\0';
	int fd = open(parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int result = fd < 0 ? -1 : fsync(fd);
	if (fd >= 0)
		close(fd);
	free(parent);
	return result;
}

int disk_make(const char *path, uid_t uid, gid_t gid, char error[DISK_ERROR_BYTES])
{
	if (make_folder(path, uid, gid) == 0)
		return 0;
	snprintf(error, DISK_ERROR_BYTES, "%s cannot be made: %s", path, strerror(errno));
	return -1;
}

struct disk *disk_open(const char *path, bool read_only, char error[DISK_ERROR_BYTES])
{
	struct folder *folder = calloc(1, sizeof(*folder));
	if (!folder) {
		snprintf(error, DISK_ERROR_BYTES, "no memory");
		return NULL;
	}
	*folder = (struct folder){.disk = {&calls}, .fd = -1, .lock = -1};
	if (!read_only && disk_make(path, (uid_t)-1, (gid_t)-1, error) < 0)
		goto failed;
	folder->fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (folder->fd < 0) {
		snprintf(error, DISK_ERROR_BYTES, "%s cannot be opened: %s%s", path, strerror(errno), advice(errno));
		goto failed;
	}
	if (!read_only && (folder->lock = lock(folder->fd, path, error)) < 0)
		goto failed;
	return &folder->disk;

failed:
	disk_close(&folder->disk);
	return NULL;
}

void disk_close(struct disk *disk)
{
	struct folder *folder = (struct folder *)disk;
	if (!folder)
		return;
	if (folder->lock >= 0)
		close(folder->lock);
	if (folder->fd >= 0)
		close(folder->fd);
	free(folder);
}
