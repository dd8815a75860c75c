/* libmillrace: streams of values, with few messages. A part of the blocking API of millrace.h, whose rules (threads,
 * results, ownership, times) hold here too.
 *
 * A consumer takes on credit: the daemon sends it values before they are asked for, so that no round trip stands
 * between one and the next.
 *
 *   mr_consumer *c;
 *   struct mr_result job;
 *   int status = mr_consumer_create(&c, m, "jobs", NULL);
 *   while (status == MR_OK && (status = mr_consumer_next(c, &job, MR_FOREVER)) == MR_OK) {
 *       work_on(job.raw, job.raw_len);
 *       mr_result_finish(&job);
 *   }
 *   mr_consumer_destroy(c);
 *
 * A producer puts without waiting for each answer, and asks at the end what has become of it all:
 *
 *   mr_producer *p;
 *   struct mr_report report;
 *   mr_producer_create(&p, m, "jobs", 0);
 *   while (read_line(&line))
 *       mr_producer_put_raw(p, line.text, line.len, MR_MORE, MR_FOREVER);
 *   if (mr_producer_flush(p, &report, MR_FOREVER) != MR_OK) ...
 *   mr_producer_destroy(p);
 *
 * Threads may share a consumer: each value goes to one of them; or a producer. Both are destroyed before their handle
 * is.
 *
 * When the connection ends, so does a consumer, after the values that are here; with the handle's option `reconnect`
 * another can be created. A producer goes on then with the next connection: what was on its way is sent again, once, if
 * the daemon knows `once` (millrace.h, broken connections); else its flush tells how much of it is unknown. In a
 * cluster both go along when their channel goes to another daemon by plan.
 */
#ifndef MILLRACE_STREAM_H
#define MILLRACE_STREAM_H

#include "millrace.h"

#ifdef __cplusplus
extern "C" {
#endif

/* ---- consumers ---- */

typedef struct mr_consumer mr_consumer;

struct mr_consumer_options { /* zero-initialise; 0 is the default */
	size_t credit; /* 1 … 1,000,000, 64 by default: how many values may be on their way here, or here, and not yet
			  be given out by mr_consumer_next(). So many are lost with this process if they were taken
			  without a lease, and so many are kept in memory */
	int64_t lease_ms; /* each value is leased for so long, from when the daemon sends it; 0: taken for good */
	bool sticky;      /* the leases outlive the connection */
};

/* Begins to take. Not from a promise (MR_EBAD_REQUEST). options may be NULL. What the daemon says against it is the
 * first mr_consumer_next()'s answer. */
MR_API int mr_consumer_create(mr_consumer **out, mr *m, const char *channel, const struct mr_consumer_options *options);

/* The next value, in result->raw, with its lease if it has one; waits for it at most timeout_ms; 0: what has arrived by
 * now, MR_TIMEOUT if nothing. Any other status is the end, after the last value: MR_CLOSED, MR_CANCELLED, or an error;
 * then it stays so. result may not be NULL; it is set on every return. */
MR_API int mr_consumer_next(mr_consumer *consumer, struct mr_result *result, int64_t timeout_ms);

/* Ends the taking. MR_OK: the values that are here still can be had from mr_consumer_next(), and then it says
 * MR_CANCELLED. */
MR_API int mr_consumer_cancel(mr_consumer *consumer, int64_t timeout_ms);

/* Ends the taking without a wait, and throws away what is here: those that were leased come back when their leases end.
 * To lose nothing, cancel first, and take the rest. NULL is fine. */
MR_API void mr_consumer_destroy(mr_consumer *consumer);

/* ---- producers ---- */

typedef struct mr_producer mr_producer;

enum mr_more {
	MR_LAST = 0, /* sent at once, and answered for */
	MR_MORE = 1  /* another put or a flush follows soon; until then the library may keep it back */
};

struct mr_report {        /* since the last flush */
	uint64_t put;     /* how many values were given to it */
	uint64_t failed;  /* of these: refused, closed … */
	uint64_t unknown; /* of these: nobody knows, since the connection broke, or because a put after them failed */
};

/* window: how many values may be unanswered at a time, 2 … 1,000,000; 0: 256, or half of what the daemon lets a
 * connection park. One producer at a time for each channel of a handle (MR_EARGUMENT). */
MR_API int mr_producer_create(mr_producer **out, mr *m, const char *channel, size_t window);

/* Puts a value, and returns when it is on its way: MR_OK says nothing of what becomes of it. While the window is full
 * it waits, at most timeout_ms, then MR_TIMEOUT, and the value was not put. After a put has gone wrong, and this side
 * knows, each says so and puts nothing, until a flush has told of it. What a dropping channel sheds does not go wrong:
 * see mr_stat(). Of the puts with MR_MORE that another follows most are sent without an id, and the daemon does not
 * answer them. */
MR_API int mr_producer_put(mr_producer *producer, const json_t *value, enum mr_more more, int64_t timeout_ms);
MR_API int mr_producer_put_raw(mr_producer *producer, const char *json, size_t len, enum mr_more more,
			       int64_t timeout_ms);

/* Waits until all have entered, or gone wrong. MR_OK: all are in. MR_TIMEOUT: not yet; flush again. Anything else is
 * what the first that went wrong got; its words are in mr_message(), and the producer can go on. *report (may be NULL)
 * is set with every status but MR_TIMEOUT and MR_EARGUMENT. */
MR_API int mr_producer_flush(mr_producer *producer, struct mr_report *report, int64_t timeout_ms);

/* A value that is kept back is thrown away; what has been sent goes its way. NULL is fine. */
MR_API void mr_producer_destroy(mr_producer *producer);

#ifdef __cplusplus
}
#endif

#endif
