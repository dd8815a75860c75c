/* The socket and the threads around it. Every static function here is called with the lock held. */
#define _GNU_SOURCE /* strerrordesc_np() */
#include "client/transport.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "client/words.h"

int64_t clock_now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

struct mr *transport_create(int fd)
{
	struct mr *m = calloc(1, sizeof(*m));

	if (!m)
		return NULL;
	m->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (m->wake_fd < 0) {
		free(m);
		return NULL;
	}
	m->fd = fd;
	pthread_mutex_init(&m->lock, NULL);
	pthread_condattr_init(&m->monotonic);
	pthread_condattr_setclock(&m->monotonic, CLOCK_MONOTONIC);
	client_init(&m->client);
	TAILQ_INIT(&m->senders);
	TAILQ_INIT(&m->followers);
	TAILQ_INIT(&m->begun);
	m->moved_ms = clock_now_ms();
	return m;
}

void transport_destroy(struct mr *m)
{
	struct mr_request *request;

	while ((request = TAILQ_FIRST(&m->begun))) {
		TAILQ_REMOVE(&m->begun, request, begun);
		request_finish(request);
		free(request);
	}
	close(m->fd);
	close(m->wake_fd);
	client_finish(&m->client);
	json_decref(m->hello);
	pthread_condattr_destroy(&m->monotonic);
	pthread_mutex_destroy(&m->lock);
	free(m);
}

/* -- requests -- */

void request_init(struct mr *m, struct mr_request *request, enum want want)
{
	*request = (struct mr_request){.want = want};
	pthread_cond_init(&request->woken, &m->monotonic);
}

void request_finish(struct mr_request *request)
{
	pthread_cond_destroy(&request->woken);
	free(request->text);
	request->text = NULL;
}

/* Makes the leader look again at what it waits for. */
static void wake_leader(struct mr *m)
{
	if (!m->leader || m->is_leader_woken)
		return;
	m->is_leader_woken = true;
	eventfd_write(m->wake_fd, 1);
}

/* Lets the thread that waits for it go on, whichever way it waits. */
static void request_wake(struct mr *m, struct mr_request *request)
{
	if (request == m->leader)
		wake_leader(m);
	else if (request->sleeps_in)
		pthread_cond_signal(&request->woken);
}

static void request_end(struct mr *m, struct mr_request *request, int status)
{
	request->status = status;
	request->is_done = true;
	request_wake(m, request);
}

static struct slice wanted_text(const struct mr_request *request, const struct message_reply *reply)
{
	if (reply->status == STATUS_ERROR)
		return reply->message;
	switch (request->want) {
	case WANT_NOTHING:
		break;
	case WANT_VALUE:
		return reply->value.len ? reply->value : reply->values;
	case WANT_BODY:
		return reply->body;
	}
	return (struct slice){NULL, 0};
}

static int reply_status(const struct message_reply *reply)
{
	if (reply->status != STATUS_ERROR)
		return (int)reply->status;
	return reply->error == ERROR_NONE ? MR_EINTERNAL : -(int)reply->error;
}

/* A reply has come for it: keeps of the reply what will be asked for. */
static void request_complete(struct mr *m, struct mr_request *request, const struct message_reply *reply)
{
	struct slice text = wanted_text(request, reply);
	int status = reply_status(reply);

	request->has_arm = reply->has_arm;
	request->arm = reply->arm;
	request->accepted = reply->accepted;
	request->evicted = reply->evicted;
	if (text.len) {
		request->text = malloc(text.len + 1);
		if (request->text) {
			memcpy(request->text, text.bytes, text.len);
			request->text[text.len] = '\0';
			request->text_len = text.len;
		} else if (status >= 0) {
			status = MR_EMEMORY;
		}
	}
	request_end(m, request, status);
}

/* -- the end of a connection -- */

__attribute__((format(printf, 3, 4))) static void transport_break(struct mr *m, int status, const char *format, ...)
{
	struct client_request *pending;
	va_list arguments;

	if (m->broken)
		return;
	m->broken = status;
	va_start(arguments, format);
	vsnprintf(m->broken_text, sizeof m->broken_text, format, arguments);
	va_end(arguments);
	shutdown(m->fd, SHUT_RDWR); /* wakes whoever polls, and tells the daemon */
	while ((pending = client_abandon(&m->client)))
		request_end(m, (struct mr_request *)pending, status);
}

/* The daemon has closed. If it has said why, that is the reason to give. */
static void transport_break_by_peer(struct mr *m, const char *how)
{
	if (m->notice)
		transport_break(m, MR_ECONNECTION, "the connection ended: %s: %s", mr_status_name(m->notice), m->notice_text);
	else
		transport_break(m, MR_ECONNECTION, "the connection ended: %s", how);
}

/* -- reading and writing -- */

