#include "client/parking/connect.h"

#include <assert.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

#include <event2/dns.h>
#include <event2/util.h>

#include "client/net/clock.h"

/* What evdns gets to know of us: it may call back after we have gone. */
struct name_lookup {
	mr_parking *p; /* NULL: nobody wants to know any more */
	struct evdns_getaddrinfo_request *request;
};

static void forget_lookup(mr_parking *p)
{
	struct name_lookup *lookup = p->lookup;

	if (!lookup)
		return;
	p->lookup = NULL;
	lookup->p = NULL; /* on_lookup() frees it */
	evdns_getaddrinfo_cancel(lookup->request);
}

static void free_event(struct event **event)
{
	if (*event)
		event_free(*event);
	*event = NULL;
}

/* The socket alone: the addresses stay, to try the next. */
static void close_uplink(mr_parking *p)
{
	free_event(&p->reading);
	free_event(&p->writing);
	p->is_writing = p->is_connected = false;
	uplink_close(&p->uplink);
}

void connect_close(mr_parking *p)
{
	forget_lookup(p);
	close_uplink(p);
	if (p->addresses)
		evutil_freeaddrinfo(p->addresses);
	p->addresses = p->address = NULL;
	p->address_ends_ms = MACHINE_NEVER;
}

static void try_address(mr_parking *p);

/* `problem`: the negative number of an error. */
static void address_failed(mr_parking *p, int problem)
{
	close_uplink(p);
	p->address = p->address ? p->address->ai_next : NULL;
	if (p->address)
		try_address(p);
	else
		machine_close(&p->machine, clock_now_ms(), MR_ECONNECT, "cannot connect to %s: %s", p->machine.url,
			      uplink_message(problem));
}

/* Goes on with TLS, or with what follows if there is none or it is there. `progress` is what has come of it so far. */
static void shake_hands(mr_parking *p, int progress)
{
	if (progress < 0) {
		address_failed(p, progress);
		return;
	}
	event_del(p->reading);
	event_del(p->writing);
	if (progress == UPLINK_CONNECTED) {
		p->is_connected = true;
		p->address_ends_ms = MACHINE_NEVER;
		event_add(p->reading, NULL);
		machine_opened(&p->machine, clock_now_ms());
	} else {
		event_add(progress == UPLINK_SHAKING ? p->reading : p->writing, NULL);
	}
}

static void connected(mr_parking *p)
{
	const struct url *url = &p->urls.urls[p->machine.url_at];

	shake_hands(p, url->kind == URL_TLS ? uplink_secure(&p->uplink, p->secure, url->host) : UPLINK_CONNECTED);
}

void connect_go_on(mr_parking *p)
{
	int problem;

	if (p->uplink.ssl) {
		shake_hands(p, uplink_shake_hands(&p->uplink));
		return;
	}
	problem = uplink_connected(&p->uplink);
	if (problem)
		address_failed(p, problem);
	else
		connected(p);
}

/* Begins to connect to one socket address; fails by address_failed(). */
static void open_uplink(mr_parking *p, int family, const struct sockaddr *address, socklen_t len)
{
	int progress = uplink_connect(&p->uplink, family, address, len);

	if (progress < 0) {
		address_failed(p, progress);
		return;
	}
	p->reading = event_new(p->base, p->uplink.fd, EV_READ | EV_PERSIST, p->on_ready, p);
	p->writing = event_new(p->base, p->uplink.fd, EV_WRITE | EV_PERSIST, p->on_ready, p);
	if (!p->reading || !p->writing)
		address_failed(p, -ENOMEM);
	else if (progress == UPLINK_CONNECTED)
		connected(p);
	else
		event_add(p->writing, NULL);
}

