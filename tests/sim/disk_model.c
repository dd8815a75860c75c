/* A file's number is its handle. Files without a name stay until the folder is synced, as an operation on names may be
 * undone. */
#include "tests/sim/disk_model.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/journal/format.h"

static struct disk_model *model(struct disk *disk)
{
	return (struct disk_model *)disk;
}

uint64_t disk_model_random(uint64_t *random)
{
	uint64_t x = *random += UINT64_C(0x9e3779b97f4a7c15);
	x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
	return x ^ x >> 31;
}

/* Counts a call that changes something. Not 0: it fails. */
static int change(struct disk_model *disk)
{
	if (disk->on_call)
		disk->on_call(disk, disk->arg);
	disk->n_calls++;
	return disk->fail_at && disk->n_calls >= disk->fail_at ? -disk->fail_errno : 0;
}

static struct disk_model_name *find_name(struct disk_model_name *names, const char *name)
{
	for (int i = 0; i < DISK_MODEL_NAMES; i++)
		if (strcmp(names[i].name, name) == 0)
			return &names[i];
	return NULL;
}

static void set_name(struct disk_model_name *names, const char *name, int file)
{
	struct disk_model_name *place = find_name(names, name);
	if (!place)
		place = find_name(names, "");
	assert(place && strlen(name) < sizeof(place->name));
	strcpy(place->name, name);
	place->file = file;
}

static void clear_name(struct disk_model_name *names, const char *name)
{
	struct disk_model_name *place = find_name(names, name);
	if (place)
		place->name[0] = '\0';
}

/* Carries an operation out on one of the two sets of names, where that is possible. */
static void apply(struct disk_model_name *names, const struct disk_model_op *op)
{
	const struct disk_model_name *from = find_name(names, op->from);
	switch (op->kind) {
	case NAME_CREATED:
		set_name(names, op->from, op->file);
		break;
	case NAME_MOVED:
		if (!from || from->file != op->file)
			break;
		clear_name(names, op->from);
		set_name(names, op->to, op->file);
		break;
	case NAME_REMOVED:
		if (from && from->file == op->file)
			clear_name(names, op->from);
		break;
	}
}

/* Files that neither set of names knows are free. */
static void collect(struct disk_model *disk)
{
	for (int i = 0; i < DISK_MODEL_FILES; i++) {
		struct disk_model_file *file = &disk->files[i];
		bool is_named = false;
		for (int n = 0; n < DISK_MODEL_NAMES; n++)
			is_named = is_named || (disk->cached[n].name[0] && disk->cached[n].file == i) ||
				   (disk->kept[n].name[0] && disk->kept[n].file == i);
		if (!file->exists || is_named)
			continue;
		disk->free_bytes += file->cached_size;
		file->exists = false;
	}
}

static void keep_names(struct disk_model *disk)
{
	memcpy(disk->kept, disk->cached, sizeof(disk->kept));
	disk->n_ops = 0;
	collect(disk);
}

static void record_op(struct disk_model *disk, struct disk_model_op op)
{
	apply(disk->cached, &op);
	if (disk->n_ops == DISK_MODEL_OPS) /* sooner or later a disk keeps them by itself */
		keep_names(disk);
	disk->ops[disk->n_ops++] = op;
}

static void file_resize(struct disk_model_file *file, uint64_t cap)
{
	if (cap <= file->cap)
		return;
	file->cached = realloc(file->cached, cap);
	file->kept = realloc(file->kept, cap);
	file->dirty = realloc(file->dirty, cap / DISK_MODEL_SECTOR);
	assert(file->cached && file->kept && file->dirty && cap % DISK_MODEL_SECTOR == 0);
	memset(file->cached + file->cap, 0, cap - file->cap);
	memset(file->kept + file->cap, 0, cap - file->cap);
	memset(file->dirty + file->cap / DISK_MODEL_SECTOR, 0, (cap - file->cap) / DISK_MODEL_SECTOR);
	file->cap = cap;
}

static int model_open(struct disk *base, const char *name, bool create)
{
	struct disk_model *disk = model(base);
	const struct disk_model_name *known = find_name(disk->cached, name);
	if (known)
		return known->file;
	if (!create)
		return -ENOENT;
	int failure = change(disk), i = 0;
	if (failure)
		return failure;
	while (i < DISK_MODEL_FILES && disk->files[i].exists)
		i++;
	assert(i < DISK_MODEL_FILES);
	struct disk_model_file *file = &disk->files[i];
	if (file->cap > 0) {
		memset(file->cached, 0, file->cap);
		memset(file->kept, 0, file->cap);
		memset(file->dirty, 0, file->cap / DISK_MODEL_SECTOR);
	}
	file->exists = true;
	file->cached_size = file->kept_size = 0;
	struct disk_model_op op = {.kind = NAME_CREATED, .file = i};
	strcpy(op.from, name);
	record_op(disk, op);
	return i;
}

static void model_close(struct disk *disk, int handle)
{
	(void)disk, (void)handle;
}

