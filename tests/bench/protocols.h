/* What the load driver knows of each broker: what a put and a take look like, and how to tell replies apart.
 *
 * The driver must not be what is measured. So a connection's requests are written once, before the load, and then only
 * copied; an id in them has a fixed number of digits, which are counted up in place. What is not understood ends the
 * driver: a benchmark that goes on after an error measures errors. */
#ifndef MILLRACE_TESTS_BENCH_PROTOCOLS_H
#define MILLRACE_TESTS_BENCH_PROTOCOLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/buffer.h"

enum role { ROLE_PAIR, ROLE_PRODUCER, ROLE_CONSUMER }; /* a pair puts and takes in turn */
enum { ID_DIGITS = 6 };
#define ID_ZERO "100000" /* the first id */

/* How Millrace's requests are written: `{"id":1,"op":"put",…`, `{"op":"put","id":1,…`, or as the second but with a
 * blank behind each colon and comma, as many languages' libraries do; values are objects then. */
enum style { STYLE_ID_FIRST, STYLE_OP_FIRST, STYLE_BLANKS };

/* What the requests of a run are to be. */
struct shape {
	enum style style;
	const char *value; /* JSON */
	size_t len;
	unsigned batch; /* values in a put, and at most in a take */
	unsigned arms;  /* Millrace: takes are alts over so many channels; 0: plain */
};

struct request {
	struct buffer bytes;
	size_t id_at; /* 0: there is no id in it */
};

struct connection {
	int fd;
	void *secure; /* an SSL; NULL: plain */
	void *own;    /* of the protocol */
	enum role role;
	struct request put, take;
	char id[ID_DIGITS];    /* the last one used */
	struct buffer in, out; /* in: what is not whole yet */
	unsigned window, in_flight;
	bool next_is_take;
	bool is_waiting_to_write;
	bool is_dirty; /* has something to send in this turn */
};

enum reply_kind {
	REPLY_OTHER, /* of the greeting: nobody waits for it */
	REPLY_READY, /* the last of the greeting */
	REPLY_PUT,
	REPLY_TAKEN,
	REPLY_DELETED,
};

struct reply {
	enum reply_kind kind;
	unsigned n;        /* values taken */
	const char *value; /* the first of them, or NULL */
	size_t value_len;
	const char *to; /* JetStream: where a value is acknowledged */
	size_t to_len;
	uint64_t job;          /* beanstalkd: to be deleted; AMQP: which message, or which put is confirmed */
	bool was_last;         /* Millrace: of the values that a take with `count` is to bring */
	bool is_of_all_before; /* AMQP: it confirms all puts up to this one */
};

struct protocol {
	const char *name;
	bool is_push;                                 /* values come by themselves, or on credit */
	bool acks_puts;                               /* a put has a reply */
	bool has_own_queue;                           /* of each run */
	void (*greet)(struct connection *connection); /* or NULL: there is nothing to say, and no reply to wait for */
	void (*write_put)(struct request *request, const struct shape *shape);
	void (*write_take)(struct request *request, const struct shape *shape,
			   enum role role); /* NULL: takes are not asked for */
	/* What a value that was taken calls for: beanstalkd's delete (returns true: a reply follows), more credit. Or
	 * NULL. */
	bool (*done)(struct connection *connection, const struct reply *reply);
	/* How many puts such a reply tells of; or NULL: one. */
	unsigned (*confirmed)(struct connection *connection, const struct reply *reply);
	/* The reply at the front: its length, or 0 if it is not whole. */
	size_t (*parse)(const char *bytes, size_t len, struct reply *reply);
};

extern const struct protocol protocol_millrace, protocol_millrace_credit, protocol_echo; /* protocol_millrace.c */
extern const struct protocol protocol_redis, protocol_beanstalkd, protocol_nats, protocol_nats_verbose,
	protocol_jetstream;                 /* protocol_peers.c */
extern const struct protocol protocol_amqp; /* protocol_amqp.c */

/* The channel, key, tube or subject. One for each size, for a run may leave values behind. */
extern char queue[32];
extern size_t value_bytes; /* of each value of a run */

void add(struct buffer *out, const char *text);
void addf(struct buffer *out, const char *format, ...) __attribute__((format(printf, 2, 3)));

_Noreturn void fail(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
