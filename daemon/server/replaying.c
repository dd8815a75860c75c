/* The start from a journal. A thread reads it, touching nothing of the core; then what it says becomes the core's, a
 * slice a turn. Meanwhile the loop turns, and HTTP tells how far that is; nobody else is served yet. */
#include "daemon/server/replaying.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <unistd.h>

#include "daemon/journal/recovery.h"
#include "daemon/log.h"
#include "daemon/server/announce.h"
#include "daemon/server/journaling.h"
#include "daemon/server/server_state.h"
#include "daemon/session/tap_match.h"

enum {
	TOLD_RECORDS = 100000, /* after so many the thread tells how far it is */
	LOGGED_RECORDS = 1000000,
};

struct replay {
	struct server *server;
	struct core_restore *restore;
	struct recovery recovery;
	char error[RECOVERY_ERROR_BYTES]; /* once the thread has ended: why the journal cannot be read */
	int begun;                        /* likewise: what came of segment_log_begin() */
	pthread_t thread;
	bool is_reading; /* the thread has yet to be joined */
	int event;       /* the thread's, to wake the loop */
	struct loop_watch *watch;
	struct loop_timer *timer; /* for the next slice */
	uint64_t records, logged; /* the thread's, and the loop's */
	atomic_uint_least64_t told;
	atomic_bool has_ended, is_given_up;
	char progress[80];
	bool is_done; /* all is the core's */
};

/* -- The thread -- */

static void tell(struct replay *replay)
{
	uint64_t one = 1;
	while (write(replay->event, &one, sizeof(one)) < 0 && errno == EINTR)
		;
}

static int on_record(void *arg, const struct record *record, char *error)
{
	struct replay *replay = arg;
	if (++replay->records % TOLD_RECORDS == 0) {
		atomic_store(&replay->told, replay->records);
		tell(replay);
	}
	if (atomic_load_explicit(&replay->is_given_up, memory_order_relaxed))
		return -1;
	if (core_restore_record(replay->restore, record) == 0)
		return 0;
	snprintf(error, RECOVERY_ERROR_BYTES, "no memory for what it says was there");
	return -1;
}

static void *read_journal(void *arg)
{
	struct replay *replay = arg;
	struct segment_log *log = &replay->server->journal.log;
	if (recovery_read(&replay->recovery, replay->error) == 0 && !atomic_load(&replay->is_given_up) &&
	    (replay->begun = segment_log_begin(log)) == 0)
		segment_log_make_spare(log); /* the writer needs it at once; a failure comes again */
	atomic_store(&replay->has_ended, true);
	tell(replay);
	return NULL;
}

/* -- The loop -- */

static const char *advice(int result)
{
	if (result == -ENOSPC || result == -EDQUOT)
		return ". It needs room for one segment; make some, or choose a smaller journal.segment";
	if (result == -EFBIG)
		return ". The system limits the size of this process's files (ulimit -f, LimitFSIZE=): a segment is "
		       "larger";
	return "";
}

/* What came of the reading. -1: after a line in the log. */
static int look_at_reading(struct replay *replay)
{
	struct server *server = replay->server;
	const char *path = server->config.journal.path;
	if (replay->error[0]) {
		log_error("the journal in %s: %s", path, replay->error);
		return -1;
	}
	if (replay->recovery.torn[0])
		log_info("the journal's last write had not ended when the daemon did, and is left out: %s",
			 replay->recovery.torn);
	if (replay->begun < 0) {
		log_error("the journal in %s: %s: %s%s", path, server->journal.log.doing, strerror(-replay->begun),
			  advice(replay->begun));
		return -1;
	}
	return server_open_journal(server);
}

static void tell_progress(struct replay *replay)
{
	uint64_t told = atomic_load(&replay->told);
	snprintf(replay->progress, sizeof(replay->progress), "reading the journal: %llu records",
		 (unsigned long long)told);
	if (told / LOGGED_RECORDS == replay->logged / LOGGED_RECORDS)
		return;
	replay->logged = told;
	log_info("%s", replay->progress);
	server_tell_starting(replay->server);
}

