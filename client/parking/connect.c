#include "client/parking/connect.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>

#include <event2/dns.h>
#include <event2/util.h>

#include "client/machine/machine.h"
#include "client/net/clock.h"

/* What evdns gets to know of us: it may call back after we have gone. */
struct name_lookup {
	struct parking_contact *of; /* NULL: nobody wants to know any more */
	struct evdns_getaddrinfo_request *request;
};

static void forget_lookup(struct parking_contact *of)
{
	struct name_lookup *lookup = of->lookup;

	if (!lookup)
		return;
	of->lookup = NULL;
	lookup->of = NULL; /* on_lookup() frees it */
	evdns_getaddrinfo_cancel(lookup->request);
}

static void forget_addresses(struct parking_contact *of)
{
	if (of->addresses)
		evutil_freeaddrinfo(of->addresses);
	of->addresses = NULL;
}

static void free_event(struct event **event)
{
	if (*event)
		event_free(*event);
	*event = NULL;
}

static void free_events(struct parking_contact *of)
{
	free_event(&of->reading);
	free_event(&of->writing);
	of->is_writing = false;
}

void connect_close(struct parking_contact *of)
{
	forget_lookup(of);
	forget_addresses(of);
	free_events(of);
	dial_end(&of->dial);
}

static void failed(struct parking_contact *of, const char *why)
{
	contact_close(&of->contact, clock_now_ms(), MR_ECONNECT, "cannot connect to %s: %s", of->contact.url->text,
		      why);
}

/* A socket that is tried now has events of its own. */
static bool make_events(struct parking_contact *of)
{
	mr_parking *p = of->p;

	if (of->n_uplinks == of->dial.n_uplinks && of->reading)
		return true;
	free_events(of);
	of->n_uplinks = of->dial.n_uplinks;
	of->reading = event_new(p->base, of->dial.uplink.fd, EV_READ | EV_PERSIST, p->on_ready, of);
	of->writing = event_new(p->base, of->dial.uplink.fd, EV_WRITE | EV_PERSIST, p->on_ready, of);
	return of->reading && of->writing;
}

/* What has come of the attempt so far, and what to wait for now. */
static void note(struct parking_contact *of, int progress)
{
	if (progress < 0) {
		free_events(of);
		failed(of, uplink_message(progress));
		return;
	}
	if (progress == UPLINK_PAUSING)
		return;
	if (!make_events(of)) {
		failed(of, uplink_message(-ENOMEM));
		return;
	}
	event_del(of->reading);
	event_del(of->writing);
	event_add(progress == UPLINK_CONNECTING ? of->writing : of->reading, NULL);
	if (progress == UPLINK_CONNECTED) {
		forget_addresses(of);
		contact_opened(&of->contact, clock_now_ms());
	}
}

static void dial(struct parking_contact *of)
{
	const struct contact *contact = &of->contact;

	note(of, dial_begin(&of->dial, contact->url, of->p->secure, of->addresses, clock_now_ms(),
			    contact->attempt_ends_ms));
}

void connect_go_on(struct parking_contact *of)
{
	note(of, dial_go_on(&of->dial, clock_now_ms()));
}

/* evdns has looked the name up: from the loop, or from within begin_lookup(). */
static void on_lookup(int problem, struct evutil_addrinfo *found, void *argument)
{
	struct name_lookup *lookup = argument;
	struct parking_contact *of = lookup->of;

	free(lookup);
	if (!of) {
		if (found)
			evutil_freeaddrinfo(found);
		return;
	}
	of->lookup = NULL;
	if (problem) {
		failed(of, evutil_gai_strerror(problem));
	} else {
		of->addresses = found;
		dial(of);
	}
	of->p->is_soon = true;
	event_active(of->p->soon, 0, 0);
}

static void begin_lookup(struct parking_contact *of, const struct url *url, struct evutil_addrinfo *hints)
{
	mr_parking *p = of->p;
	struct evdns_getaddrinfo_request *request;
	struct name_lookup *lookup;

	if (!p->dns)
		p->dns = evdns_base_new(p->base, EVDNS_BASE_INITIALIZE_NAMESERVERS | EVDNS_BASE_DISABLE_WHEN_INACTIVE);
	lookup = p->dns ? malloc(sizeof(*lookup)) : NULL;
	if (!lookup) {
		failed(of, "no names can be looked up here");
		return;
	}
	*lookup = (struct name_lookup){.of = of};
	of->lookup = lookup;
	request = evdns_getaddrinfo(p->dns, url->host, url->port, hints, on_lookup, lookup);
	if (request) /* else on_lookup() has been called already, and the lookup is no more */
		lookup->request = request;
}

void connect_begin(mr_parking *p, struct parking_contact *of, int64_t now_ms)
{
	struct evutil_addrinfo hints = {.ai_family = AF_UNSPEC,
					.ai_socktype = SOCK_STREAM,
					.ai_protocol = IPPROTO_TCP,
					.ai_flags = EVUTIL_AI_NUMERICHOST};
	const struct url *url;

	of->p = p;
	contact_opening(&of->contact, now_ms);
	url = of->contact.url;
	if (url->kind == URL_UNIX || evutil_getaddrinfo(url->host, url->port, &hints, &of->addresses) == 0) {
		dial(of); /* nothing to look up, so nothing to wait for */
		return;
	}
	of->addresses = NULL;
	hints.ai_flags = 0;
	begin_lookup(of, url, &hints);
}

int64_t connect_due_ms(const struct parking_contact *of)
{
	return of->contact.state == CONTACT_OPENING && !of->lookup ? dial_due_ms(&of->dial) : MACHINE_NEVER;
}

void connect_expire(struct parking_contact *of, int64_t now_ms)
{
	if (of->contact.state != CONTACT_OPENING)
		return;
	if (of->lookup && now_ms >= of->contact.attempt_ends_ms)
		failed(of, "its name could not be looked up in time");
	else if (!of->lookup && now_ms >= dial_due_ms(&of->dial))
		note(of, dial_expire(&of->dial, now_ms));
}
