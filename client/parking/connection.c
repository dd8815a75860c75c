/* The connection: looked up, made, greeted, watched, and made anew. */
#include "client/parking/parking.h"

#include <assert.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

#include <event2/dns.h>
#include <event2/util.h>

#include "client/blocking/clock.h"
#include "client/machine/members.h"

/* -- the end of a connection, or of an attempt -- */

/* What evdns gets to know of us: it may call back after we have gone. */
struct lookup_job {
	mr_parking *p; /* NULL: nobody wants to know any more */
	struct evdns_getaddrinfo_request *request;
};

static void forget_lookup(mr_parking *p)
{
	struct lookup_job *job = p->lookup;

	if (!job)
		return;
	p->lookup = NULL;
	job->p = NULL; /* on_lookup() frees it */
	evdns_getaddrinfo_cancel(job->request);
}

static void free_event(struct event **event)
{
	if (*event)
		event_free(*event);
	*event = NULL;
}

/* The link alone: the addresses stay, to try the next. */
static void close_link(mr_parking *p)
{
	free_event(&p->reading);
	free_event(&p->writing);
	p->is_writing = false;
	link_close(&p->link);
}

void connection_close(mr_parking *p)
{
	forget_lookup(p);
	close_link(p);
	if (p->addresses)
		evutil_freeaddrinfo(p->addresses);
	p->addresses = p->address = NULL;
	if (p->beat)
		evtimer_del(p->beat);
	if (p->timer)
		evtimer_del(p->timer);
	p->state = PARKING_RESTS;
}

/* The pause before the next attempt: between half of the present one and all of it; the next will be twice as long. */
static int64_t next_pause_ms(mr_parking *p)
{
	int64_t pause_ms = p->backoff_ms;
	uint32_t random;

	evutil_secure_rng_get_bytes(&random, sizeof random);
	p->backoff_ms = pause_ms > p->backoff_max_ms / 2 ? p->backoff_max_ms : pause_ms * 2;
	return pause_ms / 2 + (int64_t)(random % (uint64_t)(pause_ms / 2 + 1));
}

/* The next address at once; after the last one, or after a connection, the first one after a pause. */
static void rest(mr_parking *p, bool was_up)
{
	int64_t pause_ms = 0;

	p->url_at = was_up ? 0 : (p->url_at + 1) % p->urls.n;
	if (was_up)
		p->backoff_ms = p->backoff_min_ms;
	if (p->url_at == 0)
		pause_ms = next_pause_ms(p);
	parking_set_timer(p->timer, pause_ms);
}

void connection_break(mr_parking *p, int status, const char *format, ...)
{
	bool was_up = p->state == PARKING_UP;
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(p->broken_text, sizeof p->broken_text, format, arguments);
	va_end(arguments);
	connection_close(p);
	requests_unsend(p, status);
	parking_tell_news(p, was_up ? MR_EVENT_DISCONNECTED : MR_EVENT_FAILED, status, p->broken_text, NULL);
	if (p->is_dead)
		return;
	requests_tell_ends(p);
	if (!p->is_dead)
		rest(p, was_up);
}

/* -- connecting -- */

static void shake_hands(mr_parking *p, int progress);

static void on_readable(evutil_socket_t fd, short what, void *argument)
{
	mr_parking *p = argument;

	(void)fd;
	(void)what;
	parking_enter(p);
	if (p->state == PARKING_CONNECTS) {
		shake_hands(p, link_shake_hands(&p->link));
	} else {
		traffic_read(p);
		if (!p->is_dead)
			traffic_write(p);
	}
	parking_leave(p);
}

static void greet(mr_parking *p)
{
	struct buffer members = {0};
	bool is_made = true;

	message_uint(&members, "protocol", 1);
	if (p->name)
		is_made = members_text(&members, "name", p->name) == MR_OK;
	if (p->token && is_made)
		is_made = members_text(&members, "token", p->token) == MR_OK;
	p->state = PARKING_GREETS;
	p->notice = 0;
	p->moved_ms = p->heard_ms = clock_now_ms();
	is_made = is_made && !members.failed &&
		  request_make_ours(p, OP_HELLO, (struct slice){members.bytes, buffer_len(&members)}, NULL);
	buffer_finish(&members);
	if (!is_made) {
		connection_break(p, MR_EMEMORY, "not enough memory to say hello");
		return;
	}
	parking_set_timer(p->timer, p->attempt_ends_ms - clock_now_ms());
	event_add(p->reading, NULL);
	traffic_write(p);
}

static void try_address(mr_parking *p);

