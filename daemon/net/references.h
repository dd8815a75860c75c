/* Pieces of a stream's output that are not copied into its buffer, but sent from the memory where they are. Each stands
 * in between bytes of the buffer, and some of these follow the last one. For net/ alone. */
#ifndef MILLRACE_NET_REFERENCES_H
#define MILLRACE_NET_REFERENCES_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/uio.h>

#include "proto/buffer.h"

typedef void reference_release_cb(void *owner);

struct reference {
	size_t before; /* bytes of the buffer between the piece before (or the buffer's front) and this one */
	const char *bytes;
	size_t len; /* what is unsent of it */
	void *owner;
};

struct references { /* zero-initialise; rows[first .. end) are there */
	struct reference *rows;
	size_t first, end, room;
	size_t covered; /* the sum of their `before` */
	size_t bytes;   /* and of their `len` */
};

/* The piece comes behind what is in the buffer. False: no memory. */
bool references_add(struct references *references, const struct buffer *out, const char *bytes, size_t len,
		    void *owner);

/* What is to be sent first, at most `max` bytes in at most `n` slices; returns how many slices. */
int references_slices(const struct references *references, const struct buffer *out, size_t max, struct iovec *slices,
		      int n);

/* So many bytes have been sent: pieces that are sent wholly are released. */
void references_consume(struct references *references, struct buffer *out, size_t len, reference_release_cb *release);

/* Releases all, and frees the rows. */
void references_drop(struct references *references, reference_release_cb *release);

#endif
