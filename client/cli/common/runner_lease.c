/* The end of a runner's leases: the value is done, or goes back. */
#include "client/cli/common/report.h"
#include "client/cli/common/runner.h"

enum { FIRST_PAUSE_MS = 1000, LONGEST_PAUSE_MS = 60 * 1000 };

int64_t runner_pause_ms(const struct runner *runner, uint64_t n)
{
	int64_t pause_ms = runner->call->backoff_ms == MR_FOREVER ? FIRST_PAUSE_MS : runner->call->backoff_ms;

	while (--n > 0 && pause_ms > 0 && pause_ms < LONGEST_PAUSE_MS)
		pause_ms = 2 * pause_ms < LONGEST_PAUSE_MS ? 2 * pause_ms : LONGEST_PAUSE_MS;
	return pause_ms;
}

void runner_settle(struct runner *runner, struct job *job)
{
	mr *m = job->thread->m;
	int status;

	do {
		status = job->lease.token ? mr_ack(m, job->lease.token) : MR_OK;
	} while (recovery_wait(&runner->recovery, m, status == MR_UNKNOWN ? MR_ECONNECTION : status, runner->abort.fd));
	if (status == MR_ENO_SUCH_LEASE)
		report(runner->call, runner->call->args[0],
		       "a lease had ended before its value was done: the value may be done twice");
	else if (status != MR_OK)
		runner_stop_for(runner, m, runner->call->args[0], status);
	extender_remove(&runner->extender, &job->lease);
}

bool runner_return(struct runner *runner, struct job *job)
{
	/* Who is being stopped leaves it to others, at once. */
	int64_t delay_ms = latch_is_open(&runner->stop) ? 0 : runner_pause_ms(runner, job->delivery);
	int status = job->lease.token ? mr_nack(job->thread->m, job->lease.token, delay_ms) : MR_EARGUMENT;
	/* With the connection it came by, a leased value goes back by itself. */
	bool is_back =
		job->lease.token && (status == MR_OK || status == MR_ENO_SUCH_LEASE || !runner->call->no_reconnect);

	extender_remove(&runner->extender, &job->lease);
	if (is_back)
		runner->n_returned++;
	return is_back;
}

void runner_return_untouched(struct runner *runner, struct job *job)
{
	/* If that cannot be said any more, the lease ends with the connection, and it is counted. */
	(void)mr_nack_with(job->thread->m, job->lease.token, &(struct mr_nack_options){.uncounted = true});
	extender_remove(&runner->extender, &job->lease);
}
