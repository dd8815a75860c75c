/* A raw connection for tests. What arrives is gathered in `in` until it is asked for. */
#define _GNU_SOURCE
#include "tests/lib/wire.h"

#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { SYNC_ID = 999999999, SLOW_BUFFER_BYTES = 4096 };

struct wire {
	int fd;
	bool deaf;
	bool ended; /* end of file, or a reset */
	bool was_reset;
	char *in;
	size_t start, end, cap; /* in[start .. end) has arrived and was not asked for yet */
	char *text;             /* the last reply given out */
};

/* -- connecting -- */

static struct wire *wire_create(int fd)
{
	struct wire *wire = calloc(1, sizeof(*wire));
	ck_assert_ptr_nonnull(wire);
	wire->fd = fd;
	ck_assert_int_eq(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
	return wire;
}

static int tcp_socket(void)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	ck_assert_msg(fd >= 0, "socket: %m");
	int on = 1;
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	return fd;
}

static int connect_port(int fd, uint16_t port)
{
	struct sockaddr_in address = {
		.sin_family = AF_INET, .sin_port = htons(port), .sin_addr = {htonl(INADDR_LOOPBACK)}};
	return connect(fd, (struct sockaddr *)&address, sizeof(address));
}

struct wire *wire_connect(const struct daemon *daemon)
{
	int fd = tcp_socket();
	ck_assert_msg(connect_port(fd, daemon_port(daemon)) == 0, "connect: %m");
	return wire_create(fd);
}

struct wire *wire_connect_slow(const struct daemon *daemon)
{
	int fd = tcp_socket(), bytes = SLOW_BUFFER_BYTES;
	setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes));
	setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof(bytes));
	ck_assert_msg(connect_port(fd, daemon_port(daemon)) == 0, "connect: %m");
	struct wire *wire = wire_create(fd);
	wire->deaf = true;
	return wire;
}

struct wire *wire_connect_unix(const struct daemon *daemon)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	ck_assert_uint_lt(strlen(daemon_unix_path(daemon)), sizeof(address.sun_path));
	strcpy(address.sun_path, daemon_unix_path(daemon));
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	ck_assert_msg(fd >= 0, "socket: %m");
	ck_assert_msg(connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0, "connect %s: %m",
		      address.sun_path);
	return wire_create(fd);
}

void wire_close(struct wire *wire)
{
	if (!wire)
		return;
	close(wire->fd);
	free(wire->in);
	free(wire->text);
	free(wire);
}

