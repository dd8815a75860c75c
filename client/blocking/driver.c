/* The threads around the machine: who of them waits for the socket, and who sleeps. Every function here but
 * driver_lock() is called with the lock held. */
#include "client/blocking/driver.h"

#include <limits.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>

#include "client/blocking/attempt.h"
#include "client/blocking/outcome.h"
#include "client/blocking/waiter.h"
#include "client/machine/failure.h"
#include "client/machine/machine.h"
#include "client/net/process.h"

int driver_lock(struct mr *m)
{
	if (m->process != process_number())
		return fail(MR_EARGUMENT, PROCESS_FORKED);
	pthread_mutex_lock(&m->lock);
	return MR_OK;
}

void driver_unlock(struct mr *m)
{
	pthread_mutex_unlock(&m->lock);
}

/* -- bytes -- */

/* Reads once. Whether there may be more. */
static bool read_once(struct mr *m, struct blocking_contact *of)
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
	outcome_deliver(m, now_ms);
	return n > 0;
}

static void read_all(struct mr *m)
{
	struct contact *contact;

	TAILQ_FOREACH(contact, &m->machine.contacts, entry)
	{
		while (read_once(m, (struct blocking_contact *)contact))
			;
	}
}

/* Those whose frames the socket has taken need not wait any longer for that. */
static void wake_sent(struct mr *m)
{
	struct waiter *waiter;

	if (m->n_waiting_sent == 0)
		return;
	TAILQ_FOREACH(waiter, &m->followers, entry)
	{
		if (waiter->waits_sent)
			waiter_nudge(m, waiter);
	}
	if (m->leader && m->leader->waits_sent)
		waiter_wake_leader(m);
}

static void write_to(struct mr *m, struct blocking_contact *of, bool flush, int64_t now_ms)
{
	struct slice out;

	while ((out = contact_output(&of->contact, flush, now_ms)).len && contact_is_connected(&of->contact)) {
		ssize_t n = uplink_write(&of->dial.uplink, out.bytes, out.len);

		if (n == UPLINK_AGAIN) {
			waiter_wake_leader(m); /* it has to wait for room, too, from now on */
			break;
		}
		if (n > 0) {
			contact_written(&of->contact, (size_t)n, now_ms);
			wake_sent(m);
			continue;
		}
		while (read_once(m, of)) /* the daemon may have said why before it closed */
			;
		if (contact_is_connected(&of->contact))
			contact_closed_by_peer(&of->contact, now_ms, uplink_message(n));
	}
}

void driver_write(struct mr *m, bool flush)
{
	int64_t now_ms = clock_now_ms();
	struct contact *contact;

	TAILQ_FOREACH(contact, &m->machine.contacts, entry)
	{
		write_to(m, (struct blocking_contact *)contact, flush, now_ms);
	}
	outcome_deliver(m, now_ms);
}

/* -- time -- */

static int64_t due_ms(const struct mr *m)
{
	int64_t due_ms = machine_due_ms(&m->machine);
	const struct contact *contact;

	TAILQ_FOREACH(contact, &m->machine.contacts, entry)
	{
		due_ms = deadlines_earlier_ms(due_ms, attempt_due_ms((const struct blocking_contact *)contact));
	}
	return due_ms;
}

/* Before anything is given up, what there is is read: this process itself may have been stopped for a while. */
static void tick(struct mr *m)
{
	struct contact *contact;

	if (clock_now_ms() < due_ms(m))
		return;
	read_all(m);
	int64_t now_ms = clock_now_ms(); /* one for all, so that the attempt says why it failed, and not the machine */
	TAILQ_FOREACH(contact, &m->machine.contacts, entry)
	{
		attempt_expire((struct blocking_contact *)contact, now_ms);
	}
	machine_tick(&m->machine, now_ms);
	outcome_deliver(m, clock_now_ms());
	driver_write(m, false);
}

/* -- leading and following -- */

