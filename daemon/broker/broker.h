/* The broker: the only caller of core_step(). Sessions, HTTP, timers, signals and reloads hand it events, one at a
 * time; for each it
 *
 *   1. lets the core carry the event out, with the time of this turn of the loop and the bytes that are unsent, and
 * with the journal's batch that gathers, where the core records what becomes of durable channels;
 *   2. gives every reply to whom it belongs, who encodes it into its own output, and does nothing else;
 *   3. ends the step's records, and releases its effects;
 *   4. runs the actions that were put off meanwhile: what the replies have brought about, such as the end of an HTTP
 *      connection, may ask the core again only now.
 *
 * So nothing re-enters: broker_step() asserts that no step is under way. An action may call broker_step(); what that
 * puts off runs after it, by the same loop, so that the stack does not grow. One thread. */
#ifndef MILLRACE_BROKER_BROKER_H
#define MILLRACE_BROKER_BROKER_H

#include "daemon/core/core.h"
#include "daemon/journal/journal.h"
#include "daemon/log.h"
#include "daemon/net/loop.h"
#include "daemon/net/stream_group.h"

/* What the owner of a cookie puts off until the effects of the step under way are released. Embedded in its owner,
 * which stays until it has run. There are as many as connections: keep it small. Zero-initialise it. */
struct broker_action {
	struct broker_action *next; /* the broker's; NULL: it does not wait */
};

/* Encodes one reply into the output of the connection whose cookie it has. It calls nothing of the broker but
 * broker_defer(), and may take the reply's values over by core_keep(). */
typedef void broker_deliver_cb(void *cookie, struct core_reply *reply);

/* Does what was put off. It may call broker_step(). */
typedef void broker_action_cb(struct broker_action *action);

struct broker { /* zero-initialise, then set the first five; the rest is the broker's */
	struct core *core;
	struct loop *loop;
	struct stream_group *streams;
	broker_deliver_cb *deliver;
	broker_action_cb *run_action;
	struct journal *journal; /* NULL: nothing is durable. Set it before the first step that needs one */
	bool is_stepping;
	bool is_running_actions;
	struct broker_action *first_action, *last_action;
	struct log_seldom undeliverable_log;
};

/* Carries out one event, whose time and unsent bytes it fills in, and everything that it brings about. Returns what
 * came of an event that was the daemon's own, without a connection: its error, or ERROR_NONE. */
enum error broker_step(struct broker *broker, struct core_event *event);

/* The core's short way, for a put of one value and a plain take of one, in the same turn and under the same rules. The
 * time and the unsent bytes are filled in. False: nothing has happened, and broker_step() has to be asked. See
 * core_put_alone(): the reply of the take that the put has ended is delivered; what it has put off waits until the
 * caller has written the put's own, and calls broker_end_alone(). Of a take, *value is NULL if it waits. */
bool broker_put_alone(struct broker *broker, struct core_alone *put, struct value *value);
void broker_end_alone(struct broker *broker);
bool broker_take_alone(struct broker *broker, struct core_alone *take, struct value **value);

/* A slice of what records say was there: CORE_RESTORE. The journal is there; `restore` stays the caller's. */
void broker_restore(struct broker *broker, struct core_restore *restore, struct core_restored *restored);

/* In a cluster: CORE_JOIN_CLUSTER, before any channel is there; CORE_ADOPT, which takes `restore` over; CORE_SERVE and
 * CORE_RELEASE. core_group_state() tells how far the group is: the server has to look at it in each turn. */
void broker_join_cluster(struct broker *broker);
void broker_adopt(struct broker *broker, struct slice group, struct core_restore *restore);
void broker_serve(struct broker *broker, struct slice group);
void broker_release(struct broker *broker, struct slice group);

/* A slice of a checkpoint. True: it was the last. */
bool broker_checkpoint(struct broker *broker);

/* A connection for replies with this cookie, until CORE_DISCONNECT. NULL: no memory. */
struct core_connection *broker_connect(struct broker *broker, void *cookie);

/* Runs the action once, after the step under way; at once if there is none. One that waits already is not added again.
 */
void broker_defer(struct broker *broker, struct broker_action *action);

/* Whether the action has yet to run. */
bool broker_action_waits(const struct broker_action *action);

#endif
