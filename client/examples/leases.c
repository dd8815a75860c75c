/* Jobs that must not be lost: a worker leases what it takes, and only its ack ends a job. A job that fails, or whose
 * worker dies, comes back to its place; one that comes back too often goes to a channel of dead letters, where somebody
 * may look at it.
 *
 *   leases [URL]
 */
#include <string.h>

#include "example.h"

enum { LEASE_MS = 30000 }; /* longer than a job takes; mr_extend() for one that needs more */

static bool work_on(const char *job)
{
	return strstr(job, "bad") == NULL;
}

/* Does n jobs, as they come. */
static void work(mr *m, int n)
{
	const struct mr_take_options leased = {.lease_ms = LEASE_MS};
	struct mr_result job;

	while (n-- > 0 && MUST(mr_take_with(m, "example.jobs", &leased, MR_FOREVER, &job)) == MR_OK) {
		bool is_done = work_on(job.raw);

		printf("%s, delivery %d: %s\n", job.raw, (int)job.deliveries, is_done ? "done" : "failed");
		if (is_done)
			MUST(mr_ack(m, job.lease));
		else
			MUST(mr_nack(m, job.lease, 0)); /* in earnest, after a pause */
		mr_result_finish(&job);
	}
}

/* Takes a job, and goes without a word. */
static void die_at_work(const char *url)
{
	mr *m = example_connect(url);
	struct mr_result job;

	MUST(mr_take_with(m, "example.jobs", &(struct mr_take_options){.lease_ms = LEASE_MS}, MR_FOREVER, &job));
	printf("%s, delivery %d: its worker dies\n", job.raw, (int)job.deliveries);
	mr_result_finish(&job);
	mr_destroy(m);
}

int main(int argc, char **argv)
{
	const char *url = argc > 1 ? argv[1] : NULL;
	const struct mr_definition jobs = {.kind = "bounded",
					   .capacity = 10,
					   .ephemeral = true,
					   .max_deliveries = 2,
					   .dead_letter = "example.dead"};
	mr *m = example_connect(url);
	json_t *dead;

	example_channel(m, "example.dead", "bounded", 10);
	MUST(mr_create(m, "example.jobs", &jobs, NULL, NULL));
	example_put(m, "example.jobs", "\"first\"");
	die_at_work(url);
	work(m, 1); /* it is back as soon as the daemon has heard that the other is gone */

	example_put(m, "example.jobs", "\"bad\"");
	example_put(m, "example.jobs", "\"last\"");
	work(m, 3);
	MUST(mr_take(m, "example.dead", &dead, MR_FOREVER));
	example_print("a dead letter: ", dead);
	mr_destroy(m);
	return 0;
}
