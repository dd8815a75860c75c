/* What grows, and what must not: the memory of a connection, a parked take and a value, and the cost of a hand-off with
 * many channels and many waiters.
 *
 *   growth PORT PID [quick=1]
 *
 * PID is the daemon's, freshly started: its processor time and its anonymous memory (what it has allocated, not what
 * its program and the kernel's sockets take) are read from /proc. Prints one line of JSON. Nothing is released before
 * memory is measured, or what was freed would be counted as free of charge. */
#define _GNU_SOURCE /* memmem */
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "proto/frame.h"

enum {
	CHUNK = 250,       /* requests that are sent before their replies are read */
	TAKES_EACH = 1000, /* parked by one connection */
	VALUE_BYTES = 50,
};

struct peer {
	int fd;
	struct buffer in, out;
	uint64_t id;
	unsigned n_unread; /* requests whose replies were not read */
};

static unsigned port, pid;
static unsigned n_values = 200000, n_connections = 2000, n_waiters = 100000, n_channels = 100000, n_handoffs = 100000;

static _Noreturn void fail(const char *what)
{
	fprintf(stderr, "growth: %s\n", what);
	exit(1);
}

/* -- The daemon, seen from outside -- */

static double daemon_cpu_us(void)
{
	char path[64];
	unsigned long long ns;
	snprintf(path, sizeof(path), "/proc/%u/schedstat", pid);
	FILE *file = fopen(path, "r");
	if (!file || fscanf(file, "%llu", &ns) != 1)
		fail("the daemon has no schedstat");
	fclose(file);
	return (double)ns / 1000;
}

static double daemon_bytes(void)
{
	char path[64], line[256];
	unsigned long long kib = 0;
	snprintf(path, sizeof(path), "/proc/%u/smaps_rollup", pid);
	FILE *file = fopen(path, "r");
	while (file && fgets(line, sizeof(line), file))
		if (sscanf(line, "Anonymous: %llu kB", &kib) == 1)
			break;
	if (kib == 0)
		fail("the daemon's memory cannot be read");
	fclose(file);
	return (double)kib * 1024;
}

static double now_us(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1e3;
}

/* -- Peers -- */

