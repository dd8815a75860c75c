/* The client as a whole: made, run by the loop, destroyed. After whatever happens, run() does what follows from it. */
#include "client/parking/parking_state.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include <event2/dns.h>
#include <event2/util.h>

#include "client/machine/daemons.h"
#include "client/machine/failure.h"
#include "client/machine/machine.h"
#include "client/net/clock.h"
#include "client/net/entropy.h"
#include "client/net/process.h"
#include "client/parking/connect.h"
#include "client/parking/callbacks.h"
#include "client/parking/submit.h"

enum {
	MAX_WAITING_BYTES = 16 * 1024 * 1024,
	READS_A_TURN = 4, /* so that others of the loop have their turn too */
};

/* -- callbacks, and the end inside of one -- */

/* What a callback may still look at after it has destroyed the client goes last. */
static void parking_free(mr_parking *p)
{
	machine_finish(&p->machine);
	url_list_finish(&p->urls);
	secure_destroy(p->secure);
	free(p);
}

static void parking_enter(mr_parking *p)
{
	p->depth++;
}

static void parking_leave(mr_parking *p)
{
	assert(p->depth > 0);
	if (--p->depth == 0 && p->is_dead)
		parking_free(p);
}

/* -- bytes -- */

/* Reads once. Whether there may be more. */
static bool read_once(mr_parking *p, struct parking_contact *of)
{
	int64_t now_ms = clock_now_ms();
	size_t len = 0;
	char *room;
	ssize_t n;

	if (!contact_is_connected(&of->contact))
		return false;
	room = contact_room(&of->contact, &len, now_ms);
	n = room ? uplink_read(&of->dial.uplink, room, len) : UPLINK_AGAIN;
	if (n > 0)
		contact_read(&of->contact, (size_t)n, now_ms);
	else if (n != UPLINK_AGAIN)
		contact_closed_by_peer(&of->contact, now_ms, uplink_message(n));
	return callbacks_tell(p, now_ms) && contact_is_connected(&of->contact) &&
	       ((n > 0 && (size_t)n == len) || uplink_has_more(&of->dial.uplink));
}

static void read_all(mr_parking *p, struct parking_contact *of)
{
	for (int i = 0; i < READS_A_TURN; i++)
		if (!read_once(p, of))
			return;
	event_active(of->reading, EV_READ, 0);
}

/* The socket takes no more: the daemon may have said why before it closed. */
static void writing_failed(mr_parking *p, struct parking_contact *of, ssize_t problem)
{
	while (read_once(p, of))
		;
	if (!p->is_dead && contact_is_connected(&of->contact))
		contact_closed_by_peer(&of->contact, clock_now_ms(), uplink_message(problem));
}

static void write_all(mr_parking *p, struct parking_contact *of)
{
	int64_t now_ms = clock_now_ms();
	struct slice out = {NULL, 0};
	bool is_blocked;

	while (contact_is_connected(&of->contact) && (out = contact_output(&of->contact, true, now_ms)).len) {
		ssize_t n = uplink_write(&of->dial.uplink, out.bytes, out.len);

		if (n == UPLINK_AGAIN)
			break;
		if (n < 0) {
			writing_failed(p, of, n);
			return;
		}
		contact_written(&of->contact, (size_t)n, now_ms);
	}
	is_blocked = contact_is_connected(&of->contact) && out.len;
	if (is_blocked && !of->is_writing)
		event_add(of->writing, NULL);
	else if (!is_blocked && of->is_writing)
		event_del(of->writing);
	of->is_writing = is_blocked;
}

/* -- what follows from what has happened -- */

/* The timer may stand earlier than it has to. */
static void set_timer(mr_parking *p, int64_t now_ms)
{
	int64_t due_ms = machine_due_ms(&p->machine), in_ms;
	struct contact *contact;
	struct timeval in;

	TAILQ_FOREACH(contact, &p->machine.contacts, entry)
	{
		due_ms = deadlines_earlier_ms(due_ms, connect_due_ms((struct parking_contact *)contact));
	}
	if (due_ms >= p->timer_ms)
		return;
	p->timer_ms = due_ms;
	in_ms = due_ms > now_ms ? due_ms - now_ms : 0;
	in = (struct timeval){.tv_sec = (time_t)(in_ms / 1000), .tv_usec = (suseconds_t)(in_ms % 1000 * 1000)};
	evtimer_add(p->timer, &in);
}

