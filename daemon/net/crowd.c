/* The sum, and the list of those that wait, the longest first. */
#include "daemon/net/crowd.h"

#include "daemon/net/stream.h"

static void unlink_place(struct crowd *crowd, struct stream *stream)
{
	struct crowd_place *place = &stream->extra->place;
	if (!place->is_waiting)
		return;
	*(place->previous ? &place->previous->extra->place.next : &crowd->first) = place->next;
	*(place->next ? &place->next->extra->place.previous : &crowd->last) = place->previous;
	place->previous = place->next = NULL;
	place->is_waiting = false;
}

static void link_last(struct crowd *crowd, struct stream *stream)
{
	struct crowd_place *place = &stream->extra->place;
	place->previous = crowd->last;
	*(crowd->last ? &crowd->last->extra->place.next : &crowd->first) = stream;
	crowd->last = stream;
	place->is_waiting = true;
}

void crowd_update(struct crowd *crowd, struct stream *stream, size_t bytes, bool is_waiting, bool has_moved)
{
	crowd->bytes += bytes - stream->crowd_bytes;
	stream->crowd_bytes = bytes;
	if (!stream->extra)
		return; /* it has never waited */
	if (!is_waiting || has_moved)
		unlink_place(crowd, stream);
	if (is_waiting && !stream->extra->place.is_waiting)
		link_last(crowd, stream);
}

void crowd_leave(struct crowd *crowd, struct stream *stream)
{
	crowd_update(crowd, stream, 0, false, false);
}

struct stream *crowd_victim(const struct crowd *crowd, const struct stream *grown)
{
	if (crowd->bytes <= crowd->max_bytes)
		return NULL;
	return crowd->first == grown ? grown->extra->place.next : crowd->first;
}