static int64_t model_read(struct disk *base, int handle, void *bytes, size_t len, uint64_t offset)
{
	const struct disk_model_file *file = &model(base)->files[handle];
	uint64_t left = offset < file->cached_size ? file->cached_size - offset : 0;
	size_t n = left < len ? (size_t)left : len;
	if (n > 0)
		memcpy(bytes, file->cached + offset, n);
	return (int64_t)n;
}

static int model_write(struct disk *base, int handle, const void *bytes, size_t len, uint64_t offset)
{
	struct disk_model_file *file = &model(base)->files[handle];
	int failure = change(model(base));
	size_t done = failure ? len / 2 / DISK_MODEL_SECTOR * DISK_MODEL_SECTOR : len; /* a write that fails may have
											  begun */
	assert(offset % DISK_MODEL_SECTOR == 0 && offset + len <= file->cached_size && len % DISK_MODEL_SECTOR == 0);
	memcpy(file->cached + offset, bytes, done);
	memset(file->dirty + offset / DISK_MODEL_SECTOR, 1, done / DISK_MODEL_SECTOR);
	return failure;
}

static int model_allocate(struct disk *base, int handle, uint64_t size)
{
	struct disk_model *disk = model(base);
	struct disk_model_file *file = &disk->files[handle];
	int failure = change(disk);
	if (failure || size <= file->cached_size)
		return failure;
	if (size - file->cached_size > disk->free_bytes)
		return -ENOSPC;
	disk->free_bytes -= size - file->cached_size;
	file_resize(file, size);
	file->cached_size = size;
	return 0;
}

static int model_sync(struct disk *base, int handle)
{
	struct disk_model *disk = model(base);
	struct disk_model_file *file = &disk->files[handle];
	int failure = change(disk);
	if (failure || disk->skips_syncs)
		return failure;
	for (uint64_t sector = 0; sector * DISK_MODEL_SECTOR < file->cached_size; sector++)
		if (file->dirty[sector])
			memcpy(file->kept + sector * DISK_MODEL_SECTOR, file->cached + sector * DISK_MODEL_SECTOR,
			       DISK_MODEL_SECTOR);
	if (file->cap > 0)
		memset(file->dirty, 0, file->cap / DISK_MODEL_SECTOR);
	file->kept_size = file->cached_size;
	return 0;
}

static int model_rename(struct disk *base, const char *from, const char *to)
{
	struct disk_model *disk = model(base);
	const struct disk_model_name *known = find_name(disk->cached, from);
	int failure = change(disk);
	if (failure || !known)
		return failure ? failure : -ENOENT;
	struct disk_model_op op = {.kind = NAME_MOVED, .file = known->file};
	strcpy(op.from, from);
	strcpy(op.to, to);
	record_op(disk, op);
	return 0;
}

static int model_remove(struct disk *base, const char *name)
{
	struct disk_model *disk = model(base);
	const struct disk_model_name *known = find_name(disk->cached, name);
	int failure = change(disk);
	if (failure || !known)
		return failure ? failure : -ENOENT;
	struct disk_model_op op = {.kind = NAME_REMOVED, .file = known->file};
	strcpy(op.from, name);
	record_op(disk, op);
	return 0;
}

static int model_sync_folder(struct disk *base)
{
	struct disk_model *disk = model(base);
	int failure = change(disk);
	if (failure || disk->skips_syncs)
		return failure;
	keep_names(disk);
	return 0;
}

static int model_list(struct disk *base, disk_name_cb *cb, void *arg)
{
	struct disk_model *disk = model(base);
	for (int i = 0; i < DISK_MODEL_NAMES; i++)
		if (disk->cached[i].name[0])
			cb(arg, disk->cached[i].name, disk->files[disk->cached[i].file].cached_size);
	return 0;
}

static const struct disk_calls calls = {model_open, model_close,  model_read,   model_write,       model_allocate,
					model_sync, model_rename, model_remove, model_sync_folder, model_list};

void disk_model_init(struct disk_model *disk, uint64_t free_bytes)
{
	*disk = (struct disk_model){.disk = {&calls}, .free_bytes = free_bytes};
}

void disk_model_finish(struct disk_model *disk)
{
	for (int i = 0; i < DISK_MODEL_FILES; i++) {
		free(disk->files[i].cached);
		free(disk->files[i].kept);
		free(disk->files[i].dirty);
	}
}

void disk_model_copy(struct disk_model *copy, const struct disk_model *disk)
{
	struct disk_model_file files[DISK_MODEL_FILES];
	memcpy(files, copy->files, sizeof(files));
	*copy = *disk;
	memcpy(copy->files, files, sizeof(files));
	copy->on_call = NULL;
	for (int i = 0; i < DISK_MODEL_FILES; i++) {
		const struct disk_model_file *from = &disk->files[i];
		struct disk_model_file *to = &copy->files[i];
		to->exists = from->exists;
		if (!from->exists)
			continue;
		file_resize(to, from->cap);
		to->cached_size = from->cached_size;
		to->kept_size = from->kept_size;
		if (to->cap == 0)
			continue; /* neither has any memory yet */
		memcpy(to->cached, from->cached, from->cap);
		memcpy(to->kept, from->kept, from->cap);
		memcpy(to->dirty, from->dirty, from->cap / DISK_MODEL_SECTOR);
		memset(to->dirty + from->cap / DISK_MODEL_SECTOR, 0, (to->cap - from->cap) / DISK_MODEL_SECTOR);
	}
}

