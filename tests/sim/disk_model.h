/* A folder on a simulated disk, in memory, behind the journal's calls. What was not synced may be lost, torn or kept
 * when the power goes, each sector and each name on its own; calls can be made to fail; bits can be flipped. The page
 * cache's view and the disk's are kept apart: disk_model_cut() turns the one into a view that the other allows. */
#ifndef MILLRACE_TESTS_DISK_MODEL_H
#define MILLRACE_TESTS_DISK_MODEL_H

#include "daemon/journal/disk.h"

enum {
	DISK_MODEL_FILES = 24,
	DISK_MODEL_NAMES = 24,
	DISK_MODEL_OPS = 12,
	DISK_MODEL_SECTOR = 512,
};

struct disk_model_file {
	bool exists;
	char *cached, *kept;  /* `cap` bytes each */
	unsigned char *dirty; /* a byte a sector: whether the two may differ */
	uint64_t cap, cached_size, kept_size;
};

struct disk_model_name {
	char name[32]; /* empty: a place that is free */
	int file;
};

struct disk_model_op { /* on names, since the folder was synced */
	enum { NAME_CREATED, NAME_MOVED, NAME_REMOVED } kind;
	char from[32], to[32];
	int file;
};

struct disk_model {
	struct disk disk;
	struct disk_model_file files[DISK_MODEL_FILES];
	struct disk_model_name cached[DISK_MODEL_NAMES], kept[DISK_MODEL_NAMES];
	struct disk_model_op ops[DISK_MODEL_OPS];
	int n_ops;
	uint64_t free_bytes; /* for allocations */

	uint64_t n_calls; /* that change anything */
	uint64_t fail_at; /* the call of that number fails, and each after it until it is set again; 0: none */
	int fail_errno;
	bool skips_syncs;                                    /* a disk that lies: a mutation */
	void (*on_call)(struct disk_model *disk, void *arg); /* before each call that changes anything; may be NULL */
	void *arg;
};

void disk_model_init(struct disk_model *disk, uint64_t free_bytes);
void disk_model_finish(struct disk_model *disk);
/* *copy, which was initialised, becomes like the disk, without its on_call. */
void disk_model_copy(struct disk_model *copy, const struct disk_model *disk);

/* The power goes, and comes back: what was not synced is decided by *random. */
void disk_model_cut(struct disk_model *disk, uint64_t *random);

/* The next number of a generator of which *random is the state. */
uint64_t disk_model_random(uint64_t *random);

/* The file of that name, as it is seen now; NULL: none. */
struct disk_model_file *disk_model_find(struct disk_model *disk, const char *name);

/* A mutation: whatever batch is whole by itself gets the salt and the chain of where it stands, as if a batch knew
 * neither. */
void disk_model_forget_chains(struct disk_model *disk);

#endif
