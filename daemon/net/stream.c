/* Reading, sending and ending of streams.
 *
 * Invariants: while is_reading, the read event is added. A stream that is_queued is in one of the loop's queues. `in`
 * holds at most one incomplete frame, or, while is_unparsed, what one read brought. on_gone is called once, never from
 * within on_bytes or on_end. */
#include "daemon/net/stream.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "config/limits.h"
#include "daemon/log.h"
#include "daemon/net/run_queue.h"
#include "daemon/net/loop_private.h"
#include "daemon/net/stream_extra.h"
#include "daemon/net/stream_io.h"
#include "daemon/net/tls.h"

enum {
	CARRY_BYTES = 16 * 1024, /* an incomplete frame up to this length is copied in front of the next read */
	ENDED_SEND_MS = 30000,   /* how long a peer that has ended its side may take to read its replies */
};

static void on_readable(evutil_socket_t fd, short what, void *arg);
static void on_writable(evutil_socket_t fd, short what, void *arg);
static void on_deadline(evutil_socket_t fd, short what, void *arg);
static void begin_gone(struct stream *stream);
static void break_writing(struct stream *stream);
static int wait_for_room(struct stream *stream);
static void send_output(struct stream *stream);

static void set_reading(struct stream *stream, bool reading)
{
	if (stream->is_reading == reading)
		return;
	stream->is_reading = reading;
	if (!reading)
		event_del(&stream->read_event);
	else if (event_add(&stream->read_event, NULL) < 0)
		begin_gone(stream); /* rather than never to hear of it again */
}

int stream_init(struct stream *stream, struct loop *loop, int fd, struct tls_context *context, uint32_t max_output,
		const struct stream_handlers *handlers)
{
	*stream = (struct stream){.loop = loop,
				  .handlers = handlers,
				  .io = &stream_io_plain,
				  .fd = fd,
				  .state = STREAM_OPEN,
				  .max_output = max_output};
	if (context) {
		stream->io = &stream_io_tls;
		stream->state = STREAM_OPENING;
		if (!stream_need_extra(stream) || !(stream->extra->tls = tls_create(context, fd))) {
			stream_free_extra(stream);
			return -1;
		}
	}
	if (event_assign(&stream->read_event, loop->base, fd, EV_READ | EV_PERSIST, on_readable, stream) < 0 ||
	    event_add(&stream->read_event, NULL) < 0) {
		if (context)
			tls_destroy(stream->extra->tls);
		stream_free_extra(stream);
		return -1;
	}
	stream->is_reading = true;
	return 0;
}

/* Tells the budget what has become of the stream. */
static void settle(struct stream *stream, bool has_moved)
{
	bool is_waiting = stream->state != STREAM_GONE && (stream_input_len(stream) || stream->is_sending_blocked);
	size_t input_cap = stream->extra ? stream->extra->in.cap : 0;
	buffer_budget_update(&stream->loop->budget, stream, input_cap + stream->out.cap, is_waiting, has_moved);
}

static void unblock_sending(struct stream *stream)
{
	stream->is_sending_blocked = false;
	if (stream->extra && stream->extra->write_event)
		event_del(stream->extra->write_event);
}

static void drop_output(struct stream *stream)
{
	stream->loop->unsent_value_bytes -= stream->out_value_bytes;
	stream->out_value_bytes = 0;
	buffer_clear(&stream->out);
	loop_take_back(stream->loop, &stream->out);
	unblock_sending(stream);
}

void stream_finish(struct stream *stream)
{
	assert(!stream->is_queued);
	drop_output(stream);
	buffer_budget_leave(&stream->loop->budget, stream);
	run_queue_leave(stream);
	set_reading(stream, false);
	stream->io->finish(stream);
	stream_free_extra(stream);
	close(stream->fd);
}

/* `n` is what recv() or send() has returned. */
static void log_timeout(const struct stream *stream, ssize_t n)
{
	if (n < 0 && errno == ETIMEDOUT)
		log_seldom(&stream->loop->timeouts_log, loop_now_us(stream->loop),
			   "a connection has timed out: its system has not answered, or has had no room for what was "
			   "sent, for tcp_timeout_ms");
}

/* -- Ending -- */

