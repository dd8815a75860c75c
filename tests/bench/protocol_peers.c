/* The protocols of Redis, beanstalkd, NATS and its JetStream, as far as the workloads need them. */
#include "tests/bench/protocols.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The length of the line at the front with its \r\n; 0 if it is not whole. */
static size_t line_len(const char *bytes, size_t len)
{
	const char *end = memchr(bytes, '\n', len);
	return end ? (size_t)(end - bytes) + 1 : 0;
}

static bool begins(const char *bytes, size_t len, const char *word)
{
	return len >= strlen(word) && memcmp(bytes, word, strlen(word)) == 0;
}

/* -- Redis: a list -- */

static void redis_put(struct request *request, const struct shape *shape)
{
	addf(&request->bytes, "*%u\r\n$5\r\nRPUSH\r\n$%zu\r\n%s\r\n", shape->batch + 2, strlen(queue), queue);
	for (unsigned i = 0; i < shape->batch; i++) {
		addf(&request->bytes, "$%zu\r\n", shape->len);
		buffer_append(&request->bytes, shape->value, shape->len);
		add(&request->bytes, "\r\n");
	}
}

/* A consumer may wait; in a pair nobody would put while it does. */
static void redis_take(struct request *request, const struct shape *shape, enum role role)
{
	struct buffer *out = &request->bytes;
	if (role == ROLE_CONSUMER)
		addf(out, "*3\r\n$5\r\nBLPOP\r\n$%zu\r\n%s\r\n$1\r\n0\r\n", strlen(queue), queue);
	else if (shape->batch > 1)
		addf(out, "*3\r\n$4\r\nLPOP\r\n$%zu\r\n%s\r\n$%d\r\n%u\r\n", strlen(queue), queue,
		     shape->batch > 9 ? 2 : 1, shape->batch);
	else
		addf(out, "*2\r\n$4\r\nLPOP\r\n$%zu\r\n%s\r\n", strlen(queue), queue);
}

/* A bulk string at the front; 0 if it is not whole. */
static size_t redis_bulk(const char *bytes, size_t len, const char **text, size_t *text_len)
{
	size_t line = line_len(bytes, len);
	if (line == 0)
		return 0;
	if (bytes[0] != '$' || bytes[1] == '-')
		fail("redis: %.*s", (int)line, bytes);
	*text_len = strtoul(bytes + 1, NULL, 10);
	*text = bytes + line;
	return len < line + *text_len + 2 ? 0 : line + *text_len + 2;
}

/* LPOP with a number gives an array of values; BLPOP the key and a value. */
static size_t redis_array(const char *bytes, size_t len, size_t line, struct reply *reply)
{
	unsigned n = (unsigned)strtoul(bytes + 1, NULL, 10);
	size_t at = line;
	reply->n = n;
	for (unsigned i = 0; i < n; i++) {
		size_t used = redis_bulk(bytes + at, len - at, &reply->value, &reply->value_len);
		if (used == 0)
			return 0;
		at += used;
		if (i == 0 && n == 2 && begins(reply->value, reply->value_len, queue))
			reply->n = 1;
	}
	return at;
}

static size_t redis_parse(const char *bytes, size_t len, struct reply *reply)
{
	size_t line = line_len(bytes, len);
	if (line == 0)
		return 0;
	*reply = (struct reply){.kind = REPLY_PUT};
	if (bytes[0] == ':')
		return line;
	reply->kind = REPLY_TAKEN;
	reply->n = 1;
	if (bytes[0] == '$')
		return redis_bulk(bytes, len, &reply->value, &reply->value_len);
	if (bytes[0] != '*' || bytes[1] == '-')
		fail("redis: %.*s", (int)line, bytes);
	return redis_array(bytes, len, line, reply);
}

const struct protocol protocol_redis = {
	.name = "redis",
	.acks_puts = true,
	.write_put = redis_put,
	.write_take = redis_take,
	.parse = redis_parse,
};

/* -- beanstalkd: a tube; a value is taken when its job is deleted -- */

static void beanstalkd_greet(struct connection *connection)
{
	addf(&connection->out, "use %s\r\nwatch %s\r\nignore default\r\n", queue, queue);
}

static void beanstalkd_put(struct request *request, const struct shape *shape)
{
	addf(&request->bytes, "put 0 0 60 %zu\r\n", shape->len);
	buffer_append(&request->bytes, shape->value, shape->len);
	add(&request->bytes, "\r\n");
}

static void beanstalkd_take(struct request *request, const struct shape *shape, enum role role)
{
	(void)shape, (void)role;
	add(&request->bytes, "reserve\r\n");
}

static bool beanstalkd_done(struct connection *connection, const struct reply *reply)
{
	addf(&connection->out, "delete %llu\r\n", (unsigned long long)reply->job);
	return true;
}

static size_t beanstalkd_parse(const char *bytes, size_t len, struct reply *reply)
{
	size_t line = line_len(bytes, len);
	if (line == 0)
		return 0;
	*reply = (struct reply){.kind = REPLY_PUT};
	if (begins(bytes, line, "INSERTED"))
		return line;
	if (begins(bytes, line, "DELETED")) {
		reply->kind = REPLY_DELETED;
		return line;
	}
	if (begins(bytes, line, "USING") || begins(bytes, line, "WATCHING")) {
		reply->kind = begins(bytes, line, "WATCHING 1") ? REPLY_READY : REPLY_OTHER;
		return line;
	}
	if (!begins(bytes, line, "RESERVED "))
		fail("beanstalkd: %.*s", (int)line, bytes);
	char *at;
	uint64_t job = strtoull(bytes + 9, &at, 10);
	size_t value_len = strtoul(at, NULL, 10);
	*reply = (struct reply){.kind = REPLY_TAKEN, .n = 1, .value = bytes + line, .value_len = value_len, .job = job};
	return len < line + value_len + 2 ? 0 : line + value_len + 2;
}

