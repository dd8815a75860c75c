#include "daemon/cluster/etcd.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/cluster/etcd_calls.h"
#include "daemon/cluster/etcd_requests.h"
#include "daemon/cluster/etcd_watch.h"

/* -- The engine's calls -- */

static void transact(struct engine *engine, void *owner, const struct engine_transaction *transaction, engine_cb *cb,
		     void *arg)
{
	struct etcd *etcd = (struct etcd *)engine;
	struct etcd_call *call = etcd_call_create(etcd, ETCD_TRANSACT, owner, cb, arg);
	etcd_request_transaction(&call->body, slice_from(etcd->prefix), transaction);
	etcd_call_start(call);
}

static void range(struct engine *engine, void *owner, struct slice key, struct slice end, size_t limit, bool keys_only,
		  engine_cb *cb, void *arg)
{
	assert(limit > 0 && limit <= ENGINE_MAX_ROWS);
	struct etcd_call *call = etcd_call_create((struct etcd *)engine, ETCD_RANGE, owner, cb, arg);
	buffer_append(&call->keys, key.bytes, key.len);
	buffer_append(&call->keys, end.bytes, end.len);
	call->key_len = key.len;
	call->limit = limit;
	call->keys_only = keys_only;
	if (!call->keys.failed)
		etcd_call_write_range(call);
	etcd_call_start(call);
}

static void grant(struct engine *engine, void *owner, uint64_t ttl_ms, engine_cb *cb, void *arg)
{
	struct etcd_call *call = etcd_call_create((struct etcd *)engine, ETCD_GRANT, owner, cb, arg);
	etcd_request_grant(&call->body, ttl_ms);
	etcd_call_start(call);
}

static void ask_of_lease(struct engine *engine, enum etcd_kind kind, void *owner, uint64_t lease, engine_cb *cb,
			 void *arg)
{
	struct etcd_call *call = etcd_call_create((struct etcd *)engine, kind, owner, cb, arg);
	etcd_request_lease(&call->body, lease);
	etcd_call_start(call);
}

static void keep_alive(struct engine *engine, void *owner, uint64_t lease, engine_cb *cb, void *arg)
{
	ask_of_lease(engine, ETCD_KEEP_ALIVE, owner, lease, cb, arg);
}

static void revoke(struct engine *engine, void *owner, uint64_t lease, engine_cb *cb, void *arg)
{
	ask_of_lease(engine, ETCD_REVOKE, owner, lease, cb, arg);
}

static void compact(struct engine *engine, void *owner, uint64_t revision, engine_cb *cb, void *arg)
{
	struct etcd_call *call = etcd_call_create((struct etcd *)engine, ETCD_COMPACT, owner, cb, arg);
	etcd_request_compaction(&call->body, revision);
	etcd_call_start(call);
}

static void status(struct engine *engine, void *owner, engine_cb *cb, void *arg)
{
	struct etcd_call *call = etcd_call_create((struct etcd *)engine, ETCD_STATUS, owner, cb, arg);
	buffer_append(&call->body, "{}", 2);
	etcd_call_start(call);
}

static void watch(struct engine *engine, void *owner, struct slice prefix, engine_hint_cb *hint, void *arg)
{
	etcd_watch_start((struct etcd *)engine, owner, prefix, hint, arg);
}

static void cancel_all(struct engine *engine, void *owner)
{
	struct etcd *etcd = (struct etcd *)engine;
	assert(owner && owner != etcd);
	etcd_calls_cancel(etcd, owner);
	etcd_watches_cancel(etcd, owner);
}

static const struct engine_calls etcd_engine_calls = {
	transact, range, grant, keep_alive, revoke, compact, status, watch, cancel_all,
};

/* -- Its life -- */

static int wrong(char error[ETCD_ERROR_BYTES], const char *what, const char *which, const char *why)
{
	snprintf(error, ETCD_ERROR_BYTES, "%s \"%.200s\": %s", what, which, why);
	return -1;
}