/* Each address of a host has an equal share of the time that is left. */
static void try_address(mr_parking *p)
{
	const struct evutil_addrinfo *address = p->address;
	int64_t now_ms = clock_now_ms();
	int n_left = 0;

	for (const struct evutil_addrinfo *other = address; other; other = other->ai_next)
		n_left++;
	p->address_ends_ms = now_ms + (p->machine.attempt_ends_ms - now_ms) / n_left;
	open_uplink(p, address->ai_family, address->ai_addr, (socklen_t)address->ai_addrlen);
}

/* evdns has looked the name up: from the loop, or from within begin_lookup(). */
static void on_lookup(int problem, struct evutil_addrinfo *found, void *argument)
{
	struct name_lookup *lookup = argument;
	mr_parking *p = lookup->p;

	free(lookup);
	if (!p) {
		if (found)
			evutil_freeaddrinfo(found);
		return;
	}
	p->lookup = NULL;
	if (problem) {
		machine_close(&p->machine, clock_now_ms(), MR_ECONNECT, "cannot connect to %s: %s", p->machine.url,
			      evutil_gai_strerror(problem));
	} else {
		p->addresses = p->address = found;
		try_address(p);
	}
	p->is_soon = true;
	event_active(p->soon, 0, 0);
}

static void begin_lookup(mr_parking *p, const struct url *url, struct evutil_addrinfo *hints)
{
	struct evdns_getaddrinfo_request *request;
	struct name_lookup *lookup;

	if (!p->dns)
		p->dns = evdns_base_new(p->base, EVDNS_BASE_INITIALIZE_NAMESERVERS | EVDNS_BASE_DISABLE_WHEN_INACTIVE);
	lookup = p->dns ? malloc(sizeof(*lookup)) : NULL;
	if (!lookup) {
		machine_close(&p->machine, clock_now_ms(), MR_ECONNECT,
			      "cannot connect to %s: no names can be looked up here", url->text);
		return;
	}
	*lookup = (struct name_lookup){.p = p};
	p->lookup = lookup;
	request = evdns_getaddrinfo(p->dns, url->host, url->port, hints, on_lookup, lookup);
	if (request) /* else on_lookup() has been called already, and the lookup is no more */
		lookup->request = request;
}

void connect_begin(mr_parking *p, int64_t now_ms)
{
	const struct url *url = &p->urls.urls[p->machine.url_at];
	struct evutil_addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_protocol = IPPROTO_TCP};

	machine_opening(&p->machine, url->text, now_ms + p->machine.settings.connect_timeout_ms);
	if (url->kind == URL_UNIX) {
		struct sockaddr_un address = {.sun_family = AF_UNIX};

		static_assert(sizeof(url->path) <= sizeof(address.sun_path), "a URL's path fits");
		strcpy(address.sun_path, url->path);
		p->address_ends_ms = p->machine.attempt_ends_ms;
		open_uplink(p, AF_UNIX, (struct sockaddr *)&address, sizeof address);
		return;
	}
	hints.ai_flags = EVUTIL_AI_NUMERICHOST;
	if (evutil_getaddrinfo(url->host, url->port, &hints, &p->addresses) == 0) {
		p->address = p->addresses; /* nothing to look up, so nothing to wait for */
		try_address(p);
		return;
	}
	p->addresses = NULL;
	hints.ai_flags = 0;
	begin_lookup(p, url, &hints);
}

int64_t connect_due_ms(const mr_parking *p)
{
	return p->machine.state == MACHINE_OPENING && !p->lookup ? p->address_ends_ms : MACHINE_NEVER;
}

void connect_expire(mr_parking *p, int64_t now_ms)
{
	if (p->machine.state != MACHINE_OPENING)
		return;
	if (!p->lookup && now_ms >= p->address_ends_ms)
		address_failed(p, -ETIMEDOUT);
	else if (p->lookup && now_ms >= p->machine.attempt_ends_ms)
		machine_close(&p->machine, now_ms, MR_ECONNECT,
			      "cannot connect to %s: its name could not be looked up in time", p->machine.url);
}