static void enqueue(struct stream *stream, struct stream_queue *queue)
{
	if (stream->is_queued)
		return;
	stream->is_queued = true;
	stream->queue_next = NULL;
	*queue->tail = stream;
	queue->tail = &stream->queue_next;
}

/* The owner is told at the end of the turn, when nobody up the stack holds the stream. */
static void begin_gone(struct stream *stream)
{
	stream->state = STREAM_GONE;
	set_reading(stream, false);
	run_queue_leave(stream);
	drop_output(stream);
	stream_drop_input(stream);
	settle(stream, false);
	enqueue(stream, &stream->loop->others);
}

static void set_deadline(struct stream *stream, long ms)
{
	struct timeval timeout = {.tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000};
	struct stream_extra *extra = stream_need_extra(stream);
	if (!extra || !(extra->deadline_event = evtimer_new(stream->loop->base, on_deadline, stream)) ||
	    event_add(extra->deadline_event, &timeout) < 0)
		begin_gone(stream);
}

static void on_deadline(evutil_socket_t fd, short what, void *arg)
{
	(void)fd, (void)what;
	struct stream *stream = arg;
	if (stream->state != STREAM_GONE)
		begin_gone(stream);
}

static void end_input(struct stream *stream)
{
	set_reading(stream, false);
	stream_drop_input(stream);
	stream->is_unparsed = false;
	stream->state = STREAM_ENDED;
	stream->handlers->on_end(stream);
	if (stream->is_write_broken || !buffer_len(&stream->out))
		begin_gone(stream);
	else
		set_deadline(stream, ENDED_SEND_MS);
}

void stream_refuse(struct stream *stream)
{
	if (stream->state == STREAM_OPENING) {
		begin_gone(stream);
		return;
	}
	assert(stream->state == STREAM_OPEN);
	stream->state = STREAM_REFUSED;
	stream->is_unparsed = false;
	stream_drop_input(stream);
	settle(stream, false);
	set_reading(stream, true);
	set_deadline(stream, TOO_LARGE_LINGER_MS);
	if (!buffer_len(&stream->out))
		stream->io->end_sending(stream);
}

/* -- Reading -- */

/* Gives the bytes to the owner, and keeps what it leaves. `bytes` are the scratch, or the content of `in`. */
static void parse(struct stream *stream, char *bytes, size_t len)
{
	bool in_place = bytes == stream_input(stream);
	uint64_t written_before = stream_written(stream);
	stream->turn_work = 0;
	size_t used = stream->handlers->on_bytes(stream, bytes, len);
	assert(used <= len);
	if (stream->state != STREAM_OPEN) {
		stream_drop_input(stream);
		return;
	}
	if (in_place && used < len) {
		buffer_consume(&stream->extra->in, used);
	} else if (!stream_keep_input(stream, bytes + used, len - used)) {
		end_input(stream);
		return;
	}
	/* What it has written is sent at the end of this turn, and then it goes on. */
	stream->is_unparsed = stream_has_had_its_turn(stream, written_before);
	set_reading(stream, !stream->is_unparsed);
}

static ssize_t receive(struct stream *stream, char *to, size_t room)
{
	ssize_t n;
	do
		n = stream->io->receive(stream, to, room);
	while (n < 0 && errno == EINTR);
	if (n < 0 && errno == EINPROGRESS) {
		set_reading(stream, false);
		stream->is_reading_blocked = true;
		errno = wait_for_room(stream) < 0 ? ENOMEM : EAGAIN;
	}
	return n;
}

/* A long frame is read into its own buffer, as much at once as others. An announced length alone costs nothing. */
static ssize_t receive_long(struct stream *stream)
{
	struct buffer *in = &stream->extra->in;
	char *to = buffer_reserve(in, LOOP_READ_BYTES);
	if (!to) {
		errno = ENOMEM;
		return -1;
	}
	ssize_t n = receive(stream, to, LOOP_READ_BYTES);
	if (n > 0) {
		buffer_commit(in, (size_t)n);
		parse(stream, buffer_front(in), buffer_len(in));
	}
	return n;
}

static ssize_t receive_short(struct stream *stream)
{
	char *scratch = stream->loop->scratch;
	size_t have = stream_input_len(stream);
	if (have)
		memcpy(scratch, stream_input(stream), have);
	ssize_t n = receive(stream, scratch + have, LOOP_READ_BYTES - have);
	if (n > 0)
		parse(stream, scratch, have + (size_t)n);
	return n;
}

