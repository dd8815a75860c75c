/* What the core is made of, and the steps that its ops share. For daemon/core alone. */
#ifndef MILLRACE_CORE_STATE_H
#define MILLRACE_CORE_STATE_H

#include "daemon/core/core.h"
#include "daemon/core/directory.h"
#include "daemon/core/ids.h"
#include "daemon/core/order.h"
#include "daemon/core/timers.h"

struct core_connection {
	void *cookie;
	struct link in_core;
	struct link parked;    /* of struct request; those in a queue that have no count */
	struct link counting;  /* takes with a count, in their queues */
	struct link resting;   /* takes with a count that have left their queues: they had their share of this turn, or the connection is paused */
	struct link in_rested; /* in the core's, while some are resting and it is not paused */
	bool is_paused;
	struct link ephemeral; /* of struct channel */
	uint32_t n_parked; /* in all three */
	struct channel *last; /* the channel it named last, while nothing has been deleted since */
	uint64_t last_deletions;
};

struct core {
	struct core_limits limits;
	uint64_t random;
	struct directory directory;
	struct ids ids;
	struct timers timers;
	struct order order;
	struct link connections;
	uint64_t n_connections;
	uint64_t n_parked;
	uint64_t now_us; /* of the last event */
	uint32_t turn;   /* rises whenever time moves on */
	struct link rested; /* connections whose takes with a count go on in the next turn */
	uint64_t bytes;	       /* of values: the sum of all channels' */
	uint64_t n_buffered;   /* the sum of all channels' */
	uint64_t unsent_bytes; /* of values, as the shell says */
	uint64_t deletions;
	struct channel *graveyard; /* deleted in this step: replies may still name them */
	struct core_reply immediate; /* the reply to the event itself, where that did not park */
};

/* -- reply.c: outcomes -- */

void effects_append(struct core_effects *effects, struct core_reply *reply);

/* The event's own reply, appended to the effects; the caller fills in what its op has to say. Once a step. */
struct core_reply *reply_now(struct core *core, const struct core_event *event, enum status status, struct core_effects *effects);
void reply_error(struct core *core, const struct core_event *event, enum error error, struct core_effects *effects);

/* -- park.c: parking and ending to park -- */

/* A request with `n_arms` arms to fill in, and room for it everywhere; it is linked nowhere yet. NULL: *error says why. */
struct request *park_begin(struct core *core, const struct core_event *event, uint32_t n_arms, enum error *error);
/* Whether one more may wait there. */
bool park_has_room(const struct core *core, const struct channel *channel);
/* Links an arm; false, and nothing done, if the channel has too many waiters. */
bool park_arm(struct core *core, struct request *request, uint32_t index, struct channel *channel, bool is_put, struct value *value);
/* Instead, of a take with a count: its one arm begins to rest on the channel. */
void park_resting(struct request *request, struct channel *channel);
void park_commit(struct core *core, struct request *request, const struct core_event *event);
void park_abandon(struct core *core, struct request *request); /* instead of commit; values of its arms are destroyed */

/* Unlinks a parked request from everything, and appends its reply. `arm` is the arm that happened, or NULL. Values that were still to be put
 * are destroyed: take out first what lives on. */
struct core_reply *park_complete(struct core *core, struct request *request, struct arm *arm, enum status status, struct core_effects *effects);
/* The same without a reply: its connection is gone. */
void park_forget(struct core *core, struct request *request);

/* -- count.c: takes with a count -- */

/* Accepts one: it takes what there is, and parks for the rest. */
void count_begin(struct core *core, const struct core_event *event, struct channel *channel, struct core_effects *effects);

/* One that stands first in its queue gets a value: the reply to fill, then what becomes of it. The reply is NULL if there is no memory for one: then it has
 * ended, and gets no value. */
struct core_reply *count_reply(struct core *core, struct request *request, struct core_effects *effects);
void count_served(struct core *core, struct request *request, const struct core_reply *reply);

/* Time has moved on: those that had their share in the last turn go on. */
void count_new_turn(struct core *core, struct core_effects *effects);

/* -- transfer.c: values in and out of channels -- */

struct put_outcome {
	uint64_t accepted, evicted, dropped;
};

/* Moves values from the front of the list into an open channel, to parked takes and then the buffer, as far as its kind allows; dropping channels and promises shed
 * the rest. What is left in the list has to park. */
struct put_outcome transfer_put(struct core *core, struct channel *channel, struct value_list *values, struct core_effects *effects);

/* Fills the reply of a take with 1 … max values; the channel must have one. */
void transfer_take(struct core *core, struct channel *channel, uint32_t max, struct core_reply *reply, struct core_effects *effects);

/* -- channels.c, requests.c, alts.c: the ops -- */

/* The channel that a connection (NULL: the daemon) names, or NULL. */
struct channel *channel_find(struct core *core, struct core_connection *connection, struct slice name);
void channel_remove(struct core *core, struct channel *channel, struct core_effects *effects); /* delete with force */

typedef void op_fn(struct core *core, const struct core_event *event, struct core_effects *effects);
op_fn op_disconnect, op_create, op_close, op_delete, op_put, op_take, op_cancel, op_alts, op_resume;

#endif
