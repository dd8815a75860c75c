/* libcurl tells which descriptors it waits for and until when; the loop tells what has come. libcurl's functions are
 * called from the loop alone, never from within libcurl's own callbacks. */
#include "daemon/cluster/etcd_http.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/cluster/etcd_curl.h"

enum {
	KEPT_HANDLES = 16,          /* of requests that have ended */
	MAX_HEAD_BYTES = 64 * 1024, /* of an answer */
};

static const struct etcd_curl *libcurl;

const char *etcd_http_load(void)
{
	const char *why = NULL;
	libcurl = etcd_curl_load(&why);
	return libcurl ? NULL : why;
}

struct etcd_http {
	struct loop *loop;
	struct loop_timer *timer; /* libcurl's */
	CURLM *multi;
	struct curl_slist *json;      /* what each request says of itself */
	struct etcd_http_files files; /* copies */
	CURL *kept[KEPT_HANDLES];
	unsigned n_kept;
};

struct etcd_fetch {
	struct etcd_http *http;
	CURL *curl;
	struct loop_timer *timer;
	struct curl_slist *headers;
	struct buffer answer;
	size_t max_answer, n_head_bytes;
	uint64_t silence_us, heard_us; /* when it began, or something came */
	bool is_too_long, was_sent;
	etcd_fetch_bytes_cb *on_bytes;
	etcd_fetch_cb *cb;
	void *arg;
	char error[CURL_ERROR_SIZE];
};

/* -- libcurl's descriptors and timer on the loop -- */

struct socket_watch {
	struct etcd_http *http;
	struct loop_watch *watch;
	curl_socket_t fd;
};

static void handle_ended(struct etcd_http *http);

static void on_socket(void *arg)
{
	struct socket_watch *socket = arg;
	struct etcd_http *http = socket->http;
	int n_running;
	/* It looks itself what is ready, and may end us. */
	libcurl->multi_socket_action(http->multi, socket->fd, 0, &n_running);
	handle_ended(http);
}

static void on_curl_timer(void *arg)
{
	struct etcd_http *http = arg;
	int n_running;
	libcurl->multi_socket_action(http->multi, CURL_SOCKET_TIMEOUT, 0, &n_running);
	handle_ended(http);
}

static int watch_socket(CURL *curl, curl_socket_t fd, int what, void *arg, void *socket_arg)
{
	(void)curl;
	struct etcd_http *http = arg;
	struct socket_watch *socket = socket_arg;
	if (what == CURL_POLL_REMOVE) {
		if (socket)
			loop_watch_destroy(socket->watch);
		free(socket);
		return 0;
	}
	if (!socket) {
		socket = malloc(sizeof(*socket));
		struct loop_watch *watch = socket ? loop_watch_create(http->loop, fd, on_socket, socket) : NULL;
		if (!watch) {
			free(socket);
			return -1;
		}
		*socket = (struct socket_watch){.http = http, .watch = watch, .fd = fd};
		libcurl->multi_assign(http->multi, fd, socket);
	}
	return loop_watch_for(socket->watch, what & CURL_POLL_IN, what & CURL_POLL_OUT);
}

static int set_curl_timer(CURLM *multi, long ms, void *arg)
{
	(void)multi;
	struct etcd_http *http = arg;
	loop_timer_set(http->timer, ms < 0 ? UINT64_MAX : loop_now_us(http->loop) + (uint64_t)ms * 1000);
	return 0;
}

/* -- The whole -- */

static char *copy(const char *text)
{
	return text ? strdup(text) : NULL;
}

static struct curl_slist *json_headers(void)
{
	/* "Expect:" keeps large bodies from waiting for a go-ahead. */
	struct curl_slist *list = libcurl->slist_append(NULL, "Content-Type: application/json");
	struct curl_slist *longer = list ? libcurl->slist_append(list, "Expect:") : NULL;
	if (!longer)
		libcurl->slist_free_all(list);
	return longer;
}

