#define _GNU_SOURCE
#include "tests/lib/scripted_http.h"

#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "proto/buffer.h"

enum { MAX_ANSWERS = 64, ENDLESS_BYTES = 65536 };

struct connection {
	struct connection *next;
	struct scripted_http *server;
	int fd;
	struct loop_watch *watch;
	struct buffer in, out;
	struct buffer endless; /* a whole block of it: few bytes at a time would use up the other side's patience */
	bool closes;
};

struct scripted_http {
	struct loop *loop;
	int fd;
	char url[64];
	struct loop_watch *watch;
	struct connection *connections, *last;
	struct scripted_answer answers[MAX_ANSWERS];
	size_t n_answers, next_answer;
	bool repeats;
	size_t n_requests, n_accepted, n_sent;
	struct scripted_request requests[SCRIPTED_MAX_REQUESTS];
};

static void connection_end(struct connection *connection)
{
	struct scripted_http *server = connection->server;
	struct connection **at = &server->connections;
	while (*at != connection)
		at = &(*at)->next;
	*at = connection->next;
	if (server->last == connection)
		server->last = NULL;
	loop_watch_destroy(connection->watch);
	close(connection->fd);
	buffer_finish(&connection->in);
	buffer_finish(&connection->out);
	buffer_finish(&connection->endless);
	free(connection);
}

/* Sends what the socket takes. Returns whether the connection is still there. */
static bool flush(struct connection *connection)
{
	struct buffer *out = &connection->out;
	bool is_endless = buffer_len(&connection->endless) > 0;
	if (is_endless && buffer_len(out) < ENDLESS_BYTES)
		buffer_append(out, buffer_front(&connection->endless), buffer_len(&connection->endless));
	while (buffer_len(out) > 0) {
		ssize_t n = send(connection->fd, buffer_front(out), buffer_len(out), MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n < 0 && errno == EAGAIN)
			break;
		if (n < 0) {
			connection_end(connection);
			return false;
		}
		connection->server->n_sent += (size_t)n;
		buffer_consume(out, (size_t)n);
	}
	if (connection->closes && buffer_len(out) == 0) {
		connection_end(connection);
		return false;
	}
	loop_watch_for(connection->watch, true, buffer_len(out) > 0 || is_endless);
	return true;
}

static void say(struct connection *connection, const char *text)
{
	buffer_append(&connection->out, text, strlen(text));
}

static bool answer(struct connection *connection)
{
	struct scripted_http *server = connection->server;
	char head[128];
	if (server->next_answer == server->n_answers) {
		if (!server->repeats)
			return true;
		server->next_answer--;
	}
	const struct scripted_answer *one = &server->answers[server->next_answer++];
	if (one->status) {
		snprintf(head, sizeof(head), "HTTP/1.1 %u Answer\r\nContent-Length: %zu\r\n\r\n", one->status,
			 strlen(one->body));
		say(connection, head);
		say(connection, one->body);
	} else if (one->raw) {
		say(connection, one->raw);
	}
	buffer_clear(&connection->endless);
	while (one->endless && buffer_len(&connection->endless) < ENDLESS_BYTES)
		buffer_append(&connection->endless, one->endless, strlen(one->endless));
	connection->closes = one->closes;
	return flush(connection);
}

static void keep(struct scripted_http *server, const char *head, const char *body, size_t len)
{
	if (server->n_requests++ >= SCRIPTED_MAX_REQUESTS)
		return;
	struct scripted_request *request = &server->requests[server->n_requests - 1];
	const char *found = strcasestr(head, "\r\nAuthorization: ");
	sscanf(head, "%*s %127s", request->path);
	if (found)
		sscanf(found + strlen("\r\nAuthorization: "), "%255[^\r]", request->authorization);
	len = len < sizeof(request->body) - 1 ? len : sizeof(request->body) - 1;
	memcpy(request->body, body, len);
}

