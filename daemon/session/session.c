/* The life of a session, and its replies.
 *
 * A session is in the list of all until it is freed. It has its connection in the core from the start until it is gone.
 * When its input has ended, it hangs up: only until then can it have parked requests, and get replies. Its leases, and
 * the values of replies that have not been sent, go back when it is gone. */
#include "daemon/session/session.h"

#include <assert.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include "daemon/session/answer_value.h"
#include "daemon/session/channel_row.h"
#include "daemon/session/login.h"
#include "daemon/session/moved.h"
#include "daemon/session/overload_log.h"
#include "daemon/session/value_origin.h"
#include "daemon/session/replies.h"
#include "daemon/session/unsent_ledger.h"

/* -- The end -- */

void session_hang_up(struct session *session)
{
	if (!session->connection)
		return;
	struct core_event event = {.op = CORE_HANG_UP, .connection = session->connection};
	broker_step(session->all->broker, &event);
}

static void disconnect(struct session *session)
{
	if (!session->connection)
		return;
	struct core_event event = {.op = CORE_DISCONNECT, .connection = session->connection};
	unsent_return(session, &event);
	session->connection = NULL;
}

static void session_destroy(struct session *session)
{
	assert(!broker_action_waits(&session->after_reply));
	if (session->wire->finish)
		session->wire->finish(session);
	*session->at = session->next;
	if (session->next)
		session->next->at = session->at;
	session->all->n--;
	login_end(session);
	unsent_forget(session);
	stream_finish(&session->stream);
	free(session->name);
	overload_log_forget(session);
	free(session);
}

bool session_is_served(const struct session *session)
{
	return stream_is_open(&session->stream) || stream_is_opening(&session->stream);
}

void session_end(struct session *session, enum error error, const char *why)
{
	session_hang_up(session);
	session->wire->refuse(session, error, why);
	if (session_is_served(session))
		stream_refuse(&session->stream);
}

/* -- Replies -- */

void session_pause_if_full(struct session *session)
{
	if (!stream_is_full(&session->stream) || !session->connection || core_is_paused(session->connection))
		return;
	struct core_event event = {.op = CORE_PAUSE, .connection = session->connection};
	broker_step(session->all->broker, &event);
}

void session_run_deferred(struct broker_action *action)
{
	struct session *session = (struct session *)((char *)action - offsetof(struct session, after_reply));
	session_pause_if_full(session);
	if (session->wire->after_reply)
		session->wire->after_reply(session);
}

void session_defer(struct session *session)
{
	broker_defer(session->all->broker, &session->after_reply);
}

void session_refuse(struct session *session, uint64_t id, enum error error, struct slice subject)
{
	char detail[NAME_MAX_BYTES + 8];
	snprintf(detail, sizeof(detail), "\"%.*s\"", (int)subject.len, subject.bytes);
	answer_error(session, id, error, subject.len ? detail : NULL);
}

void session_written(struct session *session, struct slice channel)
{
	if (!stream_is_full(&session->stream))
		return;
	session_defer(session);
	overload_log_full(session, channel);
}

/* The op that a reply of the core's answers. */
static enum message_op op_of(const struct core_reply *reply)
{
	static const enum message_op ops[CORE_OP_COUNT] = {
		[CORE_CREATE] = OP_CREATE, [CORE_CLOSE] = OP_CLOSE,   [CORE_DELETE] = OP_DELETE,
		[CORE_ALTER] = OP_ALTER,   [CORE_PUT] = OP_PUT,       [CORE_TAKE] = OP_TAKE,
		[CORE_ALTS] = OP_ALTS,     [CORE_CANCEL] = OP_CANCEL, [CORE_ACK] = OP_ACK,
		[CORE_NACK] = OP_NACK,     [CORE_EXTEND] = OP_EXTEND, [CORE_MOVE] = OP_MOVE,
		[CORE_TAP] = OP_TAP,       [CORE_UNTAP] = OP_UNTAP,
	};
	return ops[reply->op];
}

static void write_error(struct session *session, const struct core_reply *reply)
{
	char detail[REPLY_DETAIL_BYTES];
	enum message_op present = session->all->counts.op;
	session->all->counts.op = op_of(reply);
	struct answer answer =
		reply->error == ERROR_MOVED
			? moved_begin(session, reply->id, reply->channel, reply->op == CORE_CREATE)
			: answer_begin_error(session, reply->id, reply->error, reply_detail(reply, detail));
	session->all->counts.op = present;
	reply_write_error_members(&answer, reply);
	answer_end(session, answer);
}

