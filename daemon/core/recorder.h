/* Records what durable channels live through while it happens. Each function does nothing for a channel that is not
 * durable, or where a step has no recorder. Whatever moves a value or changes a channel calls it at once: a value may
 * be freed in the same step.
 *
 * A value that is handed on in the step in which it came is never recorded: nothing of it would be left. Every other
 * one is recorded when it gets its place in a channel; from then on its `recorded_in` is not 0.
 *
 * A checkpoint records all that is there once more, in slices, while steps go on between them. `recorded_in` says in
 * which checkpoint's time a value was recorded last. Whenever a value moves that the one under way has not recorded
 * yet, it is recorded before: so it does not matter whether the checkpoint has passed where it goes. */
#ifndef MILLRACE_CORE_RECORDER_H
#define MILLRACE_CORE_RECORDER_H

#include "daemon/core/state.h"
#include "daemon/core/tap.h"
#include "daemon/journal/record.h"

/* Whether the values of an event, which are linked, may be put on the channel. ERROR_NONE: room is then reserved for
 * what will be recorded of them, and added to *reserved, which other arms of the event may have begun.
 * ERROR_UNAVAILABLE: the journal has no room (ERROR_OVERLOADED in a cluster); ERROR_OVERLOADED: there is no memory. */
enum error recorder_admits(struct core *core, const struct channel *channel, const struct value *values,
			   size_t *reserved);

/* At the beginning of a step: makes room for the records of what leaves. */
void recorder_begin(struct core *core, struct core_recorder *recorder);

/* Reserves room for the records of a value that parks for a durable channel, and gives it back when it no longer does.
 */
void recorder_promise(struct core *core, const struct channel *channel, const struct value *value);
void recorder_release(struct core *core, const struct channel *channel, const struct value *value);
void recorder_release_all(struct core *core, const struct channel *channel, size_t n, uint64_t bytes); /* n values */

/* `is_clients`: a client asked for it, and not the daemon itself. */
void recorder_create(struct core *core, struct channel *channel, bool is_clients);
void recorder_alter(struct core *core, struct channel *channel);
void recorder_close(struct core *core, struct channel *channel);
void recorder_delete(struct core *core, struct channel *channel);

/* The value has its place in the channel. */
void recorder_put(struct core *core, struct channel *channel, struct value *value);
/* A value that was plainly taken is back in its place. */
void recorder_back(struct core *core, struct channel *channel, struct value *value);
/* The value is about to leave its place. */
void recorder_gone(struct core *core, struct channel *channel, const struct value *value, enum record_why why);
/* A value that was recorded has left that place for another channel: who sees it there waits for it, too. */
void recorder_moved(struct core *core, struct channel *source, const struct value *value, uint64_t place,
		    struct channel *target, enum record_why why);
/* A value that was restored counts as recorded. */
void recorder_count(struct core *core, struct channel *channel, const struct value *value);
void recorder_leased(struct core *core, struct channel *channel, struct value *value, const struct lease *lease);
/* The value waits to enter a dead-letter channel: still leased, but by nobody. */
void recorder_dead_letter(struct core *core, struct channel *channel, struct value *value);
/* The taps of the channel hold the value, which is still in its place as far as the journal knows. */
void recorder_held(struct core *core, struct channel *channel, struct value *value);
/* A lease has ended, or the taps give the value back that nobody got. */
void recorder_unleased(struct core *core, struct channel *channel, struct value *value);

/* A delayed put's value was accepted: until it enters it has a place of its own, and the caller promises what will be
 * recorded then. recorder_delay_ends(): it is about to enter. */
void recorder_delayed(struct core *core, struct channel *channel, struct value *value, uint64_t due_us);
void recorder_delay_ends(struct core *core, struct channel *channel, struct value *value);

/* Record what a put with this number has brought about so far; that this number and all lower ones may have been
 * forgotten; and that the producer is forgotten. */
void recorder_once(struct core *core, const struct producer *producer, const struct once_outcome *outcome);
void recorder_forgets_number(struct core *core, const struct producer *producer, uint64_t seq);
void recorder_forgets_producer(struct core *core, const struct producer *producer);

/* Record the tap as it is now; that it is about to end; and that the value which its channel has, or its taps hold,
 * need not come to it any more (enum record_carried says why). Each does nothing unless both ends are durable. */
void recorder_tap(struct core *core, const struct tap *tap);
void recorder_untap(struct core *core, const struct tap *tap);
void recorder_carried(struct core *core, const struct tap *tap, enum record_carried why);

/* Record a channel again, and what is in it, for a checkpoint that has come to it. Nobody waits for these records. */
void recorder_channel_again(struct core *core, struct channel *channel);
void recorder_put_again(struct core *core, struct channel *channel, struct value *value);
void recorder_lease_again(struct core *core, struct channel *channel, const struct lease *lease);
void recorder_delayed_again(struct core *core, struct channel *channel, struct value *value, uint64_t due_us);
void recorder_taps_again(struct core *core, const struct mult *mult);
void recorder_dead_letter_again(struct core *core, struct channel *channel, struct value *value);

/* Begins the checkpoint under way anew, since something has come that it may have passed. */
void checkpoint_begin_again(struct core *core);

/* -- awaited.c -- */

/* Lets the reply, which shows how much is in the channel without naming it, wait for what was recorded of the channel.
 */
void recorder_shows(struct core *core, const struct channel *channel);
/* At the end of a step: says of each reply what it has to wait for. */
void recorder_mark_replies(struct core *core, struct core_effects *effects);

#endif