/* Until when a waiter may sleep, if nobody wakes it. */
static int64_t wakes_ms(const struct waiter *waiter, int64_t deadline_ms)
{
	const struct mr_request *request = waiter->request;

	return request && request->base.deadline.place
		       ? deadlines_earlier_ms(deadline_ms, request->base.deadline.due_ms)
		       : deadline_ms;
}

/* How long poll() may wait. */
static int poll_ms(int64_t until_ms)
{
	int64_t left_ms = until_ms - clock_now_ms();

	if (until_ms == MACHINE_NEVER)
		return -1;
	return left_ms < 0 ? 0 : left_ms > INT_MAX ? INT_MAX : (int)left_ms;
}

/* Whether all is with the sockets, but for a put that is kept back. */
static bool is_sent(const struct mr *m)
{
	const struct contact *contact;

	TAILQ_FOREACH(contact, &m->machine.contacts, entry)
	{
		const struct machine_request *first = TAILQ_FIRST(&contact->waiting);

		if (buffer_len(&contact->exchange.out) > 0 ||
		    (first && (!first->operation.is_unanswered || TAILQ_NEXT(first, entry))))
			return false;
	}
	return true;
}

static bool is_over(const struct mr *m, const struct waiter *waiter)
{
	const struct mr_request *request = waiter->request;

	if (!request)
		return waiter->is_done || (waiter->waits_sent && is_sent(m));
	return request->is_done ||
	       (waiter->waits_sent && request->base.place != PLACE_WAITING && request->base.place != PLACE_WRITING);
}

/* Opens what has to be open. */
static void open_connections(struct mr *m)
{
	struct contact *contact;
	bool is_any = false;

	TAILQ_FOREACH(contact, &m->machine.contacts, entry)
	{
		int64_t now_ms = clock_now_ms();

		if (contact_wants_connection(contact, now_ms)) {
			attempt_begin(m, (struct blocking_contact *)contact, now_ms);
			is_any = true;
		}
	}
	if (is_any)
		driver_write(m, false);
}

/* What poll() waits for. How many. */
static nfds_t list_sockets(struct mr *m, struct pollfd *ready)
{
	struct contact *contact;
	nfds_t n = 0;

	TAILQ_FOREACH(contact, &m->machine.contacts, entry)
	{
		const struct blocking_contact *of = (const struct blocking_contact *)contact;
		bool is_blocked =
			contact_is_connected(&of->contact) && contact_output(contact, false, clock_now_ms()).len > 0;

		ready[n++] = (struct pollfd){
			.fd = attempt_fd(of),
			.events = (short)(attempt_events(of) | (is_blocked ? POLLOUT : 0)),
		};
	}
	ready[n++] = (struct pollfd){.fd = m->wake_fd, .events = POLLIN};
	return n;
}

static void use_sockets(struct mr *m, const struct pollfd *ready)
{
	struct contact *contact = TAILQ_FIRST(&m->machine.contacts);
	const struct pollfd *at = ready;

	for (; contact && at->fd != m->wake_fd; contact = TAILQ_NEXT(contact, entry), at++) {
		struct blocking_contact *of = (struct blocking_contact *)contact;

		if (contact->state == CONTACT_OPENING && at->revents)
			attempt_go_on(m, of, clock_now_ms());
		else if (at->revents & ~POLLOUT)
			read_once(m, of);
		while (contact_is_connected(&of->contact) && uplink_has_more(&of->dial.uplink) && read_once(m, of))
			;
	}
}

/* Waits for the sockets, without the lock, until something is due. */
static void poll_sockets(struct mr *m, struct waiter *waiter, int64_t until_ms)
{
	struct pollfd ready[MACHINE_MOST_CONTACTS + 1];
	nfds_t n_ready = list_sockets(m, ready);
	int n, wait_ms = poll_ms(deadlines_earlier_ms(due_ms(m), until_ms));
	eventfd_t times;

	m->leader = waiter;
	pthread_mutex_unlock(&m->lock);
	n = poll(ready, n_ready, wait_ms);
	pthread_mutex_lock(&m->lock);
	m->leader = NULL;
	if (m->is_leader_woken)
		eventfd_read(m->wake_fd, &times);
	m->is_leader_woken = false;
	if (n > 0)
		use_sockets(m, ready);
}

