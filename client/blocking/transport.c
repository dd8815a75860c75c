/* The socket: replies that are read go to their requests, frames that were appended are written. Every static function
 * here is called with the lock held. */
#include "client/blocking/transport.h"

#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "client/machine/reply.h"
#include "client/machine/words.h"

struct mr *transport_create(void)
{
	struct mr *m = calloc(1, sizeof(*m));

	if (!m)
		return NULL;
	m->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (m->wake_fd < 0) {
		free(m);
		return NULL;
	}
	m->link.fd = -1;
	pthread_mutex_init(&m->lock, NULL);
	pthread_condattr_init(&m->monotonic);
	pthread_condattr_setclock(&m->monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&m->settled, &m->monotonic);
	client_init(&m->client);
	TAILQ_INIT(&m->senders);
	TAILQ_INIT(&m->followers);
	TAILQ_INIT(&m->begun);
	LIST_INIT(&m->listeners);
	LIST_INIT(&m->ephemerals);
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
	link_close(&m->link);
	close(m->wake_fd);
	client_finish(&m->client);
	json_decref(m->hello);
	pthread_cond_destroy(&m->settled);
	pthread_condattr_destroy(&m->monotonic);
	pthread_mutex_destroy(&m->lock);
	free(m);
}

void transport_restart(struct mr *m, struct link link)
{
	uint64_t next_id = m->client.next_id;

	link_close(&m->link);
	m->link = link;
	client_finish(&m->client);
	client_init(&m->client);
	m->client.next_id = next_id; /* so that nobody takes a request of now for one of then */
	m->n_queued = m->n_sent = 0;
	m->broken = m->notice = 0;
	m->moved_ms = clock_now_ms();
}

/* -- requests -- */

void request_init(struct mr *m, struct mr_request *request, enum want want)
{
	*request = (struct mr_request){.want = want};
	pthread_cond_init(&request->woken, &m->monotonic);
}

void request_init_local(struct mr *m, struct mr_request *request, int64_t deadline_ms)
{
	request_init(m, request, WANT_NOTHING);
	request->is_local = true;
	request->timeout_ms = deadline_ms < 0 ? MR_FOREVER : 0;
	request->deadline_ms = deadline_ms;
}

void request_finish(struct mr_request *request)
{
	pthread_cond_destroy(&request->woken);
	free(request->text);
	free(request->lease);
	free(request->deliveries);
	request->text = request->lease = request->deliveries = NULL;
}

void transport_wake_leader(struct mr *m)
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
		transport_wake_leader(m);
	else if (request->sleeps_in)
		pthread_cond_signal(&request->woken);
}

void request_end(struct mr *m, struct mr_request *request, int status)
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

/* A copy that ends with NUL. An empty slice is NULL; no memory is told by *status. */
static char *copy_text(struct slice text, int *status)
{
	char *copy = text.len ? malloc(text.len + 1) : NULL;

	if (copy) {
		memcpy(copy, text.bytes, text.len);
		copy[text.len] = '\0';
	} else if (text.len && *status >= 0) {
		*status = MR_EMEMORY;
	}
	return copy;
}

int request_keep(struct mr_request *request, const struct message_reply *reply)
{
	struct slice text = wanted_text(request, reply);
	int status = reply_status(reply);

	request->has_arm = reply->has_arm;
	request->arm = reply->arm;
	request->accepted = reply->accepted;
	request->evicted = reply->evicted;
	request->text = copy_text(text, &status);
	request->text_len = request->text ? text.len : 0;
	request->lease = copy_text(reply->lease, &status);
	request->deliveries = copy_text(reply->deliveries, &status);
	return status;
}

static void request_reply(struct mr *m, struct mr_request *request, const struct message_reply *reply, bool is_last)
{
	if (request->on_reply)
		request->on_reply(m, request, reply, is_last);
	else
		request_end(m, request, request_keep(request, reply));
}

/* -- the end of a connection -- */

