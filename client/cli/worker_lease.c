/* The end of a worker's leases: the value is done, or goes back. */
#include "client/cli/report.h"
#include "client/cli/worker.h"

enum { FIRST_PAUSE_MS = 1000, LONGEST_PAUSE_MS = 60 * 1000 };

int64_t worker_pause_ms(const struct worker *worker, uint64_t n)
{
	int64_t pause_ms = worker->call->backoff_ms == MR_FOREVER ? FIRST_PAUSE_MS : worker->call->backoff_ms;

	while (--n > 0 && pause_ms > 0 && pause_ms < LONGEST_PAUSE_MS)
		pause_ms = 2 * pause_ms < LONGEST_PAUSE_MS ? 2 * pause_ms : LONGEST_PAUSE_MS;
	return pause_ms;
}

void worker_settle(struct worker *worker, struct job *job)
{
	int status = job->lease.token ? mr_ack(worker->m, job->lease.token) : MR_OK;

	if (status == MR_ENO_SUCH_LEASE)
		report(worker->call, worker->call->args[0],
		       "a lease had ended before its value was done: the value may be done twice");
	else if (status != MR_OK)
		worker_stop_for(worker, worker->call->args[0], status);
	keeper_let_go(&worker->keeper, &job->lease);
}

bool worker_return(struct worker *worker, struct job *job)
{
	/* Who is being stopped leaves it to others, at once. */
	int64_t delay_ms = gate_is_open(&worker->stop) ? 0 : worker_pause_ms(worker, job->delivery);
	bool is_back = job->lease.token && mr_nack(worker->m, job->lease.token, delay_ms) == MR_OK;

	keeper_let_go(&worker->keeper, &job->lease);
	if (is_back)
		worker_count(worker, &worker->n_returned);
	return is_back;
}
