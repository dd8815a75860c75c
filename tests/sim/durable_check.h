/* What has to be so after a cut: the core that is restored is one that there was, and what is there agrees with what
 * clients were told. */
#ifndef MILLRACE_TESTS_SIM_DURABLE_CHECK_H
#define MILLRACE_TESTS_SIM_DURABLE_CHECK_H

#include "tests/sim/durable_world.h"

/* The first time counts. */
void durable_note_birth(uint64_t *born, uint64_t batch);
/* After a step: which values are there, and what a restart would make of it. */
void durable_note_state(struct durable_world *world, uint64_t batch);
/* After a restart: which values have come back, of which batch; that has to agree with what was told, too. */
void durable_note_restored(struct durable_world *world, const struct core *core, uint64_t last);

/* Restores a core from a disk. NULL: it cannot be; *log has what was found. */
struct core *durable_restore(struct durable_world *world, struct disk_model *disk, struct segment_log *log,
			     struct core_recorder *recorder, char *error);
/* The only match: of every second value. */
struct core_match *durable_make_match(struct slice text);

/* The disk's on_call: the power goes, on a copy of it. */
void durable_check_cut(struct disk_model *disk, void *world);

#endif