void transport_break(struct mr *m, int status, const char *format, ...)
{
	struct client_request *pending;
	struct notice_listener *listener;
	va_list arguments;

	if (m->broken)
		return;
	m->broken = status;
	va_start(arguments, format);
	vsnprintf(m->broken_text, sizeof m->broken_text, format, arguments);
	va_end(arguments);
	link_shut(&m->link); /* wakes whoever polls, and tells the daemon */
	LIST_FOREACH(listener, &m->listeners, entry)
	listener->on_notice(listener, status, NULL);
	while ((pending = client_abandon(&m->client))) {
		struct mr_request *request = (struct mr_request *)pending;

		if (request->on_reply) {
			request->on_reply(m, request, NULL, true);
			continue;
		}
		request->text = strdup(m->broken_text); /* the handle may have another connection when somebody asks */
		request_end(m, request, request->is_change && m->n_sent >= request->sent_at ? MR_UNKNOWN : status);
	}
}

/* The daemon has closed. If it has said why, that is the reason to give. */
static void transport_break_by_peer(struct mr *m, const char *how)
{
	if (m->notice)
		transport_break(m, MR_ECONNECTION, "the connection ended: %s: %s", mr_status_name(m->notice),
				m->notice_text);
	else
		transport_break(m, MR_ECONNECTION, "the connection ended: %s", how);
}

/* -- reading and writing -- */

/* A reply with id null: of a put without one, or the daemon's last words. */
static void take_notice(struct mr *m, const struct message_reply *reply)
{
	int status = reply_status(reply), len = reply->message.len < INT_MAX ? (int)reply->message.len : INT_MAX;
	struct notice_listener *listener;

	if (reply->channel.len) {
		LIST_FOREACH(listener, &m->listeners, entry)
		if (slice_equal(reply->channel, slice_from(listener->channel)))
			listener->on_notice(listener, status, reply);
	} else if (reply->status == STATUS_ERROR) {
		m->notice = status;
		snprintf(m->notice_text, sizeof m->notice_text, "%.*s", len, len ? reply->message.bytes : "");
	}
}

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
			request_reply(m, (struct mr_request *)pending, &reply, true);
			break;
		case CLIENT_PART:
			request_reply(m, (struct mr_request *)pending, &reply, false);
			break;
		case CLIENT_NOTICE:
			take_notice(m, &reply);
			break;
		case CLIENT_FAILED:
			transport_break(m, MR_EPROTOCOL, "%s", client_error(&m->client));
			return;
		}
	}
}

static bool read_once(struct mr *m)
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
	n = link_read(&m->link, room, len);
	if (n > 0) {
		m->moved_ms = clock_now_ms();
		client_fed(&m->client, (size_t)n);
		deliver(m);
		return true;
	}
	if (n != LINK_AGAIN)
		transport_break_by_peer(m, link_words(n));
	return false;
}

bool transport_read(struct mr *m)
{
	bool any = false;

	while (read_once(m)) {
		any = true;
		if (m->broken || !link_has_more(&m->link))
			break;
	}
	return any;
}

/* Those whose frames the socket has taken need not wait any longer for that. */
static void wake_sent(struct mr *m)
{
	struct mr_request *request;

	TAILQ_FOREACH(request, &m->senders, sleeper)
	{
		if (request->sent_at > m->n_sent)
			break;
		pthread_cond_signal(&request->woken);
	}
	if (m->leader && m->leader->is_sending && m->leader->sent_at <= m->n_sent)
		transport_wake_leader(m);
}

void transport_write(struct mr *m)
{
	struct buffer *out = &m->client.out;

	while (!m->broken && buffer_len(out)) {
		ssize_t n = link_write(&m->link, out->bytes + out->start, buffer_len(out));

		if (n == LINK_AGAIN)
			return;
		if (n > 0) {
			m->moved_ms = clock_now_ms();
			m->n_sent += (uint64_t)n;
			buffer_consume(out, (size_t)n);
			wake_sent(m);
		} else {
			while (transport_read(m)) /* the daemon may have said why before it closed */
				;
			transport_break_by_peer(m, link_words(n));
		}
	}
}