struct etcd_http *etcd_http_create(struct loop *loop, const struct etcd_http_files *files)
{
	struct etcd_http *http = calloc(1, sizeof(*http));
	if (!http)
		return NULL;
	http->loop = loop;
	http->files = (struct etcd_http_files){copy(files->ca), copy(files->cert), copy(files->key)};
	http->timer = loop_timer_create(loop, on_curl_timer, http);
	http->multi = libcurl->multi_init();
	http->json = json_headers();
	if (!http->timer || !http->multi || !http->json || (files->ca && !http->files.ca) ||
	    (files->cert && !http->files.cert) || (files->key && !http->files.key)) {
		etcd_http_destroy(http);
		return NULL;
	}
	libcurl->multi_setopt(http->multi, CURLMOPT_SOCKETFUNCTION, watch_socket);
	libcurl->multi_setopt(http->multi, CURLMOPT_SOCKETDATA, http);
	libcurl->multi_setopt(http->multi, CURLMOPT_TIMERFUNCTION, set_curl_timer);
	libcurl->multi_setopt(http->multi, CURLMOPT_TIMERDATA, http);
	libcurl->multi_setopt(http->multi, CURLMOPT_PIPELINING, (long)CURLPIPE_NOTHING);
	return http;
}

void etcd_http_destroy(struct etcd_http *http)
{
	if (!http)
		return;
	for (unsigned i = 0; i < http->n_kept; i++)
		libcurl->easy_cleanup(http->kept[i]);
	if (http->multi)
		libcurl->multi_cleanup(http->multi);
	loop_timer_destroy(http->timer);
	libcurl->slist_free_all(http->json);
	free((char *)http->files.ca);
	free((char *)http->files.cert);
	free((char *)http->files.key);
	free(http);
}

/* -- One request -- */

/* Ends it without a callback. */
static void fetch_finish(struct etcd_fetch *fetch)
{
	struct etcd_http *http = fetch->http;
	if (fetch->curl) {
		libcurl->multi_remove_handle(http->multi, fetch->curl);
		libcurl->easy_reset(fetch->curl); /* connections are the multi handle's */
		if (http->n_kept < KEPT_HANDLES)
			http->kept[http->n_kept++] = fetch->curl;
		else
			libcurl->easy_cleanup(fetch->curl);
	}
	loop_timer_destroy(fetch->timer);
	libcurl->slist_free_all(fetch->headers);
	buffer_finish(&fetch->answer);
	free(fetch);
}

void etcd_fetch_cancel(struct etcd_fetch *fetch)
{
	if (fetch)
		fetch_finish(fetch);
}

static void fetch_end(struct etcd_fetch *fetch, const struct etcd_fetched *fetched)
{
	/* The connection of what has not ended by itself is closed before anybody hears of it. */
	libcurl->multi_remove_handle(fetch->http->multi, fetch->curl);
	fetch->cb(fetch->arg, fetched);
	fetch_finish(fetch);
}

static void on_silence(void *arg)
{
	struct etcd_fetch *fetch = arg;
	uint64_t until_us = fetch->heard_us + fetch->silence_us;
	if (loop_now_us(fetch->http->loop) < until_us) {
		loop_timer_set(fetch->timer, until_us);
		return;
	}
	fetch_end(fetch, &(struct etcd_fetched){
				 .end = fetch->was_sent ? ETCD_FETCH_LOST : ETCD_FETCH_NOT_SENT,
				 .message = fetch->was_sent ? "no answer in time" : "no connection in time",
				 .answer = &fetch->answer,
			 });
}

