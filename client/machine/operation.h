/* What a program asks for, from its arguments: the members of a request as text (see message.h), checked, so that what
 * is impossible is never sent, and what the machine has to know of it. For both APIs.
 *
 * Each operation_*() but operation_finish() fills in *operation and returns MR_OK; or it returns an error with its
 * message (failure.h), and there is nothing to finish. What goes in is copied. */
#ifndef MILLRACE_CLIENT_MACHINE_OPERATION_H
#define MILLRACE_CLIENT_MACHINE_OPERATION_H

#include "client/millrace.h"
#include "proto/buffer.h"
#include "proto/message.h"

enum operation_kind { /* what becomes of it if the connection ends after it was sent, and before its answer */
		      OPERATION_TAKE,    /* it ends: what it took may be gone */
		      OPERATION_CHANGE,  /* it ends as MR_UNKNOWN: it has happened or has not */
		      OPERATION_PUT,     /* it is sent again under its number; MR_UNKNOWN if it has none */
		      OPERATION_REPEATS, /* it is sent again: that does no harm */
};

struct contact;

struct client_operation {
	enum message_op op;
	enum operation_kind kind;
	struct buffer members; /* all but the time-out and the count, which may have become less when it is sent */
	int64_t timeout_ms;    /* MR_FOREVER: none */
	uint64_t count;        /* of a take: how many it still asks for; else 1 */
	bool has_timeout;      /* the op knows timeout_ms */
	bool is_urgent;        /* it never parks, and must not wait behind what does */
	bool is_unanswered;    /* a put of which nobody wants to know unless it goes wrong: it may go without an id */
	uint32_t run;          /* of such a put: how many may go in a row before one asks for an answer for all */
	bool is_ephemeral;     /* a create: of a channel that has to be created anew with each connection */
	char *channel;         /* of a create or delete, and of a put without an answer; else NULL */
	bool has_group;        /* it is for the daemon of a cluster that has this group: */
	uint32_t group_at, group_len; /* a part of the members; of length 0: "default" */
	struct contact *contact;      /* of a cancel: whose request it is; else NULL */
	int status;                   /* while it is made: MR_OK, or its first failure */
};

/* The group of one that has_group. */
struct slice operation_group(const struct client_operation *operation);

void operation_finish(struct client_operation *operation);

int operation_put(struct client_operation *operation, const char *channel, const struct mr_put_options *options,
		  const char *json, size_t len, int64_t timeout_ms);
/* The same without an answer; at most `run` in a row go without an id. */
int operation_put_unanswered(struct client_operation *operation, const char *channel,
			     const struct mr_put_options *options, const char *json, size_t len, int64_t timeout_ms,
			     uint32_t run);
int operation_take(struct client_operation *operation, const char *channel, const struct mr_take_options *options,
		   int64_t timeout_ms);
/* A take of `count` values; `options` without max. */
int operation_take_count(struct client_operation *operation, const char *channel, uint64_t count,
			 const struct mr_take_options *options, int64_t timeout_ms);
int operation_alts(struct client_operation *operation, const struct mr_arm *arms, size_t n_arms,
		   const struct mr_alts_options *options, int64_t timeout_ms);
int operation_cancel(struct client_operation *operation, struct contact *contact, uint64_t id);

int operation_ack(struct client_operation *operation, const char *lease);
int operation_nack(struct client_operation *operation, const char *lease, const struct mr_nack_options *options);
int operation_extend(struct client_operation *operation, const char *lease, int64_t lease_ms);

/* channel NULL: the daemon makes up a name. */
int operation_create(struct client_operation *operation, const char *channel, const struct mr_definition *definition);
int operation_alter(struct client_operation *operation, const char *channel, const struct mr_alteration *alteration);
int operation_close(struct client_operation *operation, const char *channel);
int operation_delete(struct client_operation *operation, const char *channel, bool force);
int operation_move(struct client_operation *operation, const char *from, const char *to, size_t max);
/* `to` NULL: the daemon makes a channel. `options` NULL: none. */
int operation_tap(struct client_operation *operation, const char *from, const char *to,
		  const struct mr_tap_options *options);
int operation_untap(struct client_operation *operation, const char *from, const char *to);

int operation_ping(struct client_operation *operation, int64_t timeout_ms);
int operation_stat(struct client_operation *operation, const char *channel);
int operation_peek(struct client_operation *operation, const char *channel, size_t max);
/* One page, behind `after` (NULL or 0: the first). */
int operation_list(struct client_operation *operation, const char *glob, const char *after);
int operation_cluster(struct client_operation *operation, const char *after);
/* The same of rows that have a seq: OP_WAITERS, OP_LEASES or OP_TAPS, of a channel or (NULL) of all. */
int operation_rows(struct client_operation *operation, enum message_op op, const char *channel, uint64_t after);

int operation_cluster_move(struct client_operation *operation, const char *group, const char *daemon);

#endif
