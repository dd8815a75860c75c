/* They are in the order in which their replies were written, so the first are sent first. Most are sent at the end of
 * their turn: the memory comes and goes as one piece, which is large enough for most turns. */
#include "daemon/session/unsent_ledger.h"

#include <stdlib.h>
#include <string.h>

struct unsent {
	size_t first, end; /* rows[first .. end), never empty between the functions of this file */
	size_t room;
	struct core_unsent rows[];
};

enum { FIRST_BYTES = 4096 };

static size_t bytes_of(size_t rows)
{
	return sizeof(struct unsent) + rows * sizeof(struct core_unsent);
}

/* Makes room for one more. Rows slide to the front where at least half of them are forgotten: so each moves once on
 * average. */
static bool make_room(struct session *session)
{
	struct unsent *unsent = session->unsent;
	if (unsent && unsent->end < unsent->room)
		return true;
	if (unsent && unsent->first >= unsent->room / 2) {
		unsent->end -= unsent->first;
		memmove(unsent->rows, unsent->rows + unsent->first, unsent->end * sizeof(struct core_unsent));
		unsent->first = 0;
		return true;
	}
	size_t room = unsent ? 2 * unsent->room : (FIRST_BYTES - sizeof(struct unsent)) / sizeof(struct core_unsent);
	struct unsent *grown = realloc(unsent, bytes_of(room));
	if (!grown)
		return false;
	if (!unsent)
		grown->first = grown->end = 0;
	grown->room = room;
	session->unsent = grown;
	return true;
}

static void drop(struct session *session)
{
	free(session->unsent);
	session->unsent = NULL;
}

void unsent_keep_row(struct session *session, struct core_unsent row)
{
	row.end = stream_written(&session->stream);
	if (make_room(session)) {
		session->unsent->rows[session->unsent->end++] = row;
		return;
	}
	/* As for lack of memory for the reply itself: nothing of what waits is sent. */
	core_sent(&row);
	stream_break(&session->stream);
}

void unsent_keep(struct session *session, struct core_reply *reply)
{
	struct core_unsent row;
	if (core_keep(reply, &row))
		unsent_keep_row(session, row);
}

/* Forgets those whose replies end by there. */
static void forget_until(struct session *session, uint64_t end)
{
	struct unsent *unsent = session->unsent;
	if (!unsent)
		return;
	while (unsent->first < unsent->end && unsent->rows[unsent->first].end <= end)
		core_sent(&unsent->rows[unsent->first++]);
	if (unsent->first == unsent->end)
		drop(session);
}

void unsent_forget_sent(struct session *session)
{
	forget_until(session, stream_sent(&session->stream));
}

void unsent_forget(struct session *session)
{
	forget_until(session, UINT64_MAX);
}

void unsent_return(struct session *session, struct core_event *disconnect)
{
	unsent_forget_sent(session);
	const struct unsent *unsent = session->unsent;
	if (unsent) {
		disconnect->unsent = unsent->rows + unsent->first;
		disconnect->n_unsent = unsent->end - unsent->first;
	}
	broker_step(session->all->broker, disconnect);
	drop(session);
}
