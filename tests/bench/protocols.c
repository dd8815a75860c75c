/* The brokers' protocols, as far as the workloads need them. What is not understood ends the driver: a benchmark that goes on after an error measures
 * errors. */
#define _GNU_SOURCE
#include "tests/bench/protocols.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/frame.h"

char queue[32];

void fail(const char *format, ...)
{
	va_list args;
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	exit(1);
}

static void add(struct connection *connection, const char *text)
{
	buffer_append(&connection->out, text, strlen(text));
}

__attribute__((format(printf, 2, 3))) static void addf(struct connection *connection, const char *format, ...)
{
	char text[256];
	va_list args;
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	add(connection, text);
}

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

/* -- Millrace -- */

static void millrace_put(struct connection *connection, const char *value, size_t len, unsigned n)
{
	size_t mark = frame_begin(&connection->out);
	addf(connection, "{\"id\":%llu,\"op\":\"put\",\"channel\":\"%s\",\"%s\":", (unsigned long long)++connection->last_id, queue, n > 1 ? "values" : "value");
	for (unsigned i = 0; i < n; i++) {
		if (n > 1)
			add(connection, i ? "," : "[");
		buffer_append(&connection->out, value, len);
	}
	add(connection, n > 1 ? "]}" : "}");
	frame_end(&connection->out, mark);
}

static void millrace_take(struct connection *connection, unsigned n, bool may_wait)
{
	(void)may_wait;
	size_t mark = frame_begin(&connection->out);
	if (connection->arms) {
		addf(connection, "{\"id\":%llu,\"op\":\"alts\",\"arms\":[{\"take\":\"%s\"}", (unsigned long long)++connection->last_id, queue);
		for (unsigned i = 1; i < connection->arms; i++)
			addf(connection, ",{\"take\":\"arm-%u\"}", i);
		add(connection, "]}");
	} else {
		addf(connection, "{\"id\":%llu,\"op\":\"take\",\"channel\":\"%s\"", (unsigned long long)++connection->last_id, queue);
		if (n > 1)
			addf(connection, ",\"max\":%u", n);
		add(connection, "}");
	}
	frame_end(&connection->out, mark);
}

static size_t millrace_parse(const char *bytes, size_t len, struct reply *reply)
{
	struct slice body;
	size_t used;
	if (frame_next((struct slice){bytes, len}, 1 << 24, &body, &used, NULL) != FRAME_WHOLE)
		return 0;
	size_t head = body.len < 96 ? body.len : 96;
	const char *value = memmem(body.bytes, head, "\"value", 6);
	if (!memmem(body.bytes, head, "\"status\":\"ok\"", 13))
		fail("millraced: %.*s", (int)body.len, body.bytes);
	*reply = (struct reply){.kind = REPLY_PUT};
	if (!value)
		return used;
	bool is_array = value[6] == 's';
	value += is_array ? 10 : 8;
	const char *end = body.bytes + body.len - (is_array ? 2 : 1), *first_end = is_array ? memchr(value, ',', (size_t)(end - value)) : NULL;
	size_t value_len = (size_t)((first_end ? first_end : end) - value);
	*reply = (struct reply){REPLY_TAKEN, is_array ? (unsigned)((size_t)(end - value + 1) / (value_len + 1)) : 1, value, value_len, 0};
	return used;
}

const struct protocol protocol_millrace = {
	.name = "millrace", .acks_puts = true, .has_batches = true, .put = millrace_put, .take = millrace_take, .parse = millrace_parse,
};

/* -- Redis -- */

static void redis_put(struct connection *connection, const char *value, size_t len, unsigned n)
{
	addf(connection, "*%u\r\n$5\r\nRPUSH\r\n$%zu\r\n%s\r\n", n + 2, strlen(queue), queue);
	for (unsigned i = 0; i < n; i++) {
		addf(connection, "$%zu\r\n", len);
		buffer_append(&connection->out, value, len);
		add(connection, "\r\n");
	}
}

static void redis_take(struct connection *connection, unsigned n, bool may_wait)
{
	if (may_wait)
		addf(connection, "*3\r\n$5\r\nBLPOP\r\n$%zu\r\n%s\r\n$1\r\n0\r\n", strlen(queue), queue);
	else if (n > 1)
		addf(connection, "*3\r\n$4\r\nLPOP\r\n$%zu\r\n%s\r\n$%d\r\n%u\r\n", strlen(queue), queue, n > 9 ? 2 : 1, n);
	else
		addf(connection, "*2\r\n$4\r\nLPOP\r\n$%zu\r\n%s\r\n", strlen(queue), queue);
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
	unsigned n = (unsigned)strtoul(bytes + 1, NULL, 10);
	const char *key;
	size_t key_len = 0;
	if (n == 2 && redis_bulk(bytes + line, len - line, &key, &key_len) == 0)
		return 0;
	bool is_blocking = key_len == strlen(queue) && memcmp(key, queue, key_len) == 0; /* [key, value] */
	size_t at = line;
	for (unsigned i = 0; i < n; i++) {
		const char *text;
		size_t text_len, used = redis_bulk(bytes + at, len - at, &text, &text_len);
		if (used == 0)
			return 0;
		at += used;
		reply->value = text;
		reply->value_len = text_len;
	}
	reply->n = is_blocking ? 1 : n;
	return at;
}

