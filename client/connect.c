/* The connection: found by its URL, made in time, greeted by hello. */
#include <assert.h>
#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "client/call.h"
#include "client/lookup.h"
#include "client/url.h"
#include "client/words.h"

/* Waits for a connect() in progress. 0, or the negative number of an error. */
static int finish_connect(struct link *link, int64_t deadline_ms)
{
	struct pollfd ready = {.fd = link->fd, .events = POLLOUT};
	int n;

	do {
		int64_t left_ms = deadline_ms - clock_now_ms();

		n = left_ms > 0 ? poll(&ready, 1, (int)left_ms) : 0;
	} while (n < 0 && errno == EINTR);
	if (n > 0)
		return link_connected(link);
	link_close(link);
	return n == 0 ? -ETIMEDOUT : -errno;
}

/* A link to this address in time; or the negative number of an error. */
static int connect_address(struct link *link, const struct addrinfo *address, int64_t deadline_ms)
{
	int progress = link_connect(link, address->ai_family, address->ai_addr, address->ai_addrlen);

	return progress == LINK_CONNECTING ? finish_connect(link, deadline_ms) : progress;
}

/* Only connect() itself can wait until a listener whose queue is full takes one more: it does so within the time that sending may take. */
static int connect_unix(struct link *link, const struct url *url, int64_t deadline_ms)
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
	link_init(link, fd);
	return 0;
}

/* Tries every address of the host, each for an equal share of the time that is left. *failure: what getaddrinfo() says, or 0. */
static int connect_tcp(struct link *link, const struct url *url, int64_t deadline_ms, int *failure)
{
	int problem = -ECONNREFUSED, n_left = 0;
	struct addrinfo *found;

	*failure = lookup(url->host, url->port, deadline_ms, &found);
	if (*failure)
		return -EHOSTUNREACH;
	for (struct addrinfo *address = found; address; address = address->ai_next)
		n_left++;
	for (struct addrinfo *address = found; address && problem; address = address->ai_next, n_left--) {
		int64_t now_ms = clock_now_ms();

		problem = connect_address(link, address, now_ms + (deadline_ms - now_ms) / n_left);
	}
	freeaddrinfo(found);
	return problem;
}

static int connect_url(struct link *link, const struct url *url, int64_t deadline_ms)
{
	int failure = 0;
	int problem = url->kind == URL_UNIX ? connect_unix(link, url, deadline_ms) : connect_tcp(link, url, deadline_ms, &failure);

	if (problem)
		words_fail(MR_ECONNECT, "cannot connect to %s: %s", url->text,
			   failure && failure != EAI_SYSTEM ? gai_strerror(failure) : strerror(-problem));
	return problem ? MR_ECONNECT : MR_OK;
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

/* Connects to this address, and says hello. */
static int open_url(mr **out, const struct url *url, const struct mr_options *options, int64_t deadline_ms)
{
	struct link link;
	int64_t left_ms;
	int status = connect_url(&link, url, deadline_ms);
	mr *m;

	if (status != MR_OK)
		return status;
	m = transport_create(link);
	if (!m) {
		link_close(&link);
		return words_fail(MR_EMEMORY, "not enough memory for a connection");
	}
	left_ms = deadline_ms - clock_now_ms();
	status = greet(m, options, left_ms > 0 ? left_ms : 0);
	if (status == MR_OK)
		*out = m;
	else
		mr_destroy(m);
	return status;
}

int mr_connect(mr **out, const char *urls, const struct mr_options *options)
{
	static const struct mr_options none;
	const struct mr_options *chosen = options ? options : &none;
	int64_t timeout_ms = chosen->connect_timeout_ms ? chosen->connect_timeout_ms : URL_CONNECT_TIMEOUT_MS;
	int64_t deadline_ms = clock_now_ms() + timeout_ms;
	struct url_list list;
	int status;

	*out = NULL;
	if (timeout_ms < 1 || timeout_ms > (int64_t)MESSAGE_MAX_MS)
		return words_fail(MR_EARGUMENT, "connect_timeout_ms is 1 to 2147483647, or 0 for the default");
	status = url_list_read(&list, urls);
	for (size_t i = 0; status == MR_OK && i < list.n; i++) {
		int64_t now_ms = clock_now_ms();

		status = open_url(out, &list.urls[i], chosen, now_ms + (deadline_ms - now_ms) / (int64_t)(list.n - i));
		if (status == MR_OK || status == MR_EARGUMENT || status == MR_EMEMORY)
			break;
		if (i + 1 < list.n)
			status = MR_OK;
	}
	url_list_finish(&list);
	return status;
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
	fd = m->broken ? -1 : m->link.fd;
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
