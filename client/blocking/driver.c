/* The threads around the machine: who of them waits for the socket, and who sleeps. Every function here but
 * driver_lock() is called with the lock held. */
#include "client/blocking/driver.h"

#include <limits.h>
#include <poll.h>
#include <sys/eventfd.h>

#include "client/blocking/connect.h"
#include "client/blocking/outcome.h"
#include "client/blocking/waiter.h"
#include "client/machine/failure.h"
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

static bool has_socket(const struct mr *m)
{
	return m->uplink.fd >= 0 && machine_has_connection(&m->machine);
}

/* Reads once. Whether there may be more. */
static bool read_once(struct mr *m)
{
	int64_t now_ms = clock_now_ms();
	size_t len = 0;
	char *room;
	ssize_t n;

	if (!has_socket(m))
		return false;
	room = machine_room(&m->machine, &len, now_ms);
	n = room ? uplink_read(&m->uplink, room, len) : UPLINK_AGAIN;
	if (n > 0)
		machine_read(&m->machine, (size_t)n, now_ms);
	else if (n != UPLINK_AGAIN)
		machine_closed_by_peer(&m->machine, now_ms, uplink_message(n));
	outcome_deliver(m, now_ms);
	return n > 0;
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

void driver_write(struct mr *m, bool flush)
{
	int64_t now_ms = clock_now_ms();
	struct slice out;

	while ((out = machine_output(&m->machine, flush, now_ms)).len && has_socket(m)) {
		ssize_t n = uplink_write(&m->uplink, out.bytes, out.len);

		if (n == UPLINK_AGAIN) {
			waiter_wake_leader(m); /* it has to wait for room, too, from now on */
			break;
		}
		if (n > 0) {
			machine_written(&m->machine, (size_t)n, now_ms);
			wake_sent(m);
			continue;
		}
		while (read_once(m)) /* the daemon may have said why before it closed */
			;
		if (has_socket(m))
			machine_closed_by_peer(&m->machine, now_ms, uplink_message(n));
	}
	outcome_deliver(m, now_ms);
}

/* Before anything is given up, what there is is read: this process itself may have been stopped for a while. */
static void tick(struct mr *m)
{
	if (clock_now_ms() < machine_due_ms(&m->machine))
		return;
	while (read_once(m))
		;
	machine_tick(&m->machine, clock_now_ms());
	outcome_deliver(m, clock_now_ms());
	driver_write(m, false);
}

void driver_look(struct mr *m)
{
	while (read_once(m))
		;
	outcome_deliver(m, clock_now_ms()); /* what has been cancelled here, too */
	tick(m);
}

/* -- connecting -- */

static int64_t earlier_of(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

/* An attempt with the next address, in its share of the time. The calling thread leads, and lets go of the lock. */
static void open_connection(struct mr *m, int64_t ends_ms)
{
	const struct url *url = &m->urls.urls[m->machine.url_at];
	int64_t now_ms = clock_now_ms(), n_left = (int64_t)(m->urls.n - m->machine.url_at);
	struct uplink uplink;
	int status;

	ends_ms = now_ms + (ends_ms > now_ms ? ends_ms - now_ms : 0) / n_left;
	machine_opening(&m->machine, url->text, ends_ms);
	pthread_mutex_unlock(&m->lock);
	status = connect_url(&uplink, url, m->secure, ends_ms);
	pthread_mutex_lock(&m->lock);
	if (m->machine.state != MACHINE_OPENING) { /* its time was over */
		if (status == MR_OK)
			uplink_close(&uplink);
	} else if (status == MR_OK) {
		m->uplink = uplink;
		machine_opened(&m->machine, clock_now_ms());
	} else {
		machine_close(&m->machine, clock_now_ms(), status, "%s", mr_message());
	}
}

/* -- leading and following -- */

/* Until when a waiter may sleep, if nobody wakes it. */
static int64_t wakes_ms(const struct waiter *waiter, int64_t deadline_ms)
{
	const struct mr_request *request = waiter->request;

	return request && request->base.deadline.place ? earlier_of(deadline_ms, request->base.deadline.due_ms)
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

/* Waits for the socket, without the lock, until something is due. */
static void poll_socket(struct mr *m, int64_t until_ms)
{
	bool is_blocked = has_socket(m) && machine_output(&m->machine, false, clock_now_ms()).len > 0;
	struct pollfd ready[] = {
		{.fd = m->uplink.fd, .events = (short)(is_blocked ? POLLIN | POLLOUT : POLLIN)},
		{.fd = m->wake_fd, .events = POLLIN},
	};
	int n, wait_ms = poll_ms(earlier_of(machine_due_ms(&m->machine), until_ms));
	eventfd_t times;

	pthread_mutex_unlock(&m->lock);
	n = poll(ready, 2, wait_ms);
	pthread_mutex_lock(&m->lock);
	if (m->is_leader_woken)
		eventfd_read(m->wake_fd, &times);
	m->is_leader_woken = false;
	m->leader = NULL;
	if (n > 0 && (ready[0].revents & ~POLLOUT))
		read_once(m);
	while (has_socket(m) && uplink_has_more(&m->uplink) && read_once(m))
		;
}

/* One round of waiting for all. */
static void lead(struct mr *m, struct waiter *waiter, int64_t deadline_ms)
{
	int64_t now_ms = clock_now_ms();

	m->leader = waiter;
	if (machine_wants_connection(&m->machine, now_ms))
		open_connection(
			m, earlier_of(now_ms + m->machine.settings.connect_timeout_ms, wakes_ms(waiter, deadline_ms)));
	else
		poll_socket(m, deadline_ms);
	m->leader = NULL;
	outcome_deliver(m, clock_now_ms());
	driver_write(m, false);
	tick(m);
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

/* Whether all is with the socket, but for a put that is kept back. */
static bool is_sent(const struct mr *m)
{
	const struct machine_request *first = TAILQ_FIRST(&m->machine.waiting);

	return buffer_len(&m->machine.exchange.out) == 0 &&
	       (!first || (first->operation.is_unanswered && !TAILQ_NEXT(first, entry)));
}

static bool is_over(const struct mr *m, const struct waiter *waiter)
{
	const struct mr_request *request = waiter->request;

	if (!request)
		return waiter->is_done || (waiter->waits_sent && is_sent(m));
	return request->is_done ||
	       (waiter->waits_sent && request->base.place != PLACE_WAITING && request->base.place != PLACE_WRITING);
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
	struct waiter opener = {.is_done = false};
	int64_t ends_ms = clock_now_ms() + m->machine.settings.connect_timeout_ms;

	do {
		m->leader = &opener;
		open_connection(m, ends_ms);
		m->leader = NULL;
		driver_write(m, true);
		while (m->machine.state == MACHINE_GREETING)
			lead(m, &opener, MACHINE_NEVER);
	} while (m->machine.state == MACHINE_CLOSED && m->machine.url_at > 0 && m->machine.closed_status != MR_EMEMORY);
	return m->machine.state == MACHINE_OPEN ? MR_OK
						: fail(m->machine.closed_status, "%s", m->machine.closed_message);
}