/* Whatever it is, nobody needs to know: so TLS does not either. */
static void discard(struct stream *stream)
{
	ssize_t n = recv(stream->fd, stream->loop->scratch, LOOP_READ_BYTES, 0);
	if (n > 0)
		stream->extra->discarded += (uint32_t)n;
	if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR) || stream->extra->discarded > TOO_LARGE_LINGER_BYTES)
		begin_gone(stream);
}

void stream_resume(struct stream *stream)
{
	if (stream->state != STREAM_OPEN || !stream_input_len(stream))
		return;
	stream->is_unparsed = true;
	set_reading(stream, true);
	run_queue_read(stream); /* in the next turn: two streams that resume each other must not fill this one */
}

static void read_more(struct stream *stream)
{
	if (stream->is_unparsed && stream_input_len(stream)) {
		parse(stream, stream_input(stream), stream_input_len(stream));
		if (stream->state != STREAM_OPEN || stream->is_unparsed)
			return;
	}
	ssize_t n = stream_input_len(stream) > CARRY_BYTES ? receive_long(stream) : receive_short(stream);
	log_timeout(stream, n);
	if (n == 0 || (n < 0 && errno != EAGAIN))
		end_input(stream);
	else if (stream->state == STREAM_OPEN && n > 0 && stream->is_reading && stream->io->has_more(stream))
		run_queue_read(stream);
}

/* What has been written in this turn is sent at once then, as it may be what takes the memory. */
static void make_room(struct stream *stream)
{
	struct buffer_budget *budget = &stream->loop->budget;
	struct stream *victim;
	if (budget->bytes <= budget->max_bytes)
		return;
	if (stream->state != STREAM_GONE && buffer_len(&stream->out) && !stream->is_sending_blocked)
		send_output(stream);
	while ((victim = buffer_budget_victim(budget, stream))) {
		log_seldom(&budget->log, loop_now_us(stream->loop),
			   "the connection that has stood still the longest is closed: the buffers of all are over "
			   "max_buffers");
		if (victim->state == STREAM_OPEN && !victim->is_sending_blocked)
			victim->handlers->on_over_budget(victim);
		else
			begin_gone(victim); /* it does not read, and could not be told */
	}
}

static void on_readable(evutil_socket_t fd, short what, void *arg)
{
	(void)fd, (void)what;
	struct stream *stream = arg;
	switch ((enum stream_state)stream->state) {
	case STREAM_OPENING:
		set_reading(stream, false);
		stream_go_on_opening(stream);
		break;
	case STREAM_OPEN:
		if (!stream->is_reading)
			break;
		read_more(stream);
		settle(stream, true);
		make_room(stream);
		break;
	case STREAM_REFUSED:
		discard(stream);
		break;
	case STREAM_ENDED:
	case STREAM_GONE:
		break;
	}
}

void stream_read_on(struct stream *stream)
{
	on_readable(stream->fd, EV_READ, stream);
}

/* -- Opening -- */

void stream_opened(struct stream *stream)
{
	stream->state = STREAM_OPEN;
	unblock_sending(stream);
	set_reading(stream, true);
	if (stream->state == STREAM_OPEN && stream->io->has_more(stream))
		run_queue_read(stream);
	if (buffer_len(&stream->out))
		enqueue(stream, &stream->loop->others);
}

void stream_opening_failed(struct stream *stream)
{
	break_writing(stream);
	end_input(stream);
}

void stream_wait_to_read(struct stream *stream)
{
	set_reading(stream, true);
}

void stream_wait_to_write(struct stream *stream)
{
	if (wait_for_room(stream) < 0)
		stream_opening_failed(stream);
}

/* -- Sending -- */

struct buffer *stream_output(struct stream *stream, size_t value_bytes)
{
	struct loop *loop = stream->loop;
	loop_lend(loop, &stream->out);
	if (value_bytes > stream->out.cap / 2)
		buffer_reserve(&stream->out, value_bytes + REPLY_ENVELOPE_BYTES); /* it grows once, not by steps */
	stream->out_value_bytes += value_bytes;
	loop->unsent_value_bytes += value_bytes;
	enqueue(stream, value_bytes ? &loop->takers : &loop->others);
	return &stream->out;
}

