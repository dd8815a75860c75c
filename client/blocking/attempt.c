#include "client/blocking/attempt.h"

#include <poll.h>
#include <sys/epoll.h>

#include "client/blocking/lookup.h"
#include "client/machine/machine.h"

static void forget_addresses(struct blocking_contact *of)
{
	if (of->addresses)
		freeaddrinfo(of->addresses);
	of->addresses = NULL;
}

static void failed(struct blocking_contact *of, const char *why, int64_t now_ms)
{
	contact_close(&of->contact, now_ms, MR_ECONNECT, "cannot connect to %s: %s", of->contact.url->text, why);
}

/* What has come of the attempt so far. */
static void note(struct blocking_contact *of, int progress, int64_t now_ms)
{
	if (progress == UPLINK_CONNECTED) {
		forget_addresses(of);
		contact_opened(&of->contact, now_ms);
	} else if (progress < 0) { /* all of them have failed */
		forget_addresses(of);
		failed(of, uplink_message(progress), now_ms);
	}
}

static void dial(mr *m, struct blocking_contact *of, int64_t now_ms)
{
	const struct contact *contact = &of->contact;

	note(of, dial_begin(&of->dial, contact->url, m->secure, of->addresses, now_ms, contact->attempt_ends_ms),
	     now_ms);
}

void attempt_begin(mr *m, struct blocking_contact *of, int64_t now_ms)
{
	const struct url *url;

	contact_opening(&of->contact, now_ms);
	url = of->contact.url;
	if (url->kind == URL_UNIX || lookup_number(url->host, url->port, &of->addresses)) {
		dial(m, of, now_ms);
		return;
	}
	of->addresses = NULL;
	of->lookup = lookup_begin(url->host, url->port);
	if (!of->lookup)
		failed(of, gai_strerror(EAI_MEMORY), now_ms);
}

static void looked_up(mr *m, struct blocking_contact *of, int64_t now_ms)
{
	int problem = lookup_end(of->lookup, &of->addresses);

	of->lookup = NULL;
	if (problem)
		failed(of, gai_strerror(problem), now_ms);
	else
		dial(m, of, now_ms);
}

int attempt_fd(const struct blocking_contact *of)
{
	if (of->lookup)
		return lookup_fd(of->lookup);
	return contact_has_connection(&of->contact) ? of->dial.uplink.fd : -1;
}

short attempt_events(const struct blocking_contact *of)
{
	return !of->lookup && of->dial.progress == UPLINK_CONNECTING ? POLLOUT : POLLIN;
}

void attempt_watch(mr *m)
{
	struct contact *contact;

	TAILQ_FOREACH(contact, &m->machine.contacts, entry)
	{
		const struct blocking_contact *of = (const struct blocking_contact *)contact;
		struct epoll_event wanted = {.events = attempt_events(of) == POLLOUT ? EPOLLOUT : EPOLLIN};
		int fd = m->ready_fd >= 0 ? attempt_fd(of) : -1;

		if (fd >= 0 && epoll_ctl(m->ready_fd, EPOLL_CTL_MOD, fd, &wanted) < 0)
			epoll_ctl(m->ready_fd, EPOLL_CTL_ADD, fd, &wanted);
	}
}

void attempt_go_on(mr *m, struct blocking_contact *of, int64_t now_ms)
{
	if (of->lookup)
		looked_up(m, of, now_ms);
	else
		note(of, dial_go_on(&of->dial, now_ms), now_ms);
}

int64_t attempt_due_ms(const struct blocking_contact *of)
{
	if (of->contact.state != CONTACT_OPENING)
		return MACHINE_NEVER;
	return of->lookup ? of->contact.attempt_ends_ms : dial_due_ms(&of->dial);
}

void attempt_expire(struct blocking_contact *of, int64_t now_ms)
{
	if (now_ms < attempt_due_ms(of))
		return;
	if (of->lookup)
		failed(of, "its name could not be looked up in time", now_ms);
	else
		note(of, dial_expire(&of->dial, now_ms), now_ms);
}

void attempt_end(struct blocking_contact *of)
{
	if (of->lookup && lookup_end(of->lookup, &of->addresses) != 0)
		of->addresses = NULL;
	of->lookup = NULL;
	forget_addresses(of);
	dial_end(&of->dial);
}