/* -- The cut -- */

/* A sector that was not synced: the new one, the old one, or something between. */
static void cut_sector(struct disk_model_file *file, uint64_t sector, uint64_t *random)
{
	char *cached = file->cached + sector * DISK_MODEL_SECTOR, *kept = file->kept + sector * DISK_MODEL_SECTOR;
	uint64_t fate = disk_model_random(random) % 16;
	if (fate < 8)
		memcpy(kept, cached, DISK_MODEL_SECTOR);
	else if (fate == 8)
		memcpy(kept, cached, disk_model_random(random) % DISK_MODEL_SECTOR);
	else if (fate == 9)
		memset(kept, 0, DISK_MODEL_SECTOR);
	memcpy(cached, kept, DISK_MODEL_SECTOR);
	file->dirty[sector] = 0;
}

/* Returns how many bytes are free again, of room that was not kept. */
static uint64_t cut_file(struct disk_model_file *file, uint64_t *random)
{
	uint64_t size = file->cached_size;
	if (file->cached_size != file->kept_size && disk_model_random(random) % 2 == 0)
		file->kept_size = file->cached_size;
	/* Mostly each sector has a fate of its own; now and then all have the same. */
	uint64_t all = disk_model_random(random) % 8;
	for (uint64_t sector = 0; sector * DISK_MODEL_SECTOR < file->cap; sector++) {
		if (!file->dirty[sector])
			continue;
		char *cached = file->cached + sector * DISK_MODEL_SECTOR;
		char *kept = file->kept + sector * DISK_MODEL_SECTOR;
		if (all == 0)
			memcpy(kept, cached, DISK_MODEL_SECTOR);
		else if (all == 1)
			memcpy(cached, kept, DISK_MODEL_SECTOR);
		else
			cut_sector(file, sector, random);
		file->dirty[sector] = 0;
	}
	file->cached_size = file->kept_size;
	return size - file->cached_size;
}

void disk_model_cut(struct disk_model *disk, uint64_t *random)
{
	for (int i = 0; i < disk->n_ops; i++)
		if (disk_model_random(random) % 2)
			apply(disk->kept, &disk->ops[i]);
	disk->n_ops = 0;
	memcpy(disk->cached, disk->kept, sizeof(disk->cached));
	for (int i = 0; i < DISK_MODEL_FILES; i++)
		if (disk->files[i].exists)
			disk->free_bytes += cut_file(&disk->files[i], random);
	collect(disk);
}

struct disk_model_file *disk_model_find(struct disk_model *disk, const char *name)
{
	const struct disk_model_name *known = find_name(disk->cached, name);
	return known ? &disk->files[known->file] : NULL;
}

/* -- The mutation -- */

/* Walks the batches of a file as a journal without salts and chains would. */
static void restamp(struct disk_model_file *file, uint64_t *next, uint32_t *chain)
{
	struct segment_head segment;
	uint32_t format;
	if (segment_head_read(file->cached, &segment, &format) != SEGMENT_GOOD || segment.first > *next)
		return;
	if (segment.first == *next) {
		segment.chain = *chain;
		segment_head_write(file->cached, &segment);
	}
	for (uint64_t at = JOURNAL_BLOCK; at + JOURNAL_BLOCK <= file->cached_size;) {
		struct batch_head head;
		batch_head_read(file->cached + at, 0, &head);
		if (at + batch_span(head.len) > file->cached_size || !batch_is_whole(file->cached + at, &head) ||
		    head.number != *next)
			return;
		head.salt = segment.salt;
		head.chain = *chain;
		*chain = batch_seal(file->cached + at, head);
		*next = head.number + 1;
		at += batch_span(head.len);
	}
}

void disk_model_forget_chains(struct disk_model *disk)
{
	uint64_t firsts[DISK_MODEL_NAMES];
	size_t n = 0;
	char name[SEGMENT_NAME_BYTES];
	for (int i = 0; i < DISK_MODEL_NAMES; i++) {
		uint64_t first;
		if (!segment_name_read(disk->cached[i].name, &first))
			continue;
		size_t at = n++;
		for (; at > 0 && firsts[at - 1] > first; at--)
			firsts[at] = firsts[at - 1];
		firsts[at] = first;
	}
	struct segment_head head = {0};
	uint32_t format;
	uint64_t next = 0;
	for (size_t i = 0; i < n; i++) {
		segment_name(name, firsts[i]);
		struct disk_model_file *file = disk_model_find(disk, name);
		if (i == 0 && segment_head_read(file->cached, &head, &format) != SEGMENT_GOOD)
			return;
		if (i == 0)
			next = head.first;
		restamp(file, &next, &head.chain);
	}
}