bool stream_is_full(const struct stream *stream)
{
	return buffer_len(&stream->out) > stream->max_output;
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
	return stream->out.failed ? UINT64_MAX : stream->n_sent + buffer_len(&stream->out);
}

uint64_t stream_sent(const struct stream *stream)
{
	return stream->n_sent;
}

static int wait_for_room(struct stream *stream)
{
	struct stream_extra *extra = stream_need_extra(stream);
	if (extra && !extra->write_event)
		extra->write_event =
			event_new(stream->loop->base, stream->fd, EV_WRITE | EV_PERSIST, on_writable, stream);
	stream->is_sending_blocked = extra && extra->write_event && event_add(extra->write_event, NULL) == 0;
	return stream->is_sending_blocked ? 0 : -1;
}

/* The peer does not take what we send. What it has sent may still be read: whole frames are carried out. */
static void break_writing(struct stream *stream)
{
	stream->is_write_broken = true;
	drop_output(stream);
}

void stream_break(struct stream *stream)
{
	break_writing(stream);
	shutdown(stream->fd, SHUT_RDWR);
}

static void after_sending(struct stream *stream)
{
	if (stream->out_value_bytes > buffer_len(&stream->out)) {
		stream->loop->unsent_value_bytes -= stream->out_value_bytes - buffer_len(&stream->out);
		stream->out_value_bytes = buffer_len(&stream->out);
	}
	if (!buffer_len(&stream->out)) {
		unblock_sending(stream);
		loop_take_back(stream->loop, &stream->out);
		if (stream->state == STREAM_REFUSED)
			stream->io->end_sending(stream);
		if (stream->state == STREAM_ENDED)
			begin_gone(stream);
	}
	if (stream->state == STREAM_OPEN && stream->is_reading_blocked && !stream->is_sending_blocked) {
		stream->is_reading_blocked = false;
		set_reading(stream, !stream->is_unparsed);
		run_queue_read(stream);
	}
	if (stream->state == STREAM_OPEN && stream->is_unparsed && !stream_is_full(stream)) {
		set_reading(stream, true);
		if (stream_input_len(stream) || stream->io->has_more(stream))
			run_queue_read(stream); /* not in this turn, though it may go on still: this is called from
					       within it too */
	}
}

static void send_output(struct stream *stream)
{
	struct buffer *out = &stream->out;
	uint64_t sent_before = stream->n_sent;
	if (out->failed)
		stream_break(stream);
	if (stream->is_write_broken)
		drop_output(stream);
	while (buffer_len(out) && stream->state != STREAM_OPENING) {
		ssize_t n = stream->io->send(stream, out->bytes + out->start, buffer_len(out));
		if (n >= 0) {
			buffer_consume(out, (size_t)n);
			stream->n_sent += (uint64_t)n;
		} else if (errno == EAGAIN) {
			if (wait_for_room(stream) < 0)
				break_writing(stream);
			break;
		} else if (errno != EINTR) {
			log_timeout(stream, n);
			break_writing(stream);
		}
	}
	if (stream->n_sent > sent_before)
		stream->handlers->on_sent(stream);
	after_sending(stream);
	settle(stream, stream->n_sent > sent_before);
}

static void on_writable(evutil_socket_t fd, short what, void *arg)
{
	(void)fd, (void)what;
	struct stream *stream = arg;
	if (stream->state == STREAM_OPENING) {
		unblock_sending(stream);
		stream_go_on_opening(stream);
		return;
	}
	if (stream->state != STREAM_GONE && !stream->is_queued)
		send_output(stream);
}

static void flush_queue(struct stream_queue *queue)
{
	while (queue->head) {
		struct stream *stream = queue->head;
		queue->head = stream->queue_next;
		if (!queue->head)
			queue->tail = &queue->head;
		stream->is_queued = false;
		if (stream->state == STREAM_GONE)
			stream->handlers->on_gone(stream);
		else
			send_output(stream);
	}
}

void stream_flush_all(struct loop *loop)
{
	/* The end of a stream, and its draining, may give others something to send. */
	while (loop->takers.head || loop->others.head) {
		flush_queue(&loop->takers);
		flush_queue(&loop->others);
	}
}
