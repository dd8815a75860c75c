/* Values that were returned too often go to their channel's dead_letter channel: there they are put, and where that has
 * no room, they park as a put. They count as leased in their source until they have entered there, so they are never
 * nowhere. Those that cannot go there (no such channel, closed, no memory) come back after all. */
#include "daemon/core/charge.h"
#include "daemon/core/groups.h"
#include "daemon/core/recorder.h"

/* Puts a value into an open channel at once, if there is room. */
static bool put_at_once(struct core *core, struct channel *source, struct channel *target, struct value *value,
			struct core_effects *effects)
{
	struct value_list one = {0};
	uint64_t place = value->seq;
	uint32_t deliveries = value->deliveries, recorded_in = value->recorded_in;
	value->deliveries = value->recorded_in = 0;
	value_list_push(&one, value);
	transfer_put(core, target, &one, effects);
	if (one.n > 0) {
		value->deliveries = deliveries;
		value->recorded_in = recorded_in;
		return false;
	}
	if (recorded_in)
		recorder_moved(core, source, value, place, target, RECORD_DEAD_LETTERED);
	value_origin_commit(value);
	charge_sub(core, source, value); /* the target has charged it, or it is in the reply of a take */
	dead_letter_entered(core, source);
	return true;
}

static void give_back(struct core *core, struct channel *source, struct value_list *values,
		      struct core_effects *effects)
{
	if (!group_is_leaving(source->group)) {
		effects->n_undeliverable += values->n;
		effects->undeliverable = channel_name(source);
	}
	for (struct value *value = values->head; value; value = value->next)
		recorder_unleased(core, source, value);
	lease_uncount(core, source, values->n);
	transfer_back(core, source, values, effects);
}

static void withdraw_origins(struct value_list *values)
{
	for (struct value *value = values->head; value; value = value->next)
		value_origin_withdraw(value);
}

void dead_letters_send(struct core *core, struct channel *source, struct value_list *values, enum value_reason reason,
		       struct core_effects *effects)
{
	struct channel *target = directory_find(&core->directory, source->definition.dead_letter);
	struct value_list waiting = {0}, back = {0};
	struct value *value;
	bool is_possible = target && target != source && !target->closed && target->definition.kind == KIND_BOUNDED;
	while ((value = value_list_pop(values))) {
		if (!is_possible || value_origin_begin(value, channel_name(source), reason, core->now_us) < 0)
			value_list_push(&back, value);
		else if (waiting.n > 0 || !put_at_once(core, source, target, value, effects))
			value_list_push(&waiting, value);
	}
	if (waiting.n > 0 && !park_dead_letters(core, source, target, &waiting)) {
		withdraw_origins(&waiting);
		value_list_join(&back, &waiting);
	}
	if (back.n > 0)
		give_back(core, source, &back, effects);
}

void dead_letters_return(struct core *core, struct request *request, struct core_effects *effects)
{
	struct channel *source = request->parked.source, *target = request->arms[0].channel;
	struct value_list values = request->parked.values;
	recorder_release_all(core, target, values.n, request->parked.values_bytes);
	for (const struct value *value = values.head; value; value = value->next)
		charge_move(target, source, value);
	request->parked.values = (struct value_list){0};
	park_forget(core, request);
	withdraw_origins(&values);
	give_back(core, source, &values, effects);
	channel_settle_at_end(core, source);
}