static int check(const struct etcd_settings *settings, char error[ETCD_ERROR_BYTES])
{
	if (settings->n_endpoints == 0 || settings->n_endpoints > ETCD_MAX_ENDPOINTS) {
		snprintf(error, ETCD_ERROR_BYTES, "there are %zu endpoints of etcd: there must be 1 to %d",
			 settings->n_endpoints, ETCD_MAX_ENDPOINTS);
		return -1;
	}
	for (size_t i = 0; i < settings->n_endpoints; i++) {
		const char *url = settings->endpoints[i], *why = etcd_http_wrong_url(url);
		if (!why && strlen(url) > ETCD_URL_BYTES - 64)
			why = "it is too long";
		if (why)
			return wrong(error, "etcd's endpoint", url, why);
	}
	if ((settings->cert == NULL) != (settings->key == NULL))
		return wrong(error, "etcd's certificate", settings->cert ? settings->cert : settings->key,
			     "a certificate and its key belong together");
	if ((settings->user == NULL) != (settings->password == NULL))
		return wrong(error, "etcd's user", settings->user ? settings->user : "",
			     "a user and a password belong together");
	return 0;
}

static char *copy(const char *text)
{
	return text ? strdup(text) : NULL;
}

/* The prefix with one '/' at its end; the endpoints without. -1: no memory. */
static int copy_settings(struct etcd *etcd, const struct etcd_settings *settings)
{
	size_t len = strlen(settings->prefix);
	bool is_ended = len > 0 && settings->prefix[len - 1] == '/';
	etcd->prefix = malloc(len + 2);
	if (etcd->prefix)
		snprintf(etcd->prefix, len + 2, "%s%s", settings->prefix, is_ended ? "" : "/");
	for (size_t i = 0; i < settings->n_endpoints; i++) {
		char *url = etcd->endpoints[i] = strdup(settings->endpoints[i]);
		if (!url)
			return -1;
		etcd->n_endpoints++;
		if (url[strlen(url) - 1] == '/')
			url[strlen(url) - 1] = '\0';
	}
	etcd->user = copy(settings->user);
	etcd->password = copy(settings->password);
	etcd->try_us = (settings->try_ms ? settings->try_ms : ETCD_TRY_MS) * (uint64_t)1000;
	etcd->call_us = (settings->call_ms ? settings->call_ms : ETCD_CALL_MS) * (uint64_t)1000;
	return etcd->prefix && (etcd->user || !settings->user) && (etcd->password || !settings->password) ? 0 : -1;
}

struct engine *etcd_create(struct loop *loop, const struct etcd_settings *settings, char error[ETCD_ERROR_BYTES])
{
	const char *why = etcd_http_load();
	if (why) {
		snprintf(error, ETCD_ERROR_BYTES,
			 "a cluster needs libcurl, which cannot be loaded (Debian: apt install libcurl4): %.300s", why);
		return NULL;
	}
	if (check(settings, error) < 0)
		return NULL;
	struct etcd *etcd = calloc(1, sizeof(*etcd));
	if (!etcd)
		goto failed;
	*etcd = (struct etcd){.engine.calls = &etcd_engine_calls, .loop = loop, .on_call_timer = etcd_on_call_timer};
	list_init(&etcd->watches);
	if (etcd_calls_init(etcd) < 0 || copy_settings(etcd, settings) < 0)
		goto failed;
	etcd->http = etcd_http_create(loop, &(struct etcd_http_files){settings->ca, settings->cert, settings->key});
	if (!etcd->http)
		goto failed;
	return &etcd->engine;

failed:
	if (etcd)
		etcd_destroy(&etcd->engine);
	snprintf(error, ETCD_ERROR_BYTES, "no memory for etcd's client");
	return NULL;
}

void etcd_destroy(struct engine *engine)
{
	struct etcd *etcd = (struct etcd *)engine;
	if (!etcd)
		return;
	etcd_watches_cancel(etcd, NULL);
	etcd_calls_finish(etcd);
	etcd_http_destroy(etcd->http);
	for (unsigned i = 0; i < etcd->n_endpoints; i++)
		free(etcd->endpoints[i]);
	free(etcd->prefix);
	free(etcd->user);
	free(etcd->password);
	free(etcd);
}
