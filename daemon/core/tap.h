/* Taps: values are carried from one channel to another inside the daemon.
 *
 * The taps of a channel together are its mult: one taker in the channel's queue of takes. A value that the mult has
 * taken is held: it counts as leased in the source until every tap's target has accepted or shed it, and only then the
 * mult takes the next one. A tap whose target has no room parks there as a put. The taps into a channel together are
 * its mix, which knows what they do to each other: a tap that is solo pauses the others, and the last one that closes
 * closes the channel.
 *
 * A mult that has something to do is due. Those that are due carry on at the end of each step, a value in turn, as far
 * as the turn's work goes, and in turns to come; so nothing nests, however long a chain of taps is.
 *
 * A promise's mult never takes: it lends the value to each tap once, and stands in no queue. */
#ifndef MILLRACE_CORE_TAP_H
#define MILLRACE_CORE_TAP_H

#include "daemon/core/request.h"

struct tap {
	struct mult *mult;
	struct channel *target;
	struct link in_mult, in_mix, in_core;
	uint64_t seq;             /* rises in the order in which taps are made */
	struct core_match *match; /* NULL: it carries all */
	struct request *put;      /* its own; parked on the target while the tap is held up */
	uint64_t carried, unmatched, muted;
	uint8_t state; /* enum core_tap_state */
	bool closes;
	bool is_held_up; /* `put` is parked */
	bool has_seen;   /* the value that the mult holds has come to it, and it did not stand out; a promise's: ever */
	uint64_t done_place; /* of the last value of the source that it has accepted, or that need not come to it */
};

struct mult {
	struct channel *source;
	struct link taps; /* of struct tap, oldest first: never empty */
	uint32_t n_taps;
	uint32_t n_held_up;
	struct link in_due;   /* the core's: due, or stalled */
	struct value *held;   /* NULL: none; always so of a promise */
	struct tap *next;     /* to whom the value comes next; NULL: it has come to all */
	struct request *take; /* its own; parked on the source while the mult waits */
	bool is_waiting;      /* `take` is parked */
	bool was_accepted; /* somebody got the value that is held: a target accepted or shed it, or a tap was muted */
	bool is_told;      /* the journal knows that */
	/* While a circle is looked for: */
	uint64_t search;
	struct mult *search_next, *search_via;
};

struct mix {
	struct link taps; /* of struct tap: never empty */
	uint32_t n_taps, n_solo, n_closing;
};

static inline struct tap *tap_first(const struct mult *mult)
{
	return LIST_ITEM(mult->taps.next, struct tap, in_mult);
}

/* The one behind it in its mult, or NULL. */
static inline struct tap *tap_next(const struct mult *mult, const struct tap *tap)
{
	return tap->in_mult.next == &mult->taps ? NULL : LIST_ITEM(tap->in_mult.next, struct tap, in_mult);
}

static inline bool tap_is_paused(const struct tap *tap)
{
	return tap->state == CORE_TAP_PAUSE || (tap->state != CORE_TAP_SOLO && tap->target->mix->n_solo > 0);
}

/* Whether both ends are in the journal: then the tap is, too. */
static inline bool tap_is_durable(const struct tap *tap)
{
	return tap->mult->source->definition.durable && tap->target->definition.durable;
}

/* Whether the mult carries nothing yet: it is there again after a restart, and other taps are still to be made beside
 * its own. */
bool mult_rests(const struct core *core, const struct mult *mult);
/* Lets the taps carry on whose sources are of that group (NULL: all). */
void taps_wake(struct core *core, const struct group *group);

/* Whether any of its taps would take a value now. While the daemon drains, what is in the journal stays. */
bool mult_is_active(const struct core *core, const struct mult *mult);

/* Something has changed for the mult: it will carry on before the step ends, or in a turn to come. */
void mult_is_due(struct core *core, struct mult *mult);

/* Parks the mult's take in the queue of its source, for which room in the order is reserved; and takes it out again, if
 * it is there. */
void mult_wait(struct core *core, struct mult *mult);
void mult_stop_waiting(struct core *core, struct mult *mult);

/* Hands a value that was put to the mult, whose take stood first: the mult holds it, and transfer.c has counted that.
 */
void mult_take_value(struct core *core, struct mult *mult, struct value *value);

/* The mult holds the value from now on; whether the value has come to all taps, and none is held up by it; and then
 * the mult lets go of it. */
void mult_hold(struct mult *mult, struct value *value);
bool mult_is_done_with_value(const struct mult *mult);
void mult_let_go(struct core *core, struct mult *mult);

/* Parks the tap's value as a put on its target, which has no room for it: room in the order is reserved. */
void tap_hold_up(struct core *core, struct tap *tap, struct value_list *value);
/* Counts values of the tap that have entered its target. */
void tap_count_carried(struct core *core, struct tap *tap, uint64_t n);
/* The tap is done with this value, which is held or a promise's: its target has accepted or shed it, or the tap is
 * muted. */
void tap_has_accepted(struct core *core, struct tap *tap, const struct value *value);
/* What is shown of the target waits from now on for the source to be kept, too: else the value could be undone there,
 * and be in the source again. */
void tap_target_follows(struct tap *tap);

/* The put that the tap had parked has entered its target. */
void tap_entered(struct core *core, struct tap *tap);

/* Lets all mults that are due carry on, as far as this turn's work goes; whether any are left. */
void mults_carry_on(struct core *core, struct core_effects *effects);
bool mults_have_more(const struct core *core);

/* After a restart: gives the mult the value again that it held, and that somebody has accepted, as the journal knows.
 * It counts as leased. */
void mult_hold_again(struct core *core, struct mult *mult, struct value *value);
/* Makes a tap that the journal tells of, which takes the match over. A promise's value, or the one that is held again,
 * has come to it already if that has the place `done_place`. NULL, and nothing done: no memory. */
struct tap *tap_again(struct core *core, struct channel *from, struct channel *to, const struct core_tap_terms *terms,
		      uint64_t done_place);

/* If the value that the mult holds has come to all and nobody is held up by it, the mult lets go of it; if it has come
 * to nobody, because all are paused or have ended, it goes back to its place. */
void mult_finish_value(struct core *core, struct mult *mult, struct core_effects *effects);
/* Takes what the tap has parked back out of its target. */
void tap_withdraw(struct core *core, struct tap *tap);

/* Takes the tap out of everything, with what it has parked. Its mult stays, even without a tap. */
void tap_remove(struct core *core, struct tap *tap);
/* Frees a mult that has no tap any more. */
void mult_free(struct core *core, struct mult *mult);
/* Ends a tap, and with the last one its mult. */
void tap_end(struct core *core, struct tap *tap, struct core_effects *effects);
/* Something has changed for all taps into a channel. */
void mix_wake(struct core *core, struct mix *mix);
/* Ends the taps into a channel that is closed. */
void channel_end_mix(struct core *core, struct channel *channel, struct core_effects *effects);
/* Ends the taps of a channel that is removed, withdraws what they hold, and ends the taps into it. */
void channel_end_taps(struct core *core, struct channel *channel, struct core_effects *effects);

#endif