const struct protocol protocol_beanstalkd = {
	.name = "beanstalkd",
	.acks_puts = true,
	.greet = beanstalkd_greet,
	.write_put = beanstalkd_put,
	.write_take = beanstalkd_take,
	.done = beanstalkd_done,
	.parse = beanstalkd_parse,
};

/* -- NATS: a queue group is the channel. Without `verbose`, as its users run it, nothing tells that a value has arrived
 * -- */

static void nats_begin(struct connection *connection, const char *verbose)
{
	addf(&connection->out,
	     "CONNECT {\"verbose\":%s,\"pedantic\":false,\"lang\":\"c\",\"version\":\"1\",\"protocol\":1}\r\n",
	     verbose);
	if (connection->role != ROLE_PRODUCER)
		addf(&connection->out, "SUB %s workers 1\r\n", queue);
	add(&connection->out, "PING\r\n");
}

static void nats_greet(struct connection *connection)
{
	nats_begin(connection, "false");
}

static void nats_verbose_greet(struct connection *connection)
{
	nats_begin(connection, "true");
}

static void nats_put(struct request *request, const struct shape *shape)
{
	addf(&request->bytes, "PUB %s %zu\r\n", queue, shape->len);
	buffer_append(&request->bytes, shape->value, shape->len);
	add(&request->bytes, "\r\n");
}

static size_t nats_parse(const char *bytes, size_t len, struct reply *reply)
{
	size_t line = line_len(bytes, len);
	if (line == 0)
		return 0;
	*reply = (struct reply){.kind = REPLY_OTHER};
	if (begins(bytes, line, "+OK")) {
		reply->kind = REPLY_PUT;
		return line;
	}
	if (begins(bytes, line, "-ERR"))
		fail("nats: %.*s", (int)line, bytes);
	if (begins(bytes, line, "PONG"))
		reply->kind = REPLY_READY;
	if (!begins(bytes, line, "MSG "))
		return line;
	const char *size = bytes + line - 2; /* MSG subject 1 size */
	while (size[-1] != ' ')
		size--;
	size_t value_len = strtoul(size, NULL, 10);
	*reply = (struct reply){.kind = REPLY_TAKEN, .n = 1, .value = bytes + line, .value_len = value_len};
	return len < line + value_len + 2 ? 0 : line + value_len + 2;
}

const struct protocol protocol_nats = {
	.name = "nats", .is_push = true, .greet = nats_greet, .write_put = nats_put, .parse = nats_parse};
const struct protocol protocol_nats_verbose = {
	.name = "nats-verbose",
	.is_push = true,
	.acks_puts = true,
	.greet = nats_verbose_greet,
	.write_put = nats_put,
	.parse = nats_parse,
};

/* -- JetStream: a stream whose consumer hands its messages out among all who are subscribed to `out.NAME`. Each is
 * acknowledged, at an address of its own; and a put is answered at `in.NUMBER` -- */

enum { OUT_ID = 1, IN_ID = 2 };

static void jetstream_greet(struct connection *connection)
{
	add(&connection->out, "CONNECT {\"verbose\":false,\"pedantic\":false,\"lang\":\"c\",\"version\":\"1\"}\r\n");
	if (connection->role != ROLE_PRODUCER)
		addf(&connection->out, "SUB out.%s workers %d\r\n", queue, OUT_ID);
	addf(&connection->out, "SUB in.%p %d\r\nPING\r\n", (void *)&connection->put, IN_ID);
}

static void jetstream_put(struct request *request, const struct shape *shape)
{
	addf(&request->bytes, "PUB %s in.%p %zu\r\n", queue, (void *)request, shape->len);
	buffer_append(&request->bytes, shape->value, shape->len);
	add(&request->bytes, "\r\n");
}

static bool jetstream_done(struct connection *connection, const struct reply *reply)
{
	addf(&connection->out, "PUB %.*s 0\r\n\r\n", (int)reply->to_len, reply->to);
	return false;
}

/* MSG subject id [where to answer] size */
static size_t jetstream_parse(const char *bytes, size_t len, struct reply *reply)
{
	size_t used = nats_parse(bytes, len, reply);
	if (used == 0 || reply->kind != REPLY_TAKEN)
		return used;
	const char *id = (const char *)memchr(bytes + 4, ' ', len) + 1;
	reply->to = id + 2;
	reply->to_len = (size_t)((const char *)memchr(reply->to, ' ', (size_t)(reply->value - reply->to)) - reply->to);
	if (*id - '0' == OUT_ID)
		return used;
	if (begins(reply->value, reply->value_len, "{\"error\""))
		fail("jetstream: %.*s", (int)reply->value_len, reply->value);
	*reply = (struct reply){.kind = REPLY_PUT};
	return used;
}

const struct protocol protocol_jetstream = {
	.name = "jetstream",
	.is_push = true,
	.acks_puts = true,
	.greet = jetstream_greet,
	.write_put = jetstream_put,
	.done = jetstream_done,
	.parse = jetstream_parse,
};
