/* Listening, and what is due with time. The timers run only while there is something for them to do. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "daemon/http/connection.h"
#include "daemon/http/events.h"
#include "daemon/http/jobs.h"
#include "daemon/log.h"
#include "daemon/net/listener.h"

enum { SWEEP_MS = 1000 };

static const char crowded[] =
	"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";

static void sweep_later(struct http *http)
{
	loop_timer_set(http->sweep_timer, loop_now_us(http->sessions->loop) + SWEEP_MS * 1000);
}

static void on_sweep(void *arg)
{
	struct http *http = arg;
	uint64_t now_us = loop_now_us(http->sessions->loop);
	for (struct http_session *session = http->first; session; session = session->next)
		http_sweep(session, now_us);
	if (http->first)
		sweep_later(http);
}

static void on_pump(void *arg)
{
	http_pump_all(arg);
}

/* The kernel's buffer has room for this on a fresh socket. */
static void refuse(void *arg, int fd)
{
	(void)arg;
	if (send(fd, crowded, sizeof(crowded) - 1, MSG_NOSIGNAL) >= 0)
		shutdown(fd, SHUT_WR);
	close(fd);
}

static void on_accept(void *arg, int fd, struct tls_context *tls)
{
	struct http *http = arg;
	struct sessions *sessions = http->sessions;
	bool is_first = !http->first;
	if (sessions->n_http < sessions->limits.max_http_connections && http_session_create(http, fd, tls)) {
		if (is_first)
			sweep_later(http);
		return;
	}
	refuse(http, fd);
}

void http_set_hosts(struct http *http, char *const *hosts, size_t n_hosts)
{
	http->hosts = hosts;
	http->n_hosts = n_hosts;
}

void http_set_listeners(struct http *http, struct listener *const *listeners)
{
	http->listeners = listeners;
}

static void find_url(struct http *http)
{
	char url[LISTENER_URL_BYTES];
	listener_url(http->listener, url);
	bool is_tls = strncmp(url, "tls", 3) == 0;
	snprintf(http->url, sizeof(http->url), "%s%.150s", is_tls ? "https" : "http", url + strlen("tcp"));
}

struct http *http_start(struct sessions *sessions, const struct address *address, struct tls_context *tls,
			char *const *hosts, size_t n_hosts, char error[HTTP_ERROR_BYTES])
{
	char why[LISTENER_ERROR_BYTES];
	struct http *http = calloc(1, sizeof(*http));
	if (!http || !(http->sweep_timer = loop_timer_create(sessions->loop, on_sweep, http)) ||
	    !(http->pump_timer = loop_timer_create(sessions->loop, on_pump, http))) {
		snprintf(error, HTTP_ERROR_BYTES, "cannot start HTTP: no memory");
		http_stop(http);
		return NULL;
	}
	struct timespec now;
	clock_gettime(CLOCK_REALTIME, &now);
	http->start_us = (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
	http->sessions = sessions;
	http_set_hosts(http, hosts, n_hosts);
	if (listener_open(&http->listener, sessions->loop, address, tls,
			  &(struct listener_handlers){on_accept, refuse, http}, why) < 0) {
		snprintf(error, HTTP_ERROR_BYTES, "HTTP: %.240s", why);
		http_stop(http);
		return NULL;
	}
	find_url(http);
	return http;
}

void http_stop(struct http *http)
{
	if (!http)
		return;
	listener_close(http->listener);
	events_destroy(http->events);
	loop_timer_destroy(http->sweep_timer);
	loop_timer_destroy(http->pump_timer);
	buffer_finish(&http->scratch);
	free(http);
}

const char *http_url(const struct http *http)
{
	return http->url;
}
