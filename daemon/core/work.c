/* How much may still be done in this turn of what can go on in the next. */
#include "daemon/core/state.h"

void work_begin(struct core *core)
{
	core->work_left = core->limits.turn_work ? core->limits.turn_work : CORE_TURN_WORK;
	core->due_left = core->work_left / 2 + 1;
	core->lend_left = core->limits.max_take_bytes;
}

bool work_is_left(const struct core *core)
{
	return core->work_left > 0;
}

void work_spend(struct core *core, uint32_t work)
{
	core->work_left -= work < core->work_left ? work : core->work_left;
}
