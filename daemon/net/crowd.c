/* The sum, and the list of those that wait, the longest first. */
#include "daemon/net/crowd.h"

#include "daemon/net/stream.h"

static void unlink_place(struct crowd *crowd, struct stream *stream)
{
	struct crowd_place *place = &stream->place;
	if (!place->is_waiting)
		return;
	*(place->previous ? &place->previous->place.next : &crowd->first) = place->next;
	*(place->next ? &place->next->place.previous : &crowd->last) = place->previous;
	place->previous = place->next = NULL;
	place->is_waiting = false;
}

static void link_last(struct crowd *crowd, struct stream *stream)
{
	struct crowd_place *place = &stream->place;
	place->previous = crowd->last;
	*(crowd->last ? &crowd->last->place.next : &crowd->first) = stream;
	crowd->last = stream;
	place->is_waiting = true;
}

void crowd_update(struct crowd *crowd, struct stream *stream, size_t bytes, bool is_waiting, bool has_moved)
{
	struct crowd_place *place = &stream->place;
	crowd->bytes += bytes - place->bytes;
	place->bytes = bytes;
	if (!is_waiting || has_moved)
		unlink_place(crowd, stream);
	if (is_waiting && !place->is_waiting)
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
	return crowd->first == grown ? grown->place.next : crowd->first;
}