/* What has been fed: each reply to its request. */
static void deliver(struct mr *m)
{
	struct client_request *pending;
	struct message_reply reply;

	while (!m->broken) {
		switch (client_next(&m->client, &pending, &reply)) {
		case CLIENT_MORE:
			return;
		case CLIENT_REPLY:
			request_complete(m, (struct mr_request *)pending, &reply);
			break;
		case CLIENT_NOTICE:
			if (reply.status != STATUS_ERROR)
				break;
			m->notice = reply_status(&reply);
			snprintf(m->notice_text, sizeof m->notice_text, "%.*s", (int)(reply.message.len < INT_MAX ? reply.message.len : INT_MAX),
				 reply.message.len ? reply.message.bytes : "");
			break;
		case CLIENT_FAILED:
			transport_break(m, MR_EPROTOCOL, "%s", client_error(&m->client));
			return;
		}
	}
}

/* Reads once, without waiting. Whether anything came. */
static bool transport_read(struct mr *m)
{
	size_t len;
	char *room;
	ssize_t n;

	if (m->broken)
		return false;
	room = client_room(&m->client, &len);
	if (!room) {
		transport_break(m, MR_ECONNECTION, "the connection was given up: %s", client_error(&m->client));
		return false;
	}
	do {
		n = recv(m->fd, room, len, MSG_DONTWAIT);
	} while (n < 0 && errno == EINTR);
	if (n > 0) {
		m->moved_ms = clock_now_ms();
		client_fed(&m->client, (size_t)n);
		deliver(m);
		return true;
	}
	if (n == 0)
		transport_break_by_peer(m, "the daemon closed it");
	else if (errno != EAGAIN && errno != EWOULDBLOCK)
		transport_break_by_peer(m, strerrordesc_np(errno));
	return false;
}

/* Those whose frames the socket has taken need not wait any longer for that. */
static void wake_sent(struct mr *m)
{
	struct mr_request *request;

	TAILQ_FOREACH(request, &m->senders, sleeper) {
		if (request->sent_at > m->n_sent)
			break;
		pthread_cond_signal(&request->woken);
	}
	if (m->leader && m->leader->is_sending && m->leader->sent_at <= m->n_sent)
		wake_leader(m);
}

/* Writes what the socket takes, without waiting. */
static void transport_write(struct mr *m)
{
	struct buffer *out = &m->client.out;

	while (!m->broken && buffer_len(out)) {
		ssize_t n = send(m->fd, out->bytes + out->start, buffer_len(out), MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n > 0) {
			m->moved_ms = clock_now_ms();
			m->n_sent += (uint64_t)n;
			buffer_consume(out, (size_t)n);
			wake_sent(m);
		} else if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
			return;
		} else if (n < 0 && errno != EINTR) {
			int problem = errno;

			while (transport_read(m)) /* the daemon may have said why before it closed */
				;
			transport_break_by_peer(m, strerrordesc_np(problem));
		}
	}
}

/* -- waiting -- */

/* When to give up on a request, if nothing moves until then. INT64_MAX: never. */
static int64_t patience_end_ms(const struct mr *m, const struct mr_request *request)
{
	if (request->timeout_ms < 0)
		return INT64_MAX;
	return (request->deadline_ms > m->moved_ms ? request->deadline_ms : m->moved_ms) + SILENCE_GRACE_MS;
}

/* The time is over: the last look whether anything has come (this process itself may have been stopped for a while), then the end. */
static void check_silence(struct mr *m, const struct mr_request *request)
{
	if (request->is_done || clock_now_ms() < patience_end_ms(m, request) || transport_read(m) || request->is_done)
		return;
	transport_break(m, MR_ECONNECTION, "no answer came in time: the network or the daemon is silent");
}

/* Until when poll() may wait for this request's sake. */
static int poll_ms(const struct mr *m, const struct mr_request *request)
{
	int64_t end_ms = patience_end_ms(m, request), left_ms = end_ms - clock_now_ms();

	if (end_ms == INT64_MAX)
		return -1;
	return left_ms < 0 ? 0 : left_ms > INT_MAX ? INT_MAX : (int)left_ms;
}

/* Whether the thread that waits for it may go on. */
static bool may_go_on(const struct mr *m, const struct mr_request *request)
{
	return request->is_done || (request->is_sending && (m->broken || m->n_sent >= request->sent_at));
}