static void on_event(void *arg)
{
	struct replay *replay = arg;
	uint64_t n;
	while (read(replay->event, &n, sizeof(n)) < 0 && errno == EINTR)
		;
	tell_progress(replay);
	if (!replay->is_reading || !atomic_load(&replay->has_ended))
		return;
	pthread_join(replay->thread, NULL);
	replay->is_reading = false;
	if (replay->server->stage != SERVER_STARTING)
		return;
	if (look_at_reading(replay) < 0)
		loop_stop(replay->server->loop);
	else
		loop_timer_set(replay->timer, 0);
}

static void end(struct replay *replay, const struct core_restored *restored)
{
	const char *path = replay->server->config.journal.path;
	if (restored->has_failed) {
		log_error("the journal in %s: no memory for what it says was there", path);
		loop_stop(replay->server->loop);
		return;
	}
	if (restored->lost > 0)
		log_warning("the journal has %llu values of channels that it does not know: they are left out",
			    (unsigned long long)restored->lost);
	log_info("journal: %s, %llu durable channels, %llu values", path, (unsigned long long)restored->channels,
		 (unsigned long long)restored->values);
	replay->is_done = true;
	loop_stop(replay->server->loop);
}

/* The next slice. */
static void on_timer(void *arg)
{
	struct replay *replay = arg;
	struct core_restored restored;
	if (replay->server->stage != SERVER_STARTING)
		return;
	broker_restore(&replay->server->broker, replay->restore, &restored);
	if (restored.is_done)
		end(replay, &restored);
	else
		loop_timer_set(replay->timer, 0);
}

static void on_turn_end(void *arg)
{
	(void)arg; /* nothing of the core is due yet */
}

/* -- The whole -- */

/* The loop's thread alone gets signals. */
static int start_thread(struct replay *replay)
{
	sigset_t all, before;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	int result = pthread_create(&replay->thread, NULL, read_journal, replay);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	replay->is_reading = result == 0;
	return result == 0 ? 0 : -1;
}

static int begin(struct replay *replay)
{
	struct server *server = replay->server;
	struct server_journal *journal = &server->journal;
	char error[DISK_ERROR_BYTES];
	uint64_t random;
	if (!(journal->disk = disk_open(server->config.journal.path, false, error))) {
		log_error("the journal: %s", error);
		return -1;
	}
	if (getrandom(&random, sizeof(random), 0) != sizeof(random)) {
		log_error("the journal cannot be started: no random numbers");
		return -1;
	}
	segment_log_init(&journal->log, journal->disk, server->config.journal.segment, random);
	replay->recovery = (struct recovery){.log = &journal->log, .on_record = on_record, .arg = replay};
	tell_progress(replay);
	server->sessions.starting = replay->progress;
	if (!(replay->restore = core_restore_create(tap_match_again)) ||
	    (replay->event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) < 0 ||
	    !(replay->watch = loop_watch_create(server->loop, replay->event, on_event, replay)) ||
	    !(replay->timer = loop_timer_create(server->loop, on_timer, replay)) || start_thread(replay) < 0) {
		log_error("the journal in %s: no memory, or no thread", server->config.journal.path);
		return -1;
	}
	return 0;
}

static void finish(struct replay *replay)
{
	atomic_store(&replay->is_given_up, true);
	if (replay->is_reading)
		pthread_join(replay->thread, NULL);
	loop_watch_destroy(replay->watch);
	loop_timer_destroy(replay->timer);
	if (replay->event >= 0)
		close(replay->event);
	core_restore_destroy(replay->restore);
	replay->server->sessions.starting = NULL;
}

int server_restore_journal(struct server *server)
{
	struct replay replay = {.server = server, .event = -1};
	if (!server->config.journal.path)
		return 0;
	if (begin(&replay) == 0)
		loop_run(server->loop, on_turn_end, server);
	finish(&replay);
	return replay.is_done && server->stage == SERVER_STARTING ? 0 : -1;
}
