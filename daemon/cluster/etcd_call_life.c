/* Calls of the etcd client: their memory, and how they leave. */
#include <stdlib.h>

#include "daemon/cluster/etcd_calls.h"
#include "daemon/cluster/etcd_requests.h"

enum { SPARE_CALLS = 64 };

static struct etcd_call *call_alloc(struct etcd *etcd)
{
	struct etcd_call *call = calloc(1, sizeof(*call));
	struct loop_timer *timer = call ? loop_timer_create(etcd->loop, etcd->on_call_timer, call) : NULL;
	if (!timer) {
		free(call);
		return NULL;
	}
	call->etcd = etcd;
	call->timer = timer;
	return call;
}

static void call_free(struct etcd_call *call)
{
	loop_timer_destroy(call->timer);
	buffer_finish(&call->body);
	buffer_finish(&call->keys);
	free(call);
}

int etcd_calls_init(struct etcd *etcd)
{
	list_init(&etcd->calls);
	list_init(&etcd->spare);
	for (int i = 0; i < SPARE_CALLS; i++) {
		struct etcd_call *call = call_alloc(etcd);
		if (!call)
			return -1;
		list_append(&etcd->spare, &call->link);
	}
	return 0;
}

/* Takes the call out of everything. Its memory stays until etcd_call_recycle(). */
void etcd_call_stop(struct etcd_call *call)
{
	etcd_fetch_cancel(call->fetch);
	call->fetch = NULL;
	call->etcd->n_running -= call->state == ETCD_RUNS;
	call->state = ETCD_WAITS;
	loop_timer_set(call->timer, UINT64_MAX);
	list_remove(&call->link);
}

void etcd_call_recycle(struct etcd_call *call)
{
	struct etcd_call fresh = {.etcd = call->etcd, .timer = call->timer};
	buffer_finish(&call->body);
	buffer_finish(&call->keys);
	*call = fresh;
	list_append(&call->etcd->spare, &call->link);
}

void etcd_calls_finish(struct etcd *etcd)
{
	etcd_calls_cancel(etcd, NULL);
	while (!list_is_empty(&etcd->spare)) {
		struct etcd_call *call = LIST_ITEM(etcd->spare.next, struct etcd_call, link);
		list_remove(&call->link);
		call_free(call);
	}
}

struct etcd_call *etcd_call_create(struct etcd *etcd, enum etcd_kind kind, void *owner, engine_cb *cb, void *arg)
{
	struct etcd_call *call;
	if (list_is_empty(&etcd->spare)) {
		call = call_alloc(etcd);
		if (!call)
			abort(); /* who asked for it could not be told, and would wait for good */
	} else {
		call = LIST_ITEM(etcd->spare.next, struct etcd_call, link);
		list_remove(&call->link);
	}
	list_init(&call->link);
	call->kind = kind;
	call->owner = owner;
	call->cb = cb;
	call->arg = arg;
	return call;
}

void etcd_calls_cancel(struct etcd *etcd, const void *owner)
{
	struct link *link = etcd->calls.next, *next;
	for (; link != &etcd->calls; link = next) {
		next = link->next;
		struct etcd_call *call = LIST_ITEM(link, struct etcd_call, link);
		if (owner && call->owner != owner)
			continue;
		etcd_call_stop(call);
		etcd_call_recycle(call);
	}
}

void etcd_call_write_range(struct etcd_call *call)
{
	struct slice keys = buffer_slice(&call->keys);
	buffer_clear(&call->body);
	etcd_request_range(&call->body, slice_from(call->etcd->prefix), (struct slice){keys.bytes, call->key_len},
			   (struct slice){keys.bytes + call->key_len, keys.len - call->key_len}, call->limit,
			   call->keys_only);
}
