/* How much may still be done in this turn of what can go on in the next. */
#include "daemon/core/state.h"

bool work_is_left(const struct core *core)
{
	return core->work_left > 0;
}

void work_spend(struct core *core, uint32_t work)
{
	core->work_left -= work < core->work_left ? work : core->work_left;
}
