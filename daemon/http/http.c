/* A health check answers as long as the loop turns: that is what it is asked for. Small limits, for whoever can reach the port. */
#include "daemon/http/http.h"

#include <errno.h>
#include <event2/buffer.h>
#include <event2/event.h>
#include <event2/http.h>
#include <event2/listener.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

enum {
	MAX_HEADER_BYTES = 8 * 1024,
	MAX_BODY_BYTES = 1024,
	TIMEOUT_S = 10,
	ACCEPT_PAUSE_S = 1, /* when descriptors have run out */
	URL_BYTES = 160,
};

struct http {
	struct evhttp *server;
	struct evconnlistener *listener;
	struct event *resume;
	char url[URL_BYTES];
};

static void reply(struct evhttp_request *request, int code, const char *reason, const char *text)
{
	struct evbuffer *body = evbuffer_new();
	evhttp_add_header(evhttp_request_get_output_headers(request), "Content-Type", "text/plain");
	if (body)
		evbuffer_add(body, text, strlen(text));
	evhttp_send_reply(request, code, reason, body);
	if (body)
		evbuffer_free(body);
}

static void on_health(struct evhttp_request *request, void *arg)
{
	(void)arg;
	reply(request, HTTP_OK, "OK", "ok\n");
}

static void on_other(struct evhttp_request *request, void *arg)
{
	(void)arg;
	reply(request, HTTP_NOTFOUND, "Not Found", "not found: there are /healthz and /readyz\n");
}

/* Without a pause the listener would spin on a socket that stays readable. */
static void on_accept_error(struct evconnlistener *listener, void *arg)
{
	struct http *http = arg;
	struct timeval pause = {.tv_sec = ACCEPT_PAUSE_S};
	if (evtimer_add(http->resume, &pause) == 0)
		evconnlistener_disable(listener);
}

static void on_resume(evutil_socket_t fd, short what, void *arg)
{
	(void)fd, (void)what;
	struct http *http = arg;
	evconnlistener_enable(http->listener);
}

static void find_url(struct http *http, int fd)
{
	struct sockaddr_storage address;
	socklen_t len = sizeof(address);
	char host[INET6_ADDRSTRLEN + 32], port[16];
	if (getsockname(fd, (struct sockaddr *)&address, &len) == 0 &&
	    getnameinfo((struct sockaddr *)&address, len, host, sizeof(host), port, sizeof(port), NI_NUMERICHOST | NI_NUMERICSERV) == 0)
		snprintf(http->url, sizeof(http->url), address.ss_family == AF_INET6 ? "http://[%s]:%s" : "http://%s:%s", host, port);
}

struct http *http_start(struct loop *loop, const struct address *address, char error[HTTP_ERROR_BYTES])
{
	struct event_base *base = loop_base(loop);
	struct evhttp_bound_socket *bound = NULL;
	struct http *http = calloc(1, sizeof(*http));
	if (!http || !(http->resume = evtimer_new(base, on_resume, http)) || !(http->server = evhttp_new(base))) {
		snprintf(error, HTTP_ERROR_BYTES, "cannot start HTTP: no memory");
		http_stop(http);
		return NULL;
	}
	evhttp_set_max_headers_size(http->server, MAX_HEADER_BYTES);
	evhttp_set_max_body_size(http->server, MAX_BODY_BYTES);
	evhttp_set_timeout(http->server, TIMEOUT_S);
	evhttp_set_allowed_methods(http->server, EVHTTP_REQ_GET | EVHTTP_REQ_HEAD);
	evhttp_set_cb(http->server, "/healthz", on_health, NULL);
	evhttp_set_cb(http->server, "/readyz", on_health, NULL);
	evhttp_set_gencb(http->server, on_other, NULL);

	errno = 0;
	bound = evhttp_bind_socket_with_handle(http->server, address->host, address->port);
	if (!bound) {
		snprintf(error, HTTP_ERROR_BYTES, "cannot listen for HTTP on %.100s:%u: %s", address->host, address->port,
			 errno ? strerror(errno) : "the address is not known");
		http_stop(http);
		return NULL;
	}
	http->listener = evhttp_bound_socket_get_listener(bound);
	evconnlistener_set_error_cb(http->listener, on_accept_error);
	find_url(http, evhttp_bound_socket_get_fd(bound));
	return http;
}

void http_stop(struct http *http)
{
	if (!http)
		return;
	if (http->server)
		evhttp_free(http->server);
	if (http->resume)
		event_free(http->resume);
	free(http);
}

const char *http_url(const struct http *http)
{
	return http->url;
}
