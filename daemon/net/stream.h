/* A connected stream socket: bytes in, bytes out, and its end.
 *
 * In: all streams of a group are read into one large buffer, and on_bytes consumes whole frames from it in place; only
 * an incomplete frame is copied and kept. Out: what is written goes to one buffer, which is sent once at the end of the
 * turn, but for what is large: that is referred to, and sent from where it is.
 *
 * While more than max_output bytes wait to be sent, the stream is not read: on_bytes stops when stream_is_full(), and
 * is called again with the rest when the output has drained below it. It stops too when it has written so much that
 * others should have their turn, and is called again with the rest in the next turn.
 *
 * All buffers together are bounded by stream_group_set_max_buffers(): over it, the stream that has waited for its peer
 * the longest is closed.
 *
 * A stream ends in two steps: on_end, when no more input will be given (the peer has ended its side, or
 * stream_refuse()); then what is unsent is sent, if the peer still takes it; then on_gone, where its owner frees it. */
#ifndef MILLRACE_NET_STREAM_H
#define MILLRACE_NET_STREAM_H

#include <event2/event_struct.h>
#include <stdbool.h>
#include <stdint.h>

#include "proto/buffer.h"

struct stream;
struct stream_group;
struct stream_workspace;
struct tls_context;

struct stream_handlers {
	/* Consumes from the front of `bytes`, which it may write over, and returns how many it has used. */
	size_t (*on_bytes)(struct stream *stream, char *bytes, size_t len);
	/* Some of what was written has been sent, in the end of a turn or later. */
	void (*on_sent)(struct stream *stream);
	void (*on_end)(struct stream *stream);
	void (*on_gone)(struct stream *stream);
	/* The buffers of all streams together take too much, and this one, which has an incomplete frame, was chosen:
	 * it has to say so in its output, and to stream_refuse(). */
	void (*on_over_budget)(struct stream *stream);
	/* Whether the peer has said who it is, or need not: strangers are closed first. NULL: everybody has. */
	bool (*is_known)(const struct stream *stream);
	/* What stream_refer() was given is not needed any more. NULL: nothing is referred to. */
	void (*release)(void *owner);
};

enum stream_state {
	STREAM_OPENING, /* the handshake of TLS: nothing is read or sent yet */
	STREAM_OPEN,
	STREAM_REFUSED, /* its input is thrown away, until its end or a limit */
	STREAM_ENDED,   /* its input is at the end; the output is still sent */
	STREAM_GONE,    /* to be freed at the end of the turn */
};

enum stream_input {
	STREAM_INPUT_OFF,     /* nothing is read: a handshake has other things to do, or the input is at its end */
	STREAM_INPUT_WATCHED, /* the socket's input is read when it comes */
	STREAM_INPUT_PAUSED,  /* not read: whole frames may be kept, until the output has drained or others had their
				 turn */
	STREAM_INPUT_RESUMED, /* watched again; what is kept is handled before more is read */
	STREAM_INPUT_BLOCKED, /* not read: TLS has to send before it can receive */
};

enum stream_output {
	STREAM_OUTPUT_READY,   /* what is written is sent at the end of the turn */
	STREAM_OUTPUT_BLOCKED, /* the socket had no room; its writing is watched */
	STREAM_OUTPUT_BROKEN,  /* nothing can be sent any more, and what is written is thrown away */
};

struct stream { /* embedded; all of it is net/'s. There are many idle ones: keep it small */
	struct stream_group *group;
	const struct stream_handlers *handlers;
	struct stream_workspace *workspace; /* from when it is first needed, and always with TLS; until then NULL */
	int fd;
	uint32_t max_output;
	uint32_t turn_work;           /* since on_bytes was called: see stream_count_work() */
	uint8_t state, input, output; /* enum stream_state, stream_input, stream_output */
	bool is_queued : 1;           /* in one of the group's queues of what the end of the turn has to do */
	bool is_free : 1;             /* see stream_set_free() */
	bool refers : 1;              /* some of the output is not in `out`, but in workspace->references */
	struct buffer out;
	uint64_t n_sent;        /* bytes, since the beginning */
	size_t out_value_bytes; /* of the output, at most */
	struct stream *queue_next;
	size_t budget_bytes; /* what the budget has counted */
	struct event read_event;
};

/* Takes the connected, non-blocking socket over. With a context it is a server's end of TLS, and first shakes hands;
 * without (NULL) it is open at once. -1: no memory, or no room for TLS in max_buffers; the socket is still the
 * caller's. */
int stream_init(struct stream *stream, struct stream_group *group, int fd, struct tls_context *context,
		uint32_t max_output, const struct stream_handlers *handlers);

/* A peer whose system has answered nothing for so long (within 1 s to 12 h), or that has had no room for what waits to
 * be sent to it, is gone. Unix sockets, whose peers cannot vanish without a word, ignore it. */
