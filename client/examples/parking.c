/* The same requests on an event loop: nothing blocks, each ends in a callback, and one thread does it all. A timer of
 * the program's own puts, a take with a count gets what is put, and another take waits for what never comes, until it
 * is cancelled.
 *
 *   parking [URL]
 */
#include <stdio.h>
#include <stdlib.h>

#include <event2/event.h>
#include <millrace_parking.h>

static struct event *timer;
static mr_parked *waiting;
static int n_ticks;

static void give_up(const char *what, const char *why)
{
	fprintf(stderr, "%s: %s\n", what, why);
	exit(1);
}

static void must(int status, const char *what)
{
	if (status < 0)
		give_up(what, mr_message());
}

static void on_waited(mr_parking *p, const struct mr_outcome *outcome, void *argument)
{
	(void)argument;
	printf("the other take: %s\n", mr_status_name(outcome->status));
	event_free(timer); /* nothing is left, so the loop ends */
	mr_parking_destroy(p);
}

static void on_tick(mr_parking *p, const struct mr_outcome *outcome, void *argument)
{
	(void)argument;
	if (outcome->status != MR_OK)
		give_up("take", outcome->message);
	printf("tick %.*s, %d to come\n", (int)outcome->raw_len, outcome->raw, (int)outcome->left);
	if (outcome->is_last)
		must(mr_parking_cancel(p, waiting), "cancel");
}

static void on_timer(evutil_socket_t fd, short what, void *p)
{
	char json[16];
	int len = snprintf(json, sizeof json, "%d", ++n_ticks);

	(void)fd, (void)what;
	if (n_ticks <= 3) /* without a callback: nobody waits for an answer */
		must(mr_park_put(p, "example.ticks", json, (size_t)len, MR_FOREVER, NULL, NULL, NULL), "put");
}

/* Called for each of the two channels. */
static void on_created(mr_parking *p, const struct mr_outcome *outcome, void *base)
{
	static int n_created;
	struct timeval soon = {.tv_usec = 1000};

	if (outcome->status != MR_OK)
		give_up("create", outcome->message);
	if (++n_created < 2)
		return;
	must(mr_park_take(p, "example.never", NULL, MR_FOREVER, on_waited, NULL, &waiting), "take");
	must(mr_park_take_count(p, "example.ticks", 3, NULL, MR_FOREVER, on_tick, NULL, NULL), "take");
	timer = event_new(base, -1, EV_PERSIST, on_timer, p);
	event_add(timer, &soon);
}

static void on_news(mr_parking *p, const struct mr_news *news, void *argument)
{
	(void)p, (void)argument;
	if (news->event == MR_EVENT_FAILED) /* a service would rather wait: the client goes on trying */
		give_up("connect", news->message);
}

int main(int argc, char **argv)
{
	static const struct mr_definition unbuffered = {.kind = "unbuffered", .ephemeral = true};
	struct event_base *base = event_base_new();
	mr_parking *p;

	must(mr_parking_create(&p, base, argc > 1 ? argv[1] : NULL, &(struct mr_parking_options){.on_news = on_news}),
	     "connect");
	must(mr_park_create(p, "example.never", &unbuffered, on_created, base, NULL), "create");
	must(mr_park_create(p, "example.ticks", &unbuffered, on_created, base, NULL), "create");
	event_base_dispatch(base);
	event_base_free(base);
	return 0;
}
