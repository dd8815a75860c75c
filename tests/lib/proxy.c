/* One thread polls all sockets; commands are bytes in a pair of sockets, each answered by one. */
#define _GNU_SOURCE
#include "tests/lib/proxy.h"

#include <arpa/inet.h>
#include <check.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum { MAX_PAIRS = 16 };

struct proxy {
	int listener, command[2]; /* [0]: of the tests; [1]: of the thread */
	uint16_t daemon_port;
	char url[64];
	pthread_t thread;
	/* of the thread */
	int fds[MAX_PAIRS * 2]; /* a client's, then the daemon's; -1: none */
	bool is_swallowing;
	int short_pair;   /* the connection that ends early: its place in fds; -1: there is none */
	size_t budget[2]; /* of it, for each side: how many bytes it still carries */
	bool is_next_short, was_cut;
	size_t next_budget[2]; /* of the next: the tests', and the thread's while it obeys */
};

static struct sockaddr_in loopback(uint16_t port)
{
	return (struct sockaddr_in){
		.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

static void close_pair(struct proxy *proxy, int i)
{
	for (int side = i & ~1; side <= (i | 1); side++) {
		if (proxy->fds[side] >= 0)
			close(proxy->fds[side]);
		proxy->fds[side] = -1;
	}
}

static void accept_one(struct proxy *proxy)
{
	struct sockaddr_in address = loopback(proxy->daemon_port);
	int fd = accept4(proxy->listener, NULL, NULL, SOCK_CLOEXEC), i = 0;

	while (i < MAX_PAIRS * 2 && proxy->fds[i] >= 0)
		i += 2;
	if (fd < 0 || i == MAX_PAIRS * 2)
		abort();
	if (proxy->is_next_short)
		proxy->short_pair = i;
	proxy->is_next_short = false;
	proxy->fds[i] = fd;
	proxy->fds[i + 1] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (connect(proxy->fds[i + 1], (struct sockaddr *)&address, sizeof address) < 0)
		close_pair(proxy, i);
}

static void carry(struct proxy *proxy, int i)
{
	char bytes[65536];
	bool is_short = (i & ~1) == proxy->short_pair;
	size_t most = is_short && proxy->budget[i & 1] < sizeof bytes ? proxy->budget[i & 1] : sizeof bytes;
	ssize_t n = recv(proxy->fds[i], bytes, most, 0);

	if (n > 0 && is_short) {
		proxy->budget[i & 1] -= (size_t)n;
		if (proxy->budget[i & 1] == 0) { /* these are the last */
			(void)!send(proxy->fds[i ^ 1], bytes, (size_t)n, MSG_NOSIGNAL);
			n = 0;
			proxy->short_pair = -1;
			proxy->was_cut = true;
		}
	}
	if (n <= 0)
		close_pair(proxy, i);
	else if (!proxy->is_swallowing && send(proxy->fds[i ^ 1], bytes, (size_t)n, MSG_NOSIGNAL) != n)
		close_pair(proxy, i);
}

/* Returns whether to go on. */
static bool obey(struct proxy *proxy)
{
	char command;

	if (read(proxy->command[1], &command, 1) != 1)
		return false;
	if (command == 'b' || command == 'n') {
		proxy->is_next_short = command == 'b';
		if (command == 'b') {
			proxy->short_pair = -1; /* who was to end early has not */
			proxy->budget[0] = proxy->next_budget[0];
			proxy->budget[1] = proxy->next_budget[1];
		}
		proxy->was_cut = proxy->was_cut && command == 'n';
		return write(proxy->command[1], &command, 1) == 1;
	}
	proxy->is_swallowing = command == 's';
	for (int i = 0; i < MAX_PAIRS * 2 && command != 's'; i += 2)
		close_pair(proxy, i);
	if (write(proxy->command[1], &command, 1) != 1)
		return false;
	return command != 'q';
}

static void *run(void *argument)
{
	struct proxy *proxy = argument;
	struct pollfd ready[MAX_PAIRS * 2 + 2];

	for (;;) {
		for (int i = 0; i < MAX_PAIRS * 2; i++)
			ready[i] = (struct pollfd){.fd = proxy->fds[i], .events = POLLIN};
		ready[MAX_PAIRS * 2] = (struct pollfd){.fd = proxy->listener, .events = POLLIN};
		ready[MAX_PAIRS * 2 + 1] = (struct pollfd){.fd = proxy->command[1], .events = POLLIN};
		poll(ready, MAX_PAIRS * 2 + 2, -1);
		for (int i = 0; i < MAX_PAIRS * 2; i++)
			if (proxy->fds[i] >= 0 && proxy->fds[i] == ready[i].fd && ready[i].revents)
				carry(proxy, i);
		if (ready[MAX_PAIRS * 2].revents)
			accept_one(proxy);
		if (ready[MAX_PAIRS * 2 + 1].revents && !obey(proxy))
			return NULL;
	}
}

struct proxy *proxy_start(uint16_t daemon_port)
{
	struct proxy *proxy = calloc(1, sizeof(*proxy));
	struct sockaddr_in address = loopback(0);
	socklen_t len = sizeof address;

	proxy->daemon_port = daemon_port;
	proxy->short_pair = -1;
	for (int i = 0; i < MAX_PAIRS * 2; i++)
		proxy->fds[i] = -1;
	proxy->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	ck_assert_int_eq(bind(proxy->listener, (struct sockaddr *)&address, sizeof address), 0);
	ck_assert_int_eq(listen(proxy->listener, MAX_PAIRS), 0);
	ck_assert_int_eq(getsockname(proxy->listener, (struct sockaddr *)&address, &len), 0);
	snprintf(proxy->url, sizeof proxy->url, "tcp://127.0.0.1:%u", ntohs(address.sin_port));
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, proxy->command), 0);
	ck_assert_int_eq(pthread_create(&proxy->thread, NULL, run, proxy), 0);
	return proxy;
}

const char *proxy_url(const struct proxy *proxy)
{
	return proxy->url;
}

static void command(struct proxy *proxy, char what)
{
	ck_assert_int_eq(write(proxy->command[0], &what, 1), 1);
	ck_assert_int_eq(read(proxy->command[0], &what, 1), 1);
}

void proxy_cut(struct proxy *proxy)
{
	command(proxy, 'c');
}

void proxy_swallow(struct proxy *proxy)
{
	command(proxy, 's');
}

void proxy_cut_after(struct proxy *proxy, size_t from_client, size_t from_daemon)
{
	proxy->next_budget[0] = from_client;
	proxy->next_budget[1] = from_daemon;
	command(proxy, 'b');
}

bool proxy_was_cut(struct proxy *proxy)
{
	bool was_cut;

	command(proxy, 'n'); /* the thread is between two turns, and what it has written can be read */
	was_cut = proxy->was_cut;
	return was_cut;
}

void proxy_stop(struct proxy *proxy)
{
	command(proxy, 'q');
	pthread_join(proxy->thread, NULL);
	close(proxy->listener);
	close(proxy->command[0]);
	close(proxy->command[1]);
	free(proxy);
}
