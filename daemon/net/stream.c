/* The states of streams, and the steps from one to the next.
 *
 * Invariants, which stream_check() looks at: the read event is added while the input is watched, the write event while
 * the output is blocked. A stream keeps whole frames only while its input is paused or resumed; else one incomplete
 * frame at most. Something will wake each stream: an event that is added, a place in a run queue or in a queue of the
 * group, or a deadline. on_gone is called once, never from within on_bytes or on_end. */
#include "daemon/net/stream.h"

#include <assert.h>
#include <errno.h>
#include <event2/event.h>
#include <sys/socket.h>
#include <unistd.h>

#include "config/limits.h"
#include "daemon/net/loop_base.h"
#include "daemon/net/stream_internal.h"
#include "daemon/net/stream_workspace.h"
#include "daemon/net/tls.h"
#include "daemon/net/transport.h"

enum { ENDED_SEND_MS = 30000 }; /* how long a peer that has ended its side may take to read its replies */

/* -- Input -- */

static bool is_watched(enum stream_input input)
{
	return input == STREAM_INPUT_WATCHED || input == STREAM_INPUT_RESUMED;
}

void stream_set_input(struct stream *stream, enum stream_input input)
{
	bool was_watched = is_watched(stream->input);
	assert(stream->state != STREAM_GONE || input == STREAM_INPUT_OFF);
	stream->input = (uint8_t)input;
	if (was_watched == is_watched(input))
		return;
	if (was_watched)
		event_del(&stream->read_event);
	else if (event_add(&stream->read_event, NULL) < 0)
		stream_drop(stream); /* rather than never to hear of it again */
}

/* Without memory for the place, the socket's next event is waited for. */
void stream_read_soon(struct stream *stream)
{
	struct stream_group *group = stream->group;
	struct stream_workspace *workspace = stream_need_workspace(stream);
	if (workspace)
		run_queue_enter(stream->state == STREAM_OPENING ? &group->openings : &group->reads,
				&workspace->run_place, stream);
}

void stream_resume(struct stream *stream)
{
	if (stream->state != STREAM_OPEN || !stream_kept_len(stream))
		return;
	stream_set_input(stream, STREAM_INPUT_RESUMED);
	if (stream->state == STREAM_OPEN)
		stream_read_soon(stream);
}

/* -- Output -- */

void stream_enqueue(struct stream *stream, struct stream_queue *queue)
{
	if (stream->is_queued)
		return;
	stream->is_queued = true;
	stream->group->n_queued++;
	stream->queue_next = NULL;
	*queue->tail = stream;
	queue->tail = &stream->queue_next;
	loop_want_flush(stream->group->loop);
}

struct buffer *stream_output(struct stream *stream, size_t value_bytes)
{
	struct stream_group *group = stream->group;
	assert(stream->state != STREAM_GONE || stream->is_queued);
	output_pool_lend(&group->pool, &stream->out, group->n_queued >= OUTPUT_POOL_BLOCKS);
	stream->out_value_bytes += value_bytes;
	group->unsent_value_bytes += value_bytes;
	stream_enqueue(stream, value_bytes ? &group->takers : &group->others);
	return &stream->out;
}

bool stream_refer(struct stream *stream, const char *bytes, size_t len, void *owner)
{
	struct stream_workspace *workspace = stream_need_workspace(stream);
	if (!workspace || !references_add(&workspace->references, &stream->out, bytes, len, owner))
		return false;
	stream->refers = true;
	return true;
}

size_t stream_count_referred(const struct stream *stream)
{
	return stream->workspace->references.bytes;
}

bool stream_is_full(const struct stream *stream)
{
	return buffer_len(&stream->out) + stream_referred(stream) > stream->max_output;
}

bool stream_peer_is_slow(const struct stream *stream)
{
	return stream_is_full(stream) && !transport_has_room(stream->fd);
}

/* A read may bring thousands of requests. */
void stream_look_at_clock(struct stream *stream)
{
	struct stream_group *group = stream->group;
	if (++group->n_requests % REQUESTS_A_LOOK == 0 && loop_turn_is_long(group->loop))
		stream->turn_work = UINT32_MAX;
}

/* What has been written may have been thrown away since: then it stops too. */
bool stream_has_had_its_turn(const struct stream *stream, uint64_t written_before)
{
	return stream_is_full(stream) ||
	       stream_written(stream) - written_before + stream->turn_work > TURN_OUTPUT_BYTES;
}

void stream_count_work(struct stream *stream, uint32_t bytes)
{
	stream->turn_work = bytes < UINT32_MAX - stream->turn_work ? stream->turn_work + bytes : UINT32_MAX;
}

uint64_t stream_written(const struct stream *stream)
{
	return stream->out.failed ? UINT64_MAX : stream->n_sent + buffer_len(&stream->out) + stream_referred(stream);
}

uint64_t stream_sent(const struct stream *stream)
{
	return stream->n_sent;
}