const struct protocol protocol_redis = {
	.name = "redis", .acks_puts = true, .has_batches = true, .put = redis_put, .take = redis_take, .parse = redis_parse,
};

/* -- beanstalkd -- */

static void beanstalkd_greet(struct connection *connection)
{
	addf(connection, "use %s\r\nwatch %s\r\nignore default\r\n", queue, queue);
}

static void beanstalkd_put(struct connection *connection, const char *value, size_t len, unsigned n)
{
	(void)n;
	addf(connection, "put 0 0 60 %zu\r\n", len);
	buffer_append(&connection->out, value, len);
	add(connection, "\r\n");
}

static void beanstalkd_take(struct connection *connection, unsigned n, bool may_wait)
{
	(void)n, (void)may_wait;
	add(connection, "reserve\r\n");
}

static void beanstalkd_done(struct connection *connection, uint64_t job)
{
	addf(connection, "delete %llu\r\n", (unsigned long long)job);
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
	unsigned long long job;
	size_t value_len;
	if (sscanf(bytes, "RESERVED %llu %zu", &job, &value_len) != 2)
		fail("beanstalkd: %.*s", (int)line, bytes);
	*reply = (struct reply){REPLY_TAKEN, 1, bytes + line, value_len, job};
	return len < line + value_len + 2 ? 0 : line + value_len + 2;
}

const struct protocol protocol_beanstalkd = {
	.name = "beanstalkd", .acks_puts = true, .greet = beanstalkd_greet, .put = beanstalkd_put, .take = beanstalkd_take, .done = beanstalkd_done, .parse = beanstalkd_parse,
};

/* -- NATS: a queue group is the channel -- */

static void nats_begin(struct connection *connection, const char *verbose)
{
	addf(connection, "CONNECT {\"verbose\":%s,\"pedantic\":false,\"lang\":\"c\",\"version\":\"1\",\"protocol\":1}\r\n", verbose);
	if (connection->role != ROLE_PRODUCER)
		addf(connection, "SUB %s workers 1\r\n", queue);
	add(connection, "PING\r\n");
}

static void nats_greet(struct connection *connection)
{
	nats_begin(connection, "false");
}

static void nats_verbose_greet(struct connection *connection)
{
	nats_begin(connection, "true");
}

static void nats_put(struct connection *connection, const char *value, size_t len, unsigned n)
{
	(void)n;
	addf(connection, "PUB %s %zu\r\n", queue, len);
	buffer_append(&connection->out, value, len);
	add(connection, "\r\n");
}

static void nats_take(struct connection *connection, unsigned n, bool may_wait)
{
	(void)connection, (void)n, (void)may_wait;
}

static size_t nats_parse(const char *bytes, size_t len, struct reply *reply)
{
	size_t line = line_len(bytes, len), value_len;
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
	if (sscanf(bytes, "MSG %*s 1 %zu", &value_len) != 1)
		fail("nats: %.*s", (int)line, bytes);
	*reply = (struct reply){REPLY_TAKEN, 1, bytes + line, value_len, 0};
	return len < line + value_len + 2 ? 0 : line + value_len + 2;
}

const struct protocol protocol_nats = {.name = "nats", .is_push = true, .greet = nats_greet, .put = nats_put, .take = nats_take, .parse = nats_parse};
const struct protocol protocol_nats_verbose = {
	.name = "nats-verbose", .is_push = true, .acks_puts = true, .greet = nats_verbose_greet, .put = nats_put, .take = nats_take, .parse = nats_parse,
};

/* -- Echo: Millrace's requests, merely sent back. The floor of what a broker can cost -- */

static size_t echo_parse(const char *bytes, size_t len, struct reply *reply)
{
	struct slice body;
	size_t used;
	if (frame_next((struct slice){bytes, len}, 1 << 24, &body, &used, NULL) != FRAME_WHOLE)
		return 0;
	const char *value = memmem(body.bytes, body.len, "\"value\":", 8);
	*reply = (struct reply){.kind = value ? REPLY_PUT : REPLY_TAKEN, .n = 1};
	return used;
}

const struct protocol protocol_echo = {
	.name = "echo", .acks_puts = true, .put = millrace_put, .take = millrace_take, .parse = echo_parse,
};
