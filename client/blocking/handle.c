/* Handles: opened, and, if they are to, opened anew by the next call after their connection has ended. */
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "client/blocking/call.h"
#include "client/net/connect.h"
#include "client/net/secure.h"
#include "client/machine/words.h"

enum { PAUSE_MIN_MS = 50, PAUSE_MAX_MS = 5000 }; /* between attempts to open a handle anew */

struct ephemeral { /* a channel that goes with the connection, and is created anew with the next one */
	LIST_ENTRY(ephemeral) entry;
	struct buffer members;
	char channel[];
};

/* A request while nobody else may make any. The members are freed. */
static int ask_alone(mr *m, enum message_op op, struct buffer *members, int64_t timeout_ms, struct mr_request *request)
{
	int status = members->failed ? words_fail(MR_EMEMORY, "not enough memory for the request") : MR_OK;

	request_init(m, request, WANT_BODY);
	if (status == MR_OK) {
		pthread_mutex_lock(&m->lock);
		status = transport_begin_locked(m, request, op, (struct slice){members->bytes, buffer_len(members)}, 1,
						timeout_ms, true);
		pthread_mutex_unlock(&m->lock);
	}
	if (status == MR_OK)
		status = transport_wait(m, request);
	buffer_finish(members);
	return status;
}

/* A daemon that says why it does not want us, and closes, has said that to hello. */
static int hello_status(struct mr *m, int status)
{
	if (status != MR_ECONNECTION)
		return status;
	pthread_mutex_lock(&m->lock);
	status = m->notice ? words_fail(m->notice, "%s", m->notice_text) : MR_ECONNECT;
	pthread_mutex_unlock(&m->lock);
	return status;
}

/* Keeps what the daemon said to hello. */
static int keep_hello(mr *m, const struct mr_request *request)
{
	json_t *hello = request->text ? json_loadb(request->text, request->text_len, 0, NULL) : NULL;
	int status = MR_OK;

	json_object_del(hello, "id");
	json_object_del(hello, "status");
	pthread_mutex_lock(&m->lock);
	json_decref(m->hello);
	m->hello = hello;
	if (json_integer_value(json_object_get(hello, "protocol")) != 1 ||
	    client_set_max_frame(&m->client, (uint64_t)json_integer_value(json_object_get(hello, "max_frame_bytes"))) <
		    0)
		status = words_fail(MR_EPROTOCOL, "the daemon's hello is not one of protocol 1");
	pthread_mutex_unlock(&m->lock);
	return status;
}

static int64_t left_ms(int64_t deadline_ms)
{
	int64_t left = deadline_ms - clock_now_ms();

	return left > 0 ? left : 0;
}

static int greet(mr *m, int64_t deadline_ms)
{
	struct buffer members = {0};
	struct mr_request request;
	int status;

	message_uint(&members, "protocol", 1);
	if (m->name)
		message_string(&members, "name", slice_from(m->name));
	if (m->token)
		message_string(&members, "token", slice_from(m->token));
	status = hello_status(m, ask_alone(m, OP_HELLO, &members, left_ms(deadline_ms), &request));
	if (status == MR_OK)
		status = keep_hello(m, &request);
	request_finish(&request);
	return status;
}

/* -- ephemeral channels -- */

int handle_remember(mr *m, const char *channel, struct slice members)
{
	struct ephemeral *ephemeral = calloc(1, sizeof(*ephemeral) + strlen(channel) + 1);

	if (ephemeral)
		buffer_append(&ephemeral->members, members.bytes, members.len);
	if (!ephemeral || ephemeral->members.failed) {
		free(ephemeral);
		return words_fail(MR_EMEMORY, "not enough memory to remember the channel");
	}
	strcpy(ephemeral->channel, channel);
	handle_forget(m, channel);
	pthread_mutex_lock(&m->lock);
	LIST_INSERT_HEAD(&m->ephemerals, ephemeral, entry);
	pthread_mutex_unlock(&m->lock);
	return MR_OK;
}

static void drop(struct ephemeral *ephemeral)
{
	LIST_REMOVE(ephemeral, entry);
	buffer_finish(&ephemeral->members);
	free(ephemeral);
}

void handle_forget(mr *m, const char *channel)
{
	struct ephemeral *ephemeral;

	pthread_mutex_lock(&m->lock);
	LIST_FOREACH(ephemeral, &m->ephemerals, entry)
	{
		if (strcmp(ephemeral->channel, channel) == 0) {
			drop(ephemeral);
			break;
		}
	}
	pthread_mutex_unlock(&m->lock);
}

/* One that somebody else has by now is no reason to do without a connection: who uses it will be told. */
static int create_anew(mr *m, int64_t deadline_ms)
{
	struct ephemeral *ephemeral;
	int status = MR_OK;

	LIST_FOREACH(ephemeral, &m->ephemerals, entry)
	{
		struct buffer members = {0};
		struct mr_request request;

		buffer_append(&members, ephemeral->members.bytes, buffer_len(&ephemeral->members));
		status = ask_alone(m, OP_CREATE, &members, left_ms(deadline_ms), &request);
		request_finish(&request);
		if (m->broken || status == MR_EMEMORY)
			return status;
	}
	return MR_OK;
}