static struct peer *peer_open(unsigned n)
{
	struct sockaddr_in address = {
		.sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	struct peer *peers = calloc(n, sizeof(*peers));
	int on = 1;
	for (unsigned i = 0; peers && i < n; i++) {
		peers[i].fd = socket(AF_INET, SOCK_STREAM, 0);
		if (peers[i].fd < 0 || connect(peers[i].fd, (struct sockaddr *)&address, sizeof(address)) < 0)
			fail("cannot connect");
		setsockopt(peers[i].fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	}
	return peers ? peers : (fail("no memory"), NULL);
}

static void peer_close(struct peer *peers, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		close(peers[i].fd);
		buffer_finish(&peers[i].in);
		buffer_finish(&peers[i].out);
	}
	free(peers);
}

static void flush(struct peer *peer)
{
	while (buffer_len(&peer->out)) {
		ssize_t n = send(peer->fd, peer->out.bytes + peer->out.start, buffer_len(&peer->out), MSG_NOSIGNAL);
		if (n <= 0)
			fail("the connection ended");
		buffer_consume(&peer->out, (size_t)n);
	}
}

/* Reads so many replies, which have to be ok. */
static void expect(struct peer *peer, unsigned n)
{
	struct slice body;
	size_t used;
	flush(peer);
	while (n > 0) {
		if (frame_next(buffer_slice(&peer->in), 1 << 24, &body, &used, NULL) == FRAME_WHOLE) {
			if (!memmem(body.bytes, body.len, "\"status\":\"ok\"", 13)) {
				fprintf(stderr, "%.*s\n", (int)body.len, body.bytes);
				fail("a request was refused");
			}
			buffer_consume(&peer->in, used);
			peer->n_unread--;
			n--;
			continue;
		}
		char *room = buffer_reserve(&peer->in, 65536);
		ssize_t got = room ? recv(peer->fd, room, 65536, 0) : -1;
		if (got <= 0)
			fail("the connection ended");
		buffer_commit(&peer->in, (size_t)got);
	}
}

/* Writes a request: its members behind the id. */
__attribute__((format(printf, 2, 3))) static void ask(struct peer *peer, const char *members, ...)
{
	char text[512];
	va_list args;
	va_start(args, members);
	vsnprintf(text, sizeof(text), members, args);
	va_end(args);
	size_t mark = frame_begin(&peer->out);
	buffer_append(&peer->out, "{\"id\":", 6);
	buffer_append_uint(&peer->out, ++peer->id);
	buffer_append(&peer->out, ",", 1);
	buffer_append(&peer->out, text, strlen(text));
	buffer_append(&peer->out, "}", 1);
	frame_end(&peer->out, mark);
	peer->n_unread++;
}

/* Asks for something that is answered at once, and reads replies now and then. */
#define ASK_SOON(peer, ...)                                                                                            \
	do {                                                                                                           \
		ask(peer, __VA_ARGS__);                                                                                \
		if ((peer)->n_unread >= CHUNK)                                                                         \
			expect(peer, (peer)->n_unread);                                                                \
	} while (0)

static void settle(struct peer *peer)
{
	expect(peer, peer->n_unread);
}

/* -- Memory -- */

static void measure_memory(struct peer *control)
{
	char value[VALUE_BYTES + 1];
	memset(value, 'x', VALUE_BYTES);
	value[0] = value[VALUE_BYTES - 1] = '"';
	value[VALUE_BYTES] = '\0';
	ASK_SOON(control, "\"op\":\"create\",\"channel\":\"values\",\"kind\":\"bounded\",\"capacity\":1000000");
	ASK_SOON(control, "\"op\":\"create\",\"channel\":\"memory\",\"kind\":\"unbuffered\"");
	settle(control);

	double before = daemon_bytes();
	for (unsigned i = 0; i < n_values; i++)
		ASK_SOON(control, "\"op\":\"put\",\"channel\":\"values\",\"value\":%s", value);
	settle(control);
	printf("\"value_bytes\":%.0f,", (daemon_bytes() - before) / n_values);

	before = daemon_bytes();
	struct peer *peers = peer_open(n_connections);
	for (unsigned i = 0; i < n_connections; i++) {
		ask(&peers[i], "\"op\":\"ping\"");
		settle(&peers[i]);
	}
	printf("\"connection_bytes\":%.0f,", (daemon_bytes() - before) / n_connections);

	before = daemon_bytes();
	unsigned n = n_waiters < n_connections * TAKES_EACH ? n_waiters : n_connections * TAKES_EACH;
	for (unsigned i = 0; i < n / TAKES_EACH; i++) {
		for (unsigned j = 0; j < TAKES_EACH; j++)
			ask(&peers[i], "\"op\":\"take\",\"channel\":\"memory\"");
		flush(&peers[i]);
	}
	for (unsigned i = 0; i < n / TAKES_EACH; i++) { /* the ping's reply says that all before it have parked */
		ask(&peers[i], "\"op\":\"ping\"");
		expect(&peers[i], 1);
	}
	printf("\"parked_take_bytes\":%.0f,", (daemon_bytes() - before) / n);
	peer_close(peers, n_connections);
	ASK_SOON(control, "\"op\":\"delete\",\"channel\":\"values\",\"force\":true");
	settle(control);
}

/* -- Time -- */

struct cost {
	double cpu_us, us; /* of one hand-off: the daemon's processor, and the clock */
};

static struct cost cost_since(double cpu_us, double us, unsigned n)
{
	return (struct cost){(daemon_cpu_us() - cpu_us) / n, (now_us() - us) / n};
}

static void print_cost(const char *name, struct cost cost, char end)
{
	printf("\"%s\":{\"cpu_us\":%.3f,\"rate\":%.0f}%c", name, cost.cpu_us, 1e6 / cost.us, end);
}

/* Parks `n` takes, on one channel or on as many. */
static struct peer *park(unsigned n, bool is_one_channel)
{
	unsigned n_peers = (n + TAKES_EACH - 1) / TAKES_EACH;
	struct peer *peers = peer_open(n_peers);
	for (unsigned i = 0; i < n; i++) {
		struct peer *peer = &peers[i / TAKES_EACH];
		if (is_one_channel)
			ask(peer, "\"op\":\"take\",\"channel\":\"memory\"");
		else
			ask(peer, "\"op\":\"take\",\"channel\":\"g-%u\"", i);
	}
	for (unsigned i = 0; i < n_peers; i++)
		flush(&peers[i]);
	for (unsigned i = 0; i < n_peers; i++) {
		ask(&peers[i], "\"op\":\"ping\"");
		expect(&peers[i], 1);
	}
	return peers;
}

/* What a put costs that finds so many takes parked before it. */
static struct cost put_to_waiters(struct peer *control, unsigned n)
{
	enum { PUTS = TAKES_EACH };
	struct peer *peers = park(n, true);
	double cpu_us = daemon_cpu_us(), us = now_us();
	for (unsigned i = 0; i < PUTS; i++)
		ASK_SOON(control, "\"op\":\"put\",\"channel\":\"memory\",\"value\":1");
	settle(control);
	struct cost cost = cost_since(cpu_us, us, PUTS);
	peer_close(peers, (n + TAKES_EACH - 1) / TAKES_EACH);
	return cost;
}

/* A put and a take, on channels far apart. */
static struct cost spread(struct peer *control, unsigned n)
{
	double cpu_us = daemon_cpu_us(), us = now_us();
	for (unsigned i = 0, at = 0; i < n_handoffs; i++, at = (at + 7919) % n) {
		ASK_SOON(control, "\"op\":\"put\",\"channel\":\"g-%u\",\"value\":1", at);
		ASK_SOON(control, "\"op\":\"take\",\"channel\":\"g-%u\"", at);
	}
	settle(control);
	return cost_since(cpu_us, us, n_handoffs);
}

/* What the daemon's own code takes, in microseconds: the system measures it by ticks, so it needs some time. */
static double daemon_user_us(void)
{
	char path[64];
	unsigned long ticks;
	snprintf(path, sizeof(path), "/proc/%u/stat", pid);
	FILE *file = fopen(path, "r");
	if (!file || fscanf(file, "%*d (%*[^)]) %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu", &ticks) != 1)
		fail("the daemon has no stat");
	fclose(file);
	return (double)ticks * 1e6 / (double)sysconf(_SC_CLK_TCK);
}

/* The user's part of a hand-off whose take finds the value there, or comes first and waits for it. */
static double hand_off_user_us(struct peer *control, bool is_parked)
{
	enum { ROUNDS = 8 };
	unsigned n = ROUNDS * n_handoffs;
	double user_us = daemon_user_us();
	for (unsigned i = 0; i < n; i++) {
		for (unsigned step = 0; step < 2; step++)
			if ((step == 0) == is_parked)
				ASK_SOON(control, "\"op\":\"take\",\"channel\":\"g-%u\"", i % 10);
			else
				ASK_SOON(control, "\"op\":\"put\",\"channel\":\"g-%u\",\"value\":1", i % 10);
	}
	settle(control);
	return (daemon_user_us() - user_us) / n;
}

/* The cheaper of two: what it costs when nothing disturbs. */
static struct cost better(struct cost a, struct cost b)
{
	return a.cpu_us < b.cpu_us ? a : b;
}

static void measure_time(struct peer *control)
{
	for (unsigned i = 0; i < n_channels; i++)
		ASK_SOON(control, "\"op\":\"create\",\"channel\":\"g-%u\",\"kind\":\"bounded\",\"capacity\":4", i);
	settle(control);
	struct cost few = spread(control, 10), many = spread(control, n_channels);
	for (int i = 0; i < 2; i++) {
		few = better(few, spread(control, 10));
		many = better(many, spread(control, n_channels));
	}
	print_cost("channels_10", few, ',');
	print_cost("channels_many", many, ',');

	double buffered_us = hand_off_user_us(control, false), parked_us = hand_off_user_us(control, true);
	printf("\"unparked_user_us\":%.3f,\"parked_user_us\":%.3f,", buffered_us, parked_us);

	few = put_to_waiters(control, TAKES_EACH);
	many = put_to_waiters(control, n_waiters);
	for (int i = 0; i < 2; i++) {
		few = better(few, put_to_waiters(control, TAKES_EACH));
		many = better(many, put_to_waiters(control, n_waiters));
	}
	print_cost("waiters_1000", few, ',');
	print_cost("waiters_many", many, ',');

	struct peer *peers = park(n_channels, false);
	double cpu_us = daemon_cpu_us(), us = now_us();
	for (unsigned i = 0; i < n_channels; i++)
		ASK_SOON(control, "\"op\":\"put\",\"channel\":\"g-%u\",\"value\":1", i);
	settle(control);
	print_cost("parked_on_distinct", cost_since(cpu_us, us, n_channels), '}');
	peer_close(peers, (n_channels + TAKES_EACH - 1) / TAKES_EACH);
}

int main(int argc, char **argv)
{
	if (argc < 3)
		fail("usage: growth PORT PID [quick=1]");
	struct rlimit limit;
	if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
		limit.rlim_cur = limit.rlim_max;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
	port = (unsigned)strtoul(argv[1], NULL, 10);
	pid = (unsigned)strtoul(argv[2], NULL, 10);
	if (argc > 3) /* quick */
		n_handoffs /= 4;
	struct peer *control = peer_open(1);
	printf("{\"channels\":%u,\"waiters\":%u,", n_channels, n_waiters);
	measure_memory(control);
	measure_time(control);
	putchar('\n');
	peer_close(control, 1);
	return 0;
}
