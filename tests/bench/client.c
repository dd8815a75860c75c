/* What the client library costs: the same work by it and by hand.
 *
 *   client PORT blocking MS    puts and takes one value after the other by mr_put_raw() and mr_take_raw()
 *   client PORT raw MS         the same with prepared frames on a socket
 *   client PORT parking MS     4 connections with 64 requests in flight, half puts and half takes, by the parking
 * client on one loop
 *
 * Prints hand-offs a second. The channel is bench-50; values have 50 bytes. */
#define _GNU_SOURCE /* memmem() */
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <event2/event.h>

#include "client/net/clock.h"
#include "client/millrace_parking.h"

enum { VALUE_BYTES = 50, CONNECTIONS = 4, WINDOW = 64 };

static const char channel[] = "bench-50";
static const char value[] = "\"012345678901234567890123456789012345678901234567\"";
static char url[64];
static unsigned long n_taken;

static void fail(const char *what)
{
	fprintf(stderr, "client: %s: %s\n", what, mr_message());
	exit(1);
}

/* -- one after the other -- */

static void run_blocking(int64_t until_ms)
{
	mr *m;

	if (mr_connect(&m, url, NULL) != MR_OK)
		fail("connect");
	while (clock_now_ms() < until_ms) {
		for (int i = 0; i < 100; i++, n_taken++) {
			char *json;

			if (mr_put_raw(m, channel, value, VALUE_BYTES, MR_FOREVER) != MR_OK ||
			    mr_take_raw(m, channel, &json, NULL, MR_FOREVER) != MR_OK)
				fail("put and take");
			mr_free(json);
		}
	}
	mr_destroy(m);
}

static void ask(int fd, const char *frame, size_t len)
{
	unsigned char reply[4096];
	size_t have = 0, whole = 4;

	if (send(fd, frame, len, MSG_NOSIGNAL) != (ssize_t)len)
		fail("send");
	while (have < whole) {
		ssize_t n = recv(fd, reply + have, sizeof reply - have, 0);

		if (n <= 0)
			fail("recv");
		have += (size_t)n;
		if (have >= 4)
			whole = 4 + ((size_t)reply[2] << 8 | reply[3]);
	}
	if (!memmem(reply, have, "\"ok\"", 4))
		fail("a reply is not ok");
}

static size_t prepare(char *to, const char *op, const char *more)
{
	int len = sprintf(to + 4, "{\"id\":1,\"op\":\"%s\",\"channel\":\"%s\"%s}", op, channel, more);

	to[0] = to[1] = 0;
	to[2] = (char)(len >> 8);
	to[3] = (char)len;
	return (size_t)len + 4;
}

static void run_raw(int64_t until_ms, uint16_t port)
{
	struct sockaddr_in address = {
		.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, SOCK_STREAM, 0), on = 1;
	char put[256], take[256], more[128];
	size_t put_len, take_len;

	snprintf(more, sizeof more, ",\"value\":%s", value);
	put_len = prepare(put, "put", more);
	take_len = prepare(take, "take", "");
	if (connect(fd, (struct sockaddr *)&address, sizeof address) < 0)
		fail("connect");
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	while (clock_now_ms() < until_ms) {
		for (int i = 0; i < 100; i++, n_taken++) {
			ask(fd, put, put_len);
			ask(fd, take, take_len);
		}
	}
	close(fd);
}

/* -- many in flight -- */

static void on_put(mr_parking *p, const struct mr_outcome *outcome, void *argument)
{
	if (outcome->status != MR_OK)
		fail("put");
	mr_park_put(p, channel, value, VALUE_BYTES, MR_FOREVER, on_put, argument, NULL);
}

static void on_take(mr_parking *p, const struct mr_outcome *outcome, void *argument)
{
	if (outcome->status != MR_OK || outcome->raw_len != VALUE_BYTES)
		fail("take");
	n_taken++;
	mr_park_take(p, channel, NULL, MR_FOREVER, on_take, argument, NULL);
}

static void run_parking(int64_t ms)
{
	struct event_base *base = event_base_new();
	mr_parking *clients[CONNECTIONS];

	for (int i = 0; i < CONNECTIONS; i++) {
		if (mr_parking_create(&clients[i], base, url, NULL) != MR_OK)
			fail("create");
		for (int j = 0; j < WINDOW / 2; j++) {
			mr_park_put(clients[i], channel, value, VALUE_BYTES, MR_FOREVER, on_put, NULL, NULL);
			mr_park_take(clients[i], channel, NULL, MR_FOREVER, on_take, NULL, NULL);
		}
	}
	event_base_loopexit(base, &(struct timeval){.tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000});
	event_base_dispatch(base);
	for (int i = 0; i < CONNECTIONS; i++)
		mr_parking_destroy(clients[i]);
	event_base_free(base);
}

int main(int argc, char **argv)
{
	int64_t ms = argc == 4 ? atoi(argv[3]) : 0, begun_ms = clock_now_ms();

	if (ms < 1) {
		fprintf(stderr, "usage: client PORT blocking|raw|parking MS\n");
		return 2;
	}
	snprintf(url, sizeof url, "tcp://127.0.0.1:%s", argv[1]);
	if (strcmp(argv[2], "blocking") == 0)
		run_blocking(begun_ms + ms);
	else if (strcmp(argv[2], "raw") == 0)
		run_raw(begun_ms + ms, (uint16_t)atoi(argv[1]));
	else
		run_parking(ms);
	printf("%.0f\n", (double)n_taken * 1000.0 / (double)(clock_now_ms() - begun_ms));
	return 0;
}