/* -- opening -- */

static int open_url(mr *m, const struct url *url, int64_t deadline_ms)
{
	struct link link;
	int status = connect_url(&link, url, m->secure, deadline_ms);

	if (status != MR_OK)
		return status;
	pthread_mutex_lock(&m->lock);
	transport_restart(m, link);
	pthread_mutex_unlock(&m->lock);
	status = greet(m, deadline_ms);
	if (status == MR_OK)
		status = create_anew(m, deadline_ms);
	if (status != MR_OK) {
		pthread_mutex_lock(&m->lock);
		transport_break(m, status, "%s", mr_message());
		pthread_mutex_unlock(&m->lock);
	}
	return status;
}

/* The first address that can be had. */
static int open_any(mr *m, int64_t deadline_ms)
{
	int status = MR_ECONNECT;

	for (size_t i = 0; i < m->urls.n && status != MR_OK && status != MR_EMEMORY; i++) {
		int64_t now_ms = clock_now_ms();

		status = open_url(m, &m->urls.urls[i], now_ms + (deadline_ms - now_ms) / (int64_t)(m->urls.n - i));
	}
	return status;
}

/* The pause before the next attempt: somewhere between half of it and all, so that many do not come at once. */
static void set_pause(mr *m)
{
	unsigned random = 0;

	m->pause_ms = m->pause_ms == 0 ? PAUSE_MIN_MS : m->pause_ms > PAUSE_MAX_MS / 2 ? PAUSE_MAX_MS : m->pause_ms * 2;
	(void)!getrandom(&random, sizeof random, GRND_NONBLOCK);
	m->not_before_ms = clock_now_ms() + m->pause_ms / 2 + random % (m->pause_ms / 2 + 1);
}

int handle_reopen(mr *m, int64_t deadline_ms)
{
	int status;

	if (deadline_ms < m->not_before_ms)
		return words_fail(MR_ECONNECT, "not connected: %s", m->broken_text);
	clock_sleep_until_ms(m->not_before_ms);
	status = open_any(m, deadline_ms);
	if (status == MR_OK) {
		m->pause_ms = m->not_before_ms = 0;
		return MR_OK;
	}
	set_pause(m);
	return status == MR_ECONNECTION ? MR_ECONNECT : status;
}

/* -- the API -- */

static int take_options(mr *m, const struct mr_options *options)
{
	struct buffer members = {0};
	int status = MR_OK;

	m->connect_timeout_ms = options->connect_timeout_ms ? options->connect_timeout_ms : URL_CONNECT_TIMEOUT_MS;
	m->reopens = options->reconnect;
	if (m->connect_timeout_ms < 1 || m->connect_timeout_ms > (int64_t)MESSAGE_MAX_MS)
		return words_fail(MR_EARGUMENT, "connect_timeout_ms is 1 to 2147483647, or 0 for the default");
	if (options->name)
		status = members_text(&members, "name", options->name);
	if (status == MR_OK && options->token)
		status = members_text(&members, "token", options->token);
	buffer_finish(&members);
	m->name = options->name ? strdup(options->name) : NULL;
	m->token = options->token ? strdup(options->token) : NULL;
	if (status == MR_OK && ((options->name && !m->name) || (options->token && !m->token)))
		status = words_fail(MR_EMEMORY, "not enough memory for a connection");
	return status;
}

int mr_connect(mr **out, const char *urls, const struct mr_options *options)
{
	static const struct mr_options none;
	mr *m = transport_create();
	int status;

	*out = NULL;
	if (!m)
		return words_fail(MR_EMEMORY, "not enough memory for a connection");
	status = take_options(m, options ? options : &none);
	if (status == MR_OK)
		status = url_list_read(&m->urls, urls);
	if (status == MR_OK)
		status = secure_create(&m->secure, options ? &options->tls : &none.tls, &m->urls);
	if (status == MR_OK)
		status = open_any(m, clock_now_ms() + m->connect_timeout_ms);
	if (status == MR_OK)
		*out = m;
	else
		mr_destroy(m);
	return status;
}

void mr_destroy(mr *m)
{
	if (!m)
		return;
	while (!LIST_EMPTY(&m->ephemerals))
		drop(LIST_FIRST(&m->ephemerals));
	url_list_finish(&m->urls);
	free(m->name);
	if (m->token)
		explicit_bzero(m->token, strlen(m->token));
	free(m->token);
	secure_destroy(m->secure);
	transport_destroy(m);
}

int mr_fd(mr *m)
{
	int fd;

	pthread_mutex_lock(&m->lock);
	fd = m->broken ? -1 : m->link.fd;
	pthread_mutex_unlock(&m->lock);
	return fd;
}

int mr_hello(mr *m, json_t **hello)
{
	pthread_mutex_lock(&m->lock);
	*hello = json_deep_copy(m->hello);
	pthread_mutex_unlock(&m->lock);
	return *hello ? MR_OK : words_fail(MR_EMEMORY, "not enough memory");
}

int mr_ping(mr *m, int64_t timeout_ms)
{
	struct buffer members = {0};
	struct call_result result;

	return call_run(m, OP_PING, &members, timeout_check(timeout_ms), timeout_ms, WANT_NOTHING, &result);
}
