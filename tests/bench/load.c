#define _GNU_SOURCE
#include "tests/bench/load.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>

#include "tests/bench/secure.h"

enum { READ_BYTES = 256 * 1024, MAX_EVENTS = 1024, PATIENCE_MS = 2000, MAX_LATENCIES = 1 << 20 };

static struct workload work;
static struct connection *connections;
static unsigned n_connections, n_ready;
static struct connection **dirty; /* connections with something to send */
static unsigned n_dirty;
static int epoll_fd;
static char *value;
static char scratch[READ_BYTES];
static uint64_t handoffs;
static uint64_t on_their_way; /* push: values that were put and have not come */
static unsigned next_putter;

static uint64_t put_at_ns; /* ping-pong */
static uint32_t latencies_ns[MAX_LATENCIES];
static unsigned n_latencies;

uint64_t load_now_ns(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

uint64_t load_handoffs(void)
{
	return handoffs;
}

void load_forget(void)
{
	handoffs = n_latencies = 0;
}

const uint32_t *load_latencies_ns(unsigned *n)
{
	*n = n_latencies;
	return latencies_ns;
}

/* -- Sending -- */

static void touch(struct connection *connection)
{
	if (!connection->is_dirty)
		dirty[n_dirty++] = connection;
	connection->is_dirty = true;
}

static void wait_to_write(struct connection *connection, bool waits)
{
	struct epoll_event event = {.events = EPOLLIN | (waits ? (uint32_t)EPOLLOUT : 0), .data.ptr = connection};
	if (connection->is_waiting_to_write == waits)
		return;
	if (epoll_ctl(epoll_fd, EPOLL_CTL_MOD, connection->fd, &event) < 0)
		fail("epoll_ctl: %s", strerror(errno));
	connection->is_waiting_to_write = waits;
}

static void send_out(struct connection *connection)
{
	struct buffer *out = &connection->out;
	if (out->failed)
		fail("no memory");
	while (buffer_len(out)) {
		const char *bytes = out->bytes + out->start;
		ssize_t n = work.tls ? secure_send(connection, bytes, buffer_len(out))
				     : send(connection->fd, bytes, buffer_len(out), MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n > 0)
			buffer_consume(out, (size_t)n);
		else if (n < 0 && errno == EAGAIN)
			break;
		else
			fail("%s: send: %s", work.protocol->name, strerror(errno));
	}
	wait_to_write(connection, buffer_len(out) > 0);
}

/* One send for each connection, at the end of a turn. */
static void flush(void)
{
	for (unsigned i = 0; i < n_dirty; i++) {
		dirty[i]->is_dirty = false;
		send_out(dirty[i]);
	}
	n_dirty = 0;
}

/* -- Requests -- */

/* The number in fixed digits, one more; from all nines to the first again. */
static void count_up(char *digits)
{
	for (int i = ID_DIGITS - 1; i > 0; i--) {
		if (digits[i]++ < '9')
			return;
		digits[i] = '0';
	}
	if (digits[0]++ == '9')
		digits[0] = '1';
}

/* Sends a connection's put or take, with the next id: both have the same row of ids, or they would meet. */
static void ask(struct connection *connection, struct request *request)
{
	const struct buffer *bytes = &request->bytes;
	if (request->id_at) {
		count_up(connection->id);
		memcpy(bytes->bytes + request->id_at, connection->id, ID_DIGITS);
	}
	buffer_append(&connection->out, bytes->bytes, buffer_len(bytes));
	touch(connection);
}

static void put(struct connection *connection)
{
	ask(connection, &connection->put);
	if (work.protocol->is_push)
		on_their_way++;
	if (work.protocol->acks_puts)
		connection->in_flight++;
}

static void take(struct connection *connection)
{
	ask(connection, &connection->take);
	connection->in_flight++;
}

/* Fills a connection's window. */
static void refill(struct connection *connection)
{
	while (connection->in_flight < connection->window) {
		bool takes = connection->role == ROLE_CONSUMER ||
			     (connection->role == ROLE_PAIR && connection->next_is_take);
		connection->next_is_take = !connection->next_is_take;
		if (takes)
			take(connection);
		else
			put(connection);
	}
}

/* Where takes are not asked for: as many values under way, over all connections, as those that ask have requests in
 * flight; or half as many, since a value is two requests of theirs. They are put by all in turn. */
static void refill_push(void)
{
	uint64_t window = work.half ? (work.window + 1) / 2 : work.window,
		 most = (uint64_t)(work.pairs + work.producers) * window;
	for (unsigned idle = 0; on_their_way < most && idle < n_connections;
	     next_putter = (next_putter + 1) % n_connections) {
		struct connection *connection = &connections[next_putter];
		if (connection->role == ROLE_CONSUMER || connection->in_flight >= connection->window) {
			idle++;
			continue;
		}
		idle = 0;
		put(connection);
	}
}

/* -- Replies -- */

static void on_taken(struct connection *connection, const struct reply *reply)
{
	if (reply->value && (reply->value_len != work.size || memcmp(reply->value, value, 16) != 0))
		fail("%s: a value came that was not put: %.*s", work.protocol->name, (int)reply->value_len,
		     reply->value);
	handoffs += reply->n;
	if (work.protocol->is_push)
		on_their_way--;
	else
		connection->in_flight--;
	if (work.protocol->done) {
		connection->in_flight += work.protocol->done(connection, reply);
		touch(connection);
	}
	if (work.pingpong && n_latencies < MAX_LATENCIES)
		latencies_ns[n_latencies++] = (uint32_t)(load_now_ns() - put_at_ns);
}

static void on_reply(struct connection *connection, const struct reply *reply)
{
	switch (reply->kind) {
	case REPLY_OTHER:
		break;
	case REPLY_READY:
		n_ready++;
		break;
	case REPLY_PUT:
		if (work.protocol->confirmed)
			connection->in_flight -= work.protocol->confirmed(connection, reply);
		else if (connection->in_flight) /* NATS says +OK to its greeting too */
			connection->in_flight--;
		break;
	case REPLY_DELETED:
		connection->in_flight--;
		break;
	case REPLY_TAKEN:
		on_taken(connection, reply);
		break;
	}
}

/* All connections are read into one buffer; what is not whole at its end is kept. */
static void on_readable(struct connection *connection)
{
	size_t len = buffer_len(&connection->in), at = 0, used;
	if (len > READ_BYTES / 2)
		fail("%s: a reply of more than %zu bytes", work.protocol->name, len);
	if (len)
		memcpy(scratch, connection->in.bytes + connection->in.start, len);
	ssize_t n = work.tls ? secure_receive(connection, scratch + len, READ_BYTES - len)
			     : recv(connection->fd, scratch + len, READ_BYTES - len, MSG_DONTWAIT);
	if (n < 0 && errno == EAGAIN)
		return;
	if (n <= 0)
		fail("%s: the connection ended", work.protocol->name);
	len += (size_t)n;
	struct reply reply;
	while (at < len && (used = work.protocol->parse(scratch + at, len - at, &reply))) {
		at += used;
		on_reply(connection, &reply);
	}
	buffer_clear(&connection->in);
	buffer_append(&connection->in, scratch + at, len - at);
}

/* In a ping-pong the driver polls, whoever the broker is: it is the broker's way of waiting that is looked at, and not
 * how long the driver takes to wake up. */
static int wait_for_events(struct epoll_event *events)
{
	if (!work.pingpong)
		return epoll_wait(epoll_fd, events, MAX_EVENTS, PATIENCE_MS);
	uint64_t end_ns = load_now_ns() + (uint64_t)PATIENCE_MS * 1000000;
	int n;
	do
		n = epoll_wait(epoll_fd, events, MAX_EVENTS, 0);
	while (n == 0 && load_now_ns() < end_ns);
	return n;
}

static void turn(bool refills)
{
	struct epoll_event events[MAX_EVENTS];
	flush();
	int n = wait_for_events(events);
	if (n == 0)
		fail("%s: nothing has come for %d ms, %llu hand-offs done", work.protocol->name, PATIENCE_MS,
		     (unsigned long long)handoffs);
	for (int i = 0; i < n; i++) {
		struct connection *connection = events[i].data.ptr;
		if (events[i].events & EPOLLOUT)
			touch(connection);
		if (events[i].events & EPOLLIN)
			on_readable(connection);
		if (refills && !work.protocol->is_push)
			refill(connection);
	}
	if (refills && work.protocol->is_push)
		refill_push();
}

/* The consumer waits, then the producer puts, then both have their replies. */
static void pingpong_once(void)
{
	struct connection *consumer = &connections[0], *producer = &connections[1];
	uint64_t before = handoffs;
	if (!work.protocol->is_push)
		take(consumer);
	flush();
	put(producer);
	put_at_ns = load_now_ns();
	while (handoffs == before || producer->in_flight || consumer->in_flight)
		turn(false);
}

void load_run(unsigned ms)
{
	uint64_t end_ns = load_now_ns() + (uint64_t)ms * 1000000;
	if (!work.pingpong && work.protocol->is_push)
		refill_push();
	for (unsigned i = 0; i < n_connections && !work.pingpong && !work.protocol->is_push; i++)
		refill(&connections[i]);
	while (load_now_ns() < end_ns) {
		if (work.pingpong)
			pingpong_once();
		else
			turn(true);
	}
}

/* -- Beginning -- */

static void connect_one(struct connection *connection, const struct shape *shape)
{
	struct sockaddr_in address = {.sin_family = AF_INET,
				      .sin_port = htons((uint16_t)work.port),
				      .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	struct epoll_event event = {.events = EPOLLIN, .data.ptr = connection};
	int on = 1;
	memcpy(connection->id, ID_ZERO, ID_DIGITS);
	connection->window =
		connection->role == ROLE_CONSUMER && work.consumer_window ? work.consumer_window : work.window;
	connection->fd = socket(AF_INET, SOCK_STREAM, 0);
	if (connection->fd < 0 || connect(connection->fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		fail("%s: connect: %s", work.protocol->name, strerror(errno));
	setsockopt(connection->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	if (work.tls)
		secure_begin(connection);
	if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, connection->fd, &event) < 0)
		fail("epoll_ctl: %s", strerror(errno));
	work.protocol->write_put(&connection->put, shape);
	if (work.protocol->write_take)
		work.protocol->write_take(&connection->take, shape, connection->role);
	if (work.protocol->greet)
		work.protocol->greet(connection);
	else
		n_ready++;
	touch(connection);
}

/* A JSON string of `size` bytes, or an object with one, which tells itself from what others may have left there. */
static char *make_value(unsigned size, bool is_object)
{
	const char *opening = is_object ? "{\"n\": 17, \"text\": \"millrace-" : "\"millrace-bench-",
		   *closing = is_object ? "\"}" : "\"";
	char *made = malloc(size + 1);
	if (!made || size < strlen(opening) + strlen(closing) + 1)
		fail("a value has at least %zu bytes", strlen(opening) + strlen(closing) + 1);
	memset(made, 'x', size);
	memcpy(made, opening, strlen(opening));
	strcpy(made + size - strlen(closing), closing);
	return made;
}

void load_begin(const struct workload *workload)
{
	work = *workload;
	value = make_value(work.size, work.style == STYLE_BLANKS);
	struct shape shape = {.style = (enum style)work.style,
			      .value = value,
			      .len = work.size,
			      .batch = work.batch,
			      .arms = work.arms};
	n_connections = work.pairs + work.producers + work.consumers;
	connections = calloc(n_connections, sizeof(*connections));
	dirty = calloc(n_connections, sizeof(struct connection *));
	epoll_fd = epoll_create1(0);
	if (!connections || !dirty || epoll_fd < 0)
		fail("no memory");
	for (unsigned i = 0; i < n_connections; i++) {
		connections[i].role = i < work.consumers                    ? ROLE_CONSUMER
				      : i < work.consumers + work.producers ? ROLE_PRODUCER
									    : ROLE_PAIR;
		connect_one(&connections[i], &shape);
	}
	while (n_ready < n_connections) /* a value put before the takers are known would be lost to some */
		turn(false);
}
