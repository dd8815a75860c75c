/* The ops tap and untap. */
#include <assert.h>
#include <stdlib.h>

#include "daemon/core/charge.h"
#include "daemon/core/parked_bytes.h"
#include "daemon/core/recorder.h"
#include "daemon/core/tap.h"

/* -- Circles -- */

static void remember_circle(struct core *core, const struct channel *from, const struct mult *last)
{
	uint32_t n = 1;
	for (const struct mult *mult = last; mult; mult = mult->search_via)
		n++;
	core->n_circle = n;
	core->circle[0] = channel_name(from);
	for (const struct mult *mult = last; mult; mult = mult->search_via)
		if (--n < CORE_CIRCLE_NAMES)
			core->circle[n] = channel_name(mult->source);
}

/* Whether values that are put to `to` come to `from`, by taps that are there. Each mult is looked at once. */
static bool finds_circle(struct core *core, const struct channel *from, const struct channel *to)
{
	uint64_t search = ++core->last_search;
	if (from == to) {
		remember_circle(core, from, NULL);
		return true;
	}
	struct mult *first = to->mult, *last = first;
	if (first) {
		first->search = search;
		first->search_next = first->search_via = NULL;
	}
	for (; first; first = first->search_next) {
		for (const struct tap *tap = tap_first(first); tap; tap = tap_next(first, tap)) {
			struct mult *next = tap->target->mult;
			if (tap->target == from) {
				remember_circle(core, from, first);
				return true;
			}
			if (!next || next->search == search)
				continue;
			next->search = search;
			next->search_next = NULL;
			next->search_via = first;
			last = last->search_next = next;
		}
	}
	return false;
}

/* -- The ops -- */

static struct tap *find_tap(const struct channel *from, const struct channel *to)
{
	for (struct tap *tap = from->mult ? tap_first(from->mult) : NULL; tap; tap = tap_next(from->mult, tap))
		if (tap->target == to)
			return tap;
	return NULL;
}

static struct request *make_request(void)
{
	struct request *request = malloc(sizeof(*request) + sizeof(struct arm));
	if (!request)
		return NULL;
	request->parked = (struct parked){
		.op = CORE_TAP, .id = CORE_NO_ID, .timer = {.deadline_us = CORE_NEVER, .index = TIMER_NONE}};
	list_init(&request->parked.in_connection);
	return request;
}

static struct mult *make_mult(struct channel *source)
{
	struct mult *mult = calloc(1, sizeof(*mult));
	if (!mult || !(mult->take = make_request())) {
		free(mult);
		return NULL;
	}
	mult->source = source;
	list_init(&mult->taps);
	list_init(&mult->in_due);
	return mult;
}

static struct mix *make_mix(void)
{
	struct mix *mix = calloc(1, sizeof(*mix));
	if (mix)
		list_init(&mix->taps);
	return mix;
}

/* Links a new tap. Its state and what it closes are yet to be set. NULL, and nothing done: no memory. */
static struct tap *make_tap(struct core *core, struct channel *from, struct channel *to)
{
	struct tap *tap = calloc(1, sizeof(*tap));
	struct request *put = make_request();
	struct mult *mult = from->mult ? from->mult : make_mult(from);
	struct mix *mix = to->mix ? to->mix : make_mix();
	if (!tap || !put || !mult || !mix) {
		free(tap);
		free(put);
		if (mult && mult != from->mult) {
			free(mult->take);
			free(mult);
		}
		if (mix != to->mix)
			free(mix);
		return NULL;
	}
	from->mult = mult;
	to->mix = mix;
	*tap = (struct tap){.mult = mult, .target = to, .put = put, .seq = ++core->last_tap};
	put->parked.tap = tap;
	list_append(&mult->taps, &tap->in_mult);
	list_append(&mix->taps, &tap->in_mix);
	list_append(&core->taps, &tap->in_core);
	mult->n_taps++;
	mix->n_taps++;
	core->n_taps++;
	return tap;
}

/* The tap is as the event says from now on. */
static void set_terms(struct core *core, struct tap *tap, const struct core_tap_terms *terms)
{
	struct mix *mix = tap->target->mix;
	bool was_solo = mix->n_solo > 0;
	core->parked_bytes += parked_bytes_of_match(terms->match);
	core->parked_bytes -= parked_bytes_of_match(tap->match);
	core_match_destroy(tap->match);
	tap->match = terms->match;
	mix->n_closing += (uint32_t)terms->closes - tap->closes;
	mix->n_solo += (uint32_t)(terms->state == CORE_TAP_SOLO) - (tap->state == CORE_TAP_SOLO);
	tap->closes = terms->closes;
	tap->state = (uint8_t)terms->state;
	mult_is_due(core, tap->mult);
	if (was_solo != (mix->n_solo > 0))
		mix_wake(core, mix);
}

struct tap *tap_again(struct core *core, struct channel *from, struct channel *to, const struct core_tap_terms *terms,
		      uint64_t done_place)
{
	const struct value *promised = from->definition.kind == KIND_PROMISE ? store_first(&from->buffer) : NULL;
	struct tap *tap = make_tap(core, from, to);
	if (!tap)
		return NULL;
	tap->done_place = done_place;
	tap->has_seen = promised && promised->seq == done_place;
	set_terms(core, tap, terms);
	return tap;
}

/* Whether there is room for what the match of a client's tap takes more than the one that it had; NULL: it is new. */
static bool may_have_match(struct core *core, const struct core_event *event, const struct tap *known)
{
	uint64_t bytes = parked_bytes_of_match(event->tap.match), had = known ? parked_bytes_of_match(known->match) : 0;
	return !event->connection || bytes <= had || parked_bytes_fit(core, bytes - had);
}

