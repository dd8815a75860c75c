#include "daemon/net/references.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum { FIRST_ROWS = 4 };

/* Rows slide to the front where at least half of them are gone: so each moves once on average. */
static bool make_room(struct references *all)
{
	if (all->end < all->room)
		return true;
	if (all->room && all->first >= all->room / 2) {
		all->end -= all->first;
		memmove(all->rows, all->rows + all->first, all->end * sizeof(*all->rows));
		all->first = 0;
		return true;
	}
	size_t room = all->room ? 2 * all->room : FIRST_ROWS;
	struct reference *rows = realloc(all->rows, room * sizeof(*rows));
	if (!rows)
		return false;
	all->rows = rows;
	all->room = room;
	return true;
}

bool references_add(struct references *references, const struct buffer *out, const char *bytes, size_t len, void *owner)
{
	assert(len > 0 && buffer_len(out) >= references->covered);
	if (!make_room(references))
		return false;
	references->rows[references->end++] = (struct reference){
		.before = buffer_len(out) - references->covered, .bytes = bytes, .len = len, .owner = owner};
	references->covered = buffer_len(out);
	references->bytes += len;
	return true;
}

/* Appends a slice of at most *left bytes. */
static int append(struct iovec *slices, int n, const char *bytes, size_t len, size_t *left)
{
	if (len > *left)
		len = *left;
	if (len == 0)
		return n;
	slices[n] = (struct iovec){.iov_base = (char *)bytes, .iov_len = len};
	*left -= len;
	return n + 1;
}

int references_slices(const struct references *references, const struct buffer *out, size_t max, struct iovec *slices,
		      int n)
{
	const char *copied = buffer_front(out);
	int used = 0;
	for (size_t i = references->first; i < references->end && used + 2 < n && max > 0; i++) {
		const struct reference *row = &references->rows[i];
		used = append(slices, used, copied, row->before, &max);
		used = append(slices, used, row->bytes, row->len, &max);
		copied += row->before;
		if (i + 1 == references->end)
			return append(slices, used, copied, buffer_len(out) - references->covered, &max);
	}
	return used;
}

void references_consume(struct references *references, struct buffer *out, size_t len, reference_release_cb *release)
{
	while (len > 0 && references->first < references->end) {
		struct reference *row = &references->rows[references->first];
		size_t copied = len < row->before ? len : row->before;
		buffer_consume(out, copied);
		row->before -= copied;
		references->covered -= copied;
		len -= copied;
		size_t piece = len < row->len ? len : row->len;
		row->bytes += piece;
		row->len -= piece;
		references->bytes -= piece;
		len -= piece;
		if (row->len == 0) {
			release(row->owner);
			references->first++;
		}
	}
	buffer_consume(out, len);
	if (references->first == references->end)
		references_drop(references, release);
}

void references_drop(struct references *references, reference_release_cb *release)
{
	for (size_t i = references->first; i < references->end; i++)
		release(references->rows[i].owner);
	free(references->rows);
	*references = (struct references){0};
}