static void end_by_code(struct etcd_fetch *fetch, CURLcode code)
{
	long status = 0;
	struct etcd_fetched fetched = {.end = ETCD_FETCH_ANSWERED, .answer = &fetch->answer};
	libcurl->easy_getinfo(fetch->curl, CURLINFO_RESPONSE_CODE, &status);
	fetched.status = (unsigned)status;
	if (fetch->is_too_long) {
		fetched.end = ETCD_FETCH_TOO_LONG;
		fetched.message = "the answer is too long";
	} else if (code != CURLE_OK || fetch->answer.failed) {
		fetched.end = fetch->was_sent ? ETCD_FETCH_LOST : ETCD_FETCH_NOT_SENT;
		fetched.message = fetch->answer.failed                ? "no memory for the answer"
				  : code == CURLE_ABORTED_BY_CALLBACK ? "the connection broke"
				  : fetch->error[0]                   ? fetch->error
								      : libcurl->easy_strerror(code);
	}
	fetch_end(fetch, &fetched);
}

/* What libcurl says to have ended. Callbacks may start and cancel others: each is asked for anew. */
static void handle_ended(struct etcd_http *http)
{
	CURLMsg *message;
	int n_left;
	while ((message = libcurl->multi_info_read(http->multi, &n_left))) {
		struct etcd_fetch *fetch = NULL;
		libcurl->easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &fetch);
		if (message->msg == CURLMSG_DONE && fetch)
			end_by_code(fetch, message->data.result);
	}
}

/* There is a connection, and the request is about to be sent. libcurl would send it again by itself over another, if
 * one that was kept turns out to have broken: but it may have arrived. */
static int before_sending(void *arg, char *from_ip, char *to_ip, int from_port, int to_port)
{
	(void)from_ip, (void)to_ip, (void)from_port, (void)to_port;
	struct etcd_fetch *fetch = arg;
	bool is_again = fetch->was_sent;
	fetch->was_sent = true;
	return is_again ? CURL_PREREQFUNC_ABORT : CURL_PREREQFUNC_OK;
}

static size_t on_head(char *bytes, size_t size, size_t n, void *arg)
{
	(void)bytes;
	struct etcd_fetch *fetch = arg;
	fetch->n_head_bytes += size * n;
	fetch->is_too_long |= fetch->n_head_bytes > MAX_HEAD_BYTES;
	return fetch->is_too_long ? 0 : size * n;
}

static size_t on_body(char *bytes, size_t size, size_t n, void *arg)
{
	struct etcd_fetch *fetch = arg;
	size_t len = size * n;
	fetch->heard_us = loop_now_us(fetch->http->loop);
	if (fetch->on_bytes) {
		fetch->on_bytes(fetch->arg, (struct slice){bytes, len});
		return len;
	}
	fetch->is_too_long = len > fetch->max_answer - buffer_len(&fetch->answer);
	if (!fetch->is_too_long)
		buffer_append(&fetch->answer, bytes, len);
	return fetch->is_too_long || fetch->answer.failed ? 0 : len;
}

/* The headers of a request with a token. NULL: no memory, or it is too long. */
static struct curl_slist *headers_with(const char *token)
{
	char line[2048];
	int n = snprintf(line, sizeof(line), "Authorization: %s", token);
	struct curl_slist *list = n > 0 && (size_t)n < sizeof(line) ? json_headers() : NULL;
	struct curl_slist *longer = list ? libcurl->slist_append(list, line) : NULL;
	if (!longer)
		libcurl->slist_free_all(list);
	return longer;
}

