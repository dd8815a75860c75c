/* A request that has parked: one put or take, or an alts with its arms. It is linked into every channel that an arm
 * names, its connection, the table of ids, the order of parking and, with a deadline, the timers; and it leaves them
 * all at once, in O(arms + log n). What is left is its reply, in the same memory: so completing a request can never
 * fail. A take with a count may leave its queue, and the order of parking, and come back. */
#ifndef MILLRACE_CORE_REQUEST_H
#define MILLRACE_CORE_REQUEST_H

#include "daemon/core/channel.h"
#include "daemon/core/lease_table.h"

struct arm {
	struct link link; /* in its channel's puts or takes */
	struct channel *channel;
	struct value *value; /* of an alts' put arm; else NULL */
	uint8_t index;       /* in its request */
	bool is_put;
	bool is_delayed; /* of a put with a delay: it is in its channel's delayed_puts */
};

struct parked {
	struct core_connection *connection; /* NULL: nobody asks. Dead letters (op PUT), or a channel's taps and what
					       they have to put (op TAP), whose requests are in their own memory */
	struct link in_connection;          /* dead letters: in their source */
	union {
		struct request *id_next; /* ids.c's */
		struct channel *source;  /* of dead letters: the channel that they come from */
		struct tap *tap;         /* of a tap's put */
	};
	uint64_t id;
	uint64_t seq; /* rises in the order of parking */
	uint64_t parked_us;
	struct timer timer; /* its deadline; CORE_NEVER: none */
	union {
		struct {                          /* a put: */
			struct value_list values; /* what has not yet entered */
			uint64_t values_bytes;    /* the sum of their lengths */
		};
		struct {                     /* a take, and an alts: */
			struct lease *lease; /* prepared for what it takes; NULL: that is not leased */
			uint32_t max;        /* at most so many values in a reply */
			uint32_t left;       /* with a count: replies still to come */
			uint32_t turn;       /* in which it got so many: */
			uint32_t turn_bytes;
		};
	};
	uint32_t order_index; /* order.c's */
	union {
		uint32_t accepted;    /* a put: how many have entered */
		uint32_t turn_values; /* a take with a count */
	};
	uint8_t op; /* enum core_op */
	uint8_t n_arms;
	bool batch;
	bool is_counted; /* a take with a count */
	bool has_terms;  /* a put: see request_terms() */
	bool is_resting; /* in no queue: its arm is among those that rest on the channel */
};

struct request {
	union {
		struct core_reply reply; /* once it is complete; must come first */
		struct parked parked;
	};
	struct arm arms[];
};

/* What few puts have; it stands behind their one arm. */
struct put_terms {
	uint64_t delay_ms;         /* from acceptance on; 0: none */
	struct producer *producer; /* once.c's; NULL: it is not put once */
	uint64_t seq;              /* its number */
	struct put_terms *bucket_next;
};

static inline struct put_terms *request_terms(struct request *request)
{
	return (struct put_terms *)&request->arms[1];
}

static inline struct request *terms_request(struct put_terms *terms)
{
	return (struct request *)((char *)terms - offsetof(struct request, arms) - sizeof(struct arm));
}

/* The queue of its channel in which it stands. */
static inline struct link *arm_queue(const struct arm *arm)
{
	struct channel *channel = arm->channel;
	return !arm->is_put ? &channel->takes : arm->is_delayed ? &channel->delayed_puts : &channel->puts;
}

static inline bool request_is_nobodys(const struct request *request)
{
	return !request->parked.connection;
}

static inline bool request_is_dead_letter(const struct request *request)
{
	return !request->parked.connection && request->parked.op == CORE_PUT;
}

static inline bool request_is_tap(const struct request *request)
{
	return request->parked.op == CORE_TAP;
}

static inline struct request *timer_request(struct timer *timer)
{
	return (struct request *)((char *)timer - offsetof(struct request, parked.timer));
}

static inline struct request *arm_request(struct arm *arm)
{
	return (struct request *)((char *)(arm - arm->index) - offsetof(struct request, arms));
}

#endif