int stream_block_output(struct stream *stream)
{
	struct stream_workspace *workspace = stream_need_workspace(stream);
	if (!workspace)
		return -1;
	if (!workspace->write_event)
		workspace->write_event = event_new(loop_base(stream->group->loop), stream->fd, EV_WRITE | EV_PERSIST,
						   stream->group->on_writable, stream);
	if (!workspace->write_event || event_add(workspace->write_event, NULL) < 0)
		return -1;
	stream->output = STREAM_OUTPUT_BLOCKED;
	return 0;
}

void stream_unblock_output(struct stream *stream)
{
	if (stream->output != STREAM_OUTPUT_BLOCKED)
		return;
	stream->output = STREAM_OUTPUT_READY;
	event_del(stream->workspace->write_event);
}

void stream_drop_output(struct stream *stream)
{
	stream_forget_holds(stream);
	stream->group->unsent_value_bytes -= stream->out_value_bytes;
	stream->out_value_bytes = 0;
	if (stream->refers)
		references_drop(&stream->workspace->references, stream->handlers->release);
	stream->refers = false;
	buffer_clear(&stream->out);
	output_pool_take_back(&stream->group->pool, &stream->out);
	stream_unblock_output(stream);
}

/* The peer does not take what we send. What it has sent may still be read: whole frames are carried out. */
void stream_break_output(struct stream *stream)
{
	stream_drop_output(stream);
	stream->output = STREAM_OUTPUT_BROKEN;
	if (stream_tls(stream))
		tls_break(stream_tls(stream)); /* a part of a record may have been sent: nothing can follow */
}

void stream_break(struct stream *stream)
{
	stream_break_output(stream);
	stream_settle(stream, false);
	shutdown(stream->fd, SHUT_RDWR);
	switch ((enum stream_state)stream->state) {
	case STREAM_OPENING:
	case STREAM_ENDED:
		stream_drop(stream);
		break;
	case STREAM_OPEN:
		/* It may not be watched just now, and nothing else would tell of its end. */
		stream_set_input(stream, STREAM_INPUT_RESUMED);
		break;
	case STREAM_REFUSED: /* it is watched */
	case STREAM_GONE:
		break;
	}
}

/* -- Ending -- */

static size_t buffer_bytes(const struct stream *stream)
{
	const struct stream_workspace *workspace = stream->workspace;
	size_t bytes = stream->out.cap + stream_referred(stream);
	if (workspace)
		bytes += stream_kept_bytes(stream) + tls_bytes(workspace->tls);
	return bytes;
}

void stream_settle(struct stream *stream, bool has_moved)
{
	struct buffer_budget *budget = &stream->group->budget;
	struct stream_workspace *workspace = stream->workspace;
	bool is_waiting =
		stream->state == STREAM_OPENING ||
		(stream->state != STREAM_GONE && (stream_kept_len(stream) || stream->output == STREAM_OUTPUT_BLOCKED));
	buffer_budget_count(budget, &stream->budget_bytes, buffer_bytes(stream));
	if (is_waiting)
		buffer_budget_wait(budget, &workspace->budget_place, stream, stream->budget_bytes,
				   stream->state == STREAM_OPENING ||
					   (stream->handlers->is_known && !stream->handlers->is_known(stream)),
				   has_moved);
	else if (workspace)
		buffer_budget_leave(budget, &workspace->budget_place);
}

void stream_drop(struct stream *stream)
{
	if (stream->state == STREAM_GONE)
		return;
	stream->state = STREAM_GONE;
	stream_set_input(stream, STREAM_INPUT_OFF);
	if (stream->workspace)
		run_queue_leave(&stream->workspace->run_place);
	stream_drop_output(stream);
	stream_keep_nothing(stream);
	stream_settle(stream, false);
	stream_enqueue(stream, &stream->group->others);
}

static void on_deadline(evutil_socket_t fd, short what, void *arg)
{
	(void)fd, (void)what;
	stream_drop(arg);
}

static void set_deadline(struct stream *stream, long ms)
{
	struct timeval timeout = {.tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000};
	struct stream_workspace *workspace = stream_need_workspace(stream);
	if (workspace && !workspace->deadline_event)
		workspace->deadline_event = evtimer_new(loop_base(stream->group->loop), on_deadline, stream);
	if (!workspace || !workspace->deadline_event || event_add(workspace->deadline_event, &timeout) < 0)
		stream_drop(stream);
}

void stream_end_input(struct stream *stream)
{
	assert(stream->state != STREAM_ENDED && stream->state != STREAM_GONE);
	stream_set_input(stream, STREAM_INPUT_OFF);
	stream_keep_nothing(stream);
	stream->state = STREAM_ENDED;
	stream->handlers->on_end(stream);
	if (stream->state != STREAM_ENDED)
		return;
	if (stream->output == STREAM_OUTPUT_BROKEN || !stream_has_unsent(stream))
		stream_drop(stream);
	else
		set_deadline(stream, ENDED_SEND_MS);
}

