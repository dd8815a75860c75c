/* How the bytes of a stream travel: as they are, or by TLS. For net/ alone. */
#ifndef MILLRACE_NET_STREAM_IO_H
#define MILLRACE_NET_STREAM_IO_H

#include <sys/types.h>

#include "daemon/net/stream.h"

struct stream_io {
	/* As recv() and send(), but for EINPROGRESS, of receive: it has to wait until the socket can be written. A byte
	 * that `send` took has been given to the socket. */
	ssize_t (*receive)(struct stream *stream, char *to, size_t room);
	ssize_t (*send)(struct stream *stream, const char *from, size_t len);
	/* Whether bytes wait that came with others, so that the socket does not tell of them. */
	bool (*has_more)(const struct stream *stream);
	/* The peer is told that no more comes; it may still send. */
	void (*end_sending)(struct stream *stream);
	/* Frees what it has; the socket is closed next. */
	void (*finish)(struct stream *stream);
};

extern const struct stream_io stream_io_plain, stream_io_tls;

/* -- What stream.c, stream_opening.c and run_queue.c ask of each other -- */

/* As if the socket could be read. */
void stream_read_on(struct stream *stream);

/* The next step of an opening. */
void stream_open_on(struct stream *stream);

/* Goes on with the opening of a stream, which is STREAM_OPENING; not at once: few do so in a turn, as it can take a
 * millisecond of the processor. */
void stream_go_on_opening(struct stream *stream);

/* It is open, or cannot be opened. */
void stream_opened(struct stream *stream);
void stream_opening_failed(struct stream *stream);

/* While it is opening: when to be called again. */
void stream_wait_to_read(struct stream *stream);
void stream_wait_to_write(struct stream *stream);

#endif
