/* Reading: what has come is given to the owner, and what it leaves is kept. */
#include <assert.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "config/limits.h"
#include "daemon/net/stream_internal.h"
#include "daemon/net/stream_workspace.h"
#include "daemon/net/transport.h"

void stream_expect(struct stream *stream, size_t bytes)
{
	struct stream_workspace *workspace = stream_need_workspace(stream);
	if (workspace)
		workspace->expected = bytes;
}

char *stream_give_input(struct stream *stream, size_t max)
{
	struct stream_workspace *workspace = stream->workspace;
	if (!workspace || !workspace->may_be_given || workspace->in.cap > max)
		return NULL;
	char *block = workspace->in.bytes;
	workspace->in = (struct buffer){0};
	workspace->may_be_given = false;
	return block;
}

static size_t show(struct stream *stream, char *bytes, size_t len, bool in_place)
{
	struct stream_workspace *workspace = stream->workspace;
	if (workspace) {
		workspace->may_be_given =
			in_place && workspace->expected == len && workspace->in.start == STREAM_LEAD_BYTES;
		workspace->expected = 0;
	}
	size_t used = stream->handlers->on_bytes(stream, bytes, len);
	if (workspace)
		workspace->may_be_given = false;
	return used;
}

/* Gives the bytes to the owner, and keeps what it leaves. `bytes` are the scratch, or what is kept. */
static void parse(struct stream *stream, char *bytes, size_t len)
{
	bool in_place = bytes == stream_kept(stream);
	uint64_t written_before = stream_written(stream);
	stream->turn_work = 0;
	size_t used = show(stream, bytes, len, in_place);
	assert(used <= len);
	if (stream->state != STREAM_OPEN) {
		stream_keep_nothing(stream);
		return;
	}
	if (in_place && used < len) {
		buffer_consume(&stream->workspace->in, used);
	} else if (!stream_keep(stream, bytes + used, len - used)) {
		stream_end_input(stream);
		return;
	}
	bool has_had_its_turn = stream_has_had_its_turn(stream, written_before);
	if (has_had_its_turn && (stream->output == STREAM_OUTPUT_BROKEN || !stream_has_unsent(stream))) {
		/* No sending will resume it: it goes on in the next turn. */
		stream_set_input(stream, STREAM_INPUT_RESUMED);
		stream_read_soon(stream);
		return;
	}
	/* What it has written is sent at the end of this turn, and then it goes on. */
	stream_set_input(stream, has_had_its_turn ? STREAM_INPUT_PAUSED : STREAM_INPUT_WATCHED);
}

static ssize_t receive(struct stream *stream, char *to, size_t room)
{
	ssize_t n;
	do
		n = transport_receive(stream->fd, stream_tls(stream), to, room);
	while (n < 0 && errno == EINTR);
	if (n < 0 && errno == EINPROGRESS) {
		stream_set_input(stream, STREAM_INPUT_BLOCKED);
		errno = stream_block_output(stream) < 0 ? ENOMEM : EAGAIN;
	}
	return n;
}

/* A long frame is read into its own buffer, as much at once as others. An announced length alone costs nothing. */
static ssize_t receive_long(struct stream *stream)
{
	struct buffer *in = &stream->workspace->in;
	size_t room;
	char *to = stream_keep_more(stream, STREAM_READ_BYTES, &room);
	if (!to) {
		errno = ENOMEM;
		return -1;
	}
	ssize_t n = receive(stream, to, room);
	if (n > 0) {
		buffer_commit(in, (size_t)n);
		parse(stream, buffer_front(in), buffer_len(in));
	}
	return n;
}

static ssize_t receive_short(struct stream *stream)
{
	char *scratch = stream->group->scratch;
	size_t have = stream_kept_len(stream);
	if (have)
		memcpy(scratch, stream_kept(stream), have);
	ssize_t n = receive(stream, scratch + have, STREAM_READ_BYTES - have);
	if (n > 0)
		parse(stream, scratch, have + (size_t)n);
	return n;
}

static void read_on(struct stream *stream)
{
	if (stream->input == STREAM_INPUT_RESUMED) {
		stream_set_input(stream, STREAM_INPUT_WATCHED);
		if (stream_kept_len(stream))
			parse(stream, stream_kept(stream), stream_kept_len(stream));
		if (stream->state != STREAM_OPEN || stream->input != STREAM_INPUT_WATCHED)
			return;
	}
	ssize_t n = stream_kept_len(stream) > STREAM_CARRY_BYTES ? receive_long(stream) : receive_short(stream);
	int error = n < 0 ? errno : 0;
	stream_log_timeout(stream, n);
	if (stream->state != STREAM_OPEN)
		return;
	if (n == 0 || (error && error != EAGAIN))
		stream_end_input(stream);
	else if (stream->input == STREAM_INPUT_WATCHED && transport_has_more(stream_tls(stream)))
		stream_read_soon(stream);
}

void stream_make_room(struct stream *stream)
{
	struct stream_group *group = stream->group;
	struct stream *victim;
	if (!buffer_budget_is_over(&group->budget))
		return;
	if (stream->state != STREAM_GONE && stream_has_unsent(stream) && stream->output == STREAM_OUTPUT_READY)
		stream_send_all(stream);
	while ((victim = buffer_budget_victim(&group->budget, stream))) {
		log_seldom(&group->over_budget_log, loop_now_us(group->loop),
			   "a connection that waits for its peer is closed: the buffers of all are over max_buffers");
		if (victim->state == STREAM_OPEN && victim->output == STREAM_OUTPUT_READY)
			victim->handlers->on_over_budget(victim);
		else
			stream_drop(victim); /* it does not read, and could not be told */
		/* What it was told takes memory until it is sent, and nobody else is to go for that. */
		if (victim->state != STREAM_GONE && stream_has_unsent(victim) && victim->output == STREAM_OUTPUT_READY)
			stream_send_all(victim);
		if (victim->state != STREAM_GONE && victim->output == STREAM_OUTPUT_BLOCKED)
			stream_drop(victim); /* it has no room for that */
		assert(buffer_budget_victim(&group->budget, stream) != victim);
	}
}

void stream_read(struct stream *stream)
{
	assert(stream->state == STREAM_OPEN);
	read_on(stream);
	stream_settle(stream, true);
	stream_make_room(stream);
}

/* Whatever it is, nobody needs to know: so TLS does not either. */
void stream_discard(struct stream *stream)
{
	ssize_t n = recv(stream->fd, stream->group->scratch, STREAM_READ_BYTES, 0);
	if (n > 0)
		stream->workspace->discarded += (uint32_t)n;
	if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR) ||
	    stream->workspace->discarded > TOO_LARGE_LINGER_BYTES)
		stream_drop(stream);
}