void driver_watch(struct mr *m)
{
	struct itimerspec due = {.it_value = {0}};
	int64_t at_ms = due_ms(m);

	if (m->ready_fd < 0)
		return;
	attempt_watch(m);
	if (at_ms != MACHINE_NEVER) {
		due.it_value.tv_sec = (time_t)(at_ms / 1000);
		due.it_value.tv_nsec = (long)(at_ms % 1000) * 1000000;
	}
	timerfd_settime(m->timer_fd, TFD_TIMER_ABSTIME, &due, NULL);
}

/* One round of waiting for all. */
static void lead(struct mr *m, struct waiter *waiter, int64_t deadline_ms)
{
	open_connections(m);
	if (!is_over(m, waiter))
		poll_sockets(m, waiter, deadline_ms);
	outcome_deliver(m, clock_now_ms());
	driver_write(m, false);
	tick(m);
	open_connections(m); /* to whom what has come leads */
	driver_watch(m);
}

void driver_look(struct mr *m)
{
	struct waiter onlooker = {.is_done = false};

	if (m->leader) {
		read_all(m);
		outcome_deliver(m, clock_now_ms()); /* what has been cancelled here, too */
		tick(m);
		waiter_wake_leader(m); /* something may be due earlier */
	} else {
		lead(m, &onlooker, 0);
	}
}

/* One round of sleeping, while another thread leads. */
static void follow(struct mr *m, struct waiter *waiter, int64_t deadline_ms)
{
	int64_t until_ms = wakes_ms(waiter, deadline_ms);
	struct timespec until = {.tv_sec = (time_t)(until_ms / 1000), .tv_nsec = (long)(until_ms % 1000) * 1000000};

	TAILQ_INSERT_TAIL(&m->followers, waiter, entry);
	if (until_ms == MACHINE_NEVER)
		pthread_cond_wait(&waiter->woken, &m->lock);
	else
		pthread_cond_timedwait(&waiter->woken, &m->lock, &until);
	TAILQ_REMOVE(&m->followers, waiter, entry);
	tick(m);
}

bool driver_wait(struct mr *m, struct waiter *waiter, int64_t deadline_ms)
{
	pthread_cond_init(&waiter->woken, &m->monotonic);
	m->n_waiting_sent += waiter->waits_sent;
	if (waiter->request)
		waiter->request->waiter = waiter;
	while (!is_over(m, waiter) && (deadline_ms == MACHINE_NEVER || clock_now_ms() < deadline_ms)) {
		if (m->leader)
			follow(m, waiter, deadline_ms);
		else
			lead(m, waiter, deadline_ms);
	}
	if (waiter->request)
		waiter->request->waiter = NULL;
	m->n_waiting_sent -= waiter->waits_sent;
	if (!m->leader && !TAILQ_EMPTY(&m->followers)) /* nobody who waits may be left without a leader */
		pthread_cond_signal(&TAILQ_FIRST(&m->followers)->woken);
	pthread_cond_destroy(&waiter->woken);
	return is_over(m, waiter);
}

int driver_submit(struct mr *m, struct mr_request *request, struct client_operation *operation, bool flush)
{
	int status = requests_submit(&m->machine, &request->base, operation, clock_now_ms());

	if (status == MR_OK)
		driver_write(m, flush);
	return status;
}

int driver_open(struct mr *m)
{
	struct contact *home = m->machine.home;
	struct waiter opener = {.is_done = false};

	do {
		attempt_begin(m, (struct blocking_contact *)home, clock_now_ms());
		driver_write(m, true);
		while (home->state == CONTACT_OPENING || home->state == CONTACT_GREETING)
			lead(m, &opener, MACHINE_NEVER);
	} while (home->state == CONTACT_CLOSED && contact_has_another_address(home) &&
		 home->closed_status != MR_EMEMORY);
	return home->state == CONTACT_OPEN ? MR_OK : fail(home->closed_status, "%s", home->closed_message);
}
