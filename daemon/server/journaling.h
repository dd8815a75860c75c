/* The journal while the daemon runs. */
#ifndef MILLRACE_SERVER_JOURNALING_H
#define MILLRACE_SERVER_JOURNALING_H

#include "daemon/journal/journal.h"
#include "daemon/journal/writer.h"
#include "daemon/net/loop.h"

struct server;

/* Where durable channels are kept. */
struct server_journal {
	struct disk *disk; /* NULL: there is no journal */
	struct segment_log log;
	struct writer *writer;
	struct journal journal;
	struct loop_watch *watch; /* for what the writer tells */
	struct loop_timer *timer; /* for records that wait for others */
	bool is_full, waits;      /* as the log was told */
	uint64_t checkpoint_us;   /* when the last checkpoint ended; 0: none has */
};

/* Once the log has begun: from now on it is written. -1: after a line in the log. */
int server_open_journal(struct server *server);

/* At the end of each turn: hands over what was recorded, and goes on with a checkpoint. */
void server_end_journal_turn(struct server *server);

/* Writes a slice of a checkpoint, if it is time for one, or one is under way. */
void server_go_on_with_checkpoint(struct server *server);

/* Waits until all that was recorded is kept, and closes the journal. */
void server_stop_journal(struct server *server);

#endif
