#define _GNU_SOURCE /* memmem */
#include "daemon/cluster/etcd_watch.h"

#include <stdlib.h>
#include <string.h>

#include "daemon/cluster/etcd_requests.h"

enum {
	SILENCE_US = 5000000, /* a connection that is dead looks like one on which nothing happens */
	HINT_GAP_US = 5000,   /* between two hints */
	FIRST_BACKOFF_US = 20000,
	LAST_BACKOFF_US = 2000000,
};

struct watch {
	struct link link;
	struct etcd *etcd;
	void *owner;
	engine_hint_cb *hint;
	void *arg;
	struct buffer body;
	struct etcd_fetch *fetch; /* NULL: to be started by the timer */
	struct loop_timer *timer;
	unsigned endpoint;
	bool has_news, is_cancelled; /* etcd has ended it */
	bool has_worked;             /* something has come since it was started */
	uint64_t backoff_us, hinted_us;
};

static void set_timer(struct watch *watch, uint64_t at_us)
{
	loop_timer_set(watch->timer, at_us);
}

/* It has ended: again in a while, elsewhere. */
static void start_again(struct watch *watch, bool has_failed)
{
	uint64_t now_us = loop_now_us(watch->etcd->loop);
	watch->fetch = NULL;
	watch->is_cancelled = false;
	if (!has_failed) {
		watch->backoff_us = FIRST_BACKOFF_US;
		set_timer(watch, now_us);
		return;
	}
	set_timer(watch, now_us + watch->backoff_us);
	watch->endpoint = (watch->endpoint + 1) % watch->etcd->n_endpoints;
	watch->backoff_us = watch->backoff_us * 2 < LAST_BACKOFF_US ? watch->backoff_us * 2 : LAST_BACKOFF_US;
}

static void on_ended(void *arg, const struct etcd_fetched *fetched)
{
	struct watch *watch = arg;
	bool was_silent = fetched->end == ETCD_FETCH_LOST && watch->has_worked;
	start_again(watch, !was_silent);
}

/* Within libcurl: the hint comes from the timer. */
static void on_bytes(void *arg, struct slice bytes)
{
	static const char cancelled[] = "\"canceled\":true";
	struct watch *watch = arg;
	if (memmem(bytes.bytes, bytes.len, cancelled, strlen(cancelled)))
		watch->is_cancelled = true;
	else
		watch->has_worked = true;
	if (watch->has_news)
		return;
	watch->has_news = true;
	uint64_t now_us = loop_now_us(watch->etcd->loop), earliest_us = watch->hinted_us + HINT_GAP_US;
	set_timer(watch, now_us > earliest_us ? now_us : earliest_us);
}

static void start(struct watch *watch)
{
	struct etcd *etcd = watch->etcd;
	char url[ETCD_URL_BYTES];
	if (!etcd_is_logged_in(etcd)) {
		start_again(watch, true);
		return;
	}
	etcd_url(etcd, watch->endpoint, "/v3/watch", url);
	watch->has_worked = false;
	watch->fetch = etcd_http_fetch(etcd->http, &(struct etcd_fetch_request){
							   .url = url,
							   .body = buffer_slice(&watch->body),
							   .authorization = etcd->token[0] ? etcd->token : NULL,
							   .silence_us = SILENCE_US,
							   .on_bytes = on_bytes,
							   .cb = on_ended,
							   .arg = watch,
						   });
	if (!watch->fetch)
		start_again(watch, true);
}

static void on_timer(void *arg)
{
	struct watch *watch = arg;
	bool has_news = watch->has_news;
	watch->has_news = false;
	if (watch->is_cancelled) {
		etcd_fetch_cancel(watch->fetch);
		start_again(watch, true);
	} else if (!watch->fetch) {
		start(watch);
	}
	if (!has_news)
		return;
	watch->hinted_us = loop_now_us(watch->etcd->loop);
	if (watch->has_worked)
		watch->backoff_us = FIRST_BACKOFF_US;
	watch->hint(watch->arg); /* which may end the watch */
}

static void watch_destroy(struct watch *watch)
{
	etcd_fetch_cancel(watch->fetch);
	loop_timer_destroy(watch->timer);
	buffer_finish(&watch->body);
	list_remove(&watch->link);
	free(watch);
}

void etcd_watch_start(struct etcd *etcd, void *owner, struct slice prefix, engine_hint_cb *hint, void *arg)
{
	struct watch *watch = calloc(1, sizeof(*watch));
	if (!watch)
		return;
	*watch = (struct watch){
		.etcd = etcd,
		.owner = owner,
		.hint = hint,
		.arg = arg,
		.timer = loop_timer_create(etcd->loop, on_timer, watch),
		.endpoint = etcd->current,
		.backoff_us = FIRST_BACKOFF_US,
	};
	list_init(&watch->link);
	etcd_request_watch(&watch->body, slice_from(etcd->prefix), prefix);
	if (!watch->timer || watch->body.failed) {
		watch_destroy(watch);
		return;
	}
	list_append(&etcd->watches, &watch->link);
	set_timer(watch, loop_now_us(etcd->loop));
}

void etcd_watches_cancel(struct etcd *etcd, const void *owner)
{
	struct link *link = etcd->watches.next, *next;
	for (; link != &etcd->watches; link = next) {
		struct watch *watch = LIST_ITEM(link, struct watch, link);
		next = link->next;
		if (!owner || watch->owner == owner)
			watch_destroy(watch);
	}
}
