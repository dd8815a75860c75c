/* What durable channels live through, told as records while it happens. Each function does nothing for a channel that
 * is not durable, or where a step has no recorder. Whatever moves a value or changes a channel calls it at once: a
 * value may be freed in the same step.
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

/* Whether values of an event, linked, may be put on the channel; room for what will be recorded is then reserved,
 * beside the bytes that *reserved says were, for other arms of it. ERROR_UNAVAILABLE: the journal has no room;
 * ERROR_OVERLOADED: there is no memory. */
enum error recorder_admits(struct core *core, const struct channel *channel, const struct value *values,
			   size_t *reserved);

/* At the beginning of a step: room for what leaves. */
void recorder_begin(struct core *core, struct core_recorder *recorder);

/* A value begins to be parked for a durable channel, or ends to: what will be recorded of it stays reserved. */
void recorder_promise(struct core *core, const struct channel *channel, const struct value *value);
void recorder_release(struct core *core, const struct channel *channel, const struct value *value);
void recorder_release_all(struct core *core, const struct channel *channel, size_t n, uint64_t bytes); /* n values */

/* `is_clients`: not the daemon itself asked for it. */
void recorder_create(struct core *core, struct channel *channel, bool is_clients);
void recorder_alter(struct core *core, struct channel *channel);
void recorder_close(struct core *core, struct channel *channel);
void recorder_delete(struct core *core, struct channel *channel);

/* The value has its place in the channel. */
void recorder_put(struct core *core, struct channel *channel, struct value *value);
/* It was plainly taken, and is back in its place. */
void recorder_back(struct core *core, struct channel *channel, struct value *value);
/* It is about to leave its place. */
void recorder_gone(struct core *core, struct channel *channel, const struct value *value, enum record_why why);
/* A value that was recorded has left that place for another channel: who sees it there waits for it, too. */
void recorder_moved(struct core *core, struct channel *source, const struct value *value, uint64_t place,
		    struct channel *target, enum record_why why);
/* A value that was restored counts as recorded. */
void recorder_count(struct core *core, struct channel *channel, const struct value *value);
void recorder_leased(struct core *core, struct channel *channel, struct value *value, const struct lease *lease);
/* It waits to enter a dead-letter channel: leased still, and by nobody. */
void recorder_dead_letter(struct core *core, struct channel *channel, struct value *value);
/* The taps of its channel hold it: in its place still, as far as the journal knows. */
void recorder_held(struct core *core, struct channel *channel, struct value *value);
/* A lease has ended, or the taps give the value back that nobody got. */
void recorder_unleased(struct core *core, struct channel *channel, struct value *value);

/* A delayed put's value was accepted: until it enters it has a place of its own. What will be recorded when it enters
 * is to be promised. Then it is about to enter. */
void recorder_delayed(struct core *core, struct channel *channel, struct value *value, uint64_t due_us);
void recorder_delay_ends(struct core *core, struct channel *channel, struct value *value);

/* What a put with this number has brought about so far; all lower numbers and this one may have been forgotten; the
 * producer is forgotten. */
void recorder_once(struct core *core, const struct producer *producer, const struct once_outcome *outcome);
void recorder_forgets_number(struct core *core, const struct producer *producer, uint64_t seq);
void recorder_forgets_producer(struct core *core, const struct producer *producer);

/* The tap is as it is now, or about to end; the value that its channel has, or its taps hold, need not come to it any
 * more (enum record_carried says why). Each does nothing unless both ends are durable. */
void recorder_tap(struct core *core, const struct tap *tap);
void recorder_untap(struct core *core, const struct tap *tap);
void recorder_carried(struct core *core, const struct tap *tap, enum record_carried why);

/* A checkpoint's records: of a channel, and of what it has come to. Nobody waits for them. */
void recorder_channel_again(struct core *core, struct channel *channel);
void recorder_put_again(struct core *core, struct channel *channel, struct value *value);
void recorder_lease_again(struct core *core, struct channel *channel, const struct lease *lease);
void recorder_delayed_again(struct core *core, struct channel *channel, struct value *value, uint64_t due_us);
void recorder_taps_again(struct core *core, const struct mult *mult);
void recorder_dead_letter_again(struct core *core, struct channel *channel, struct value *value);

/* Something has come that the checkpoint under way may have passed: it begins anew. */
void checkpoint_begin_again(struct core *core);

/* -- awaited.c -- */

/* A reply that shows how much is in the channel, and does not name it, waits for what was recorded of it. */
void recorder_shows(struct core *core, const struct channel *channel);
/* At the end of a step: what each reply has to wait for. */
void recorder_mark_replies(struct core *core, struct core_effects *effects);

#endif