static void address_failed(mr_parking *p, int problem)
{
	close_link(p);
	p->address = p->address ? p->address->ai_next : NULL;
	if (p->address)
		try_address(p);
	else
		connection_break(p, MR_ECONNECT, "cannot connect to %s: %s", p->urls.urls[p->url_at].text,
				 link_words(-problem));
}

/* Goes on with TLS, or with what follows if there is none or it is there. `progress` is what has come of it so far. */
static void shake_hands(mr_parking *p, int progress)
{
	if (progress < 0) {
		address_failed(p, -progress);
		return;
	}
	event_del(p->reading);
	event_del(p->writing);
	if (progress == LINK_CONNECTED)
		greet(p);
	else
		event_add(progress == LINK_SHAKING ? p->reading : p->writing, NULL);
}

static void connected(mr_parking *p)
{
	const struct url *url = &p->urls.urls[p->url_at];

	shake_hands(p, url->kind == URL_TLS ? link_secure(&p->link, p->secure, url->host) : LINK_CONNECTED);
}

/* The link is there, or it is known why not; later on it is writable again. */
static void on_writable(evutil_socket_t fd, short what, void *argument)
{
	mr_parking *p = argument;
	int problem;

	(void)fd;
	(void)what;
	parking_enter(p);
	if (p->state == PARKING_CONNECTS && p->link.ssl) {
		shake_hands(p, link_shake_hands(&p->link));
	} else if (p->state == PARKING_CONNECTS) {
		problem = link_connected(&p->link);
		if (problem)
			address_failed(p, -problem);
		else
			connected(p);
	} else {
		traffic_write(p);
	}
	parking_leave(p);
}

/* Begins to connect to one socket address; fails by address_failed(). */
static void open_link(mr_parking *p, int family, const struct sockaddr *address, socklen_t len, int64_t within_ms)
{
	int progress = link_connect(&p->link, family, address, len);

	if (progress < 0) {
		address_failed(p, -progress);
		return;
	}
	p->reading = event_new(p->base, p->link.fd, EV_READ | EV_PERSIST, on_readable, p);
	p->writing = event_new(p->base, p->link.fd, EV_WRITE | EV_PERSIST, on_writable, p);
	p->state = PARKING_CONNECTS;
	if (!p->reading || !p->writing) {
		address_failed(p, ENOMEM);
	} else {
		parking_set_timer(p->timer, within_ms);
		if (progress == LINK_CONNECTED)
			connected(p);
		else
			event_add(p->writing, NULL);
	}
}

/* Each address of a host has an equal share of the time that is left. */
static void try_address(mr_parking *p)
{
	const struct evutil_addrinfo *address = p->address;
	int n_left = 0;

	for (const struct evutil_addrinfo *other = address; other; other = other->ai_next)
		n_left++;
	open_link(p, address->ai_family, address->ai_addr, (socklen_t)address->ai_addrlen,
		  (p->attempt_ends_ms - clock_now_ms()) / n_left);
}

static void on_lookup(int problem, struct evutil_addrinfo *found, void *argument)
{
	struct lookup_job *job = argument;
	mr_parking *p = job->p;

	free(job);
	if (!p) {
		if (found)
			evutil_freeaddrinfo(found);
		return;
	}
	parking_enter(p);
	p->lookup = NULL;
	if (problem) {
		connection_break(p, MR_ECONNECT, "cannot connect to %s: %s", p->urls.urls[p->url_at].text,
				 evutil_gai_strerror(problem));
	} else {
		p->addresses = p->address = found;
		try_address(p);
	}
	parking_leave(p);
}

static void begin_lookup(mr_parking *p, const struct url *url, struct evutil_addrinfo *hints)
{
	struct evdns_getaddrinfo_request *request;
	struct lookup_job *job;

	if (!p->dns)
		p->dns = evdns_base_new(p->base, EVDNS_BASE_INITIALIZE_NAMESERVERS | EVDNS_BASE_DISABLE_WHEN_INACTIVE);
	job = p->dns ? malloc(sizeof(*job)) : NULL;
	if (!job) {
		connection_break(p, MR_ECONNECT, "cannot connect to %s: no names can be looked up here", url->text);
		return;
	}
	*job = (struct lookup_job){.p = p};
	p->lookup = job;
	p->state = PARKING_LOOKS_UP;
	parking_set_timer(p->timer, p->attempt_ends_ms - clock_now_ms());
	request = evdns_getaddrinfo(p->dns, url->host, url->port, hints, on_lookup, job);
	if (request) /* else on_lookup() has been called already, and the job is no more */
		job->request = request;
}

