/* The streams of a loop, and what they share: the buffer that all are read into, the pool of output buffers, the budget
 * of all buffers, and the order in which a turn sends. */
#ifndef MILLRACE_NET_STREAM_GROUP_H
#define MILLRACE_NET_STREAM_GROUP_H

#include <stdbool.h>
#include <stdint.h>

#include "daemon/net/loop.h"

struct stream_group;

/* One for each loop, which it is destroyed before; its streams are finished before it. NULL: no memory. */
struct stream_group *stream_group_create(struct loop *loop);
void stream_group_destroy(struct stream_group *group); /* NULL is fine */

/* How many bytes the input and output buffers of all streams may take together, and what TLS needs for each. Over it,
 * those that wait for their peers are closed, as buffer_budget.h says, but never the one that is being served: so it is
 * passed by one stream's buffers at most. UINT64_MAX, as at first: any number. */
void stream_group_set_max_buffers(struct stream_group *group, uint64_t bytes);

/* Bytes of values in the output of all streams; and bytes of all that max_buffers bounds. */
uint64_t stream_group_unsent_value_bytes(const struct stream_group *group);
uint64_t stream_group_buffer_bytes(const struct stream_group *group);

/* Output that was held for numbers up to this one may be sent: see stream_hold(). */
void stream_group_release(struct stream_group *group, uint64_t number);

/* From this time of the loop's clock on nothing is sent, until another time is said: what is written waits, but for
 * the output of streams that are free (stream_set_free()). The clock is read when that is decided, after all that was
 * read by then. UINT64_MAX, as at first: never. */
void stream_group_send_until(struct stream_group *group, uint64_t until_us);

/* What waits to be sent never is: before all streams are finished. */
void stream_group_forget_unsent(struct stream_group *group);

/* Whether any stream goes on in the next turn, whatever the peers do. */
bool stream_group_is_busy(const struct stream_group *group);

#endif
