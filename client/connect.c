/* The connection: found by its URL, made in time, greeted by hello. */
#include <assert.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "client/call.h"
#include "client/url.h"
#include "client/words.h"

enum {
	CONNECT_TIMEOUT_MS = 5000,
	DEAD_PEER_MS = 60 * 1000, /* a network that takes nothing for so long is dead */
	KEEPALIVE_IDLE_S = 60,
	KEEPALIVE_INTERVAL_S = 15,
	KEEPALIVE_PROBES = 4,
};

/* Waits for a connect() in progress. 0, or the error's number. */
static int finish_connect(int fd, int64_t deadline_ms)
{
	struct pollfd ready = {.fd = fd, .events = POLLOUT};
	int error = 0, n;
	socklen_t len = sizeof(error);

	do {
		int64_t left_ms = deadline_ms - clock_now_ms();

		n = left_ms > 0 ? poll(&ready, 1, (int)left_ms) : 0;
	} while (n < 0 && errno == EINTR);
	if (n == 0)
		return ETIMEDOUT;
	if (n < 0 || getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) < 0)
		return errno;
	return error;
}

static void tune(int fd)
{
	int on = 1, idle = KEEPALIVE_IDLE_S, interval = KEEPALIVE_INTERVAL_S, probes = KEEPALIVE_PROBES, dead = DEAD_PEER_MS;

	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle, sizeof(idle));
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &interval, sizeof(interval));
	setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &probes, sizeof(probes));
	setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &dead, sizeof(dead));
}

/* Returns a connected socket, or a negative error number. */
static int connect_address(int family, const struct sockaddr *address, socklen_t len, int64_t deadline_ms)
{
	int error = 0, fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return -errno;
	if (connect(fd, address, len) < 0)
		error = errno == EINPROGRESS || errno == EINTR ? finish_connect(fd, deadline_ms) : errno;
	if (error) {
		close(fd);
		return -error;
	}
	tune(fd);
	return fd;
}

/* Only connect() itself can wait until a listener whose queue is full takes one more: it does so within the time that sending may take. */
static int connect_unix(const struct url *url, int64_t deadline_ms)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int64_t left_ms = deadline_ms - clock_now_ms();
	struct timeval patience = {.tv_sec = left_ms > 0 ? left_ms / 1000 : 0, .tv_usec = left_ms > 0 ? left_ms % 1000 * 1000 + 1 : 1};
	int error = 0, fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	static_assert(sizeof(url->path) <= sizeof(address.sun_path), "a URL's path fits");
	strcpy(address.sun_path, url->path);
	if (fd < 0)
		return -errno;
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
	while (connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0 && (error = errno) == EINTR)
		error = 0;
	if (error) {
		close(fd);
		return error == EAGAIN ? -ETIMEDOUT : -error;
	}
	return fd;
}

/* Tries every address of the host, each for an equal share of the time that is left. *failure: what getaddrinfo() says, or 0. */
static int connect_tcp(const struct url *url, int64_t deadline_ms, int *failure)
{
	struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM}, *found;
	int fd = -ECONNREFUSED, n_left = 0;

	*failure = getaddrinfo(url->host, url->port, &hints, &found);
	if (*failure)
		return -1;
	for (struct addrinfo *address = found; address; address = address->ai_next)
		n_left++;
	for (struct addrinfo *address = found; address && fd < 0; address = address->ai_next, n_left--) {
		int64_t now_ms = clock_now_ms();

		fd = connect_address(address->ai_family, address->ai_addr, address->ai_addrlen, now_ms + (deadline_ms - now_ms) / n_left);
	}
	freeaddrinfo(found);
	return fd;
}