static void set_options(struct etcd_fetch *fetch, const struct etcd_fetch_request *request)
{
	CURL *curl = fetch->curl;
	const struct etcd_http_files *files = &fetch->http->files;
	libcurl->easy_setopt(curl, CURLOPT_URL, request->url);
	libcurl->easy_setopt(curl, CURLOPT_PRIVATE, fetch);
	libcurl->easy_setopt(curl, CURLOPT_ERRORBUFFER, fetch->error);
	libcurl->easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
	libcurl->easy_setopt(curl, CURLOPT_PROXY, "");
	libcurl->easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 0L);
	libcurl->easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
	libcurl->easy_setopt(curl, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	libcurl->easy_setopt(curl, CURLOPT_TCP_NODELAY, 1L);
	libcurl->easy_setopt(curl, CURLOPT_TCP_KEEPALIVE, 1L);
	libcurl->easy_setopt(curl, CURLOPT_PREREQFUNCTION, before_sending);
	libcurl->easy_setopt(curl, CURLOPT_PREREQDATA, fetch);
	libcurl->easy_setopt(curl, CURLOPT_HEADERFUNCTION, on_head);
	libcurl->easy_setopt(curl, CURLOPT_HEADERDATA, fetch);
	libcurl->easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_body);
	libcurl->easy_setopt(curl, CURLOPT_WRITEDATA, fetch);
	libcurl->easy_setopt(curl, CURLOPT_HTTPHEADER, fetch->headers ? fetch->headers : fetch->http->json);
	if (files->ca)
		libcurl->easy_setopt(curl, CURLOPT_CAINFO, files->ca);
	if (files->cert)
		libcurl->easy_setopt(curl, CURLOPT_SSLCERT, files->cert);
	if (files->key)
		libcurl->easy_setopt(curl, CURLOPT_SSLKEY, files->key);
	if (request->body.bytes) {
		libcurl->easy_setopt(curl, CURLOPT_POST, 1L);
		libcurl->easy_setopt(curl, CURLOPT_POSTFIELDS, request->body.bytes);
		libcurl->easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->body.len);
	}
}

struct etcd_fetch *etcd_http_fetch(struct etcd_http *http, const struct etcd_fetch_request *request)
{
	struct etcd_fetch *fetch = calloc(1, sizeof(*fetch));
	if (!fetch)
		return NULL;
	*fetch = (struct etcd_fetch){
		.http = http,
		.max_answer = request->max_answer,
		.silence_us = request->silence_us,
		.heard_us = loop_now_us(http->loop),
		.on_bytes = request->on_bytes,
		.cb = request->cb,
		.arg = request->arg,
		.timer = loop_timer_create(http->loop, on_silence, fetch),
		.headers = request->authorization ? headers_with(request->authorization) : NULL,
		.curl = http->n_kept > 0 ? http->kept[--http->n_kept] : libcurl->easy_init(),
	};
	if (!fetch->curl || !fetch->timer || (request->authorization && !fetch->headers))
		goto failed;
	set_options(fetch, request);
	if (libcurl->multi_add_handle(http->multi, fetch->curl) != CURLM_OK)
		goto failed;
	loop_timer_set(fetch->timer, fetch->heard_us + fetch->silence_us);
	return fetch;

failed:
	fetch_finish(fetch);
	return NULL;
}

const char *etcd_http_wrong_url(const char *url)
{
	char *part = NULL;
	const char *wrong = NULL;
	CURLU *parsed = libcurl->url();
	if (!parsed)
		return "no memory";
	if (libcurl->url_set(parsed, CURLUPART_URL, url, CURLU_DISALLOW_USER | CURLU_NON_SUPPORT_SCHEME) != CURLUE_OK)
		wrong = "it is no URL such as http://10.0.0.1:2379";
	if (!wrong && libcurl->url_get(parsed, CURLUPART_SCHEME, &part, 0) == CURLUE_OK && strcmp(part, "http") != 0 &&
	    strcmp(part, "https") != 0)
		wrong = "it begins with neither http:// nor https://";
	libcurl->free(part);
	part = NULL;
	if (!wrong && libcurl->url_get(parsed, CURLUPART_PATH, &part, 0) == CURLUE_OK && strcmp(part, "/") != 0)
		wrong = "it has a path: only a host and a port are wanted";
	libcurl->free(part);
	part = NULL;
	if (!wrong && (libcurl->url_get(parsed, CURLUPART_QUERY, &part, 0) == CURLUE_OK ||
		       libcurl->url_get(parsed, CURLUPART_FRAGMENT, &part, 0) == CURLUE_OK))
		wrong = "there is something behind the port";
	libcurl->free(part);
	libcurl->url_cleanup(parsed);
	return wrong;
}
