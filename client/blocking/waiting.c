/* The threads around the socket: who of them polls, and who sleeps; see transport.h. Every static function here is
 * called with the lock held. */
#include "client/blocking/transport.h"

#include <limits.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <time.h>

#include "client/machine/words.h"

/* When to give up on a request, if nothing moves until then. INT64_MAX: never. */
static int64_t patience_end_ms(const struct mr *m, const struct mr_request *request)
{
	if (request->timeout_ms < 0)
		return INT64_MAX;
	if (request->is_local)
		return request->deadline_ms;
	return (request->deadline_ms > m->moved_ms ? request->deadline_ms : m->moved_ms) + SILENCE_GRACE_MS;
}

/* The time is over: the last look whether anything has come (this process itself may have been stopped for a while),
 * then the end. */
static void check_silence(struct mr *m, struct mr_request *request)
{
	if (request->is_done || clock_now_ms() < patience_end_ms(m, request) || transport_read(m) || request->is_done)
		return;
	if (request->is_local)
		request_end(m, request, MR_TIMEOUT);
	else
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
		{.fd = m->link.fd, .events = (short)(buffer_len(&m->client.out) ? POLLIN | POLLOUT : POLLIN)},
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
	m->n_waiting++;
	while (!may_go_on(m, request)) {
		if (m->leader)
			follow(m, request);
		else
			lead(m, request);
	}
	hand_over(m);
	if (--m->n_waiting == 0 && m->is_reopening)
		pthread_cond_broadcast(&m->settled);
}

static int begin_failed(const struct mr *m, int result)
{
	switch (result) {
	case CLIENT_TOO_LARGE:
		return words_fail(MR_EARGUMENT, "the request is larger than a frame of this daemon may be (%u bytes)",
				  m->client.max_request_bytes);
	case CLIENT_NO_MEMORY:
		return words_fail(MR_EMEMORY, "not enough memory for the request");
	}
	return words_fail(m->broken, "%s", m->broken_text);
}

/* Whether an unanswered request of this op may have changed something. Of an alts it depends on its arms, which its
 * caller knows. */
static bool is_change(enum message_op op)
{
	return op == OP_PUT || op == OP_DELETE || op == OP_ALTS || op == OP_ACK || op == OP_NACK;
}

/* Waits until the socket has taken what is to be sent before the request may go on. */
static int wait_sent(struct mr *m, struct mr_request *request)
{
	if (!m->broken && m->n_sent < request->sent_at) {
		request->is_sending = true;
		wait_for(m, request);
		request->is_sending = false;
		if (request->timeout_ms >= 0)
			request->deadline_ms =
				clock_now_ms() + request->timeout_ms; /* it counts from when the daemon has read it */
	}
	return m->broken && m->n_sent < request->sent_at ? words_fail(m->broken, "%s", m->broken_text) : MR_OK;
}

/* A frame has been appended to a buffer that had `before` bytes. */
static void send_some(struct mr *m, size_t before)
{
	m->n_queued += buffer_len(&m->client.out) - before;
	transport_write(m);
	if (!m->broken && buffer_len(&m->client.out))
		transport_wake_leader(m); /* it has to wait for room, too, from now on */
}

int transport_begin_locked(struct mr *m, struct mr_request *request, enum message_op op, struct slice members,
			   uint64_t count, int64_t timeout_ms, bool waits_sent)
{
	size_t before = buffer_len(&m->client.out);
	int result = count > 1 ? client_begin_count(&m->client, &request->pending, members, count)
			       : client_begin(&m->client, &request->pending, op, members);

	if (result != CLIENT_OK)
		return begin_failed(m, result);
	request->is_change = is_change(op);
	request->sent_at = m->n_queued + buffer_len(&m->client.out) - before;
	request->timeout_ms = timeout_ms;
	request->deadline_ms = timeout_ms < 0 ? 0 : clock_now_ms() + timeout_ms;
	send_some(m, before);
	return waits_sent ? wait_sent(m, request) : MR_OK;
}

int transport_tell(struct mr *m, enum message_op op, struct slice members)
{
	size_t before = buffer_len(&m->client.out);
	int result = client_tell(&m->client, op, members);

	if (result != CLIENT_OK)
		return begin_failed(m, result);
	send_some(m, before);
	return MR_OK;
}

int transport_drain(struct mr *m, int64_t timeout_ms)
{
	struct mr_request all;
	int status;

	if (m->n_sent == m->n_queued && !m->broken)
		return MR_OK;
	request_init(m, &all, WANT_NOTHING);
	all.sent_at = m->n_queued;
	all.timeout_ms = timeout_ms;
	all.deadline_ms = timeout_ms < 0 ? 0 : clock_now_ms() + timeout_ms;
	status = wait_sent(m, &all);
	request_finish(&all);
	return status;
}

int transport_ready(struct mr *m, int64_t timeout_ms)
{
	int64_t within_ms = timeout_ms >= 0 && m->connect_timeout_ms > REOPEN_MS ? REOPEN_MS : m->connect_timeout_ms;
	int64_t now_ms = clock_now_ms();
	int64_t deadline_ms = (timeout_ms < 0 && m->not_before_ms > now_ms ? m->not_before_ms : now_ms) + within_ms;
	struct timespec deadline = {.tv_sec = (time_t)(deadline_ms / 1000),
				    .tv_nsec = (long)(deadline_ms % 1000) * 1000000};
	int status;

	while (m->is_reopening)
		if (pthread_cond_timedwait(&m->settled, &m->lock, &deadline) != 0)
			return words_fail(MR_ECONNECT, "not connected: another thread is connecting");
	if (!m->broken)
		return MR_OK;
	if (!m->reopens)
		return words_fail(m->broken, "%s", m->broken_text);
	m->is_reopening = true;
	while (m->n_waiting) /* they all are about to end, with the connection */
		pthread_cond_wait(&m->settled, &m->lock);
	pthread_mutex_unlock(&m->lock);
	status = handle_reopen(m, deadline_ms);
	pthread_mutex_lock(&m->lock);
	m->is_reopening = false;
	pthread_cond_broadcast(&m->settled);
	return status;
}

int transport_begin(struct mr *m, struct mr_request *request, enum message_op op, struct slice members,
		    int64_t timeout_ms)
{
	int result;

	pthread_mutex_lock(&m->lock);
	result = transport_ready(m, timeout_ms);
	if (result == MR_OK)
		result = transport_begin_locked(m, request, op, members, 1, timeout_ms, true);
	pthread_mutex_unlock(&m->lock);
	return result;
}

void transport_wait_locked(struct mr *m, struct mr_request *request)
{
	wait_for(m, request);
}

int transport_wait(struct mr *m, struct mr_request *request)
{
	int status;

	pthread_mutex_lock(&m->lock);
	wait_for(m, request);
	status = request->status;
	if (status < 0)
		words_fail(status, "%s%s", request->text ? request->text : mr_status_name(status),
			   status == MR_UNKNOWN ? "; whether it happened cannot be known" : "");
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