/* One round of waiting for the socket, without the lock. */
static void lead(struct mr *m, struct mr_request *request)
{
	struct pollfd ready[] = {
		{.fd = m->fd, .events = (short)(buffer_len(&m->client.out) ? POLLIN | POLLOUT : POLLIN)},
		{.fd = m->wake_fd, .events = POLLIN},
	};
	int n, wait_ms = poll_ms(m, request);
	eventfd_t times;

	m->leader = request;
	pthread_mutex_unlock(&m->lock);
	n = poll(ready, 2, wait_ms);
	pthread_mutex_lock(&m->lock);
	m->leader = NULL;
	if (m->is_leader_woken)
		eventfd_read(m->wake_fd, &times);
	m->is_leader_woken = false;

	if (n > 0 && (ready[0].revents & ~POLLOUT))
		transport_read(m);
	if (n > 0 && (ready[0].revents & POLLOUT))
		transport_write(m);
	check_silence(m, request);
}

/* One round of sleeping, while another thread leads. */
static void follow(struct mr *m, struct mr_request *request)
{
	int64_t end_ms = patience_end_ms(m, request);

	request->sleeps_in = request->is_sending ? &m->senders : &m->followers;
	TAILQ_INSERT_TAIL(request->sleeps_in, request, sleeper);
	if (end_ms == INT64_MAX) {
		pthread_cond_wait(&request->woken, &m->lock);
	} else {
		struct timespec end = {.tv_sec = (time_t)(end_ms / 1000), .tv_nsec = (long)(end_ms % 1000) * 1000000};

		pthread_cond_timedwait(&request->woken, &m->lock, &end);
	}
	TAILQ_REMOVE(request->sleeps_in, request, sleeper);
	request->sleeps_in = NULL;
	check_silence(m, request);
}

/* Nobody who waits may be left without a leader. */
static void hand_over(struct mr *m)
{
	struct mr_request *next = TAILQ_FIRST(&m->senders);

	if (!next)
		next = TAILQ_FIRST(&m->followers);
	if (next && !m->leader)
		pthread_cond_signal(&next->woken);
}

static void wait_for(struct mr *m, struct mr_request *request)
{
	while (!may_go_on(m, request)) {
		if (m->leader)
			follow(m, request);
		else
			lead(m, request);
	}
	hand_over(m);
}

static int begin_failed(const struct mr *m, int result)
{
	switch (result) {
	case CLIENT_TOO_LARGE:
		return words_fail(MR_EARGUMENT, "the request is larger than a frame of this daemon may be (%u bytes)", m->client.max_request_bytes);
	case CLIENT_NO_MEMORY:
		return words_fail(MR_EMEMORY, "not enough memory for the request");
	}
	return words_fail(m->broken, "%s", m->broken_text);
}

int transport_begin(struct mr *m, struct mr_request *request, enum message_op op, struct slice members, int64_t timeout_ms)
{
	size_t before;
	int result;

	pthread_mutex_lock(&m->lock);
	before = buffer_len(&m->client.out);
	result = client_begin(&m->client, &request->pending, op, members);
	if (result != CLIENT_OK) {
		result = begin_failed(m, result);
		pthread_mutex_unlock(&m->lock);
		return result;
	}
	m->n_queued += buffer_len(&m->client.out) - before;
	request->sent_at = m->n_queued;
	request->timeout_ms = timeout_ms;
	request->deadline_ms = timeout_ms < 0 ? 0 : clock_now_ms() + timeout_ms;

	transport_write(m);
	if (!m->broken && m->n_sent < request->sent_at) {
		wake_leader(m); /* it has to wait for room, too, from now on */
		request->is_sending = true;
		wait_for(m, request);
		request->is_sending = false;
		if (timeout_ms >= 0)
			request->deadline_ms = clock_now_ms() + timeout_ms; /* it counts from when the daemon has read it */
	}
	if (m->broken && m->n_sent < request->sent_at)
		result = words_fail(m->broken, "%s", m->broken_text);
	pthread_mutex_unlock(&m->lock);
	return result;
}

int transport_wait(struct mr *m, struct mr_request *request)
{
	int status;

	pthread_mutex_lock(&m->lock);
	wait_for(m, request);
	status = request->status;
	if (status < 0)
		words_fail(status, "%s", request->text ? request->text : status == m->broken ? m->broken_text : mr_status_name(status));
	pthread_mutex_unlock(&m->lock);
	return status;
}

void transport_keep(struct mr *m, struct mr_request *request)
{
	pthread_mutex_lock(&m->lock);
	TAILQ_INSERT_TAIL(&m->begun, request, begun);
	pthread_mutex_unlock(&m->lock);
}

void transport_unkeep(struct mr *m, struct mr_request *request)
{
	pthread_mutex_lock(&m->lock);
	TAILQ_REMOVE(&m->begun, request, begun);
	pthread_mutex_unlock(&m->lock);
}

bool transport_poll(struct mr *m, const struct mr_request *request)
{
	bool is_done;

	pthread_mutex_lock(&m->lock);
	while (transport_read(m))
		;
	is_done = request->is_done;
	pthread_mutex_unlock(&m->lock);
	return is_done;
}