void stream_refuse(struct stream *stream)
{
	if (stream->state == STREAM_OPENING) {
		stream_drop(stream);
		return;
	}
	assert(stream->state == STREAM_OPEN);
	stream->state = STREAM_REFUSED;
	stream_keep_nothing(stream);
	stream_settle(stream, false);
	stream_set_input(stream, STREAM_INPUT_WATCHED);
	if (stream->state != STREAM_REFUSED)
		return;
	set_deadline(stream, TOO_LARGE_LINGER_MS);
	if (stream->state == STREAM_REFUSED && !stream_has_unsent(stream))
		transport_end_sending(stream->fd, stream_tls(stream));
}

void stream_log_timeout(const struct stream *stream, ssize_t n)
{
	if (n < 0 && errno == ETIMEDOUT)
		log_seldom(&stream->group->timeouts_log, loop_now_us(stream->group->loop),
			   "a connection has timed out: its system has not answered, or has had no room for what was "
			   "sent, for tcp_timeout_ms");
}

/* -- Life -- */

int stream_init(struct stream *stream, struct stream_group *group, int fd, struct tls_context *context,
		uint32_t max_output, const struct stream_handlers *handlers)
{
	assert(fd >= 0 && handlers->on_bytes && handlers->on_end && handlers->on_gone);
	*stream = (struct stream){.group = group,
				  .handlers = handlers,
				  .fd = fd,
				  .state = context ? STREAM_OPENING : STREAM_OPEN,
				  .input = STREAM_INPUT_WATCHED,
				  .max_output = max_output};
	/* TLS takes much: where nobody could be closed for it, there is no room. */
	if (context && buffer_budget_is_over(&group->budget) && !buffer_budget_victim(&group->budget, NULL))
		goto no_memory;
	if (context && (!stream_need_workspace(stream) || !(stream->workspace->tls = tls_create(context, fd))))
		goto no_memory;
	if (event_assign(&stream->read_event, loop_base(group->loop), fd, EV_READ | EV_PERSIST, group->on_readable,
			 stream) < 0 ||
	    event_add(&stream->read_event, NULL) < 0)
		goto no_memory;
	stream_settle(stream, false);
	return 0;

no_memory:
	stream_free_workspace(stream);
	return -1;
}

void stream_finish(struct stream *stream)
{
	struct stream_workspace *workspace = stream->workspace;
	assert(!stream->is_queued);
	stream->state = STREAM_GONE;
	stream_drop_output(stream);
	stream_set_input(stream, STREAM_INPUT_OFF);
	buffer_budget_count(&stream->group->budget, &stream->budget_bytes, 0);
	if (workspace) {
		buffer_budget_leave(&stream->group->budget, &workspace->budget_place);
		run_queue_leave(&workspace->run_place);
	}
	stream_free_workspace(stream);
	close(stream->fd);
}

/* -- Checking -- */

static bool will_wake(const struct stream *stream)
{
	const struct stream_workspace *workspace = stream->workspace;
	return stream->is_queued || is_watched(stream->input) || stream->output == STREAM_OUTPUT_BLOCKED ||
	       (workspace &&
		(run_place_is_taken(&workspace->run_place) ||
		 (workspace->deadline_event && event_pending(workspace->deadline_event, EV_TIMEOUT, NULL))));
}

const char *stream_check(const struct stream *stream)
{
	const struct stream_workspace *workspace = stream->workspace;
	bool is_read = event_pending(&stream->read_event, EV_READ, NULL);
	bool is_write_watched =
		workspace && workspace->write_event && event_pending(workspace->write_event, EV_WRITE, NULL);
	size_t in_cap = workspace ? workspace->in.cap : 0;
	if (is_read != is_watched(stream->input))
		return "the read event is not as the input's state says";
	if (is_write_watched != (stream->output == STREAM_OUTPUT_BLOCKED))
		return "the write event is not as the output's state says";
	if (!will_wake(stream))
		return "nothing will ever wake it";
	if (stream->state == STREAM_GONE && (stream->input != STREAM_INPUT_OFF || in_cap || stream->out.cap))
		return "it is gone, and has buffers still";
	if (stream->output == STREAM_OUTPUT_BROKEN && stream_has_unsent(stream) && !stream->is_queued)
		return "its output is broken, and kept";
	bool is_held = workspace && workspace->holds.at;
	if (stream->output == STREAM_OUTPUT_READY && stream_has_unsent(stream) && !stream->is_queued && !is_held &&
	    stream->state != STREAM_OPENING)
		return "nobody will send its output";
	if (stream->refers != (workspace && workspace->references.bytes > 0))
		return "it does not know whether it refers to anything";
	if (stream->refers && workspace->references.covered >= buffer_len(&stream->out))
		return "nothing follows what is referred to";
	if (stream->out_value_bytes > stream->group->unsent_value_bytes)
		return "its unsent values are more than those of all";
	if (stream->budget_bytes > stream->group->budget.bytes ||
	    (!stream->is_queued && stream->budget_bytes != buffer_bytes(stream)))
		return "the budget has counted something else than its buffers";
	return NULL;
}