void connection_begin(mr_parking *p)
{
	const struct url *url = &p->urls.urls[p->url_at];
	struct evutil_addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_protocol = IPPROTO_TCP};

	p->attempt_ends_ms = clock_now_ms() + p->connect_timeout_ms;
	if (p->backoff_ms == 0)
		p->backoff_ms = p->backoff_min_ms;
	if (url->kind == URL_UNIX) {
		struct sockaddr_un address = {.sun_family = AF_UNIX};

		static_assert(sizeof(url->path) <= sizeof(address.sun_path), "a URL's path fits");
		strcpy(address.sun_path, url->path);
		open_link(p, AF_UNIX, (struct sockaddr *)&address, sizeof address, p->connect_timeout_ms);
		return;
	}
	hints.ai_flags = EVUTIL_AI_NUMERICHOST;
	if (evutil_getaddrinfo(url->host, url->port, &hints, &p->addresses) ==
	    0) { /* nothing to look up, so nothing to wait for */
		p->address = p->addresses;
		try_address(p);
		return;
	}
	p->addresses = NULL;
	hints.ai_flags = 0;
	begin_lookup(p, url, &hints);
}

void connection_timer(mr_parking *p)
{
	switch (p->state) {
	case PARKING_RESTS:
		connection_begin(p);
		break;
	case PARKING_LOOKS_UP:
		connection_break(p, MR_ECONNECT, "cannot connect to %s: its name could not be looked up in time",
				 p->urls.urls[p->url_at].text);
		break;
	case PARKING_CONNECTS:
		address_failed(p, ETIMEDOUT);
		break;
	case PARKING_GREETS:
		connection_break(p, MR_ECONNECT, "cannot connect to %s: the daemon is silent",
				 p->urls.urls[p->url_at].text);
		break;
	case PARKING_UP:
		break;
	}
}

/* -- greeted -- */

/* What the daemon's hello says of its limits. */
static int read_hello(mr_parking *p, const struct message_reply *reply)
{
	json_t *hello = json_loadb(reply->body.bytes, reply->body.len, 0, NULL);
	uint64_t max_frame = (uint64_t)json_integer_value(json_object_get(hello, "max_frame_bytes"));
	json_int_t max_inflight = json_integer_value(json_object_get(hello, "max_inflight"));
	bool is_ours = json_integer_value(json_object_get(hello, "protocol")) == 1 &&
		       client_set_max_frame(&p->client, max_frame) == 0;

	json_decref(hello);
	p->window = max_inflight > 0 ? (size_t)max_inflight : 1;
	if (p->window_asked && p->window_asked < p->window)
		p->window = p->window_asked;
	return is_ours ? 0 : -1;
}

/* The channels that went with the last connection come first. */
static bool create_anew(mr_parking *p)
{
	struct ephemeral *ephemeral;

	LIST_FOREACH(ephemeral, &p->ephemerals, entry)
	if (!request_make_ours(p, OP_CREATE, (struct slice){ephemeral->members.bytes, buffer_len(&ephemeral->members)},
			       ephemeral->channel))
		return false;
	return true;
}

void connection_greeted(mr_parking *p, const struct message_reply *reply)
{
	if (reply->status != STATUS_OK) {
		enum error error = reply->error == ERROR_NONE ? ERROR_INTERNAL : reply->error;

		connection_break(p, -(int)error, "%.*s", (int)(reply->message.len < 300 ? reply->message.len : 300),
				 reply->message.len ? reply->message.bytes : "the daemon refuses us");
		return;
	}
	if (read_hello(p, reply) < 0) {
		connection_break(p, MR_EPROTOCOL, "the daemon's hello is not one of protocol 1");
		return;
	}
	evtimer_del(p->timer);
	if (!create_anew(p)) {
		connection_break(p, MR_EMEMORY, "not enough memory to create the ephemeral channels anew");
		return;
	}
	p->state = PARKING_UP;
	p->asked_ms = 0;
	p->backoff_ms = p->backoff_min_ms;
	if (p->heartbeat_ms > 0)
		parking_set_timer(p->beat, p->heartbeat_ms);
	parking_tell_news(p, MR_EVENT_CONNECTED, MR_OK, "", NULL);
}

/* A silent daemon is asked for a sign of life; if that does not come in the time of another beat, it is dead, or the
 * network is. */
void connection_beat(mr_parking *p)
{
	int64_t now_ms = clock_now_ms();

	if (p->state != PARKING_UP)
		return;
	if (p->asked_ms && p->heard_ms < p->asked_ms) {
		connection_break(p, MR_ECONNECTION, "the connection was given up: the network or the daemon is silent");
	} else if (now_ms - p->heard_ms >= p->heartbeat_ms / 2) {
		p->asked_ms = now_ms;
		if (request_make_ours(p, OP_PING, SLICE(""), NULL))
			traffic_write(p);
	}
}
