/* Where a checkpoint is in the channel that it records. Whoever takes something out of a list of the channel calls one
 * of these before: if the checkpoint would come to that next, it goes on behind it. What has left its list was recorded
 * when it moved. */
#ifndef MILLRACE_CORE_CHECKPOINT_PLACE_H
#define MILLRACE_CORE_CHECKPOINT_PLACE_H

#include "daemon/core/state.h"

/* The checkpoint comes to the channel, all of which it has yet to record. */
void checkpoint_enter(struct checkpoint *checkpoint, struct channel *channel);

/* What is about to go: the channel, the first value that entered it, or an item of one of its lists. */
void checkpoint_passes_channel(struct checkpoint *checkpoint, const struct channel *channel);
void checkpoint_passes_value(struct checkpoint *checkpoint, const struct channel *channel);
void checkpoint_passes_lease(struct checkpoint *checkpoint, const struct lease *lease);
void checkpoint_passes_delayed(struct checkpoint *checkpoint, const struct delayed_put *delayed);
void checkpoint_passes_producer(struct checkpoint *checkpoint, const struct producer *producer);
void checkpoint_passes_dead_letter(struct checkpoint *checkpoint, const struct request *request);
/* All values of the channel up to this seq have gone. */
void checkpoint_has_passed(struct checkpoint *checkpoint, const struct channel *channel, uint64_t seq);

#endif
