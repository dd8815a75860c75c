/* The load driver: one thread, epoll, any of the brokers, one workload a run. Prints one line of JSON.
 *
 *   driver PROTOCOL PORT [pairs=N] [producers=N] [consumers=N] [window=N] [batch=N] [size=BYTES] [arms=N] [ms=N] [pingpong=1]
 *
 * A hand-off is a value that was put and has been taken. Every connection keeps `window` requests in flight; pairs put and take in turn. In a ping-pong a take
 * waits before each put, and the time is from the put to the value's arrival. What is taken is compared with what was put. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "tests/bench/protocols.h"

enum { WARM_UP_MS = 200, READ_BYTES = 256 * 1024, MAX_LATENCIES = 1 << 20 };

static const struct protocol *const protocols[] = {
	&protocol_millrace, &protocol_redis, &protocol_beanstalkd, &protocol_nats, &protocol_nats_verbose, &protocol_echo,
};

static struct workload {
	const struct protocol *protocol;
	unsigned port, pairs, producers, consumers, window, batch, size, arms, ms, pingpong;
} work = {.window = 1, .batch = 1, .size = 50, .ms = 1000};

static struct connection *connections;
static unsigned n_connections;
static int epoll_fd;
static char *value;
static uint64_t handoffs;
static unsigned n_ready;
static uint64_t on_their_way; /* values that were pushed out, of all connections */

static uint64_t put_at_ns; /* ping-pong */
static uint32_t latencies_ns[MAX_LATENCIES];
static unsigned n_latencies;

static uint64_t now_ns(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

/* -- Connections -- */

static void wait_for(struct connection *connection, bool writing)
{
	struct epoll_event event = {.events = EPOLLIN | (writing ? (uint32_t)EPOLLOUT : 0), .data.ptr = connection};
	if (epoll_ctl(epoll_fd, connection->is_writing || connection->last_id ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, connection->fd, &event) < 0)
		fail("epoll_ctl: %s", strerror(errno));
	connection->is_writing = writing;
}

static void flush(struct connection *connection)
{
	struct buffer *out = &connection->out;
	if (out->failed)
		fail("no memory");
	while (buffer_len(out)) {
		ssize_t n = send(connection->fd, out->bytes + out->start, buffer_len(out), MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n > 0)
			buffer_consume(out, (size_t)n);
		else if (n < 0 && errno == EAGAIN)
			break;
		else
			fail("%s: send: %s", work.protocol->name, strerror(errno));
	}
	bool writing = buffer_len(out) > 0;
	if (writing != connection->is_writing)
		wait_for(connection, writing);
}

static void connect_all(void)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)work.port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int on = 1;
	n_connections = work.pairs + work.producers + work.consumers;
	connections = calloc(n_connections, sizeof(*connections));
	for (unsigned i = 0; i < n_connections; i++) {
		struct connection *connection = &connections[i];
		connection->role = i < work.consumers ? ROLE_CONSUMER : i < work.consumers + work.producers ? ROLE_PRODUCER : ROLE_PAIR;
		connection->arms = work.arms;
		connection->fd = socket(AF_INET, SOCK_STREAM, 0);
		if (connect(connection->fd, (struct sockaddr *)&address, sizeof(address)) < 0)
			fail("%s: connect: %s", work.protocol->name, strerror(errno));
		setsockopt(connection->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
		wait_for(connection, false);
		connection->last_id = 1;
		if (work.protocol->greet)
			work.protocol->greet(connection);
		else
			n_ready++;
		flush(connection);
	}
}

/* -- Load -- */

static void put(struct connection *connection)
{
	work.protocol->put(connection, value, work.size, work.batch);
	if (work.protocol->is_push)
		on_their_way++;
	if (work.protocol->acks_puts)
		connection->in_flight++;
}

static void take(struct connection *connection)
{
	work.protocol->take(connection, work.batch, connection->role == ROLE_CONSUMER);
	connection->in_flight++;
}

/* Brokers that push: as many values under way, over all connections, as the others have: for them each is two requests. */
static void refill_push(struct connection *connection)
{
	uint64_t most = (uint64_t)work.pairs * ((work.window + 1) / 2) + (uint64_t)work.producers * work.window;
	if (connection->role == ROLE_CONSUMER)
		return;
	while (on_their_way < most && connection->in_flight < work.window)
		put(connection);
}

static void refill(struct connection *connection)
{
	if (work.protocol->is_push) {
		refill_push(connection);
		return;
	}
	while (connection->in_flight < work.window) {
		bool takes = connection->role == ROLE_CONSUMER || (connection->role == ROLE_PAIR && connection->next_is_take);
		connection->next_is_take = !connection->next_is_take;
		if (takes)
			take(connection);
		else
			put(connection);
	}
}

static void on_taken(struct connection *connection, const struct reply *reply)
{
	if (reply->value && (reply->value_len != work.size || memcmp(reply->value, value, 16) != 0))
		fail("%s: a value came that was not put: %.*s", work.protocol->name, (int)reply->value_len, reply->value);
	handoffs += reply->n;
	if (work.protocol->is_push)
		on_their_way--;
	else
		connection->in_flight--;
	if (work.protocol->done) {
		work.protocol->done(connection, reply->job);
		connection->in_flight++;
	}
	if (work.pingpong && n_latencies < MAX_LATENCIES)
		latencies_ns[n_latencies++] = (uint32_t)(now_ns() - put_at_ns);
}

