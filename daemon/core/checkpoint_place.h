/* Where a checkpoint is in the channel that it records. What leaves a list in which it may come to it next says so
 * before that; whatever is not there any more was recorded when it moved. */
#ifndef MILLRACE_CORE_CHECKPOINT_PLACE_H
#define MILLRACE_CORE_CHECKPOINT_PLACE_H

#include "daemon/core/state.h"

/* It comes to the channel; it has yet to record all of it. */
void checkpoint_enter(struct checkpoint *checkpoint, struct channel *channel);

/* The channel, the first value that entered it, or one of what is in its lists, is about to go. */
void checkpoint_passes_channel(struct checkpoint *checkpoint, const struct channel *channel);
void checkpoint_passes_value(struct checkpoint *checkpoint, const struct channel *channel);
void checkpoint_passes_lease(struct checkpoint *checkpoint, const struct lease *lease);
void checkpoint_passes_delayed(struct checkpoint *checkpoint, const struct delayed_put *delayed);
void checkpoint_passes_producer(struct checkpoint *checkpoint, const struct producer *producer);
void checkpoint_passes_dead_letter(struct checkpoint *checkpoint, const struct request *request);
/* All values of the channel up to this seq have gone. */
void checkpoint_has_passed(struct checkpoint *checkpoint, const struct channel *channel, uint64_t seq);

#endif