void stream_set_timeout(struct stream *stream, uint64_t timeout_ms);

/* Closes the socket. Only in on_gone, or when the loop does not run any more. */
void stream_finish(struct stream *stream);

/* Where to write; it is sent at the end of the turn. `value_bytes`: how many bytes of values will be in what is
 * written. */
struct buffer *stream_output(struct stream *stream, size_t value_bytes);

/* Instead of appending these bytes to the output, where something else follows them: they stay as they are until the
 * owner is released, when they are sent or the stream is at its end. False: no memory, and the owner is still the
 * caller's. */
bool stream_refer(struct stream *stream, const char *bytes, size_t len, void *owner);

/* How many bytes that wait to be sent are referred to. */
size_t stream_count_referred(const struct stream *stream);
static inline size_t stream_referred(const struct stream *stream)
{
	return stream->refers ? stream_count_referred(stream) : 0;
}

/* What is written from now on is not sent until stream_group_release() was called with this number, or a greater one.
 * The numbers never fall. Without memory the stream breaks. */
void stream_hold(struct stream *stream, uint64_t number);

/* What waits to be sent, and what is written until this is called again, is sent whatever stream_group_send_until()
 * says: it tells of nothing that may be undone. */
static inline void stream_set_free(struct stream *stream, bool is_free)
{
	stream->is_free = is_free;
}

/* How many bytes were written, and how many of them were sent, since the beginning. With TLS too these are the bytes
 * that were written here, and one is sent once the whole record that it is in has been given to the socket: of a part
 * of a record the peer could read nothing. What could not be written for lack of memory counts as never sent. */
uint64_t stream_written(const struct stream *stream);
uint64_t stream_sent(const struct stream *stream);

/* Whether TLS is still shaking hands. stream_refuse() then ends it without a word. */
static inline bool stream_is_opening(const struct stream *stream)
{
	return stream->state == STREAM_OPENING;
}

/* Whether input is still handled. */
static inline bool stream_is_open(const struct stream *stream)
{
	return stream->state == STREAM_OPEN;
}

/* Whether anything that was written has not been sent yet. */
static inline bool stream_has_unsent(const struct stream *stream)
{
	return buffer_len(&stream->out) > 0; /* some of it follows what is referred to */
}

/* Whether so much waits to be sent that no more input should be handled. */
bool stream_is_full(const struct stream *stream);

/* Whether the peer does not take what is sent to it: the stream is full, and so is its socket. */
bool stream_peer_is_slow(const struct stream *stream);

/* Whether on_bytes has to stop, which began when so much was written: it is full, or has had its turn. To be asked
 * between requests. */
bool stream_has_had_its_turn(const struct stream *stream, uint64_t written_before);

/* Only in on_bytes, after each request: it has had its turn when the loop's turn has become long. */
void stream_look_at_clock(struct stream *stream);

/* What was done for this stream, and wrote nothing, counts towards its turn as if it had written so many bytes. */
void stream_count_work(struct stream *stream, uint32_t bytes);

/* Only in on_bytes: what it leaves begins with a frame that is incomplete, and so long as a whole, which may be what
 * the peer says: its memory is taken step by step as it comes. */
void stream_expect(struct stream *stream, size_t bytes);

/* Only in on_bytes: if the bytes that it was given are one long frame that was expected, in memory of its own of at
 * most `max` bytes, gives that memory away: to be freed by free(). STREAM_LEAD_BYTES of it are unused in front of the
 * frame. NULL: they are not, or it was given away already. */
enum { STREAM_LEAD_BYTES = 128 };
char *stream_give_input(struct stream *stream, size_t max);

/* on_bytes has left whole frames unused, though the stream was not full: it is called again with them, in the next
 * turn. */
void stream_resume(struct stream *stream);

/* Nothing more can be sent, not even what waits. What has come whole is still handled, then the stream ends by itself,
 * whatever its peer does. */
void stream_break(struct stream *stream);

/* No more input is wanted: what was written is sent, our side is closed, and the peer's rest thrown away for a while,
 * so that it can read why. on_end is not called. */
void stream_refuse(struct stream *stream);

/* The peer's address for people: "127.0.0.1:4711", "[::1]:4711", "unix". */
void stream_peer(const struct stream *stream, char *text, size_t size);

/* Who runs the process at the other end of a Unix socket, when it connected. False: it is no Unix socket. */
bool stream_peer_uid(const struct stream *stream, uint32_t *uid);

/* Calls back for each name of the peer's certificate until it returns true: see tls_peer_is(). False: none is known, or
 * there is no certificate. */
bool stream_peer_is(const struct stream *stream, bool (*is_known)(void *arg, const char *name), void *arg);

/* For tests, between two turns: NULL, or which of a stream's invariants does not hold. */
const char *stream_check(const struct stream *stream);

#endif