static int connect_url(const char *text, int64_t deadline_ms, int *fd)
{
	struct url url;
	int failure = 0;
	const char *fault = url_parse(&url, text);

	if (fault)
		return words_fail(MR_EARGUMENT, "\"%.200s\" is not the address of a daemon: %s", text, fault);
	*fd = url.kind == URL_UNIX ? connect_unix(&url, deadline_ms) : connect_tcp(&url, deadline_ms, &failure);
	if (failure)
		return words_fail(MR_ECONNECT, "cannot connect to %.200s: %s", text, failure == EAI_SYSTEM ? strerror(errno) : gai_strerror(failure));
	if (*fd < 0)
		return words_fail(MR_ECONNECT, "cannot connect to %.200s: %s", text, strerror(-*fd));
	return MR_OK;
}

/* A daemon that says why it does not want us, and closes, has said that to hello. */
static int hello_status(struct mr *m, int status)
{
	if (status != MR_ECONNECTION)
		return status;
	return m->notice ? words_fail(m->notice, "%s", m->notice_text) : MR_ECONNECT;
}

/* hello, and what the daemon says to it. */
static int greet(mr *m, const struct mr_options *options, int64_t timeout_ms)
{
	struct buffer members = {0};
	struct call_result result;
	json_t *hello = NULL;
	int status = MR_OK;

	message_uint(&members, "protocol", 1);
	if (options->name)
		status = members_text(&members, "name", options->name);
	if (status == MR_OK && options->token)
		status = members_text(&members, "token", options->token);
	status = hello_status(m, call_run(m, OP_HELLO, &members, status, timeout_ms, WANT_BODY, &result));
	if (status == MR_OK)
		status = json_text_into(result.text, result.text_len, &hello);
	if (status != MR_OK)
		return status;
	json_object_del(hello, "id");
	json_object_del(hello, "status");
	pthread_mutex_lock(&m->lock);
	m->hello = hello;
	if (json_integer_value(json_object_get(hello, "protocol")) != 1 ||
	    client_set_max_frame(&m->client, (uint64_t)json_integer_value(json_object_get(hello, "max_frame_bytes"))) < 0)
		status = words_fail(MR_EPROTOCOL, "the daemon's hello is not one of protocol 1");
	pthread_mutex_unlock(&m->lock);
	return status;
}

int mr_connect(mr **out, const char *url, const struct mr_options *options)
{
	static const struct mr_options none;
	const struct mr_options *chosen = options ? options : &none;
	int64_t timeout_ms = chosen->connect_timeout_ms ? chosen->connect_timeout_ms : CONNECT_TIMEOUT_MS;
	int64_t deadline_ms = clock_now_ms() + timeout_ms;
	int fd = -1, status;
	mr *m;

	*out = NULL;
	if (timeout_ms < 1 || timeout_ms > (int64_t)MESSAGE_MAX_MS)
		return words_fail(MR_EARGUMENT, "connect_timeout_ms is 1 to 2147483647, or 0 for the default");
	if (!url)
		url = getenv("MILLRACE_URL");
	if (!url || !*url)
		url = URL_DEFAULT;
	status = connect_url(url, deadline_ms, &fd);
	if (status != MR_OK)
		return status;
	m = transport_create(fd);
	if (!m) {
		close(fd);
		return words_fail(MR_EMEMORY, "not enough memory for a connection");
	}
	timeout_ms = deadline_ms - clock_now_ms();
	status = greet(m, chosen, timeout_ms > 0 ? timeout_ms : 0);
	if (status != MR_OK) {
		mr_destroy(m);
		return status;
	}
	*out = m;
	return MR_OK;
}

void mr_destroy(mr *m)
{
	if (m)
		transport_destroy(m);
}

int mr_fd(mr *m)
{
	int fd;

	pthread_mutex_lock(&m->lock);
	fd = m->broken ? -1 : m->fd;
	pthread_mutex_unlock(&m->lock);
	return fd;
}

int mr_hello(mr *m, json_t **hello)
{
	*hello = json_deep_copy(m->hello);
	return *hello ? MR_OK : words_fail(MR_EMEMORY, "not enough memory");
}

int mr_ping(mr *m, int64_t timeout_ms)
{
	struct buffer members = {0};
	struct call_result result;

	int status = timeout_check(timeout_ms);

	return call_run(m, OP_PING, &members, status, timeout_ms, WANT_NOTHING, &result);
}
