/* The journal while the daemon runs: what the writer tells releases the replies that wait, and checkpoints go on by a
 * slice a turn. A journal that fails ends the daemon at once: nothing that is told from then on could be kept. */
#include "daemon/server/journaling.h"

#include <poll.h>
#include <string.h>

#include "daemon/core/rows.h"
#include "daemon/log.h"
#include "daemon/server/server_state.h"

enum {
	SLICES_UNDER_WAY = 1 << 20, /* bytes of records that wait to be kept: a checkpoint waits too */
};

/* -- Starting -- */

static void on_journal(void *arg);
static void on_journal_timer(void *arg);

int server_open_journal(struct server *server)
{
	struct server_journal *journal = &server->journal;
	const struct journal_config *config = &server->config.journal;
	const struct journal_settings settings = {.max_batch = config->max_batch, .max_delay_us = config->max_delay_us};
	if (!(journal->writer = writer_create(&journal->log)) ||
	    !(journal->watch =
		      loop_watch_create(server->loop, writer_descriptor(journal->writer), on_journal, server)) ||
	    !(journal->timer = loop_timer_create(server->loop, on_journal_timer, server)) ||
	    journal_init(&journal->journal, &settings, writer_carrier(journal->writer), journal->log.next) < 0) {
		log_error("the journal in %s: no memory, or no thread", config->path);
		return -1;
	}
	server->broker.journal = &journal->journal;
	return 0;
}

/* -- Running -- */

static void fail(struct server *server)
{
	const struct journal *journal = &server->journal.journal;
	if (server->has_failed)
		return;
	server->has_failed = true;
	log_error("the journal in %s has failed: %s%s%s. The daemon ends at once: what was answered is kept, and read "
		  "at the next start",
		  server->config.journal.path, journal_failure(journal), journal->status.failure_errno ? ": " : "",
		  journal->status.failure_errno ? strerror(journal->status.failure_errno) : "");
	loop_stop(server->loop);
}

static void tell_room(struct server *server)
{
	struct server_journal *journal = &server->journal;
	const struct carrier_status *status = &journal->journal.status;
	if (!journal->is_full && status->is_full)
		log_warning("the disk of the journal is full: puts on durable channels are refused (unavailable) until "
			    "there is room for %llu bytes; takes go on",
			    (unsigned long long)server->config.journal.segment);
	if (journal->is_full && !status->is_full)
		log_info("the disk of the journal has room again: puts on durable channels go on");
	if (!journal->waits && status->waits_for_room)
		log_warning("the last segment of the journal is full, too: whatever is done on durable channels is "
			    "answered once there is room");
	journal->is_full = status->is_full;
	journal->waits = status->waits_for_room;
}

static void hand_over(struct server *server)
{
	struct server_journal *journal = &server->journal;
	loop_timer_set(journal->timer, journal_end_turn(&journal->journal, loop_now_us(server->loop)));
}

/* What the writer has told: replies that waited may go. */
static void hear(struct server *server)
{
	struct journal *journal = &server->journal.journal;
	uint64_t checkpoints = journal->checkpoints;
	journal_notice(journal);
	hand_over(server); /* before the answers are sent, so that the disk works meanwhile */
	stream_group_release(server->streams, journal_committed(journal));
	tell_room(server);
	if (journal->checkpoints > checkpoints)
		server->journal.checkpoint_us = loop_now_us(server->loop);
	if (journal_failure(journal))
		fail(server);
}

static void on_journal(void *arg)
{
	struct server *server = arg;
	writer_hear(server->journal.writer);
	loop_now_us(server->loop); /* a turn in which something has happened */
	hear(server);
}

static void on_journal_timer(void *arg)
{
	(void)arg; /* the end of the turn looks after the journal */
}

void server_go_on_with_checkpoint(struct server *server)
{
	struct journal *journal = &server->journal.journal;
	struct core_totals totals;
	core_totals(server->core, &totals);
	if (journal_wants_checkpoint(journal, totals.durable_bytes))
		journal_begin_checkpoint(journal);
	else if (!journal->checkpoint_begin)
		return;
	if (journal->checkpoint_end || journal_pending_bytes(journal) > SLICES_UNDER_WAY)
		return;
	if (broker_checkpoint(&server->broker))
		journal_end_checkpoint(journal);
}

void server_end_journal_turn(struct server *server)
{
	struct server_journal *journal = &server->journal;
	if (!journal->writer)
		return;
	server_go_on_with_checkpoint(server);
	hand_over(server);
	if (journal_failure(&journal->journal))
		fail(server);
}

/* -- Ending -- */

/* The loop has ended: now it may wait. */
static void keep_all(struct server *server)
{
	struct server_journal *journal = &server->journal;
	struct pollfd descriptor = {.fd = writer_descriptor(journal->writer), .events = POLLIN};
	for (;;) {
		journal_notice(&journal->journal);
		journal_end_turn(&journal->journal, UINT64_MAX);
		if (journal_failure(&journal->journal) || !journal_is_under_way(&journal->journal) ||
		    journal->journal.status.waits_for_room) /* nobody was answered */
			return;
		poll(&descriptor, 1, -1);
		writer_hear(journal->writer);
	}
}

void server_stop_journal(struct server *server)
{
	struct server_journal *journal = &server->journal;
	if (journal->writer && server->broker.journal)
		keep_all(server);
	server->broker.journal = NULL;
	loop_watch_destroy(journal->watch);
	loop_timer_destroy(journal->timer);
	writer_destroy(journal->writer);
	journal_finish(&journal->journal);
	if (journal->disk)
		segment_log_finish(&journal->log);
	disk_close(journal->disk);
}