static void write_answer(struct session *session, const struct core_reply *reply)
{
	struct core_channel_row row;
	struct answer answer = answer_begin(session, reply->id, reply->status, reply_value_bytes(reply));
	reply_write_members(&answer, reply);
	if (reply->is_take)
		origin_write_members(answer.out, reply, loop_now_us(session->all->loop));
	if (reply->op == CORE_ALTER && core_stat(session->all->core, reply->channel, &row))
		channel_row_write_members(answer.out, &row, loop_now_us(session->all->loop));
	answer_end(session, answer);
}

static void write_reply(struct session *session, struct core_reply *reply)
{
	if (!session->wire->write || !session->wire->write(session, reply))
		write_answer(session, reply);
	unsent_keep(session, reply);
	session_written(session, reply->channel);
}

void session_deliver(void *cookie, struct core_reply *reply)
{
	struct session *session = cookie;
	if (reply_has_shed(reply))
		overload_log_shed(session, reply);
	if (reply_is_silent(reply))
		return;
	if (reply->after_batch)
		stream_hold(&session->stream, reply->after_batch);
	if (reply->status == STATUS_ERROR)
		write_error(session, reply);
	else
		write_reply(session, reply);
}

void session_hold_view(struct session *session)
{
	stream_hold(&session->stream, core_changed_in(session->all->core));
}

/* -- What the stream tells -- */

static size_t on_bytes(struct stream *stream, char *bytes, size_t len)
{
	struct session *session = (struct session *)stream;
	return session->wire->on_bytes(session, bytes, len);
}

static void on_sent(struct stream *stream)
{
	struct session *session = (struct session *)stream;
	unsent_forget_sent(session);
	if (stream_peer_is_slow(stream))
		overload_log_slow(session);
	if (session->wire->on_sent)
		session->wire->on_sent(session);
	if (!session->connection || !core_is_paused(session->connection) || stream_is_full(stream))
		return;
	struct core_event event = {.op = CORE_RESUME, .connection = session->connection};
	broker_step(session->all->broker, &event);
}

static void on_end(struct stream *stream)
{
	struct session *session = (struct session *)stream;
	session_hang_up(session);
	if (session->wire->on_end)
		session->wire->on_end(session);
}

static void on_gone(struct stream *stream)
{
	disconnect((struct session *)stream);
	session_destroy((struct session *)stream);
}

static void on_over_budget(struct stream *stream)
{
	session_end((struct session *)stream, ERROR_OVERLOADED,
		    "the connection is closed with its incomplete frame: all buffers are full (max_buffers)");
}

static bool is_known(const struct stream *stream)
{
	return !session_lacks_login((const struct session *)stream);
}

static const struct stream_handlers handlers = {.on_bytes = on_bytes,
						.on_sent = on_sent,
						.on_end = on_end,
						.on_gone = on_gone,
						.on_over_budget = on_over_budget,
						.is_known = is_known,
						.release = answer_release_value};

/* -- Coming and going -- */

struct session *session_create(struct sessions *sessions, const struct session_wire *wire, int fd,
			       struct tls_context *tls)
{
	struct session *session = calloc(1, wire->bytes);
	if (!session || stream_init(&session->stream, sessions->streams, fd, tls, (uint32_t)sessions->limits.max_output,
				    &handlers) < 0) {
		free(session);
		return NULL;
	}
	stream_set_timeout(&session->stream, sessions->limits.tcp_timeout_ms);
	session->wire = wire;
	session->all = sessions;
	session->heard_us = loop_now_us(sessions->loop);
	session->number = ++sessions->last_number;
	session->at = &sessions->first;
	session->next = sessions->first;
	if (session->next)
		session->next->at = &session->next;
	sessions->first = session;
	sessions->n++;
	session->connection = broker_connect(sessions->broker, session);
	return session;
}

bool session_all_sent(const struct sessions *sessions)
{
	for (const struct session *session = sessions->first; session; session = session->next)
		if (stream_sent(&session->stream) < stream_written(&session->stream))
			return false;
	return true;
}

void session_drop_all(struct sessions *sessions)
{
	while (sessions->first)
		session_destroy(sessions->first);
}