/* A connection is opened, closed or used as the machine wants it. */
static void run_contact(mr_parking *p, struct parking_contact *of, int64_t now_ms)
{
	if (!contact_has_connection(&of->contact))
		connect_close(of);
	if (contact_wants_connection(&of->contact, now_ms))
		connect_begin(p, of, now_ms);
	write_all(p, of);
}

static void run(mr_parking *p)
{
	int64_t now_ms = clock_now_ms();
	bool is_all = callbacks_tell(p, now_ms);
	struct contact *contact;

	if (p->is_dead)
		return;
	TAILQ_FOREACH(contact, &p->machine.contacts, entry)
	{
		run_contact(p, (struct parking_contact *)contact, now_ms);
		if (p->is_dead)
			return;
	}
	if (events_are_there(&p->machine) || !is_all)
		submit_run_soon(p);
	set_timer(p, now_ms);
}

/* In a process that was forked from the client's own: its loop may go on, the client does not. True: so it is. */
static bool is_forked(mr_parking *p)
{
	struct contact *contact;

	if (p->process == process_number())
		return false;
	TAILQ_FOREACH(contact, &p->machine.contacts, entry)
	{
		struct parking_contact *of = (struct parking_contact *)contact;

		if (of->reading)
			event_del(of->reading);
		if (of->writing)
			event_del(of->writing);
	}
	evtimer_del(p->timer);
	return true;
}

/* A socket can be read or written, or is connected. */
static void on_ready(evutil_socket_t fd, short what, void *argument)
{
	struct parking_contact *of = argument;
	mr_parking *p = of->p;

	(void)fd;
	if (is_forked(p))
		return;
	parking_enter(p);
	if (of->contact.state == CONTACT_OPENING)
		connect_go_on(of);
	else if (what & EV_READ)
		read_all(p, of);
	if (!p->is_dead)
		run(p);
	parking_leave(p);
}

/* What there is is read, and then the time is looked at. */
static void expire(mr_parking *p)
{
	struct contact *contact;

	TAILQ_FOREACH(contact, &p->machine.contacts, entry)
	{
		read_all(p, (struct parking_contact *)contact);
		if (p->is_dead)
			return;
	}
	int64_t now_ms = clock_now_ms(); /* one for all, so that the attempt says why it failed, and not the machine */
	TAILQ_FOREACH(contact, &p->machine.contacts, entry)
	{
		connect_expire((struct parking_contact *)contact, now_ms);
	}
	machine_tick(&p->machine, now_ms);
	run(p);
}

/* Something is due; but this process itself may have been stopped for a while, so what there is is read first. */
static void on_timer(evutil_socket_t fd, short what, void *argument)
{
	mr_parking *p = argument;

	(void)fd;
	(void)what;
	if (is_forked(p))
		return;
	parking_enter(p);
	p->timer_ms = MACHINE_NEVER;
	expire(p);
	parking_leave(p);
}

static void on_soon(evutil_socket_t fd, short what, void *argument)
{
	mr_parking *p = argument;

	(void)fd;
	(void)what;
	p->is_soon = false;
	if (is_forked(p))
		return;
	parking_enter(p);
	run(p);
	parking_leave(p);
}

/* -- the API -- */

static int check_options(const struct mr_parking_options *options)
{
	if (options->connect_timeout_ms < 0 || options->connect_timeout_ms > (int64_t)MESSAGE_MAX_MS ||
	    options->backoff_min_ms < 0 || options->backoff_max_ms < 0 ||
	    options->backoff_max_ms > (int64_t)MESSAGE_MAX_MS ||
	    options->backoff_min_ms > (options->backoff_max_ms ? options->backoff_max_ms : MACHINE_BACKOFF_MAX_MS) ||
	    options->heartbeat_ms > (int64_t)MESSAGE_MAX_MS)
		return fail(MR_EARGUMENT, "the times of the options are 0 to 2147483647 milliseconds, "
					  "backoff_min_ms not over backoff_max_ms");
	return MR_OK;
}

