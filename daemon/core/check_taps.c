/* The invariants of taps. */
#include "daemon/core/check_private.h"
#include "daemon/core/tap.h"

/* A tap, from its source's side. */
static const char *check_tap(const struct tap *tap, const struct mult *mult)
{
	const struct mix *mix = tap->target->mix;
	const struct request *put = tap->put;
	CHECK(tap->mult == mult && mix, "a tap is another's, or has no target");
	CHECK(!tap->target->closed, "a tap has a target that is closed");
	CHECK(put->parked.op == CORE_TAP && put->parked.tap == tap && !put->parked.connection,
	      "a tap's put is something else");
	CHECK(!tap->is_held_up || (put->parked.values.n == 1 && put->arms[0].channel == tap->target),
	      "a tap is held up elsewhere, or with nothing to put");
	return NULL;
}

static bool is_due(const struct mult *mult)
{
	return !list_is_empty(&mult->in_due);
}

static const char *check_mult(const struct core *core, const struct channel *channel, struct sums *sums)
{
	const struct mult *mult = channel->mult;
	bool is_promise = channel->definition.kind == KIND_PROMISE, is_next = mult->next == NULL;
	uint32_t n = 0, n_held_up = 0;
	for (const struct link *at = mult->taps.next; at != &mult->taps; at = at->next, n++) {
		const struct tap *tap = LIST_ITEM(at, struct tap, in_mult);
		const char *wrong = check_tap(tap, mult);
		if (wrong)
			return wrong;
		n_held_up += tap->is_held_up;
		sums->parked_bytes += parked_bytes_of_match(tap->match);
		is_next = is_next || mult->next == tap;
	}
	CHECK(mult->source == channel && n > 0 && n == mult->n_taps && n <= CORE_MAX_TAPS,
	      "a channel miscounts its taps");
	CHECK(n_held_up == mult->n_held_up && is_next, "a mult miscounts the taps that are held up");
	CHECK(is_promise || mult->held || (n_held_up == 0 && !mult->next), "a tap is held up with no value");
	CHECK(!mult->held || mult->next || n_held_up > 0, "a mult holds a value that it is done with");
	CHECK(!mult->held || !mult->next || is_due(mult) || mult_rests(core, mult),
	      "a mult has stopped in the midst of a value");
	CHECK(!mult->is_waiting || (!mult->held && mult->take->arms[0].channel == channel &&
				    (mult_is_active(core, mult) || is_due(mult))),
	      "a mult waits for a value that it would not take");
	CHECK(mult->is_waiting || mult->held || is_promise || is_due(mult) || mult_rests(core, mult) ||
		      !mult_is_active(core, mult),
	      "a mult does not wait, and has nothing to do");
	CHECK(!channel_is_exhausted(channel) || is_due(mult) || mult_rests(core, mult), "a tap's source is exhausted");
	sums->taps += n;
	sums->taps_held += n_held_up;
	sums->tap_requests += n_held_up + mult->is_waiting;
	return NULL;
}

static const char *check_mix(const struct channel *channel)
{
	const struct mix *mix = channel->mix;
	uint32_t n = 0, n_solo = 0, n_closing = 0;
	for (const struct link *at = mix->taps.next; at != &mix->taps; at = at->next, n++) {
		const struct tap *tap = LIST_ITEM(at, struct tap, in_mix);
		CHECK(tap->target == channel, "a tap is in another channel's mix");
		n_solo += tap->state == CORE_TAP_SOLO;
		n_closing += tap->closes;
	}
	CHECK(n > 0 && n == mix->n_taps && n_solo == mix->n_solo && n_closing == mix->n_closing,
	      "a channel miscounts the taps into it");
	return NULL;
}

const char *check_taps(const struct core *core, const struct channel *channel, struct sums *sums)
{
	const char *wrong = channel->mult ? check_mult(core, channel, sums) : NULL;
	return !wrong && channel->mix ? check_mix(channel) : wrong;
}
