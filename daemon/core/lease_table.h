/* Leases: values that were handed out, and stay the daemon's until an ack. A lease is prepared before its values are
 * there, so that handing them out cannot fail; then it is held, by whoever knows its token; a nack with a delay lets it
 * go on without a token, until the delay ends.
 *
 * One that is held or delayed is linked into its channel and has a timer; one that is held is found by its token, and,
 * unless it is sticky, goes with its connection. */
#ifndef MILLRACE_CORE_LEASE_TABLE_H
#define MILLRACE_CORE_LEASE_TABLE_H

#include "daemon/core/buckets.h"
#include "daemon/core/channel.h"
#include "daemon/core/hash.h"
#include "daemon/core/timers.h"

enum lease_state { LEASE_PREPARED, LEASE_HELD, LEASE_DELAYED };

struct lease {
	struct lease *bucket_next;
	struct core_token token;
	struct channel *channel;
	struct link in_channel;
	struct core_connection *connection; /* whose it is: while it is prepared or held; NULL: it is sticky, and the
					       connection has ended */
	struct link in_connection;          /* while it is held, in its leases */
	struct link in_core;                /* while it is held: in the order of beginning */
	struct value_list values;           /* their bytes are the channel's */
	struct timer timer;                 /* when it ends */
	uint64_t seq;                       /* rises in the order of beginning; the number of its token */
	uint64_t begun_us;
	uint64_t ms;         /* how long it is held, when it begins */
	uint32_t deliveries; /* the highest of its values' */
	uint8_t state;       /* enum lease_state */
	bool is_sticky;
	bool is_uncounted; /* a nack said so: its values come back as if they had not been delivered */
};

struct lease_table { /* those that are held, by token: a hash table that grows by itself */
	struct buckets buckets;
	struct hash_key key; /* of the tokens, which nobody may guess */
	uint64_t last_seq;
};

int lease_table_init(struct lease_table *table, struct hash_key key); /* -1: no memory */
void lease_table_finish(struct lease_table *table);

struct lease *lease_table_find(const struct lease_table *table, struct core_token token); /* NULL: nobody holds that */
void lease_table_insert(struct lease_table *table, struct lease *lease); /* with a seq and a token that it makes */
/* Inserts a lease with the token that it had before the daemon was started. */
void lease_table_insert_again(struct lease_table *table, struct lease *lease, struct core_token token);
/* The lease with that seq, if it is still held. A token is the hash of a seq, so this costs as much as finding a token.
 */
struct lease *lease_table_find_seq(const struct lease_table *table, uint64_t seq);
void lease_table_remove(struct lease_table *table, struct lease *lease);

static inline struct lease *timer_lease(struct timer *timer)
{
	return (struct lease *)((char *)timer - offsetof(struct lease, timer));
}

#endif