/* Takes one request off the front. Returns whether there was a whole one, and the connection is still there. */
static bool take_request(struct connection *connection)
{
	struct buffer *in = &connection->in;
	char *bytes = buffer_front(in);
	const char *end = bytes ? memmem(bytes, buffer_len(in), "\r\n\r\n", 4) : NULL;
	if (!end)
		return false;
	size_t head_len = (size_t)(end - bytes) + 4, len = 0;
	char *head = strndup(bytes, head_len);
	const char *found = strcasestr(head, "\r\nContent-Length: ");
	if (found)
		len = strtoul(found + strlen("\r\nContent-Length: "), NULL, 10);
	bool is_whole = buffer_len(in) >= head_len + len;
	if (is_whole) {
		keep(connection->server, head, bytes + head_len, len);
		buffer_consume(in, head_len + len);
		connection->server->last = connection;
	}
	free(head);
	return is_whole && answer(connection);
}

static void on_connection(void *arg)
{
	struct connection *connection = arg;
	char *to = buffer_reserve(&connection->in, ENDLESS_BYTES);
	ssize_t n = recv(connection->fd, to, ENDLESS_BYTES, MSG_DONTWAIT);
	if (n == 0 || (n < 0 && errno != EAGAIN)) {
		connection_end(connection);
		return;
	}
	if (n > 0)
		buffer_commit(&connection->in, (size_t)n);
	bool is_there = flush(connection);
	while (is_there && take_request(connection))
		;
}

static void on_listener(void *arg)
{
	struct scripted_http *server = arg;
	int fd = accept4(server->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (fd < 0)
		return;
	struct connection *connection = calloc(1, sizeof(*connection));
	*connection = (struct connection){.next = server->connections, .server = server, .fd = fd};
	connection->watch = loop_watch_create(server->loop, fd, on_connection, connection);
	ck_assert_ptr_nonnull(connection->watch);
	server->connections = connection;
	server->n_accepted++;
}

struct scripted_http *scripted_http_start(struct loop *loop)
{
	struct scripted_http *server = calloc(1, sizeof(*server));
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(address);
	server->loop = loop;
	server->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	ck_assert_int_eq(bind(server->fd, (struct sockaddr *)&address, len), 0);
	ck_assert_int_eq(listen(server->fd, 64), 0);
	getsockname(server->fd, (struct sockaddr *)&address, &len);
	snprintf(server->url, sizeof(server->url), "http://127.0.0.1:%u", ntohs(address.sin_port));
	server->watch = loop_watch_create(loop, server->fd, on_listener, server);
	ck_assert_ptr_nonnull(server->watch);
	return server;
}

void scripted_http_stop(struct scripted_http *server)
{
	if (!server)
		return;
	scripted_http_hang_up(server);
	loop_watch_destroy(server->watch);
	close(server->fd);
	free(server);
}

const char *scripted_http_url(const struct scripted_http *server)
{
	return server->url;
}

void scripted_http_script(struct scripted_http *server, const struct scripted_answer *answers, size_t n, bool repeats)
{
	ck_assert_uint_le(n, MAX_ANSWERS);
	if (n > 0)
		memcpy(server->answers, answers, n * sizeof(*answers));
	server->n_answers = n;
	server->next_answer = 0;
	server->repeats = repeats && n > 0;
}

void scripted_http_say(struct scripted_http *server, const char *raw)
{
	ck_assert_ptr_nonnull(server->last);
	say(server->last, raw);
	flush(server->last);
}

void scripted_http_hang_up(struct scripted_http *server)
{
	while (server->connections)
		connection_end(server->connections);
}

size_t scripted_http_n_requests(const struct scripted_http *server)
{
	return server->n_requests;
}

size_t scripted_http_n_accepted(const struct scripted_http *server)
{
	return server->n_accepted;
}

size_t scripted_http_n_open(const struct scripted_http *server)
{
	size_t n = 0;
	for (const struct connection *connection = server->connections; connection; connection = connection->next)
		n++;
	return n;
}

size_t scripted_http_n_sent(const struct scripted_http *server)
{
	return server->n_sent;
}

const struct scripted_request *scripted_http_request(const struct scripted_http *server, size_t i)
{
	ck_assert_uint_lt(i, server->n_requests);
	ck_assert_uint_lt(i, SCRIPTED_MAX_REQUESTS);
	return &server->requests[i];
}
