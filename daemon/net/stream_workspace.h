/* What a stream needs while it has more to do than to wait for input, its kept input among it. A stream that has only
 * ever been idle does without. For net/ alone. */
#ifndef MILLRACE_NET_STREAM_WORKSPACE_H
#define MILLRACE_NET_STREAM_WORKSPACE_H

#include "daemon/net/buffer_budget.h"
#include "daemon/net/references.h"
#include "daemon/net/run_queue.h"
#include "daemon/net/stream.h"

struct tls;

/* Output that may not be sent yet: from a place on (a number of bytes since the beginning), until a number is released.
 * The first is the earlier one; number 0: there is none. */
struct stream_holds {
	struct {
		uint64_t from, number;
	} holds[2];
	struct stream *next, **at; /* in the group's list of held streams; at NULL: it is not */
};

struct stream_workspace {
	struct buffer in;
	size_t expected;   /* how long the frame is that `in` begins with; 0: unknown, or short */
	bool may_be_given; /* `in` is a long frame, which on_bytes is looking at: see stream_give_input() */
	struct run_place run_place;
	struct budget_place budget_place;
	struct event *write_event;    /* once a send has found the socket full */
	struct event *deadline_event; /* once it has ended */
	struct tls *tls;              /* NULL: the bytes travel as they are */
	struct stream_holds holds;    /* stream_hold.c's */
	struct references references; /* what is sent from elsewhere, in between the output buffer's bytes */
	uint32_t discarded;           /* bytes of input, while refused */
	bool is_greeted;              /* by the first byte of TLS */
};

/* The stream's workspace, which it has from now on until stream_free_workspace(). NULL: no memory. */
struct stream_workspace *stream_need_workspace(struct stream *stream);

/* Frees it, and its TLS. */
void stream_free_workspace(struct stream *stream);

static inline struct tls *stream_tls(const struct stream *stream)
{
	return stream->workspace ? stream->workspace->tls : NULL;
}

/* Forgets what the output waits for, once that output is thrown away. */
void stream_forget_holds(struct stream *stream);

/* -- What has come and is not used yet -- */

/* An incomplete frame up to this length is copied in front of the next read; a longer one is kept where it is, and the
 * rest read behind it. */
enum { STREAM_CARRY_BYTES = 16 * 1024 };

static inline size_t stream_kept_len(const struct stream *stream)
{
	return stream->workspace ? buffer_len(&stream->workspace->in) : 0;
}

/* NULL while it has no memory. */
static inline char *stream_kept(const struct stream *stream)
{
	return stream->workspace ? buffer_front(&stream->workspace->in) : NULL;
}

/* Keeps these bytes, and none of those of before. False: no memory. */
bool stream_keep(struct stream *stream, const char *bytes, size_t len);

/* Room for more of what is kept, at most `max` bytes and no more than are missing of a frame that is expected: *room of
 * them. NULL: no memory. */
char *stream_keep_more(struct stream *stream, size_t max, size_t *room);

/* What the memory for it takes. Of what is reserved for an expected frame nothing is there before something has come:
 * the pages that nobody has written to cost nothing. */
size_t stream_kept_bytes(const struct stream *stream);

/* Keeps nothing, and frees its memory. */
void stream_keep_nothing(struct stream *stream);

#endif
