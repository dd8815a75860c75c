#include "client/cli/common/recovery.h"

#include <limits.h>
#include <poll.h>
#include <sys/random.h>

#include "client/cli/common/report.h"
#include "client/net/clock.h"

enum {
	FIRST_PAUSE_MS = 50,
	LONGEST_PAUSE_MS = 5000,
	PING_MS = 1000, /* how long a new connection may take */
};

void recovery_init(struct reconnecting *recovery, const struct call *call)
{
	*recovery = (struct reconnecting){.call = call, .lock = PTHREAD_MUTEX_INITIALIZER};
}

void recovery_finish(struct reconnecting *recovery)
{
	pthread_mutex_destroy(&recovery->lock);
}

bool recovery_is_loss(int status)
{
	return status == MR_ECONNECTION || status == MR_ECONNECT || status == MR_EDRAINING;
}

static void tell_loss(struct reconnecting *recovery, int status)
{
	char text[512];

	recovery->is_lost = true;
	recovery->lost_ms = clock_now_ms();
	recovery->pause_ms = 0;
	report_describe(NULL, status, text, sizeof text);
	if (!recovery->call->quiet)
		report(recovery->call, NULL, "%s; waiting for the daemon to come back", text);
}

static void tell_return(struct reconnecting *recovery)
{
	if (!recovery->call->quiet)
		report(recovery->call, NULL, "the daemon is back, after %.1f s",
		       (double)(clock_now_ms() - recovery->lost_ms) / 1e3);
	recovery->is_lost = false;
	recovery->returned_ms = clock_now_ms();
}

static bool has_given_up(const struct reconnecting *recovery)
{
	int64_t timeout_ms = recovery->call->timeout_ms;

	return timeout_ms != MR_FOREVER && clock_now_ms() - recovery->lost_ms > timeout_ms;
}

/* Waits between half of the pause and all of it, so that many that have lost the same daemon do not come back at once.
 * False: stopped. */
static bool pause_once(struct reconnecting *recovery, int stop_fd)
{
	struct pollfd stop = {.fd = stop_fd, .events = POLLIN};
	unsigned random = 0;
	int64_t half;

	recovery->pause_ms = recovery->pause_ms ? 2 * recovery->pause_ms : FIRST_PAUSE_MS;
	if (recovery->pause_ms > LONGEST_PAUSE_MS)
		recovery->pause_ms = LONGEST_PAUSE_MS;
	half = recovery->pause_ms / 2;
	(void)!getrandom(&random, sizeof random, GRND_NONBLOCK);
	return poll(&stop, 1, (int)(half + random % (half + 1))) == 0;
}

/* Whether there is a daemon that takes new values. One that is about to end answers as ever, but makes no channels any
 * more. */
static int find_daemon(mr *m, int last_status)
{
	const struct mr_definition definition = {.kind = "promise", .ephemeral = true};
	int status = mr_ping(m, PING_MS);
	char *channel = NULL;

	if (status != MR_OK || last_status != MR_EDRAINING)
		return status == MR_TIMEOUT ? MR_ECONNECTION : status;
	status = mr_create(m, NULL, &definition, NULL, &channel);
	if (status == MR_OK)
		(void)mr_delete(m, channel, true, NULL);
	mr_free(channel);
	return status;
}

/* Another thread may have told of this loss, and of its end: then there is nothing more to tell. */
static bool is_back_already(const struct reconnecting *recovery, mr *m, int status)
{
	return recovery->returned_ms > 0 && status != MR_EDRAINING && mr_ping(m, PING_MS) == MR_OK;
}

bool recovery_wait(struct reconnecting *recovery, mr *m, int status, int stop_fd)
{
	int64_t failed_ms = clock_now_ms();
	bool goes_on = true;

	if (!recovery_is_loss(status) || recovery->call->no_reconnect)
		return false;
	pthread_mutex_lock(&recovery->lock);
	if (!recovery->is_lost && (recovery->returned_ms > failed_ms || is_back_already(recovery, m, status))) {
		pthread_mutex_unlock(&recovery->lock);
		return true;
	}
	if (!recovery->is_lost)
		tell_loss(recovery, status);
	do {
		goes_on = pause_once(recovery, stop_fd) && !has_given_up(recovery);
		if (!goes_on)
			break;
		status = find_daemon(m, status);
		if (status == MR_OK)
			tell_return(recovery);
		else if (!recovery_is_loss(status))
			goes_on = false;
	} while (goes_on && status != MR_OK);
	pthread_mutex_unlock(&recovery->lock);
	return goes_on;
}

bool recovery_wait_lost(struct reconnecting *recovery, mr *m, int stop_fd)
{
	return recovery_wait(recovery, m, mr_fail(MR_ECONNECTION, "the connection ended"), stop_fd);
}

void recovery_end(struct reconnecting *recovery)
{
	pthread_mutex_lock(&recovery->lock);
	if (recovery->is_lost)
		tell_return(recovery);
	pthread_mutex_unlock(&recovery->lock);
}