static void on_replies(struct connection *connection)
{
	struct buffer *in = &connection->in;
	struct reply reply;
	size_t used;
	while ((used = work.protocol->parse(in->bytes + in->start, buffer_len(in), &reply))) {
		switch (reply.kind) {
		case REPLY_OTHER:
			break;
		case REPLY_READY:
			n_ready++;
			break;
		case REPLY_PUT:
			if (connection->in_flight) /* NATS says +OK to its greeting too */
				connection->in_flight--;
			break;
		case REPLY_DELETED:
			connection->in_flight--;
			break;
		case REPLY_TAKEN:
			on_taken(connection, &reply);
			break;
		}
		buffer_consume(in, used);
	}
}

static void on_readable(struct connection *connection)
{
	char *room = buffer_reserve(&connection->in, READ_BYTES);
	if (!room)
		fail("no memory");
	ssize_t n = recv(connection->fd, room, READ_BYTES, MSG_DONTWAIT);
	if (n < 0 && errno == EAGAIN)
		return;
	if (n <= 0)
		fail("%s: the connection ended", work.protocol->name);
	buffer_commit(&connection->in, (size_t)n);
	on_replies(connection);
}

static void turn(bool refills)
{
	struct epoll_event events[256];
	int n = epoll_wait(epoll_fd, events, 256, 1000);
	if (n == 0)
		fail("%s: nothing has come for a second, %llu hand-offs done", work.protocol->name, (unsigned long long)handoffs);
	for (int i = 0; i < n; i++) {
		struct connection *connection = events[i].data.ptr;
		if (events[i].events & EPOLLIN)
			on_readable(connection);
		if (refills)
			refill(connection);
		flush(connection);
	}
}

/* The consumer waits, then the producer puts, then both have their replies. */
static void pingpong_once(void)
{
	struct connection *consumer = &connections[0], *producer = &connections[1];
	uint64_t before = handoffs;
	if (!work.protocol->is_push)
		take(consumer);
	flush(consumer);
	put(producer);
	put_at_ns = now_ns();
	flush(producer);
	while (handoffs == before || producer->in_flight || consumer->in_flight)
		turn(false);
}

static void run_for(unsigned ms)
{
	uint64_t end_ns = now_ns() + (uint64_t)ms * 1000000;
	while (now_ns() < end_ns) {
		if (work.pingpong)
			pingpong_once();
		else
			turn(true);
	}
}

/* -- Results -- */

static int compare(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
	return x < y ? -1 : x > y;
}

static double quantile_us(double q)
{
	return n_latencies ? latencies_ns[(unsigned)((n_latencies - 1) * q)] / 1000.0 : 0;
}

static uint64_t cpu_us(void)
{
	struct rusage usage;
	getrusage(RUSAGE_SELF, &usage);
	return (uint64_t)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000000 + (uint64_t)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
}

static void set(const char *assignment)
{
	static const struct {
		const char *name;
		unsigned *number;
	} settings[] = {
		{"pairs=", &work.pairs}, {"producers=", &work.producers}, {"consumers=", &work.consumers}, {"window=", &work.window}, {"batch=", &work.batch},
		{"size=", &work.size},   {"arms=", &work.arms},		  {"ms=", &work.ms},		   {"pingpong=", &work.pingpong},
	};
	for (size_t i = 0; i < sizeof(settings) / sizeof(settings[0]); i++) {
		size_t len = strlen(settings[i].name);
		if (strncmp(assignment, settings[i].name, len) == 0) {
			*settings[i].number = (unsigned)strtoul(assignment + len, NULL, 10);
			return;
		}
	}
	fail("unknown setting %s", assignment);
}

int main(int argc, char **argv)
{
	if (argc < 3)
		fail("usage: driver PROTOCOL PORT [setting=number ...]");
	for (size_t i = 0; i < sizeof(protocols) / sizeof(protocols[0]); i++)
		if (strcmp(argv[1], protocols[i]->name) == 0)
			work.protocol = protocols[i];
	if (!work.protocol)
		fail("unknown protocol %s", argv[1]);
	work.port = (unsigned)strtoul(argv[2], NULL, 10);
	for (int i = 3; i < argc; i++)
		set(argv[i]);
	snprintf(queue, sizeof(queue), "bench-%u", work.size);
	value = malloc(work.size);
	memset(value, 'x', work.size);
	memcpy(value, "\"millrace-bench-", 16);
	value[work.size - 1] = '"';

	epoll_fd = epoll_create1(0);
	connect_all();
	while (n_ready < n_connections) /* a value put before the takers are known would be lost to some */
		turn(false);
	if (!work.pingpong) {
		for (unsigned i = 0; i < n_connections; i++) {
			refill(&connections[i]);
			flush(&connections[i]);
		}
	}
	run_for(WARM_UP_MS);
	handoffs = n_latencies = 0;
	uint64_t start_ns = now_ns(), start_cpu_us = cpu_us();
	printf("started\n"); /* the runner looks at the broker's processor time */
	fflush(stdout);
	run_for(work.ms);
	double seconds = (double)(now_ns() - start_ns) / 1e9;
	qsort(latencies_ns, n_latencies, sizeof(latencies_ns[0]), compare);
	printf("{\"rate\":%.0f,\"p50_us\":%.1f,\"p99_us\":%.1f,\"p999_us\":%.1f,\"driver_cpu\":%.2f,\"handoffs\":%llu}\n", (double)handoffs / seconds,
	       quantile_us(0.5), quantile_us(0.99), quantile_us(0.999), (double)(cpu_us() - start_cpu_us) / 1e6 / seconds, (unsigned long long)handoffs);
	return 0;
}
