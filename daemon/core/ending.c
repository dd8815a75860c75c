/* The end of a channel for those who are parked there. That it is closed or removed holds at once for all who come;
 * those who wait for what will not come are told `closed` in the order of its queues, takes first, a slice in each
 * turn, since they may be very many and each may have other arms. Until then all else may happen to them: they are
 * cancelled, time out, are denied, and an alts is matched by another of its arms. But nobody finds a removed channel
 * any more, so what is parked to be put there enters no channel, and can only be told the end.
 *
 * A closed channel has ended while nothing is left there: what comes back unsent goes to a take that is still parked.
 */
#include "daemon/core/state.h"
#include "daemon/core/tap.h"

/* Where a take is parked nothing is buffered, but in a promise that is still being lent; and the only puts that are
 * parked beside it are other arms of the same alts, which it cannot take from. */
static bool has_ended(const struct channel *channel)
{
	return channel->is_removed || (channel->closed && channel->n_leased == 0 && channel->buffer.n == 0);
}

/* Who is told next; NULL: nobody is left. */
static struct arm *next_arm(struct channel *channel)
{
	struct link *const queues[] = {&channel->takes, &channel->resting, &channel->puts, &channel->delayed_puts};
	size_t n = channel->is_removed ? sizeof(queues) / sizeof(queues[0]) : 1;
	for (size_t i = 0; i < n; i++)
		if (!list_is_empty(queues[i]))
			return LIST_ITEM(queues[i]->next, struct arm, link);
	return NULL;
}

static void tell(struct core *core, struct arm *arm, struct core_effects *effects)
{
	struct request *request = arm_request(arm);
	work_spend(core, park_work(request));
	if (request_is_dead_letter(request))
		dead_letters_return(core, request, effects);
	else
		park_complete(core, request, arm, STATUS_CLOSED, effects);
}

/* Whether all have been told. */
static bool tell_all(struct core *core, struct channel *channel, struct core_effects *effects)
{
	struct arm *arm;
	if (channel->mult) {
		mult_stop_waiting(core, channel->mult);
		mult_is_due(core, channel->mult);
	}
	while ((arm = next_arm(channel)) && work_is_left(core))
		tell(core, arm, effects); /* an alts leaves with all its arms: so who is next is looked up each time */
	return !arm;
}

/* False: there is more to do in other turns. */
static bool go_on(struct core *core, struct channel *channel, struct core_effects *effects)
{
	if (has_ended(channel) && !tell_all(core, channel, effects))
		return false;
	list_remove(&channel->in_ending);
	if (channel->is_removed)
		graveyard_bury(core, channel);
	return true;
}

void ending_begin(struct core *core, struct channel *channel, struct core_effects *effects)
{
	if (go_on(core, channel, effects) || !list_is_empty(&channel->in_ending))
		return;
	if (list_is_empty(&core->ending))
		core->ending_turn = core->turn;
	list_append(&core->ending, &channel->in_ending);
}

void endings_go_on(struct core *core, struct core_effects *effects)
{
	while (!list_is_empty(&core->ending) && work_is_left(core))
		go_on(core, LIST_ITEM(core->ending.next, struct channel, in_ending), effects);
}
