#include "tests/sim/carrier_model.h"

#include <errno.h>

static void append(struct carrier *carrier, char *run, size_t len, uint64_t last)
{
	struct carrier_model *model = (struct carrier_model *)carrier;
	model->run = run;
	model->run_len = len;
	model->run_last = last;
}

static void drop_before(struct carrier *carrier, uint64_t number)
{
	((struct carrier_model *)carrier)->drop_before = number;
}

static void status(struct carrier *carrier, struct carrier_status *out)
{
	*out = ((struct carrier_model *)carrier)->status;
}

static const struct carrier_calls calls = {append, drop_before, status};

void carrier_model_init(struct carrier_model *model, struct segment_log *log)
{
	*model = (struct carrier_model){.carrier = {&calls}, .log = log, .run_last = log->next - 1};
	model->fills_ahead = log->salt & 1;
	model->status.committed = log->next - 1;
	model->status.segments = log->n_segments;
}

static void look_after_log(struct carrier_model *model)
{
	int result = model->drop_before ? segment_log_drop_before(model->log, model->drop_before) : 0;
	model->drop_before = 0;
	if (result == 0 && model->fills_ahead)
		result = segment_log_fill_ahead(model->log);
	int spare = result == 0 ? segment_log_make_spare(model->log) : 0;
	model->status.is_full = spare == -ENOSPC;
	model->status.waits_for_room = model->status.waits_for_room && model->status.is_full;
	model->status.segments = model->log->n_segments;
	if (result < 0 || (spare < 0 && !model->status.is_full))
		model->status.failure = model->log->doing;
}

void carrier_model_work(struct carrier_model *model)
{
	bool has_run = model->run && !model->status.waits_for_room;
	int result = has_run ? segment_log_append(model->log, model->run, model->run_len, &model->run_done) : 0;
	if (result < 0) {
		model->status.failure = model->log->doing;
	} else if (result > 0) {
		model->status.waits_for_room = true;
	} else if (has_run) {
		model->run = NULL;
		model->run_done = 0;
		model->status.committed = model->run_last;
	}
	if (!model->status.failure)
		look_after_log(model);
}