void wire_reset(struct wire *wire)
{
	struct linger now = {.l_onoff = 1, .l_linger = 0};
	setsockopt(wire->fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
	wire_close(wire);
}

int wire_fd(const struct wire *wire)
{
	return wire->fd;
}

/* -- bytes -- */

/* Reads what is there; never waits. */
static void read_some(struct wire *wire)
{
	if (wire->start == wire->end)
		wire->start = wire->end = 0;
	if (wire->cap - wire->end < 65536) {
		if (wire->start < wire->end)
			memmove(wire->in, wire->in + wire->start, wire->end - wire->start);
		wire->end -= wire->start;
		wire->start = 0;
		if (wire->cap - wire->end < 65536) {
			wire->cap = wire->cap * 2 + 65536;
			wire->in = realloc(wire->in, wire->cap);
			ck_assert_ptr_nonnull(wire->in);
		}
	}
	ssize_t n = recv(wire->fd, wire->in + wire->end, wire->cap - wire->end, 0);
	if (n > 0) {
		wire->end += (size_t)n;
	} else if (n == 0) {
		wire->ended = true;
	} else if (errno != EAGAIN && errno != EINTR) {
		ck_assert_msg(errno == ECONNRESET || errno == EPIPE, "recv: %m");
		wire->ended = wire->was_reset = true;
	}
}

/* Waits for one of the events, and returns those that are there. */
static short wait_for(struct wire *wire, short events, uint64_t deadline_ms)
{
	struct pollfd fd = {.fd = wire->fd, .events = events};
	uint64_t now_ms = test_now_ms();
	ck_assert_msg(now_ms < deadline_ms, "nothing came (%zu bytes are there), or could be sent, for %d ms",
		      wire->end - wire->start, WIRE_DEADLINE_MS);
	poll(&fd, 1, (int)(deadline_ms - now_ms));
	return fd.revents;
}

bool wire_try_send_bytes(struct wire *wire, const void *bytes, size_t len)
{
	uint64_t deadline_ms = test_now_ms() + WIRE_DEADLINE_MS;
	for (size_t sent = 0; sent < len;) {
		ssize_t n = send(wire->fd, (const char *)bytes + sent, len - sent, MSG_NOSIGNAL);
		if (n > 0) {
			sent += (size_t)n;
			continue;
		}
		if (errno == EPIPE || errno == ECONNRESET)
			return false;
		ck_assert_msg(errno == EAGAIN || errno == EINTR, "send: %m");
		short events = wait_for(wire, POLLOUT | (wire->deaf || wire->ended ? 0 : POLLIN), deadline_ms);
		if ((events & POLLIN) && !wire->deaf)
			read_some(wire);
	}
	return true;
}

void wire_send_bytes(struct wire *wire, const void *bytes, size_t len)
{
	ck_assert_msg(wire_try_send_bytes(wire, bytes, len), "the daemon has closed the connection");
}

void wire_end_sending(struct wire *wire)
{
	ck_assert_int_eq(shutdown(wire->fd, SHUT_WR), 0);
}

/* -- frames -- */

static void frame_header(unsigned char header[static 4], size_t len)
{
	for (int i = 0; i < 4; i++)
		header[i] = (unsigned char)(len >> (24 - 8 * i));
}

void wire_frame(char **bytes, size_t *len, const char *json)
{
	size_t n = strlen(json);
	*bytes = realloc(*bytes, *len + 4 + n);
	ck_assert_ptr_nonnull(*bytes);
	frame_header((unsigned char *)*bytes + *len, n);
	memcpy(*bytes + *len + 4, json, n);
	*len += 4 + n;
}

void wire_send_frame(struct wire *wire, const void *body, size_t len)
{
	char *frame = malloc(len + 4);
	ck_assert_ptr_nonnull(frame);
	frame_header((unsigned char *)frame, len);
	memcpy(frame + 4, body, len);
	wire_send_bytes(wire, frame, len + 4);
	free(frame);
}

void wire_send(struct wire *wire, const char *json)
{
	wire_send_frame(wire, json, strlen(json));
}

void wire_sendf(struct wire *wire, const char *format, ...)
{
	char *text;
	va_list arguments;
	va_start(arguments, format);
	ck_assert_int_ge(vasprintf(&text, format, arguments), 0);
	va_end(arguments);
	wire_send(wire, text);
	free(text);
}

/* The whole frame at the front of what has arrived: its body's length, or -1. */
static int64_t frame_at_front(const struct wire *wire)
{
	size_t there = wire->end - wire->start;
	if (there < 4)
		return -1;
	const unsigned char *at = (const unsigned char *)wire->in + wire->start;
	uint32_t len = (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
	ck_assert_msg(len > 0 && at[0] == 0, "the daemon sends a frame of %u bytes", len);
	return there - 4 >= len ? (int64_t)len : -1;
}

const char *wire_recv(struct wire *wire)
{
	uint64_t deadline_ms = test_now_ms() + WIRE_DEADLINE_MS;
	int64_t len;
	while ((len = frame_at_front(wire)) < 0) {
		ck_assert_msg(!wire->ended, "the connection %s where a reply was expected",
			      wire->was_reset ? "was reset" : "ended");
		if (wait_for(wire, POLLIN, deadline_ms))
			read_some(wire);
	}
	free(wire->text);
	wire->text = strndup(wire->in + wire->start + 4, (size_t)len);
	ck_assert_msg(strlen(wire->text) == (size_t)len, "a reply has a NUL in it: %s", wire->text);
	wire->start += 4 + (size_t)len;
	return wire->text;
}

void wire_closed(struct wire *wire)
{
	uint64_t deadline_ms = test_now_ms() + WIRE_DEADLINE_MS;
	while (!wire->ended) {
		if (wait_for(wire, POLLIN, deadline_ms))
			read_some(wire);
		ck_assert_msg(frame_at_front(wire) < 0, "a reply came where the end was expected: %s", wire_recv(wire));
	}
	ck_assert_msg(!wire->was_reset, "the connection was reset, where its end in order was expected");
	ck_assert_msg(wire->start == wire->end, "it ended within a reply");
}

void wire_sync(struct wire *wire)
{
	wire_sendf(wire, "{\"id\":%d,\"op\":\"ping\"}", SYNC_ID);
	const char *text = wire_recv(wire);
	ck_assert_msg(strstr(text, "999999999") && strstr(text, "\"ok\""),
		      "something came where nothing was expected: %s", text);
}