/* What a new tap has to do with the channels that are there; ERROR_NONE, if it may be made. */
static enum error refusal_of(struct core *core, const struct core_event *event, const struct channel *from,
			     const struct channel *to)
{
	if (core->is_draining && event->connection)
		return ERROR_DRAINING;
	core->n_circle = 0;
	if (to && finds_circle(core, from, to))
		return ERROR_BAD_REQUEST;
	if (core->n_taps >= core->limits.max_taps || (from->mult && from->mult->n_taps >= CORE_MAX_TAPS))
		return ERROR_OVERLOADED;
	return may_have_match(core, event, NULL) ? ERROR_NONE : ERROR_OVERLOADED;
}

/* The tap is new. Its match is moved out of *terms. */
static void create_tap(struct core *core, const struct core_event *event, struct core_tap_terms *terms,
		       struct channel *from, struct channel *to, struct core_effects *effects)
{
	enum error error = refusal_of(core, event, from, to);
	if (error == ERROR_NONE && !to)
		to = channel_make(core, terms->to, &event->definition, event->connection, &error);
	struct tap *tap = error == ERROR_NONE ? make_tap(core, from, to) : NULL;
	if (!tap) {
		if (error == ERROR_NONE && terms->creates_target)
			channel_remove(core, to, effects);
		reply_error(core, event, error == ERROR_NONE ? ERROR_OVERLOADED : error, effects);
		if (error == ERROR_BAD_REQUEST) {
			effects->tail->circle = core->circle;
			effects->tail->n_circle = core->n_circle;
		}
		return;
	}
	set_terms(core, tap, terms);
	terms->match = NULL;
	recorder_tap(core, tap);
	if (tap->mult->held && !tap->mult->next) {
		tap->done_place = tap->mult->held->seq;
		recorder_carried(core, tap, RECORD_CARRIED_PAST);
	}
	struct core_reply *reply = reply_now(core, event, STATUS_OK, effects);
	reply->to = terms->to;
	reply->created = true;
}

static void tap(struct core *core, const struct core_event *event, struct core_tap_terms *terms,
		struct core_effects *effects)
{
	struct channel *from = channel_find(core, event->channel),
		       *to = terms->creates_target ? NULL : channel_find(core, terms->to);
	if (!from || (!to && !terms->creates_target)) {
		reply_error(core, event, ERROR_NO_SUCH_CHANNEL, effects);
		if (from)
			effects->tail->channel = terms->to;
		return;
	}
	struct tap *known = to ? find_tap(from, to) : NULL;
	if (known && !may_have_match(core, event, known)) {
		reply_error(core, event, ERROR_OVERLOADED, effects);
	} else if (known) {
		set_terms(core, known, terms);
		terms->match = NULL;
		recorder_tap(core, known);
		reply_now(core, event, STATUS_OK, effects)->to = terms->to;
	} else if (to && to->closed) {
		reply_now(core, event, STATUS_CLOSED, effects);
	} else {
		create_tap(core, event, terms, from, to, effects);
	}
}

void op_tap(struct core *core, const struct core_event *event, struct core_effects *effects)
{
	struct core_tap_terms terms = event->tap;
	tap(core, event, &terms, effects);
	core_match_destroy(terms.match);
}

void op_untap(struct core *core, const struct core_event *event, struct core_effects *effects)
{
	struct channel *from = channel_find(core, event->channel), *to = channel_find(core, event->tap.to);
	struct tap *known = from && to ? find_tap(from, to) : NULL;
	if (!known) {
		reply_error(core, event, from && to ? ERROR_NO_SUCH_TAP : ERROR_NO_SUCH_CHANNEL, effects);
		effects->tail->to = event->tap.to;
		if (from && !to)
			effects->tail->channel = event->tap.to;
		return;
	}
	reply_now(core, event, STATUS_OK, effects);
	tap_end(core, known, effects);
}

/* -- What there is to see -- */

bool core_next_tap(const struct core *core, uint64_t after, struct core_tap_row *row)
{
	const struct link *at = core->taps.next;
	if (row->tap && row->seq == after)
		at = ((const struct tap *)row->tap)->in_core.next;
	while (at != &core->taps && LIST_ITEM(at, struct tap, in_core)->seq <= after)
		at = at->next;
	if (at == &core->taps)
		return false;
	const struct tap *tap = LIST_ITEM(at, struct tap, in_core);
	*row = (struct core_tap_row){
		.tap = tap,
		.seq = tap->seq,
		.from = channel_name(tap->mult->source),
		.to = channel_name(tap->target),
		.match = tap->match ? tap->match->text : (struct slice){NULL, 0},
		.closes = tap->closes,
		.state = (enum core_tap_state)tap->state,
		.carried = tap->carried,
		.unmatched = tap->unmatched,
		.muted = tap->muted,
		.held_since_us = tap->is_held_up ? tap->put->parked.parked_us : CORE_NEVER,
	};
	return true;
}

static const char *const state_names[] = {"run", "pause", "mute", "solo"};

const char *core_tap_state_name(enum core_tap_state state)
{
	assert(state < CORE_TAP_STATES);
	return state_names[state];
}

enum core_tap_state core_tap_state_from_name(struct slice word)
{
	enum core_tap_state state = 0;
	while (state < CORE_TAP_STATES && !slice_equal(word, slice_from(state_names[state])))
		state++;
	return state;
}
