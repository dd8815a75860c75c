/* A race between a result, a cancellation and the time: one alts, which the daemon decides, so that exactly one wins.
 * What loses is withdrawn in the same step: a result that comes later stays in its channel, for somebody else.
 *
 *   race [URL]
 */
#include <pthread.h>

#include "example.h"

static void race(mr *m, int64_t timeout_ms)
{
	struct mr_arm arms[] = {{.channel = "example.cancel"}, {.channel = "example.result"}};
	struct mr_choice choice;

	/* With priority a cancellation goes before a result that is there, too. */
	switch (MUST(mr_alts(m, arms, 2, true, timeout_ms, &choice))) {
	case MR_TIMEOUT:
		printf("too late\n");
		break;
	case MR_CLOSED: /* closing it is a message to everybody who listens; a value would reach one of them */
		printf("%s\n", choice.arm == 0 ? "cancelled" : "nothing will come any more");
		break;
	case MR_OK:
		printf("%s %s\n", choice.arm == 0 ? "cancelled, because" : "result", choice.raw);
		break;
	}
	mr_choice_finish(&choice);
}

/* Somebody else: another thread on the same handle here, another process as well. */
static void *cancel(void *m)
{
	MUST(mr_close(m, "example.cancel"));
	return NULL;
}

int main(int argc, char **argv)
{
	mr *m = example_connect(argc > 1 ? argv[1] : NULL);
	pthread_t canceller;

	example_channel(m, "example.cancel", "unbuffered", 0);
	example_channel(m, "example.result", "bounded", 1);

	example_put(m, "example.result", "42");
	race(m, 10000); /* the result is there */
	race(m, 20);    /* nothing is */

	pthread_create(&canceller, NULL, cancel, m);
	race(m, MR_FOREVER); /* without a time-out, too, it can be ended */
	pthread_join(canceller, NULL);

	example_put(m, "example.result", "43");
	race(m, 10000); /* once cancelled, always cancelled */
	mr_destroy(m);
	return 0;
}
