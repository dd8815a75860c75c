/* What the load driver knows of each broker: how to put and take, and how to tell replies apart. */
#ifndef MILLRACE_TESTS_BENCH_PROTOCOLS_H
#define MILLRACE_TESTS_BENCH_PROTOCOLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/buffer.h"

enum role { ROLE_PAIR, ROLE_PRODUCER, ROLE_CONSUMER }; /* a pair puts and takes in turn */

struct connection {
	int fd;
	enum role role;
	struct buffer in, out;
	unsigned in_flight;
	bool next_is_take;
	bool is_writing; /* waits until the socket takes more */
	uint64_t last_id;
	unsigned arms; /* Millrace: takes are alts over so many channels; 0: plain */
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
	const char *value; /* the first of them */
	size_t value_len;
	uint64_t job; /* beanstalkd: to be deleted */
};

struct protocol {
	const char *name;
	bool is_push;   /* values come by themselves */
	bool acks_puts; /* a put has a reply */
	bool has_batches;
	void (*greet)(struct connection *connection); /* or NULL */
	void (*put)(struct connection *connection, const char *value, size_t len, unsigned n);
	void (*take)(struct connection *connection, unsigned n, bool may_wait);
	void (*done)(struct connection *connection, uint64_t job); /* or NULL */
	/* The reply at the front: its length, or 0 if it is not whole. */
	size_t (*parse)(const char *bytes, size_t len, struct reply *reply);
};

extern const struct protocol protocol_millrace, protocol_redis, protocol_beanstalkd, protocol_nats, protocol_nats_verbose, protocol_echo;

/* The channel, key, tube or subject. One for each size, for a run may leave values behind. */
extern char queue[32];

_Noreturn void fail(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