static int64_t or_default(int64_t chosen, int64_t otherwise)
{
	return chosen ? chosen : otherwise;
}

static int init_machine(mr_parking *p, const struct mr_parking_options *options)
{
	struct machine_settings settings = {
		.name = options->name,
		.token = options->token,
		.urls = p->urls.urls,
		.n_urls = p->urls.n,
		.contact_bytes = sizeof(struct parking_contact),
		.reopens = true,
		.connect_timeout_ms = or_default(options->connect_timeout_ms, MACHINE_CONNECT_TIMEOUT_MS),
		.backoff_max_ms = or_default(options->backoff_max_ms, MACHINE_BACKOFF_MAX_MS),
		.backoff_min_ms = or_default(options->backoff_min_ms, MACHINE_BACKOFF_MIN_MS),
		.heartbeat_ms = options->heartbeat_ms < 0 ? 0 : or_default(options->heartbeat_ms, MACHINE_HEARTBEAT_MS),
		.window = options->window,
		.max_waiting_bytes = options->max_waiting_bytes ? options->max_waiting_bytes : MAX_WAITING_BYTES,
	};

	if (settings.backoff_min_ms > settings.backoff_max_ms)
		settings.backoff_min_ms = settings.backoff_max_ms;
	settings.seed = entropy_number();
	entropy_digits(settings.producer, sizeof settings.producer - 1);
	return machine_init(&p->machine, &settings);
}

/* All that ties it to the loop, and all requests. */
static void parking_finish(mr_parking *p)
{
	struct contact *contact;
	mr_parked *request;

	p->is_dead = true;
	TAILQ_FOREACH(contact, &p->machine.contacts, entry)
	{
		connect_close((struct parking_contact *)contact);
	}
	while ((request = (mr_parked *)requests_abandon(&p->machine)))
		free(request);
	while ((request = SLIST_FIRST(&p->spares))) {
		SLIST_REMOVE_HEAD(&p->spares, spare);
		free(request);
	}
	if (p->dns)
		evdns_base_free(p->dns, 1);
	if (p->timer)
		event_free(p->timer);
	if (p->soon)
		event_free(p->soon);
}

/* What ties it to the loop. */
static int attach(mr_parking *p, struct event_base *base, const struct mr_parking_options *options)
{
	p->base = base;
	p->process = process_number();
	p->on_news = options->on_news;
	p->argument = options->argument;
	p->on_ready = on_ready;
	p->timer_ms = MACHINE_NEVER;
	p->timer = evtimer_new(base, on_timer, p);
	p->soon = event_new(base, -1, 0, on_soon, p);
	if (!p->timer || !p->soon)
		return fail(MR_EMEMORY, "not enough memory for a client");
	set_timer(p, clock_now_ms());
	return MR_OK;
}

int mr_parking_create(mr_parking **out, struct event_base *base, const char *urls,
		      const struct mr_parking_options *options)
{
	static const struct mr_parking_options none;
	const struct mr_parking_options *chosen = options ? options : &none;
	int status = check_options(chosen);
	mr_parking *p;

	*out = NULL;
	if (status != MR_OK)
		return status;
	p = calloc(1, sizeof(*p));
	if (!p)
		return fail(MR_EMEMORY, "not enough memory for a client");
	status = url_list_read(&p->urls, urls);
	if (status == MR_OK)
		status = secure_create(&p->secure, &chosen->tls, &p->urls);
	if (status == MR_OK)
		status = init_machine(p, chosen);
	if (status == MR_OK)
		status = attach(p, base, chosen);
	if (status == MR_OK) {
		*out = p;
		return MR_OK;
	}
	parking_finish(p);
	parking_free(p);
	return status;
}

void mr_parking_destroy(mr_parking *p)
{
	if (!p || p->process != process_number())
		return;
	parking_finish(p);
	if (p->depth == 0)
		parking_free(p);
}

bool mr_parking_is_connected(const mr_parking *p)
{
	return daemons_default(&p->machine)->state == CONTACT_OPEN;
}

size_t mr_parking_pending(const mr_parking *p)
{
	return p->n_pending;
}
