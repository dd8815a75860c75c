#include "tests/lib/parking_fixture.h"

#include <stdio.h>

struct event_base *base;
mr_parking *p;
char url[64];
int n_connected, n_disconnected, n_failed, n_lost, n_put_failed, n_room;
int put_failed_status;
char put_failed_channel[64];
bool parking_is_calling;
struct seen seen, other_seen;

void parking_on_late(evutil_socket_t fd, short what, void *argument)
{
	(void)fd;
	(void)what;
	ck_abort_msg("the loop has waited too long for: %s", (const char *)argument);
}

static void on_news(mr_parking *of, const struct mr_news *news, void *argument)
{
	ck_assert(!parking_is_calling);
	(void)of;
	(void)argument;
	ck_assert_ptr_nonnull(news->message);
	switch (news->event) {
	case MR_EVENT_CONNECTED:
		n_connected++;
		break;
	case MR_EVENT_FAILED:
		ck_assert_int_lt(news->status, 0);
		n_failed++;
		break;
	case MR_EVENT_DISCONNECTED:
		ck_assert_int_lt(news->status, 0);
		n_disconnected++;
		break;
	case MR_EVENT_CHANNEL_LOST:
		n_lost++;
		break;
	case MR_EVENT_PUT_FAILED:
		put_failed_status = news->status;
		snprintf(put_failed_channel, sizeof put_failed_channel, "%s", news->channel);
		n_put_failed++;
		break;
	case MR_EVENT_ROOM:
		n_room++;
		break;
	}
}

const struct mr_parking_options parking_options = {
	.name = "tests", .backoff_min_ms = 1, .backoff_max_ms = 20, .on_news = on_news};

mr_parking *make_client(const char *urls, const struct mr_parking_options *chosen)
{
	mr_parking *made;

	MAKES(mr_parking_create(&made, base, urls, chosen));
	return made;
}

static struct daemon *start_daemon(void)
{
	return url[0] ? daemon_start((const char *[]){"--listen", url, NULL}) : daemon_start(NULL);
}

static void make_channels(void)
{
	client_channel(m, "jobs", "bounded", 4);
	client_channel(m, "meet", "unbuffered", 0);
	client_channel(m, "latest", "sliding", 1);
	client_channel(m, "answer", "promise", 0);
}

void parking_setup(void)
{
	url[0] = '\0';
	d = start_daemon();
	snprintf(url, sizeof url, "%s", daemon_url(d));
	m = client_connect(url);
	make_channels();
	base = event_base_new();
	p = make_client(url, &parking_options);
}

void parking_teardown(void)
{
	mr_parking_destroy(p);
	event_base_loop(base, EVLOOP_NONBLOCK);
	event_base_free(base);
	mr_destroy(m);
	daemon_stop(d);
}

void kill_daemon(void)
{
	mr_destroy(m);
	m = NULL;
	daemon_kill(d);
}

void restart_daemon(void)
{
	d = start_daemon();
	m = client_connect(url);
	make_channels();
}

/* -- what came -- */

void seen_clear(struct seen *one)
{
	json_decref(one->body);
	*one = (struct seen){.status = 12345};
}

void on_seen(mr_parking *of, const struct mr_outcome *outcome, void *argument)
{
	struct seen *one = argument;

	(void)of;
	ck_assert(!parking_is_calling);
	ck_assert_int_eq(one->n_last, 0); /* never after the last */
	one->n++;
	one->n_last += outcome->is_last;
	one->status = outcome->status;
	snprintf(one->raw, sizeof one->raw, "%.*s", (int)outcome->raw_len, outcome->raw ? outcome->raw : "");
	snprintf(one->message, sizeof one->message, "%s", outcome->message);
	one->arm = outcome->arm;
	one->accepted = outcome->accepted;
	one->evicted = outcome->evicted;
	one->left = outcome->left;
	json_decref(one->body);
	one->body = NULL;
	if (outcome->body)
		IS(MR_OK, mr_outcome_body(outcome, &one->body));
}

void ends(struct seen *one, int status)
{
	LOOP_UNTIL(one->n_last);
	ck_assert_msg(one->status == status, "%s (%s), not %s", mr_status_name(one->status), one->message,
		      mr_status_name(status));
	ck_assert_int_eq(one->n_last, 1);
}

void clear(void)
{
	seen_clear(&seen);
	seen_clear(&other_seen);
}
