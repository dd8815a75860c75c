/* The client as a whole: made, run by the loop, destroyed. */
#include "client/parking/parking.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include <event2/dns.h>
#include <event2/util.h>

#include "client/blocking/clock.h"
#include "client/machine/members.h"
#include "client/machine/words.h"

enum {
	BACKOFF_MIN_MS = 50,
	BACKOFF_MAX_MS = 5000,
	HEARTBEAT_MS = 30000,
	MAX_WAITING_BYTES = 16 * 1024 * 1024,
};

/* -- callbacks, and the end inside of one -- */

/* What a callback may still look at after it has destroyed the client goes last. */
static void parking_free(mr_parking *p)
{
	client_finish(&p->client);
	buffer_finish(&p->scratch);
	url_list_finish(&p->urls);
	secure_destroy(p->secure);
	free(p->name);
	free(p->token);
	free(p);
}

void parking_enter(mr_parking *p)
{
	p->depth++;
}

void parking_leave(mr_parking *p)
{
	assert(p->depth > 0);
	if (--p->depth == 0 && p->is_dead)
		parking_free(p);
}

void parking_tell_news(mr_parking *p, enum mr_event event, int status, const char *message, const char *channel)
{
	struct mr_news news = {
		.event = event,
		.status = status,
		.message = message,
		.url = p->urls.urls[p->url_at].text,
		.channel = channel,
	};

	assert(p->depth > 0);
	if (p->on_news)
		p->on_news(p, &news, p->argument);
}

/* -- what libevent calls -- */

static void on_timer(evutil_socket_t fd, short what, void *argument)
{
	mr_parking *p = argument;

	(void)fd;
	(void)what;
	parking_enter(p);
	connection_timer(p);
	parking_leave(p);
}

static void on_soon(evutil_socket_t fd, short what, void *argument)
{
	mr_parking *p = argument;

	(void)fd;
	(void)what;
	parking_enter(p);
	p->is_soon = false;
	requests_tell_ends(p);
	if (!p->is_dead)
		traffic_write(p);
	parking_leave(p);
}

static void on_beat(evutil_socket_t fd, short what, void *argument)
{
	mr_parking *p = argument;

	(void)fd;
	(void)what;
	parking_enter(p);
	connection_beat(p);
	parking_leave(p);
}

void parking_run_soon(mr_parking *p)
{
	if (!p->is_soon)
		event_active(p->soon, 0, 0);
	p->is_soon = true;
}

void parking_set_timer(struct event *timer, int64_t ms)
{
	struct timeval in = {.tv_sec = (time_t)(ms > 0 ? ms / 1000 : 0),
			     .tv_usec = (suseconds_t)(ms > 0 ? ms % 1000 * 1000 : 0)};

	evtimer_add(timer, &in);
}

/* -- the API -- */

static int check_options(const struct mr_parking_options *options)
{
	struct buffer members = {0};
	int status = MR_OK;

	if (options->connect_timeout_ms < 0 || options->connect_timeout_ms > (int64_t)MESSAGE_MAX_MS ||
	    options->backoff_min_ms < 0 || options->backoff_max_ms < 0 ||
	    options->backoff_max_ms > (int64_t)MESSAGE_MAX_MS ||
	    options->backoff_min_ms > (options->backoff_max_ms ? options->backoff_max_ms : BACKOFF_MAX_MS) ||
	    options->heartbeat_ms > (int64_t)MESSAGE_MAX_MS)
		status = words_fail(MR_EARGUMENT, "the times of the options are 0 to 2147483647 milliseconds, "
						  "backoff_min_ms not over backoff_max_ms");
	if (status == MR_OK && options->name)
		status = members_text(&members, "name", options->name);
	if (status == MR_OK && options->token)
		status = members_text(&members, "token", options->token);
	buffer_finish(&members);
	return status;
}

static void take_options(mr_parking *p, const struct mr_parking_options *options)
{
	p->connect_timeout_ms = options->connect_timeout_ms ? options->connect_timeout_ms : URL_CONNECT_TIMEOUT_MS;
	p->backoff_max_ms = options->backoff_max_ms ? options->backoff_max_ms : BACKOFF_MAX_MS;
	p->backoff_min_ms = options->backoff_min_ms ? options->backoff_min_ms : BACKOFF_MIN_MS;
	if (p->backoff_min_ms > p->backoff_max_ms)
		p->backoff_min_ms = p->backoff_max_ms;
	p->heartbeat_ms = options->heartbeat_ms ? options->heartbeat_ms : HEARTBEAT_MS;
	p->window_asked = options->window;
	p->max_waiting_bytes = options->max_waiting_bytes ? options->max_waiting_bytes : MAX_WAITING_BYTES;
	p->on_news = options->on_news;
	p->argument = options->argument;
	p->name = options->name ? strdup(options->name) : NULL;
	p->token = options->token ? strdup(options->token) : NULL;
}

/* All that ties it to the loop, and all requests. */
static void parking_finish(mr_parking *p)
{
	p->is_dead = true;
	connection_close(p);
	requests_drop(p);
	if (p->dns)
		evdns_base_free(p->dns, 1);
	if (p->timer)
		event_free(p->timer);
	if (p->soon)
		event_free(p->soon);
	if (p->beat)
		event_free(p->beat);
}

int mr_parking_create(mr_parking **out, struct event_base *base, const char *urls,
		      const struct mr_parking_options *options)
{
	static const struct mr_parking_options none;
	const struct mr_parking_options *chosen = options ? options : &none;
	struct url_list list;
	struct secure *secure = NULL;
	int status = check_options(chosen);
	mr_parking *p;

	*out = NULL;
	if (status != MR_OK)
		return status;
	status = url_list_read(&list, urls);
	if (status == MR_OK)
		status = secure_create(&secure, &chosen->tls, &list);
	p = status == MR_OK ? calloc(1, sizeof(*p)) : NULL;
	if (!p) {
		secure_destroy(secure);
		url_list_finish(&list);
		return status == MR_OK ? words_fail(MR_EMEMORY, "not enough memory for a client") : status;
	}
	p->base = base;
	p->urls = list;
	p->secure = secure;
	p->link.fd = -1;
	p->state = PARKING_RESTS;
	TAILQ_INIT(&p->waiting);
	TAILQ_INIT(&p->sent);
	TAILQ_INIT(&p->ending);
	TAILQ_INIT(&p->spare);
	LIST_INIT(&p->ephemerals);
	client_init(&p->client);
	take_options(p, chosen);
	p->timer = evtimer_new(base, on_timer, p);
	p->soon = event_new(base, -1, 0, on_soon, p);
	p->beat = event_new(base, -1, EV_PERSIST, on_beat, p);
	if (!p->timer || !p->soon || !p->beat || (chosen->name && !p->name) || (chosen->token && !p->token)) {
		parking_finish(p);
		parking_free(p);
		return words_fail(MR_EMEMORY, "not enough memory for a client");
	}
	parking_set_timer(p->timer, 0);
	*out = p;
	return MR_OK;
}

void mr_parking_destroy(mr_parking *p)
{
	if (!p)
		return;
	parking_finish(p);
	if (p->depth == 0)
		parking_free(p);
}

bool mr_parking_is_connected(const mr_parking *p)
{
	return p->state == PARKING_UP;
}

size_t mr_parking_pending(const mr_parking *p)
{
	return p->n_pending;
}
