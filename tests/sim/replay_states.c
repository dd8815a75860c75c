#include "tests/sim/replay_states.h"
#include "daemon/core/rows.h"

#include <inttypes.h>

static bool compare_channel(struct replay_world *world, int channel)
{
	const struct model_channel *c = &world->model.channels[channel];
	struct core_channel_row row;
	struct core_peek peek;
	bool exists = core_peek_begin(world->core, replay_name_of(channel), &peek);
	if (core_stat(world->core, replay_name_of(channel), &row) != c->exists || exists != c->exists)
		return replay_differ(world, "channel %c is there, or not", sim_names[channel]);
	if (!c->exists)
		return true;
	if (row.closed != c->closed || row.buffered != c->n ||
	    row.parked_puts != model_waiters(&world->model, channel, true) ||
	    row.parked_takes != model_waiters(&world->model, channel, false) ||
	    row.bytes != model_bytes(&world->model, channel))
		return replay_differ(world,
				     "channel %c has another state: %s, %" PRIu64 " buffered, %" PRIu64 " and %" PRIu64
				     " parked, %" PRIu64 " bytes in the core",
				     sim_names[channel], row.closed ? "closed" : "open", row.buffered, row.parked_puts,
				     row.parked_takes, row.bytes);
	if (row.accepted != c->accepted || row.taken != c->taken || row.dropped != c->dropped ||
	    row.evicted != c->evicted || row.discarded != c->discarded ||
	    row.leased != model_leased(&world->model, channel) ||
	    row.delayed != model_delayed(&world->model, channel) || row.returned != c->returned ||
	    row.dead_lettered != c->dead_lettered)
		return replay_differ(world, "channel %c has other books", sim_names[channel]);
	for (size_t i = 0; i < c->n; i++) {
		const struct value *value = core_peek_next(&peek);
		if (!value || value_number(value) != model_number(c->buffer[i]))
			return replay_differ(world, "channel %c has another buffer", sim_names[channel]);
	}
	return true;
}

/* Whether the lease of that number, if anybody holds it, is the row. */
static bool is_lease(const struct model *model, const struct core_lease_row *row)
{
	for (uint32_t i = 0; i < model->n_leases; i++) {
		const struct model_lease *lease = &model->leases[i];
		if (lease->number == row->seq)
			return lease->n_values == row->n_values && lease->deadline_us == row->deadline_us &&
			       lease->holder == (row->cookie ? *(const int *)row->cookie : -1) &&
			       (lease->connection < 0) == row->is_sticky &&
			       sim_names[lease->channel] == row->channel.bytes[0];
	}
	return false;
}

static bool compare_leases(struct replay_world *world)
{
	struct core_lease_row row = {0};
	uint64_t go_on, after = 0;
	uint32_t n = 0, n_held = 0;
	for (uint32_t i = 0; i < world->model.n_leases; i++)
		n_held += world->model.leases[i].number > 0;
	for (; core_next_lease(world->core, after, &row, &go_on); after = row.seq, n++)
		if (row.seq <= after || !is_lease(&world->model, &row))
			return replay_differ(world, "lease %" PRIu64 " is another", row.seq);
	return n == n_held || replay_differ(world, "%" PRIu32 " leases are held, not %" PRIu32, n, n_held);
}

static bool compare_waiters(struct replay_world *world)
{
	struct core_waiter_row row = {0};
	uint32_t n = 0;
	for (; core_next_waiter(world->core, SLICE(""), row.seq, &row); n++) {
		const struct model_request *r = &world->model.parked[n];
		if (n == world->model.n_parked || row.id != r->id ||
		    (row.cookie ? *(const int *)row.cookie : -1) != r->connection || row.op != r->op ||
		    row.n_arms != r->n_arms || row.deadline_us != r->deadline_us)
			return replay_differ(world, "parked request %" PRIu32 " is another's", n);
	}
	if (n != world->model.n_parked)
		return replay_differ(world, "%" PRIu32 " requests are parked, not %" PRIu32, n, world->model.n_parked);
	if (core_deadline(world->core) != model_deadline(&world->model))
		return replay_differ(world, "the next deadline is another");
	return true;
}

/* Their terms and their books. */
static bool compare_taps(struct replay_world *world)
{
	struct core_tap_row row = {0};
	uint32_t n = 0;
	for (; core_next_tap(world->core, row.seq, &row); n++) {
		const struct model_tap *tap = &world->model.taps[n];
		if (n == world->model.n_taps || row.from.bytes[0] - 'a' != tap->from ||
		    row.to.bytes[0] - 'a' != tap->to || row.closes != tap->closes || row.state != tap->state)
			return replay_differ(world, "tap %" PRIu32 " is another", n);
		if (row.carried != tap->carried || row.unmatched != tap->unmatched || row.muted != tap->muted)
			return replay_differ(world,
					     "tap %" PRIu32 " has other books: carried %" PRIu64 ", not %" PRIu64, n,
					     row.carried, tap->carried);
	}
	return n == world->model.n_taps ||
	       replay_differ(world, "%" PRIu32 " taps, not %" PRIu32, n, world->model.n_taps);
}

bool replay_compare_states(struct replay_world *world, const struct script *script)
{
	struct core_totals totals;
	uint64_t buffered = 0, bytes = 0, channels = 0;
	for (int i = 0; i < script->n_channels; i++) {
		if (!compare_channel(world, i))
			return false;
		buffered += world->model.channels[i].n;
		channels += world->model.channels[i].exists;
	}
	bytes = model_total_cost(&world->model);
	core_totals(world->core, &totals);
	if (totals.channels != channels || totals.parked != world->model.n_parked + world->model.n_resting ||
	    totals.buffered != buffered || totals.bytes != bytes)
		return replay_differ(world, "the totals are not the sums");
	const char *wrong = core_check(world->core);
	return wrong ? replay_differ(world, "core_check: %s", wrong)
		     : compare_waiters(world) && compare_leases(world) && compare_taps(world);
}
