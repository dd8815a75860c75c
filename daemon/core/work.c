/* How much may still be done in this turn of what can go on in the next. What may have to do with one another goes on
 * in this order, so that what comes of it does not depend on where a turn ends: those who are told the end of their
 * channel; the end of the daemon, and connections that have ended; puts that enter where there is more room now; taps.
 * Each waits until those before it are done, and then has a share of the turn that the others cannot use up. So has the
 * graveyard, which nobody sees. */
#include "daemon/core/state.h"

bool work_waits_for_endings(const struct core *core)
{
	return !list_is_empty(&core->ending);
}

bool work_waits_for_departing(const struct core *core)
{
	return work_waits_for_endings(core) || core->abandoned != CORE_NEVER || !list_is_empty(&core->departing);
}

void work_begin(struct core *core)
{
	uint32_t work = core->limits.turn_work ? core->limits.turn_work : CORE_TURN_WORK;
	core->due_left = work / 2 + 1;
	core->lend_left = core->limits.max_take_bytes;
	if (graveyard_is_needed(core) && (work_waits_for_departing(core) || !list_is_empty(&core->due_mults)))
		work = work / 2 + 1;
	core->work_left = core->slices_left = core->carry_left = core->dig_left = work;
}

void work_take_turns(struct core *core, uint32_t *share)
{
	uint32_t left = core->work_left;
	core->work_left = *share;
	*share = left;
}

bool work_is_left(const struct core *core)
{
	return core->work_left > 0;
}

void work_spend(struct core *core, uint32_t work)
{
	core->work_left -= work < core->work_left ? work : core->work_left;
}
