/* What carries a journal's batches to a simulated disk: the writer without its thread, which works when it is told to.
 */
#ifndef MILLRACE_TESTS_CARRIER_MODEL_H
#define MILLRACE_TESTS_CARRIER_MODEL_H

#include "daemon/journal/journal.h"
#include "daemon/journal/segment_log.h"

struct carrier_model {
	struct carrier carrier; /* must come first */
	struct segment_log *log;
	char *run; /* NULL: none is under way */
	size_t run_len, run_done;
	uint64_t run_last; /* the number of the last batch that was handed over */
	uint64_t drop_before;
	bool fills_ahead; /* half of those that start do, as if the runs of the others were longer */
	struct carrier_status status;
};

/* The log has begun. */
void carrier_model_init(struct carrier_model *model, struct segment_log *log);

/* Writes what was handed over, and looks after the log. */
void carrier_model_work(struct carrier_model *model);

#endif
